/* lane_counts.h - what is counted of one model. */
#ifndef COCKTAIL_LANE_COUNTS_H
#define COCKTAIL_LANE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/generation.h"
#include "serve/histogram.h"

struct lane_counts {
    size_t n_running, n_waiting;     /* requests, now */
    size_t n_prompt_tokens, n_cached_tokens, n_new_tokens, n_preemptions;
    size_t n_ended[GENERATION_FAILED + 1]; /* texts, by how they ended */
    struct histogram first_token, whole, queued; /* seconds of requests */
    bool is_loaded;
};

#endif
