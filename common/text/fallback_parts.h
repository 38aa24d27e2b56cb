/* fallback_parts.h - what several of the builders in fallback_builder.h do and write. */
#ifndef COCKTAIL_FALLBACK_PARTS_H
#define COCKTAIL_FALLBACK_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/json_writer.h"
#include "text/bpe.h"
#include "text/bpe_merges.h"
#include "text/fallback_builder.h"
#include "text/subword.h"
#include "text/token_table.h"

/* Fails when the class is given and in none of the lists, each of which ends in NULL; for a map that
 * makes a guess of it. */
int fallback_check_class(struct tokenizer_fallback *fallback, const struct fallback_source *source,
                         const char *const *const *known, size_t n_known, struct error *err);
/* As bpe_new, or a map. */
struct subword *fallback_make_bpe(const struct tokenizer_fallback *fallback,
                                  struct token_table *tokens, const struct bpe_merges *merges,
                                  const struct bpe_settings *settings, struct error *err);

/* A flag below 0 is not given, and then the value is. */
bool fallback_flag(int flag, bool value);
/* Opens an object with this type, to be ended with json_writer_end. */
void fallback_open(struct json_writer *json, const char *key, const char *type);
/* {"type":TYPE} */
void fallback_add_plain(struct json_writer *json, const char *key, const char *type);
/* The member post_processor: FIRST A LAST; and, for a pair, then [LAST] B LAST, the second text of
 * this type. FIRST NULL: none. */
int fallback_add_template(struct json_writer *json, const struct subword *subword,
                          const char *first, const char *last, bool is_last_doubled,
                          unsigned second_type, struct error *err);

/* Puts the token that the base64 text spells. */
int fallback_put_bytes(struct token_table *tokens, const char *base64, size_t n, size_t id,
                       struct error *err);
/* The member pre_tokenizer of a byte-level tokenizer that splits by the pattern. */
void fallback_add_split(struct json_writer *json, const char *pattern);

/* An entry of added_tokens, which has its id from the vocabulary. */
void fallback_add_token(struct json_writer *json, const char *content, size_t length, bool lstrip,
                        bool special);

#endif
