#include "sequences.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void add_id(struct sequences *sequences, uint32_t id, uint8_t type_id)
{
    struct ids *all = &sequences->ids;

    ids_add(all, id);
    if (all->capacity > sequences->n_type_ids_max) {
        sequences->n_type_ids_max = all->capacity;
        sequences->type_ids =
            memory_resize(sequences->type_ids, all->capacity, sizeof *sequences->type_ids);
    }
    sequences->type_ids[all->n_items - 1] = type_id;
}

void sequences_add(struct sequences *sequences, const uint32_t *ids, const uint8_t *type_ids,
                   size_t n)
{
    ids_reserve(&sequences->ids, n);
    for (size_t i = 0; i < n; i++)
        add_id(sequences, ids[i], type_ids ? type_ids[i] : 0);
    if (sequences->n_sequences == sequences->n_ends_max) {
        sequences->n_ends_max = sequences->n_ends_max ? 2 * sequences->n_ends_max : 16;
        sequences->ends =
            memory_resize(sequences->ends, sequences->n_ends_max, sizeof *sequences->ends);
    }
    sequences->ends[sequences->n_sequences++] = sequences->ids.n_items;
}

void sequences_extend(struct sequences *sequences, uint32_t id)
{
    add_id(sequences, id, 0);
    sequences->ends[sequences->n_sequences - 1] = sequences->ids.n_items;
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

struct sequence sequences_get(const struct sequences *sequences, size_t number)
{
    size_t start = batch_start(sequences->ends, number);

    return (struct sequence){sequences->ids.items + start, sequences->type_ids + start,
                             sequences->ends[number] - start};
}
