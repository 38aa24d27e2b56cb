/* gguf_settings.h - what a GGUF file says of a model besides its tokenizer: general.* and the keys of its
 * architecture. Source: docs/models.md, "GGUF". */
#ifndef COCKTAIL_GGUF_SETTINGS_H
#define COCKTAIL_GGUF_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "arch/gguf_names.h"
#include "arch/model_spec.h"
#include "format/gguf_metadata.h"

enum gguf_pooling { GGUF_POOLING_NONE = 0, GGUF_POOLING_MEAN, GGUF_POOLING_CLS, GGUF_POOLING_LAST };

struct gguf_settings { /* all borrowed */
    const struct gguf_architecture *architecture;
    const struct model_spec *spec;
    const struct config *config; /* that the spec was loaded from */
    const char *name;            /* of the model */
    const char *const *bases;    /* [n_bases], names on the Hub of what it was made of, "org/name" */
    size_t n_bases;
    uint32_t file_type;          /* 0 F32, 1 F16, 7 Q8_0, 32 BF16 */
    size_t n_rows;               /* of the embedding: the size of the vocabulary */
    enum gguf_pooling pooling;
};

/* The spec is within gguf_limits.h. */
void gguf_settings_put(struct gguf_metadata *metadata, const struct gguf_settings *settings);

/* What rotary frequencies are divided by: rope_freqs.weight of llama3, [n_dims / 2]. */
void gguf_settings_rope_freqs(const struct rope_spec *rope, float *factors);

#endif
