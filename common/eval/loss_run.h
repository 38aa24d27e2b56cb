/* loss_run.h - one model over all examples: what the two kinds of losses share. */
#ifndef COCKTAIL_LOSS_RUN_H
#define COCKTAIL_LOSS_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/shares.h"
#include "eval/encoded_examples.h"
#include "eval/examples.h"
#include "eval/loss_types.h"
#include "eval/pass.h"

struct loss_run { /* filled by losses.c */
    const struct losses_model *model;
    const struct examples *examples;
    const struct losses_options *options;
    struct example_loss *losses; /* [examples->n_items] */
    const char *prompt;          /* in front of a query, and of a passage of an encoder, or NULL */
    size_t n_prompt_tokens;
    size_t max_length;           /* by the options, the model and its modules */
    const struct encoded_examples *encoded;
};

/* Keeps the loss of an example: ERROR_INCOMPATIBLE when it is not finite. */
int loss_run_keep(struct loss_run *run, size_t example, struct example_loss loss,
                  struct error *err);
/* Bytes of all texts of an example, as they are counted for progress. */
size_t loss_run_text_bytes(const struct example *example);
/* How many examples make a batch of LM_Cocktail's. */
size_t loss_run_group_size(const struct losses_options *options);
/* How many of n things that are to be run ranks divide at a time, those from `first` on: all, unless
 * somebody follows who gathers. */
size_t loss_run_window(const struct loss_run *run, size_t first, size_t n);
/* Which of a window's things, of these sizes, this rank runs. */
struct share loss_run_share(const size_t *sizes, size_t n);
/* All ranks have run their shares of a window. */
int loss_run_meet(const struct loss_run *run, struct error *err);
/* Whether what several examples have in common is run once. */
bool loss_run_shares(const struct loss_run *run);
/* Tells who follows. */
int loss_run_passed(const struct loss_run *run, const struct pass *pass, struct error *err);
/* Puts the name of the model in front of an error of its own. */
int loss_run_failed(const struct loss_run *run, struct error *err);

#endif
