/* routing.h - what routers did, for those who watch them. */
#ifndef COCKTAIL_ROUTING_H
#define COCKTAIL_ROUTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/model_spec.h"
#include "model/batch.h"

/* What one router did with the tokens of a batch: choices stand [n_tokens, spec->n_chosen], the
 * likeliest first. All borrowed, until the watcher returns. */
struct routing {
    const struct stack_spec *stack; /* which of the model's */
    const struct moe_spec *spec;
    const struct batch *batch;
    size_t layer;
    bool is_attention;      /* experts of query heads, not of the MLP */
    const float *logits;    /* [n_tokens, n_experts], as the router gave them */
    const uint32_t *experts;
    const float *weights;   /* 0 for a choice that its expert had no room for */
};

struct routing_watcher {
    void (*see)(void *context, const struct routing *routing); /* NULL: nobody watches */
    void *context;
};

#endif
