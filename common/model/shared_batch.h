/* shared_batch.h - a batch that rank 0 has, run by all ranks (ranks.h): each runs some of its sequences,
 * and what they give comes back to rank 0, in their order. With one rank it is run as it is. */
#ifndef COCKTAIL_SHARED_BATCH_H
#define COCKTAIL_SHARED_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/batch.h"
#include "model/expert_group.h"

struct sharing {
    /* rows [of each sequence, or of each token, width] of a batch without caches, which is not empty. */
    int (*run)(void *context, const struct batch *batch, float *rows, struct error *err);
    void *context;
    size_t width;       /* floats of a row */
    bool is_per_token;
    struct expert_group *experts; /* of the model that runs, or NULL */
};

/* On rank 0: rows of a batch of at least one sequence; of it ids, type_ids and ends are used. Errors:
 * those of `run`; ERROR_RESOURCES; ERROR_NETWORK. */
int shared_batch_run(const struct sharing *sharing, const struct batch *batch, float *rows,
                     struct error *err);
/* On rank 0: there are no more. */
int shared_batch_end(struct error *err);
/* On the others: runs what rank 0 hands out until there is no more. */
int shared_batch_serve(const struct sharing *sharing, struct error *err);

#endif
