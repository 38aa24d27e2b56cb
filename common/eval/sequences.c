#include "sequences.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void sequences_add(struct sequences *sequences, const uint32_t *ids, const uint8_t *type_ids,
                   size_t n)
{
    struct ids *all = &sequences->ids;

    ids_reserve(all, n);
    if (all->capacity > sequences->n_type_ids_max) {
        sequences->n_type_ids_max = all->capacity;
        sequences->type_ids =
            memory_resize(sequences->type_ids, all->capacity, sizeof *sequences->type_ids);
    }
    for (size_t i = 0; i < n; i++) {
        sequences->type_ids[all->n_items] = type_ids ? type_ids[i] : 0;
        ids_add(all, ids[i]);
    }
    if (sequences->n_sequences == sequences->n_ends_max) {
        sequences->n_ends_max = sequences->n_ends_max ? 2 * sequences->n_ends_max : 16;
        sequences->ends =
            memory_resize(sequences->ends, sequences->n_ends_max, sizeof *sequences->ends);
    }
    sequences->ends[sequences->n_sequences++] = all->n_items;
}

void sequences_clear(struct sequences *sequences)
{
    ids_clear(&sequences->ids);
    sequences->n_sequences = 0;
}

void sequences_release(struct sequences *sequences)
{
    ids_release(&sequences->ids);
    free(sequences->type_ids);
    free(sequences->ends);
    *sequences = (struct sequences){0};
}

struct batch sequences_batch(const struct sequences *sequences)
{
    return (struct batch){
        .ids = sequences->ids.items,
        .type_ids = sequences->type_ids,
        .ends = sequences->ends,
        .n_sequences = sequences->n_sequences,
    };
}
