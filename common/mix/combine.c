#include "combine.h"

#include <string.h>

static const struct combine_method *const methods[] = {
    &combine_linear,
    &combine_slerp,
    &combine_nuslerp,
    &combine_multislerp,
    &combine_karcher,
    &combine_task_arithmetic,
    &combine_ties,
    &combine_dare_linear,
    &combine_dare_ties,
    &combine_della,
    &combine_della_linear,
    &combine_breadcrumbs,
    &combine_breadcrumbs_ties,
    &combine_model_stock,
    &combine_sce,
    &combine_ram,
    &combine_ramplus_tl,
    &combine_nearswap,
    &combine_arcee_fusion,
    &combine_passthrough,
    &combine_lm_cocktail,
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
