/* merge_model.h - what a merge is going to be, as a model: so that one merge is an input of another,
 * and is never written. */
#ifndef COCKTAIL_MERGE_MODEL_H
#define COCKTAIL_MERGE_MODEL_H

#include "arch/model_folder.h"
#include "base/error.h"
#include "mix/merge.h"

/* Makes *model the result of the merge, called `name`; its values are computed as they are read. The
 * plans of the merge are as they will be, and it must stay. Released with model_folder_release. */
int merge_model_open(struct model_folder *model, struct merge *merge, const char *name,
                     struct error *err);

#endif
