/* wordpiece.h - the longest piece first, as BERT does. */
#ifndef COCKTAIL_WORDPIECE_H
#define COCKTAIL_WORDPIECE_H

#include <stdint.h>

#include "base/error.h"
#include "text/subword.h"
#include "text/token_table.h"

struct wordpiece_settings {
    struct json_text unk_token; /* borrowed, as is the prefix */
    struct json_text continuing_subword_prefix;
    size_t max_input_chars_per_word;
};

/* What vocab.txt of a BERT model implies. */
struct wordpiece_settings wordpiece_bert_settings(void);

/* Takes over *tokens, also when it fails. */
struct subword *wordpiece_new(struct token_table *tokens,
                              const struct wordpiece_settings *settings, struct error *err);

/* The id of the unk_token of a subword of the type "WordPiece" that is no map; TOKEN_NONE: it is not
 * in the vocabulary. */
uint32_t wordpiece_unknown(const struct subword *subword);

/* vocab.txt: one token a line, the number of the line from 0 on being its id; of equal tokens the
 * last counts. A CR before the line's end is dropped. ERROR_FORMAT unless it is UTF-8. */
int wordpiece_read_lines(struct token_table *tokens, const char *text, size_t size,
                         struct error *err);

#endif
