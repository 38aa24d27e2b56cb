/* tokenizer_append.h - tokens added to the files of a tokenizer: to those that are found in a text before
 * it is cut (docs/tokenizers.md, "Added tokens"), with nothing else changed. */
#ifndef COCKTAIL_TOKENIZER_APPEND_H
#define COCKTAIL_TOKENIZER_APPEND_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "text/added_tokens.h"

/* Adds tokens[n] to the list of a tokenizer.json. Whoever loads it gives those that are in no vocabulary
 * the next free ids, whatever is written there: ids[n] must be these. ERROR_FORMAT when it is malformed. */
int tokenizer_append_json(struct buffer *text, const struct added_token *tokens, size_t n,
                          struct error *err);
/* The same in a tokenizer_config.json, where it has such a list (added_tokens_decoder). */
int tokenizer_append_config(struct buffer *text, const struct added_token *tokens, size_t n,
                            struct error *err);

#endif
