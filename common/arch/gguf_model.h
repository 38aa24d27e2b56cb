/* gguf_model.h - the metadata of a GGUF file that describe the model, checked: for gguf_folder.c.
 *
 * A setting that is not in the table (gguf_keys.h) could change what the model computes: it is
 * refused by name. What stands under other names than the architecture's is not looked at. */
#ifndef COCKTAIL_GGUF_MODEL_H
#define COCKTAIL_GGUF_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/gguf_names.h"
#include "base/error.h"
#include "format/gguf.h"
#include "tensor/tensor.h"

struct gguf_model {
    const struct gguf *gguf; /* borrowed */
    const struct gguf_architecture *architecture;
    size_t n_layers, hidden_size, n_heads, n_kv_heads, head_dim, n_experts, n_positions;
    /* Factors of rotary embeddings that stand among the tensors; NULL: there are none. */
    const struct tensor *rope_freqs, *rope_long, *rope_short;
};

/* ERROR_FORMAT for a setting that is missing, of another type or out of range, ERROR_UNSUPPORTED
 * for an architecture or a setting that we do not know, or whose value we cannot obey. */
int gguf_model_load(struct gguf_model *model, const struct gguf *gguf, struct error *err);

/* What stands under that name behind the architecture's; NULL: nothing. */
const struct gguf_value *gguf_model_find(const struct gguf_model *model, const char *name);
/* A number of at least `min`; `fallback` when it is absent. A list has one number for each layer,
 * all equal, else ERROR_UNSUPPORTED. */
int gguf_model_number(const struct gguf_model *model, const char *name, double fallback, double min,
                      double *out, struct error *err);
/* A whole one up to `max`, likewise. */
int gguf_model_count(const struct gguf_model *model, const char *name, size_t fallback, size_t min,
                     size_t max, size_t *out, struct error *err);
/* What `name` as a whole says, likewise not below 0; -1 when it is absent or no whole number. */
double gguf_model_token(const struct gguf_model *model, const char *name);
/* A text without a NUL, or NULL: it is absent, or no such text. */
const char *gguf_model_word(const struct gguf *gguf, const char *key);

/* Whether a router of deepseek2 is one of sigmoids: DeepSeek-V3, not V2. */
bool gguf_model_is_sigmoid(const struct gguf_model *model);

#endif
