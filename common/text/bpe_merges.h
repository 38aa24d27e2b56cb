/* bpe_merges.h - which two tokens of a BPE vocabulary become which one, in order of rank.
 *
 * From tokenizer.json or merges.txt, or derived where a file has scores or ranks instead. */
#ifndef COCKTAIL_BPE_MERGES_H
#define COCKTAIL_BPE_MERGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_reader.h"
#include "text/token_table.h"

struct bpe_merge {
    uint32_t left, right, result; /* ids */
};

struct bpe_merges { /* a zeroed struct is empty */
    struct bpe_merge *items;
    size_t n_items, capacity;
    const char *problem; /* why they could not be derived: bpe_new refuses with it; NULL: none */
};

/* What is derived grows with the square of a token's length. The longest tokens in use have 128
 * bytes; Gemma has half a million merges. */
enum { BPE_DERIVE_LONGEST = 1024, BPE_DERIVE_MERGES = 1 << 22 };

void bpe_merges_release(struct bpe_merges *merges);

/* ["a b", …] or [["a", "b"], …], the reader standing before it. The result of a merge is a and
 * what is left of b without its first n_prefix bytes. ERROR_FORMAT, naming the merge, when one of
 * the three is not in the vocabulary. */
int bpe_merges_read(struct bpe_merges *merges, struct json_reader *reader,
                    const struct token_table *tokens, size_t n_prefix, struct error *err);
/* merges.txt: lines "a b"; those that are empty or begin with "#version" are skipped. */
int bpe_merges_read_lines(struct bpe_merges *merges, const char *text, size_t size,
                          const struct token_table *tokens, struct error *err);

/* Every way to cut a token at a character into two tokens is a merge. By scores (of a SentencePiece
 * BPE model, [tokens->n_entries]): highest first. Without (NULL), ids being ranks, as in a tiktoken
 * file: lowest id first, the tokens being spelled in display characters. A vocabulary beyond the
 * limits above is a problem. */
void bpe_merges_derive(struct bpe_merges *merges, const struct token_table *tokens,
                       const double *scores);

#endif
