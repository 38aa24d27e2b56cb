/* openapi.h - /openapi.json: what the server accepts, from the tables that requests are read by. */
#ifndef COCKTAIL_OPENAPI_H
#define COCKTAIL_OPENAPI_H

#include "base/buffer.h"
#include "serve/service.h"

/* Members that go only with others, or whose range is a model's, are taken but not listed. */
void openapi_add(const struct service *service, struct buffer *out);

#endif
