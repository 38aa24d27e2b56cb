/* sequences.h - ids of several texts, one behind the other, as model_run takes them. */
#ifndef COCKTAIL_SEQUENCES_H
#define COCKTAIL_SEQUENCES_H

#include <stddef.h>
#include <stdint.h>

#include "model/model.h"
#include "text/ids.h"

struct sequences { /* a zeroed struct is empty */
    struct ids ids;
    uint8_t *type_ids; /* [ids.n_items] */
    size_t *ends;      /* [n_sequences] */
    size_t n_sequences, n_type_ids_max, n_ends_max;
};

struct sequence { /* one of them, borrowed as a batch is */
    const uint32_t *ids;     /* [n] */
    const uint8_t *type_ids; /* [n] */
    size_t n;
};

/* type_ids NULL: all 0. */
void sequences_add(struct sequences *sequences, const uint32_t *ids, const uint8_t *type_ids,
                   size_t n);
/* One id more, of type 0, for the last one. */
void sequences_extend(struct sequences *sequences, uint32_t id);
void sequences_clear(struct sequences *sequences);
void sequences_release(struct sequences *sequences);

/* Borrows from it, until the next addition. */
struct batch sequences_batch(const struct sequences *sequences);
struct sequence sequences_get(const struct sequences *sequences, size_t number);

#endif
