/* rope_spec.h - rotary position embeddings as config.json describes them.
 *
 * Sources: RoFormer (arXiv 2104.09864), YaRN (2309.00071), LongRoPE (2402.13753), and transformers'
 * modeling_rope_utils.py for what each key means; docs/models.md, "Rotary positions". */
#ifndef COCKTAIL_ROPE_SPEC_H
#define COCKTAIL_ROPE_SPEC_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_DYNAMIC, ROPE_LLAMA3, ROPE_YARN, ROPE_LONGROPE };

struct rope_spec { /* a zeroed struct: none */
    enum rope_kind kind;
    size_t n_dims;       /* of a head, even: those that rotate, from the first on */
    double theta, factor;
    double low_freq_factor, high_freq_factor; /* llama3 */
    double beta_fast, beta_slow;              /* yarn */
    bool truncates;
    size_t max_positions, original_positions;
    double attention_factor;                  /* cosines and sines are multiplied by it */
    double mscale_all_dim;                    /* 0: not there */
    double *short_factors, *long_factors;     /* longrope, [n_dims / 2] */
    double short_mscale, long_mscale;         /* PhiMoE's, instead of it; 0: none */
};

struct rope_source { /* where config.json says it; members may be NULL */
    const cJSON *parameters; /* rope_parameters or rope_scaling */
    double theta;            /* when `parameters` does not say */
    double partial;          /* share of a head that rotates, likewise */
    size_t head_dim, max_positions;
    size_t original_positions; /* of config.json itself; 0: not there */
};

/* ERROR_FORMAT for values out of range, ERROR_UNSUPPORTED for an unknown type. Released with
 * rope_spec_release. */
int rope_spec_load(struct rope_spec *rope, const struct rope_source *source, struct error *err);
void rope_spec_release(struct rope_spec *rope);

/* frequencies[n_dims / 2] for a sequence of n_tokens (dynamic and longrope depend on it). */
void rope_spec_frequencies(const struct rope_spec *rope, size_t n_tokens, float *frequencies);
/* What cosines and sines of such a sequence are multiplied by. */
double rope_spec_attention_factor(const struct rope_spec *rope, size_t n_tokens);
/* The number of tokens above which longrope takes other frequencies for all positions, so that
 * keys kept from before no longer fit; 0: never. */
size_t rope_spec_switch(const struct rope_spec *rope);

#endif
