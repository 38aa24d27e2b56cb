/* gguf_tokenizer_write.h - the tokenizer of a model folder as the metadata of a GGUF file.
 *
 * What gguf_tokenizer.h reads, as llama.cpp's converter writes it. Rules: docs/tokenizers.md,
 * "In a GGUF file". */
#ifndef COCKTAIL_GGUF_TOKENIZER_WRITE_H
#define COCKTAIL_GGUF_TOKENIZER_WRITE_H

#include <stddef.h>

#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "format/gguf_metadata.h"

/* Puts tokenizer.ggml.* and the chat templates, with as many tokens as the embedding has rows: ids
 * without a token become fillers. A folder without a tokenizer becomes one of the kind "none". What
 * a GGUF file cannot say of tokens (that they swallow white space, that texts are normalized to NFC
 * first) is noticed. ERROR_UNSUPPORTED names what has no place and would change ids of plain texts;
 * ERROR_INCOMPATIBLE a token that has no row. */
int gguf_tokenizer_write(struct gguf_metadata *metadata, const struct model_folder *model,
                         size_t n_rows, struct notices *notices, struct error *err);

#endif
