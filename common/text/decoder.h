/* decoder.h - from the pieces that ids stand for back to text. Rules:
 * docs/tokenizers.md, "Decoders". */
#ifndef COCKTAIL_DECODER_H
#define COCKTAIL_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

struct decoder;

/* From the "decoder" member (NULL or null: tokens are joined by a space). NULL with ERROR_FORMAT or
 * ERROR_UNSUPPORTED that names the component. Freed with decoder_free. */
struct decoder *decoder_new(const cJSON *json, struct error *err);
void decoder_free(struct decoder *decoder);

struct token_list { /* strings in one buffer; zeroed: empty */
    struct buffer bytes;
    size_t *ends; /* [n_tokens], in bytes */
    size_t n_tokens, capacity;
    struct buffer scratch; /* of who fills the list */
};
void token_list_add(struct token_list *list, const char *token, size_t length);
void token_list_clear(struct token_list *list);
void token_list_release(struct token_list *list);

/* Adds the text of the tokens to `out`. Uses up the list; `other` is scratch. Fails, with nothing added, when the rules
 * of the file make more text of them than any honest ones do, or when a pattern takes too long. */
int decoder_run(const struct decoder *decoder, struct token_list *tokens, struct token_list *other,
                struct buffer *out, struct error *err);

/* Adds the bytes that a token stands for and is true, when they are a piece of a character, which
 * decoder_run cannot show; else false, with nothing added. */
bool decoder_add_piece(const struct decoder *decoder, const char *token, size_t length,
                       struct buffer *out);

#endif
