/* sampler.h - the next token from its logits, as transformers draws it: biases and penalties change
 * the logits, temperature divides them, then top-k, top-p and min-p leave out the less likely ones,
 * and one number of chance takes one of those that are left.
 *
 * That number follows from the seed, from which text of the seed it is and from how many tokens the
 * text has, and from nothing else: so one seed gives one text, whatever runs beside it. */
#ifndef COCKTAIL_SAMPLER_H
#define COCKTAIL_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct logit_bias {
    uint32_t id;
    float bias; /* added to its logit */
};

struct sampling { /* a member of 0 does nothing, unless said otherwise */
    double temperature; /* 0: the largest logit, of equal ones that with the lowest id */
    size_t top_k;       /* that many of the largest, and those equal to the last; 0: all */
    double top_p;       /* the fewest of the largest that have this probability together; 1: all */
    uint64_t seed;
    uint64_t number;    /* of the text, among those of one seed */
    double min_p;       /* those that have this part of the largest probability */
    /* Logits of all tokens that the text or its prompt holds: divided by it where they are above 0,
     * else multiplied. Source: CTRL (arXiv 1909.05858). 1: nothing. */
    double repetition_penalty;
    /* Taken from the logits of new tokens: the one for each time that they came, the other once.
     * Source: the API of OpenAI. */
    double frequency_penalty, presence_penalty;
    const struct logit_bias *biases; /* [n_biases], borrowed */
    size_t n_biases;
};

struct sampler { /* holds no memory and does not change */
    struct sampling sampling;
    size_t n_logits;
};

struct sampler_text { /* so far; borrowed */
    const uint32_t *ids; /* [n_ids], with the prompt; ids beyond the logits are overlooked */
    size_t n_ids, n_given; /* given: those of the prompt */
    const uint32_t *banned; /* [n_banned]: must not come next */
    size_t n_banned;
};

void sampler_init(struct sampler *sampler, const struct sampling *sampling, size_t n_logits);

/* ERROR_INCOMPATIBLE when the largest logit is not a finite number. scratch: sampler_scratch_bytes,
 * aligned for any type. */
int sampler_pick(const struct sampler *sampler, const float *logits,
                 const struct sampler_text *text, void *scratch, uint32_t *id, struct error *err);
size_t sampler_scratch_bytes(const struct sampler *sampler);

struct token_logprob {
    uint32_t id;
    float logprob; /* natural logarithm of its probability, by the logits as they are */
};

/* out[0]: that of `id`, below n_logits; out[1] to out[n_top]: the likeliest, the likeliest first and
 * of equal ones that with the lowest id. n_top is at most n_logits. */
void sampler_logprobs(const float *logits, size_t n_logits, uint32_t id, size_t n_top,
                      struct token_logprob *out);

#endif
