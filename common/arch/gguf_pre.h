/* gguf_pre.h - tokenizer.ggml.pre: the names that stand for how a byte-level BPE cuts a text.
 *
 * A GGUF file holds no pattern, only a name that llama.cpp knows. Which is which:
 * docs/tokenizers.md, "In a GGUF file". */
#ifndef COCKTAIL_GGUF_PRE_H
#define COCKTAIL_GGUF_PRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct gguf_pre {
    const char *name;
    const char *const *splits; /* NULL behind the last; each cuts what those before it left */
    bool ignores_merges; /* a word that is a token is that token */
    bool adds_begin;     /* where the file does not say whether the begin token is added */
    bool is_plain;       /* no bytes: a space is U+2581, as in sentencepiece, and so are the tokens */
};

/* NULL: a name that we do not know. */
const struct gguf_pre *gguf_pre_find(const char *name, size_t length);
/* Row i; NULL behind the last. Of rows that do the same the best known stands first. */
const struct gguf_pre *gguf_pre_row(size_t i);
/* Adds what it stands for, as the member "pre_tokenizer" of a tokenizer.json has it. */
void gguf_pre_describe(const struct gguf_pre *pre, struct buffer *out);

/* What llama.cpp's converter tells tokenizers by: the ids of this text, written as Python writes a
 * list of them, in SHA-256 (hexadecimal). */
extern const char gguf_pre_text[];
/* The name that it has for that hash, or NULL. */
const char *gguf_pre_of_hash(const char *hash);

#endif
