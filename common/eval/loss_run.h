/* loss_run.h - one model over all examples: what the two kinds of losses share. */
#ifndef COCKTAIL_LOSS_RUN_H
#define COCKTAIL_LOSS_RUN_H

#include <stddef.h>

#include "base/error.h"
#include "eval/examples.h"
#include "eval/loss_types.h"
#include "eval/pass.h"
#include "text/tokenizer.h"

/* Tokens of one forward pass, unless a single text has more: so that memory is bounded. */
enum { LOSS_PASS_TOKENS = 8192 };

struct loss_run { /* filled by losses.c */
    const struct losses_model *model;
    const struct examples *examples;
    const struct losses_options *options;
    struct example_loss *losses; /* [examples->n_items] */
    const char *prompt;          /* in front of a query, and of a passage of an encoder, or NULL */
    size_t n_prompt_tokens;
    size_t max_length;           /* by the options, the model and its modules */
    struct tokenizer_scratch *scratch;
    struct encoding encoding;
    size_t n_texts, n_cut;
};

/* run->encoding = a text, or a pair. max_length 0: neither cut nor counted. */
int loss_run_encode(struct loss_run *run, struct example_text text,
                    const struct example_text *pair, size_t max_length, struct error *err);
/* ERROR_FORMAT for a token that the model has no embedding for, as an input or a target. */
int loss_run_check_ids(const struct loss_run *run, const uint32_t *ids, size_t n,
                       struct error *err);
/* Keeps the loss of an example: ERROR_INCOMPATIBLE when it is not finite. */
int loss_run_keep(struct loss_run *run, size_t example, struct example_loss loss,
                  struct error *err);
/* Bytes of all texts of an example, as they are counted for progress. */
size_t loss_run_text_bytes(const struct example *example);
/* Tells who follows. */
int loss_run_passed(const struct loss_run *run, const struct pass *pass, struct error *err);
/* Puts the name of the model in front of an error of its own. */
int loss_run_failed(const struct loss_run *run, struct error *err);

#endif
