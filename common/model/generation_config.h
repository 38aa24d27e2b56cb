/* generation_config.h - what the files of a model say of how it generates. */
#ifndef COCKTAIL_GENERATION_CONFIG_H
#define COCKTAIL_GENERATION_CONFIG_H

#include "arch/model_folder.h"
#include "base/error.h"
#include "model/sampler.h"
#include "text/ids.h"
#include "text/tokenizer.h"

/* Adds the ids that end a text: by generation_config.json, else config.json, else the tokenizer;
 * maybe none. ERROR_FORMAT for a malformed generation_config.json. */
int generation_config_eos(const struct model_folder *folder, const struct tokenizer *tokenizer,
                          struct ids *eos, struct error *err);

/* Puts what generation_config.json says of temperature, top_k, top_p, min_p and repetition_penalty in
 * place of what `sampling` says; do_sample and max_new_tokens are not looked at. ERROR_FORMAT for a
 * malformed file, or a value that cannot be. */
int generation_config_sampling(const struct model_folder *folder, struct sampling *sampling,
                               struct error *err);

#endif
