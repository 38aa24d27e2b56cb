/* wordlevel.h - a word is in the vocabulary or unknown. */
#ifndef COCKTAIL_WORDLEVEL_H
#define COCKTAIL_WORDLEVEL_H

#include "text/subword.h"
#include "text/token_table.h"

/* Takes over *tokens, also when it fails. */
struct subword *wordlevel_new(struct token_table *tokens, struct json_text unk_token);

#endif
