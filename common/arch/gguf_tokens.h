/* gguf_tokens.h - `tokenizer.ggml.*` of a GGUF file, checked: what gguf_tokenizer.c writes in another
 * form. */
#ifndef COCKTAIL_GGUF_TOKENS_H
#define COCKTAIL_GGUF_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/gguf_pre.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "format/gguf.h"

enum gguf_token_type { /* as they are numbered in the file; any other number is none of these */
    GGUF_TOKEN_NORMAL = 1, GGUF_TOKEN_UNKNOWN, GGUF_TOKEN_CONTROL, GGUF_TOKEN_USER, GGUF_TOKEN_UNUSED,
    GGUF_TOKEN_BYTE,
};

enum gguf_special {
    GGUF_BEGIN, GGUF_END, GGUF_UNKNOWN, GGUF_SEPARATOR, GGUF_PADDING, GGUF_CLASS, GGUF_MASK,
};
enum { GGUF_SPECIALS = GGUF_MASK + 1 };
extern const struct gguf_special_name {
    const char *key, *name; /* "tokenizer.ggml.bos_token_id", "bos_token" */
} gguf_special_names[GGUF_SPECIALS];

enum gguf_kind { GGUF_KIND_SCORES, GGUF_KIND_MERGES, GGUF_KIND_WORDS, GGUF_KIND_UNIGRAM };

#define GGUF_NO_TOKEN SIZE_MAX

struct gguf_token {
    struct gguf_text text;     /* as Hugging Face spells it; UTF-8 */
    enum gguf_token_type type;
    bool is_filler;            /* stands for an id without a token */
    bool lstrip, rstrip, normalized;
};

struct gguf_tokens { /* zeroed: no tokenizer */
    bool is_there;
    enum gguf_kind kind;
    const struct gguf_pre *pre; /* of GGUF_KIND_MERGES, else NULL */
    struct gguf_token *items;
    size_t n_items;             /* without the fillers at the end */
    size_t specials[GGUF_SPECIALS]; /* < n_items, or GGUF_NO_TOKEN */
    bool adds_begin, adds_end, adds_separator, adds_space, merges_spaces;
    bool lowers;
    int strips_accents;         /* -1: not said */
    const struct gguf_value *scores;   /* one for each token; NULL where the kind needs none */
    const struct gguf_value *merges;
    const struct gguf_value *charsmap; /* of bytes, or NULL */
    struct hash_map by_text;    /* of all that are no fillers */
    struct arena arena;
};

/* Errors: those of gguf_tokenizer_add. Released with gguf_tokens_release, also when it fails. What it
 * points to is the gguf's. */
int gguf_tokens_read(struct gguf_tokens *tokens, const struct gguf *gguf, struct error *err);
void gguf_tokens_release(struct gguf_tokens *tokens);

/* Whether llama.cpp takes a token of this name for a control token, whatever its type. */
bool gguf_token_is_control(struct gguf_text text);
/* Whether it is found in a text before anything else. */
bool gguf_token_is_added(const struct gguf_token *token);

#endif
