#include "recipe_stages.h"

#include <string.h>

struct recipe_stage *recipe_stages_find(const struct recipe_run *run, const char *name)
{
    for (size_t i = 0; i < run->n_stages; i++)
        if (run->stages[i].recipe->name && strcmp(run->stages[i].recipe->name, name) == 0)
            return &run->stages[i];
    return NULL;
}

const struct recipe_reference *recipe_stages_base(const struct recipe_merge *made)
{
    const struct recipe_reference *base = made->scope.slice->base.path ? &made->scope.slice->base
                                                                       : &made->scope.recipe->base;

    return base->path ? base : NULL;
}
