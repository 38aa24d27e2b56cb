/* tokenizer_fallback.h - models without tokenizer.json: what their other files mean.
 *
 * vocab.txt; vocab.json and merges.txt; a sentencepiece model; a tiktoken file; tekken.json. The
 * model is built from the file; all other components come as the tokenizer.json that the Hugging
 * Face converters would write, so that there is one way to load them. Rules:
 * docs/tokenizers.md, "Without tokenizer.json". */
#ifndef COCKTAIL_TOKENIZER_FALLBACK_H
#define COCKTAIL_TOKENIZER_FALLBACK_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/folder.h"
#include "text/subword.h"
#include "text/tokenizer_config.h"

struct tokenizer_fallback { /* zeroed to begin */
    /* Set by the caller who only asks which token has which id: what keeps the tokenizer from being
     * run is let be, and the subword is a map (subword_new_map) where it must. */
    bool map_only;
    bool is_guess; /* then: its class is one that we do not know, and may number tokens otherwise */
    struct subword *subword;     /* moved to the caller */
    struct buffer json;          /* a tokenizer.json without "model"; released by the caller */
    const char *file;            /* what it was made from, for messages */
    const char *const *specials; /* tokens added last, if they are unknown; NULL-terminated or NULL */
};

/* The name of the file that is taken in this directory; NULL: there is none. */
const char *tokenizer_fallback_find(const struct folder *folder, const char *directory);

/* ERROR_FORMAT when there is none of these files, or it is malformed; ERROR_UNSUPPORTED when the
 * class of the tokenizer is one that we do not know how to build. */
int tokenizer_fallback_make(struct tokenizer_fallback *fallback, const struct folder *folder,
                            const char *directory, const struct tokenizer_config *config,
                            struct error *err);

/* Fails when the text of a file is that of a Git LFS pointer. */
int tokenizer_fallback_check_pointer(const char *text, struct error *err);

#endif
