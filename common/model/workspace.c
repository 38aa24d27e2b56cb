/* workspace.c - the n-th piece that a pass takes is the n-th that it took the last time: slots in
 * the order of taking, each as large as the largest that was asked of it. */
#include "workspace.h"

#include <stdlib.h>

#include "base/memory.h"

/* Larger slots are not kept from pass to pass. */
enum { KEPT_BYTES = 16 << 20 };

struct workspace_slot {
    void *data;
    size_t size; /* bytes */
};

void workspace_release(struct workspace *workspace)
{
    for (size_t i = 0; i < workspace->n_slots; i++)
        free(workspace->slots[i].data);
    free(workspace->slots);
    *workspace = (struct workspace){0};
}

static struct workspace_slot *next_slot(struct workspace *workspace)
{
    if (workspace->n_used == workspace->n_slots) {
        workspace->slots = memory_resize(workspace->slots, workspace->n_slots + 1,
                                         sizeof *workspace->slots);
        workspace->slots[workspace->n_slots++] = (struct workspace_slot){0};
    }
    return &workspace->slots[workspace->n_used++];
}

void *workspace_take(struct workspace *workspace, size_t n, size_t size, const char *what,
                     struct error *err)
{
    struct workspace_slot *slot = next_slot(workspace);
    size_t n_bytes;

    if (__builtin_mul_overflow(n, size, &n_bytes))
        n_bytes = (size_t)-1; /* which there is not: memory_try says so */
    if (!slot->data || slot->size < n_bytes) {
        free(slot->data);
        slot->data = memory_try(n, size, what, err);
        slot->size = slot->data ? n_bytes : 0;
    }
    return slot->data;
}

size_t workspace_mark(const struct workspace *workspace)
{
    return workspace->n_used;
}

void workspace_return(struct workspace *workspace, size_t mark)
{
    workspace->n_used = mark;
    for (size_t i = 0; mark == 0 && i < workspace->n_slots; i++) {
        struct workspace_slot *slot = &workspace->slots[i];

        if (slot->size > KEPT_BYTES) {
            free(slot->data);
            *slot = (struct workspace_slot){0};
        }
    }
}
