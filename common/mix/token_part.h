/* token_part.h - the parts of a model that have something for each token of its vocabulary: embeddings,
 * output heads, and biases of these. */
#ifndef COCKTAIL_TOKEN_PART_H
#define COCKTAIL_TOKEN_PART_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "format/checkpoint.h"
#include "tensor/tensor.h"

enum token_part { TOKEN_PART_NONE, TOKEN_PART_EMBEDDING, TOKEN_PART_HEAD, TOKEN_PART_BIAS };

/* Replaces what `plain` holds with the plain name. */
enum token_part token_part_of(const struct tensor *tensor, struct buffer *plain);

/* The first of the kind that is no part of another (T5 may store its table three times); NULL: there is none. */
const struct tensor *token_part_find(const struct checkpoint *weights, enum token_part kind);

/* ERROR_UNSUPPORTED for a tensor that is none of these and seems to be one: its tokens would stay where they
 * are. `embedding` is that of its model. */
int token_part_check_other(const struct tensor *tensor, const struct tensor *embedding,
                           struct error *err);

/* The tensor with its tokens in the first dimension. One row with a column for each (final_logits_bias) holds
 * the same bytes as one column does; others stay as they are. In the arena where it is a new one. */
const struct tensor *token_part_as_rows(const struct tensor *tensor, struct arena *arena);
/* What was made of such rows with the shape that `like` has; its shape is in the arena. */
void token_part_shape_like(struct tensor *made, const struct tensor *like, struct arena *arena);

#endif
