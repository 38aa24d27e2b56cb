/* layout_check.h - whether a checkpoint is what config.json says. */
#ifndef COCKTAIL_LAYOUT_CHECK_H
#define COCKTAIL_LAYOUT_CHECK_H

#include "arch/model_layout.h"
#include "base/error.h"

/* ERROR_FORMAT when a tensor is missing or has another shape than config.json says, or when there
 * are more layers or experts. More rows than tokens are fine, and so are layers that predict
 * further tokens (DeepSeek-V3), which nothing here runs. */
int layout_check(const struct model_layout *layout, struct error *err);

/* Tensor `index` belongs to a layer behind the last one that predicts a further token. */
bool layout_is_next_token(const struct checkpoint_names *names, size_t n_layers, size_t index);

/* How many tensors of the checkpoint have no place in the model, and are none that its loader in
 * transformers passes over without a word: buffers, poolers, layers that predict further tokens, an
 * embedding stored once more. *first is the name of the first of them. */
size_t layout_count_unused(const struct model_layout *layout, const char **first);

#endif
