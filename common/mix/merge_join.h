/* merge_join.h - models of a merge given one tokenizer (join.h), as its options say. */
#ifndef COCKTAIL_MERGE_JOIN_H
#define COCKTAIL_MERGE_JOIN_H

#include "base/error.h"
#include "mix/merge.h"

/* Of a merge whose models are open and whose options name a tokenizer. Padding rows of the first model
 * stay. Errors: those of model_folder_open, join_open and join_move. */
int merge_join(struct merge *merge, struct error *err);

#endif
