/* tokenizer_parts.h - what a loaded tokenizer is: tokenizer_load.c fills it, tokenizer.c runs it. */
#ifndef COCKTAIL_TOKENIZER_PARTS_H
#define COCKTAIL_TOKENIZER_PARTS_H

#include "base/arena.h"
#include "base/hash.h"
#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/subword.h"
#include "text/template.h"
#include "text/tokenizer.h"

struct special {
    char *name; /* "bos_token" */
    uint32_t id;
};

struct tokenizer {
    struct normalizer *normalizer;
    struct pretokenizer *pretokenizer;
    pretokenizer_scan *scan; /* the short way through the pre-tokenizer, or NULL */
    struct subword *subword;
    struct template template;
    struct decoder *decoder;
    struct added_token *added;
    size_t n_added;
    uint32_t max_added_id;
    struct hash_map added_by_content; /* -> index in added */
    struct hash_map added_by_id;      /* the same; a key is the four bytes of an id */
    struct arena arena;               /* of contents and of ids as keys */
    struct added_matcher *raw_matcher, *normalized_matcher;
    bool truncates_left, gives_types;
    struct special *specials;
    size_t n_specials;
    bool is_map; /* for look-ups alone: there is nothing to run */
    bool is_guess;
    const char *file;
};

/* An added token by its content or its id; NULL: there is none. */
const struct added_token *tokenizer_added(const struct tokenizer *tokenizer, const char *content,
                                          size_t length);
const struct added_token *tokenizer_added_id(const struct tokenizer *tokenizer, uint32_t id);

#endif
