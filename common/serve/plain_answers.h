/* plain_answers.h - what is answered without running a model. */
#ifndef COCKTAIL_PLAIN_ANSWERS_H
#define COCKTAIL_PLAIN_ANSWERS_H

#include "base/buffer.h"
#include "serve/refusal.h"
#include "serve/service.h"

/* /v1/models, and one of them; 404 when there is none of that name. */
void plain_answers_add_models(const struct service *service, struct buffer *out);
int plain_answers_add_model(const struct service *service, const char *name, struct buffer *out,
                            struct refusal *refusal);
/* ollama's /api/tags */
void plain_answers_add_tags(const struct service *service, struct buffer *out);

#endif
