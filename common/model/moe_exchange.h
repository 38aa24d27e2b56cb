/* moe_exchange.h - choices whose experts are on other ranks (expert_group.h): the rows of a block of
 * tokens go to where their experts are, and what these give comes back, in the order of the experts'
 * numbers. No number is added on the way: whoever sent a row does with what it gets as if the expert
 * were here. */
#ifndef COCKTAIL_MOE_EXCHANGE_H
#define COCKTAIL_MOE_EXCHANGE_H

#include "model/moe_choice.h"

struct moe_work { /* of experts, with one row for each choice */
    size_t n_in, n_out; /* floats of a row that an expert gets, and gives */
    /* The row that a choice (token * n_chosen + slot) sends. */
    void (*fill)(const void *context, size_t choice, float *row);
    /* out [n_rows, n_out] of in [n_rows, n_in], n_rows <= ROWS_AT_ONCE, by an expert that is here. */
    void (*run)(const void *context, size_t expert, const float *in, size_t n_rows, float *out);
    /* The same on the calling thread, a `worker` of the pool, while other experts run: those before it
     * have `first` rows, all together no more than MOE_FEW_CHOICES. */
    void (*run_beside)(const void *context, size_t worker, size_t expert, size_t first,
                       const float *in, size_t n_rows, float *out);
    /* An expert that is here is going to run. */
    void (*prefetch)(const void *context, size_t expert);
    /* What comes back, which may be changed; of a token in the order of its experts. Different choices
     * of one expert at once. */
    void (*take)(const void *context, size_t choice, float *row);
    const void *context;
};

/* After moe_choose; of a pass without tokens, too. Together with the others of engine->experts.
 * ERROR_RESOURCES; those of ranks_exchange. */
int moe_exchange(struct moe *moe, const struct engine *engine, const struct moe_work *work,
                 struct error *err);

#endif
