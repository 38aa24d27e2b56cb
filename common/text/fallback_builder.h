/* fallback_builder.h - what a builder of tokenizer_fallback.c is.
 *
 * It makes the model from its file and writes all other components as JSON text; what differs
 * between classes of tokenizers is a row of a table or a short function. */
#ifndef COCKTAIL_FALLBACK_BUILDER_H
#define COCKTAIL_FALLBACK_BUILDER_H

#include <stddef.h>

#include "base/error.h"
#include "base/folder.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_fallback.h"

enum { FALLBACK_BYTES_MAX = 100 * 1000 * 1000 }; /* of a file */

struct fallback_source {
    const struct folder *folder;
    const char *directory;
    const struct tokenizer_config *config;
    char *text; /* of the file that was found, with a NUL behind it */
    size_t size;
};

/* -1 when the file is malformed or its class unknown. The subword, set or not, is the caller's. */
typedef int fallback_builder(struct tokenizer_fallback *fallback, struct fallback_source *source,
                             struct error *err);

fallback_builder fallback_vocab_txt, fallback_vocab_json, fallback_sentencepiece, fallback_xlmr,
    fallback_tiktoken, fallback_tekken;

#endif
