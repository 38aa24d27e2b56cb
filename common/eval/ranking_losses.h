/* ranking_losses.h - cross-entropy of a positive among its negatives: encoders and rerankers.
 *
 * An encoder reads a query and its passages as texts of their own and gives vectors, a reranker
 * reads each passage as a pair with the query and gives one score. The texts of a group of examples
 * go through the model in passes, and their vectors or scores are kept until the group is whole. */
#ifndef COCKTAIL_RANKING_LOSSES_H
#define COCKTAIL_RANKING_LOSSES_H

#include "base/error.h"
#include "eval/loss_run.h"

/* Keeps the loss of every example of the run. Errors: those of losses_compute. */
int ranking_losses_compute(struct loss_run *run, struct error *err);

#endif
