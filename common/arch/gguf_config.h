/* gguf_config.h - the config.json, and what stands beside it, of a GGUF file: for gguf_folder.c. */
#ifndef COCKTAIL_GGUF_CONFIG_H
#define COCKTAIL_GGUF_CONFIG_H

#include "arch/gguf_model.h"
#include "base/buffer.h"
#include "base/json_writer.h"
#include "format/checkpoint.h"

/* Adds the text. The checkpoint has the names of transformers by now; `dtype` is what torch calls
 * that of most of its bytes. ERROR_FORMAT and ERROR_UNSUPPORTED as of gguf_model_load. */
int gguf_config_make(struct buffer *out, const struct gguf_model *model,
                     const struct checkpoint *checkpoint, const char *dtype, struct error *err);

/* Adds generation_config.json: the tokens that begin and end a text. */
void gguf_config_add_generation(struct buffer *out, const struct gguf_model *model);

/* Adds rope_scaling, where there is any, as a member of the object. */
int gguf_rope_add(struct json_writer *json, const struct gguf_model *model, struct error *err);

/* Adds what is said of latent attention and its router: of deepseek2. */
int gguf_latent_add(struct json_writer *json, const struct gguf_model *model, struct error *err);

/* Adds a member, a number as short as it can be read back as a float. */
void gguf_config_add_number(struct json_writer *json, const char *name, double value);

#endif
