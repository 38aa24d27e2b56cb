/* megatron.h - a directory of Megatron-LM's as the model folder that it would be: config.json made
 * in memory, tensors put together from all ranks. */
#ifndef COCKTAIL_MEGATRON_H
#define COCKTAIL_MEGATRON_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/folder.h"
#include "format/checkpoint.h"

struct megatron { /* of a model folder; what its processes were told of one another */
    size_t n_tensor, n_stages, n_chunks, n_expert, n_data, n_context;
    size_t n_expert_tensor; /* of experts; 0: the older layout, that knows no such */
    size_t n_world;         /* processes */
    size_t n_experts;       /* 0: none */
    size_t n_rows;          /* of the embedding, where some may be padding, that stay; else 0 */
    bool is_sequence_parallel;
    char *no_place;         /* NULL, or what of it no class of transformers has a place for */
    struct checkpoint *checkpoint; /* until somebody takes it */
};

/* NULL without an error when the folder is no such directory, or has a config.json. Else the folder
 * shows from here on a config.json and the files that stand beside the iterations (a tokenizer,
 * say). Errors are those of megatron_files.h, megatron_settings.h and megatron_tensors.h, and name
 * the folder. Freed with megatron_free. */
struct megatron *megatron_open(struct folder *folder, struct error *err);
void megatron_free(struct megatron *megatron);

/* Whether the numbers of ranks are such as Megatron-LM itself takes: adds a sentence that says why. */
bool megatron_fits_rules(const struct megatron *megatron, struct buffer *sentence);

#endif
