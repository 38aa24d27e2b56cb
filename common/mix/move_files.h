/* move_files.h - the files of a tokenizer from one model's folder into another's, and what else says ids. */
#ifndef COCKTAIL_MOVE_FILES_H
#define COCKTAIL_MOVE_FILES_H

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "text/token_keys.h"

/* Shows the donor's tokenizer files in the folder of `made`, and hides those that were there. */
int move_tokenizer_files(struct model_folder *made, const struct model_folder *donor,
                         struct error *err);

/* Gives `made` a config.json for n_rows tokens, with the ids of the donor's special tokens, and a
 * generation_config.json, if it has one, likewise. What speaks of other ids there is left out with a notice.
 * ERROR_UNSUPPORTED when the config has its vocabulary elsewhere. */
int move_config_files(struct model_folder *made, const struct model_folder *donor,
                      const struct token_keys *own_keys, const struct token_keys *donor_keys,
                      size_t n_rows, struct notices *notices, struct error *err);

#endif
