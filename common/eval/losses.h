/* losses.h - how well a model gives the answers that its examples want.
 *
 * Decoder: cross-entropy of the tokens of the output behind those of the input. Encoder-decoder:
 * the same, where the encoder reads the input. Encoder: cross-entropy of the positive among its
 * negatives, by cosine / temperature. Reranker: the same by the model's scores. Results do not
 * depend on how the examples are put into batches, to the last bit. */
#ifndef COCKTAIL_LOSSES_H
#define COCKTAIL_LOSSES_H

#include <stddef.h>

#include "arch/architecture.h"
#include "base/error.h"
#include "base/notices.h"
#include "eval/examples.h"
#include "eval/loss_types.h"

struct losses { /* a zeroed struct holds none */
    struct example_loss *items; /* [n_items], as the examples */
    size_t n_items, n_tokens;
    double loss;     /* mean over all output tokens, or over all queries; see is_lm_cocktail */
    double accuracy; /* share of output tokens that are right, or of positives ranked first */
    double mrr;      /* mean of 1 / rank; NAN for what is no ranking */
};

/* What kind of examples a model of this type takes. */
enum example_kind losses_kind(enum model_type type);

/* Notices say how many texts were cut, and which prompts of the model were used and which were not.
 * ERROR_FORMAT, with FILE:LINE, for an example of which nothing is left to be judged;
 * ERROR_INCOMPATIBLE, naming the model, when a loss is not finite; ERROR_UNSUPPORTED for a reranker
 * with more than one label. Released with losses_release. */
int losses_compute(struct losses *losses, const struct losses_model *model,
                   const struct examples *examples, const struct losses_options *options,
                   struct notices *notices, struct error *err);
void losses_release(struct losses *losses);

#endif
