/* normalizer.h - the first stage: text in, text in one of its spellings out.
 * Rules: docs/tokenizers.md, "Normalizers". */
#ifndef COCKTAIL_NORMALIZER_H
#define COCKTAIL_NORMALIZER_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

struct normalizer;

/* From the "normalizer" member of tokenizer.json (NULL or JSON null: nothing to do, gives a
 * normalizer that copies). NULL with ERROR_FORMAT (malformed; the component is named) or
 * ERROR_UNSUPPORTED (unknown type). Freed with normalizer_free. */
struct normalizer *normalizer_new(const cJSON *json, struct error *err);
void normalizer_free(struct normalizer *normalizer);

/* What is adjusted after loading, as tokenizer_config.json says for Bert classes:
 * -1 leaves a flag alone. Does nothing without a BertNormalizer. */
void normalizer_set_bert(struct normalizer *normalizer, int lowercase, int strip_accents,
                         int handle_chinese_chars);

/* Puts a Lowercase in front of all else, unless one is there. */
void normalizer_lower_first(struct normalizer *normalizer);

/* Adds what it does, in bytes that are the same for two that do the same steps, however their
 * files spell them. */
void normalizer_describe(const struct normalizer *normalizer, struct buffer *out);

/* Appends the normal form of text[n] (valid UTF-8) to `out`. *n_origin becomes the number of bytes
 * at the start of that form which the alignment that HF keeps leads back to offset 0 of the text:
 * what came of the first character, and what was prepended to it. It is 0 when the first character
 * was removed, except by Precompiled, which gives its place to the next one; and when a Replace
 * matched more than it. The text is exact; n_origin is not where BertNormalizer strips accents from
 * a text that begins with a combining mark. ERROR_FORMAT for a Precompiled map that leads out of
 * itself. May be called by several threads at once, each with its scratch. */
struct normalizer_scratch;
struct normalizer_scratch *normalizer_scratch_new(void);
void normalizer_scratch_free(struct normalizer_scratch *scratch);
int normalizer_run(const struct normalizer *normalizer, struct normalizer_scratch *scratch,
                   const char *text, size_t n, struct buffer *out, size_t *n_origin,
                   struct error *err);

#endif
