/* bpe.h - byte pair encoding: the neighbours with the lowest rank are merged, again and again. */
#ifndef COCKTAIL_BPE_H
#define COCKTAIL_BPE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json_reader.h"
#include "text/bpe_merges.h"
#include "text/subword.h"
#include "text/token_table.h"

struct bpe_settings { /* texts are borrowed; bytes NULL: there is none */
    struct json_text unk_token;
    struct json_text continuing_subword_prefix, end_of_word_suffix; /* "" is as good as none */
    bool fuse_unk, byte_fallback, ignore_merges;
};

/* Takes over *tokens, also when it fails; `merges` are borrowed. */
struct subword *bpe_new(struct token_table *tokens, const struct bpe_merges *merges,
                        const struct bpe_settings *settings, struct error *err);

/* What a subword of the type "BPE" that is no map was made of. */
struct bpe_facts {
    bool has_unk, fuse_unk, byte_fallback, ignore_merges;
    bool has_affixes;         /* a continuing_subword_prefix or an end_of_word_suffix */
    uint32_t unk_id;          /* TOKEN_NONE: named, and not in the vocabulary */
    struct bpe_merge *merges; /* [n_merges] by rank, each pair once; to be freed */
    size_t n_merges;
};
void bpe_facts(const struct subword *subword, struct bpe_facts *facts);

#endif
