/* tensor_names.h - one meaning, many spellings: prefixes, tied heads, and what is no parameter.
 * Source: docs/models.md, "Names on disk", "Output heads". */
#ifndef COCKTAIL_TENSOR_NAMES_H
#define COCKTAIL_TENSOR_NAMES_H

#include <stdbool.h>

#include "arch/architecture.h"
#include "base/buffer.h"
#include "tensor/tensor.h"

/* The name without the prefixes that wrappers add ("model.", "bert.", "module.", …) and with the
 * old LayerNorm.gamma/beta as weight/bias: equal for equal parts of two spellings of one model.
 * Replaces what `out` holds. */
void tensor_names_plain(const char *name, struct buffer *out);

/* The name as the architecture writes it: without wrappers, and with a prefix that it reads.
 * Replaces what `out` holds. */
void tensor_names_write(const char *name, struct name_style style, struct buffer *out);

struct name_layer { /* "model.layers.12.mlp": 12, at byte 13, of 2 bytes */
    size_t number, start, length;
};
/* Finds the number of the layer in a name, as it is stored; false when it is in none. */
bool tensor_names_find_layer(const char *name, struct name_layer *layer);

/* A buffer (position ids, causal masks, rotary frequencies) that no checkpoint needs. */
bool tensor_names_is_parameter(const struct tensor *tensor);

/* A tensor that may be stored although it is another one: an output head and its embedding, or
 * the same bias under two names. All names plain. */
struct tied_name {
    const char *name;
    const char *owners[9]; /* candidates, the first that exists; NULL-terminated */
    bool is_head;          /* tied only when config.json says so; the others always are */
};
const struct tied_name *tensor_names_find_tied(const char *plain);
/* Number `i` of those that may be equal to `owner`, or NULL. */
const struct tied_name *tensor_names_find_owned(const char *owner, size_t i);

/* An embedding that an output head can be tied to. */
bool tensor_names_is_embedding(const char *plain);

/* Part of a head, of a language model or a classifier (cls.predictions…, lm_head…, score…). */
bool tensor_names_is_encoder_head(const char *plain);
/* Of a pooler, or a table that old T5 files have, which nothing reads but some heads. */
bool tensor_names_is_pooler(const char *plain);

/* One expert, or all of a layer, of a mixture of experts; not what every token passes. */
bool tensor_names_is_expert(const char *plain);
/* Likewise, but of attention. */
bool tensor_names_is_attention_expert(const char *plain);

/* Queries in Mistral's own layout, whose rows stand in another order than transformers has them. */
bool tensor_names_is_consolidated(const char *name);

#endif
