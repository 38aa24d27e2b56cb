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

#endif
