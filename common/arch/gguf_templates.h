/* gguf_templates.h - chat templates: `tokenizer.chat_template` of a GGUF file, and the files of a
 * folder. */
#ifndef COCKTAIL_GGUF_TEMPLATES_H
#define COCKTAIL_GGUF_TEMPLATES_H

#include "base/error.h"
#include "base/folder.h"
#include "format/gguf.h"
#include "format/gguf_metadata.h"

/* Adds chat_template.jinja, and additional_chat_templates/NAME.jinja of
 * `tokenizer.chat_template.NAME`. ERROR_FORMAT for what is no text, and for a NAME that is no plain
 * word. */
int gguf_templates_add(const struct gguf *gguf, struct folder *folder, struct error *err);

/* Puts what stands in chat_template.jinja of the directory or, without one, in its
 * tokenizer_config.json; and in additional_chat_templates/. */
int gguf_templates_write(struct gguf_metadata *metadata, const struct folder *folder,
                         const char *directory, struct error *err);

#endif
