/* gguf_tokenizer.h - the tokenizer inside a GGUF file, as the files that a folder would have it in.
 *
 * What llama.cpp makes of `tokenizer.ggml.*` in the form of Hugging Face, so that one loader reads
 * all tokenizers and what is written elsewhere can be read by others. Rules:
 * docs/tokenizers.md, "In a GGUF file". */
#ifndef COCKTAIL_GGUF_TOKENIZER_H
#define COCKTAIL_GGUF_TOKENIZER_H

#include "base/error.h"
#include "base/folder.h"
#include "format/gguf.h"

/* Adds tokenizer.json and tokenizer_config.json to the folder, and chat_template.jinja and
 * additional_chat_templates/ where there are such. A file without a tokenizer adds nothing.
 * ERROR_FORMAT names the key and the place in it; ERROR_UNSUPPORTED the kind of tokenizer, or the
 * way to cut texts, that we do not know. */
int gguf_tokenizer_add(const struct gguf *gguf, struct folder *folder, struct error *err);

#endif
