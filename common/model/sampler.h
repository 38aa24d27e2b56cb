/* sampler.h - the next token from its logits, as transformers draws it: temperature, then top-k,
 * then top-p, and softmax over what is left. */
#ifndef COCKTAIL_SAMPLER_H
#define COCKTAIL_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "math/random.h"

struct sampling {
    double temperature; /* 0: the largest logit, of equal ones that with the lowest id */
    size_t top_k;       /* that many of the largest, and those equal to the last; 0: all */
    double top_p;       /* the fewest of the largest that have this probability together; 1: all */
    uint64_t seed;
};

struct sampler { /* holds no memory: a copy draws what this would draw */
    struct sampling sampling;
    struct random random;
    size_t n_logits;
};

void sampler_init(struct sampler *sampler, const struct sampling *sampling, size_t n_logits);

/* ERROR_INCOMPATIBLE when the largest logit is not a finite number. scratch: sampler_scratch_bytes,
 * aligned for any type. */
int sampler_pick(struct sampler *sampler, const float *logits, void *scratch, uint32_t *id,
                 struct error *err);
size_t sampler_scratch_bytes(const struct sampler *sampler);

#endif
