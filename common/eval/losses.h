/* losses.h - how well a model gives the answers that its examples want.
 *
 * Decoder: cross-entropy of the tokens of the output behind those of the input. Encoder-decoder:
 * the same, where the encoder reads the input. Encoder: cross-entropy of the positive among its
 * negatives, by cosine / temperature. Reranker: the same by the model's scores. Results do not
 * depend on how the examples are put into batches, but for rounding (1e-6). */
#ifndef COCKTAIL_LOSSES_H
#define COCKTAIL_LOSSES_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/architecture.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/progress.h"
#include "eval/examples.h"
#include "eval/pass.h"
#include "model/model.h"
#include "model/sentence.h"
#include "text/tokenizer.h"

struct losses_model { /* all borrowed */
    const char *name; /* for messages */
    enum model_type type;
    struct model *model;
    const struct tokenizer *tokenizer;
    const struct sentence_model *sentence; /* of an encoder; else NULL */
    /* Of an encoder or reranker: its default prompt and its limit are used. NULL: there are none. */
    const struct sentence_settings *settings;
};

struct losses_options {
    size_t batch_size; /* examples at once; fewer when they are long */
    size_t max_length; /* tokens of a text; the model and its modules may allow fewer */
    double temperature; /* of the cosines of an encoder */
    /* As LM_Cocktail 0.0.4: a query is also judged against the passages of the other examples in its
     * batch, and the loss is the mean over batches of the mean in each. Decoders and encoders. */
    bool is_lm_cocktail;
    struct pass_follower follower;
    struct progress *progress; /* counts bytes of text; NULL: nobody looks */
};

struct example_loss {
    double loss;     /* mean over its output tokens, or that of its query */
    size_t n_tokens; /* of the output; of a query, its positive and its negatives together */
    size_t n_right;  /* output tokens that the model holds to be the likeliest */
    size_t rank;     /* of the positive, 1 when the best; 0 for what is no ranking */
};

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
