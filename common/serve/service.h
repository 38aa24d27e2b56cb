/* service.h - what requests are answered with: the models, and the scheduler that runs them. */
#ifndef COCKTAIL_SERVICE_H
#define COCKTAIL_SERVICE_H

#include <stddef.h>

#include "serve/refusal.h"
#include "serve/scheduler.h"
#include "serve/served_model.h"

struct service { /* all borrowed; read-only while requests come */
    struct served_model *models;
    size_t n_models;
    struct scheduler *scheduler;
};

/* The model of that name, or, for NULL, the only one of the kind. A name may end in ":latest", and
 * one of the form accounts/ACCOUNT/models/NAME counts as NAME when nothing is called so. NULL when
 * refused: 404 when there is none, 400 when it is of another kind. */
struct served_model *service_find(const struct service *service, const char *name,
                                  enum served_kind kind, struct refusal *refusal);
/* The same of any kind; NULL when there is none, which is no refusal. */
struct served_model *service_look(const struct service *service, const char *name);

#endif
