#include "combine.h"

#include <string.h>

static const struct combine_method *const methods[] = {
    &combine_linear,
    &combine_lm_cocktail,
    &combine_slerp,
    &combine_task_arithmetic,
};
enum { N_METHODS = sizeof methods / sizeof *methods };

const struct combine_method *const *combine_methods(size_t *n_methods)
{
    *n_methods = N_METHODS;
    return methods;
}

const struct combine_method *combine_method_find(const char *name)
{
    for (size_t i = 0; i < N_METHODS; i++)
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    return NULL;
}
