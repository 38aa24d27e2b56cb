/* rows_request.h - requests for vectors and scores, in the words of OpenAI, Cohere, Jina, TEI and
 * ollama, as a job for an encoder or a reranker; and their answers. */
#ifndef COCKTAIL_ROWS_REQUEST_H
#define COCKTAIL_ROWS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "serve/job.h"
#include "serve/refusal.h"
#include "serve/service.h"

enum rows_form { ROWS_EMBEDDINGS, ROWS_OLLAMA_EMBED, ROWS_RERANK, ROWS_TEI_RERANK };

struct member_row;

struct rows_request {
    enum rows_form form;
    struct job *job;
    bool is_base64;          /* vectors as base64 of little-endian floats */
    size_t n_dimensions;     /* of a vector that are kept, the first; 0: all */
    bool is_raw;             /* scores as the model gives them; else their sigmoid */
    bool has_documents;      /* the answer repeats the texts: */
    char **documents;        /* [job->n_inputs] */
    size_t n_documents, n_top; /* how many scores, the best; 0: all */
};

/* What a request of this form may have. */
const struct member_row *rows_request_rows(enum rows_form form);
int rows_request_read(struct rows_request *request, enum rows_form form,
                      const struct service *service, const char *body, size_t size,
                      struct refusal *refusal);
/* Of a job that is done, under its mutex: the answer, or -1 with why there is none. */
int rows_request_add_answer(const struct rows_request *request, struct buffer *out,
                            struct refusal *refusal);
void rows_request_release(struct rows_request *request); /* lets go of the job */

#endif
