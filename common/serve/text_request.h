/* text_request.h - a request for texts, in the words of OpenAI or ollama, as a job for a
 * decoder. */
#ifndef COCKTAIL_TEXT_REQUEST_H
#define COCKTAIL_TEXT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "serve/job.h"
#include "serve/refusal.h"
#include "serve/service.h"
#include "serve/text_form.h"

struct text_request {
    enum text_form form;
    struct job *job;       /* what is asked of the model, not submitted yet; without prompts: that
                            * it is there */
    bool is_streamed;
    bool has_usage;        /* a stream ends with it */
    bool tells_usage;      /* and each chunk tells what it is so far */
    char *tools;           /* JSON of what may be called; NULL: calls are not looked for */
    bool continues;        /* what comes goes on with a message */
    bool opens_thought;    /* the prompt ends in "<think>" or the like: what comes begins within a thought */
    bool has_echo;         /* the texts of the prompts stand before the answers, of a conversation
                            * that of the message that is continued: */
    struct buffer *echoes; /* [job->n_prompts], or NULL */
};

/* Refused as server errors are: 400 for what is malformed, out of range or not supported, 404
 * for an unknown model. Everything that can be known before a token is generated is known now.
 * Zeroed when refused; released with text_request_release, which lets go of the job. */
int text_request_read(struct text_request *request, enum text_form form,
                      const struct service *service, const char *body, size_t size,
                      struct refusal *refusal);
void text_request_release(struct text_request *request);

#endif
