/* position.h - where a token stands, as attention sees it: rotation angles, and T5's biases. */
#ifndef COCKTAIL_POSITION_H
#define COCKTAIL_POSITION_H

#include <stddef.h>

#include "arch/model_spec.h"
#include "base/error.h"
#include "model/batch.h"
#include "model/workspace.h"

struct position_angles { /* of the tokens of a batch */
    size_t n_pairs;
    float *cosines, *sines; /* [n_tokens, n_pairs] */
};

/* Source: RoFormer (arXiv 2104.09864), in the half rotation of transformers. In memory of the
 * workspace. ERROR_RESOURCES. */
int position_angles_init(struct position_angles *angles, const struct rope_spec *rope,
                         const struct batch *batch, struct workspace *workspace,
                         struct error *err);
/* Turns the query or key of one head of token number `token` of the batch. */
void position_rotate(const struct position_angles *angles, size_t token, float *head);
/* The same, where items 2i and 2i + 1 of the head are a pair. */
void position_rotate_pairs(const struct position_angles *angles, size_t token, float *head);

struct position_bias { /* see struct attention_spec */
    float *values; /* [n_heads][2 span + 1], or NULL: no bias */
    size_t span;
};

/* Room for distances below n_tokens, in memory of the workspace. ERROR_RESOURCES. */
int position_bias_init(struct position_bias *bias, const struct stack_spec *stack, size_t n_tokens,
                       struct workspace *workspace, struct error *err);
/* From the table [n_buckets, n_heads] of a layer. Source: T5 (arXiv 1910.10683); docs/models.md,
 * "Relative positions". */
void position_bias_fill(struct position_bias *bias, const float *table,
                        const struct stack_spec *stack);
/* The bucket of a distance (key - query), below n_buckets. */
size_t position_bucket(long distance, const struct stack_spec *stack);

#endif
