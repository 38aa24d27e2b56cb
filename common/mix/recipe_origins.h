/* recipe_origins.h - what the result of a recipe is made of, for its card and the report. */
#ifndef COCKTAIL_RECIPE_ORIGINS_H
#define COCKTAIL_RECIPE_ORIGINS_H

#include "mix/recipe_stages.h"

/* Of a run whose stages are all open: the models that it names, wherever they go in, with licence and
 * languages that follow from all of them. */
void recipe_origins_tell(struct recipe_run *run);

#endif
