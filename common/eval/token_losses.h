/* token_losses.h - cross-entropy of output tokens: decoders and encoder-decoders.
 *
 * Only rows whose next token counts go through the output head, a few hundred at a time: the logits
 * of all tokens would be larger than everything else. Each row is judged by one task, and the rows
 * of an example are added up in their order, so that the number of threads does not show. */
#ifndef COCKTAIL_TOKEN_LOSSES_H
#define COCKTAIL_TOKEN_LOSSES_H

#include "base/error.h"
#include "eval/loss_run.h"

/* Keeps the loss of every example of the run. Errors: those of losses_compute. */
int token_losses_compute(struct loss_run *run, struct error *err);

#endif
