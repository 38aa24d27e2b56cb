/* encoding_report.h - tokens, and texts of tokens, as `tokenize` shows them: each adds a line. */
#ifndef COCKTAIL_ENCODING_REPORT_H
#define COCKTAIL_ENCODING_REPORT_H

#include "base/buffer.h"
#include "text/tokenizer.h"

/* Blanks between ids, or between the tokens as utf8_add_printable writes them. */
void encoding_report_add_ids(struct buffer *out, const struct encoding *encoding);
void encoding_report_add_tokens(struct buffer *out, const struct encoding *encoding,
                                const struct tokenizer *tokenizer);
/* A JSON object with both. */
void encoding_report_add_json(struct buffer *out, const struct encoding *encoding,
                              const struct tokenizer *tokenizer);

/* A text that was decoded, as it is, and a JSON object with it. */
void encoding_report_add_text(struct buffer *out, const struct buffer *text);
void encoding_report_add_text_json(struct buffer *out, const struct buffer *text);

#endif
