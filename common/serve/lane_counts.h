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
    struct histogram prompt, decode; /* of these: up to the first token, and behind it */
    struct histogram between;        /* seconds from one token of a text to the next */
    struct histogram step_tokens;    /* of each step or pass */
    size_t cache_bytes;              /* of running texts and those that are kept */
    double cache_share;              /* of all that caches may take */
    bool is_loaded;
};

#endif
