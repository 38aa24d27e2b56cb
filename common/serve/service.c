#include "service.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct served_model *find_exact(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->n_models; i++)
        if (served_model_is_named(&service->models[i], name))
            return &service->models[i];
    return NULL;
}

struct served_model *service_look(const struct service *service, const char *name)
{
    struct served_model *found = find_exact(service, name);
    size_t n = strlen(name);
    char *copy;

    if (found)
        return found;
    copy = memory_copy(name);
    if (n > 7 && strcmp(copy + n - 7, ":latest") == 0)
        copy[n - 7] = '\0';
    found = find_exact(service, copy);
    if (!found && strncmp(copy, "accounts/", 9) == 0 && strstr(copy, "/models/"))
        found = find_exact(service, strrchr(copy, '/') + 1);
    free(copy);
    return found;
}

static struct served_model *find_only(const struct service *service, enum served_kind kind,
                                      struct refusal *refusal)
{
    struct served_model *found = NULL;

    for (size_t i = 0; i < service->n_models; i++) {
        if (service->models[i].kind != kind)
            continue;
        if (found) {
            refusal_set(refusal, 400, NULL, "model", "'model' says which of the %ss is meant",
                        served_kind_name(kind));
            return NULL;
        }
        found = &service->models[i];
    }
    if (!found)
        refusal_set(refusal, 404, "model_not_found", "model", "there is no %s here",
                    served_kind_name(kind));
    return found;
}

struct served_model *service_find(const struct service *service, const char *name,
                                  enum served_kind kind, struct refusal *refusal)
{
    struct served_model *found;

    if (!name)
        return find_only(service, kind, refusal);
    found = service_look(service, name);
    if (!found)
        refusal_set(refusal, 404, "model_not_found", "model", "the model '" ERROR_NAME
                    "' does not exist", name);
    else if (found->kind != kind)
        refusal_set(refusal, 400, NULL, "model", "'" ERROR_NAME "' is %s %s; this asks for %s %s",
                    name, found->kind == SERVED_ENCODER ? "an" : "a",
                    served_kind_name(found->kind), kind == SERVED_ENCODER ? "an" : "a",
                    served_kind_name(kind));
    return found && found->kind == kind ? found : NULL;
}
