/* chat_template.h - from a model's folder and a conversation to the prompt, as transformers does it.
 *
 * Which template counts, what it sees and what is done to the messages first: docs/templates.md,
 * "Which template", "What it sees". The language is jinja.h's. What a conversation is made of comes
 * as JSON text, because a template can print a number as it was written. */
#ifndef COCKTAIL_CHAT_TEMPLATE_H
#define COCKTAIL_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/folder.h"

struct chat_template; /* the templates of one model; read-only once loaded, threads share it */

/* Loads what lies in `directory` ("": the folder itself). `choice` is what the user asked for with
 * --template: NULL for the model's own; the name of one of the model's templates; "chatml" for the
 * common one; else the path of a file. Each template that may be used is read and checked.
 * ERROR_INCOMPATIBLE when there is none; ERROR_FORMAT for a malformed file or template;
 * ERROR_UNSUPPORTED for a construct that jinja.h lacks, by name and line. */
struct chat_template *chat_template_load(const struct folder *folder, const char *directory,
                                         const char *choice, struct error *err);
void chat_template_free(struct chat_template *chat);

/* JSON texts, borrowed and NUL-terminated; NULL: not given. */
struct chat_conversation {
    const char *messages;  /* a list of objects */
    const char *tools;     /* a list of objects; an empty one counts as given */
    const char *documents; /* a list of objects */
    const char *kwargs;    /* an object: further variables of the template */
    bool add_generation_prompt;
    bool continue_final_message; /* not both */
    /* What is done to each text in all of these (not to names of members) before the template sees
     * it: adds to `out` what takes its place. NULL: nothing. */
    void (*prepare)(const void *context, const char *text, size_t n, struct buffer *out);
    const void *prepare_context;
};

/* Adds the prompt to `out`; on failure nothing. To be encoded without adding special tokens. What a
 * template says with raise_exception stands in the error as it is.
 * ERROR_FORMAT for malformed input, what the template refuses, and a limit that is passed;
 * ERROR_UNSUPPORTED; ERROR_INCOMPATIBLE when there is no template for this conversation. */
int chat_template_render(const struct chat_template *chat,
                         const struct chat_conversation *conversation, struct buffer *out,
                         struct error *err);

#endif
