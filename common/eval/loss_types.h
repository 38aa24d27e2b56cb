/* loss_types.h - what losses are asked of, and how; and what one example gives. */
#ifndef COCKTAIL_LOSS_TYPES_H
#define COCKTAIL_LOSS_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/architecture.h"
#include "base/progress.h"
#include "eval/encoded_examples.h"
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
    size_t batch_size; /* examples at once; fewer when they are long; 0: as many as run best */
    size_t max_length; /* tokens of a text; the model and its modules may allow fewer */
    double temperature; /* of the cosines of an encoder */
    bool are_prompts;   /* the inputs are prompts of a chat template: no special tokens are added */
    bool have_marks;    /* … and in them are the marks of special_marks.h */
    /* As LM_Cocktail 0.0.4: a query is also judged against the passages of the other examples in its
     * batch, and the loss is the mean over batches of the mean in each. Decoders and encoders. Its
     * batches are of loss_run_group_size() examples, whatever a model is given at once. */
    bool is_lm_cocktail;
    /* Where the examples are as ids, or are going to be: for a next model, which may read them alike.
     * NULL: nobody needs them again. */
    struct encoded_examples *encoded;
    struct pass_follower follower;
    struct progress *progress; /* counts bytes of text; NULL: nobody looks */
};

/* What LM_Cocktail has as its default. */
enum { LM_COCKTAIL_BATCH = 2 };

struct example_loss {
    double loss;     /* mean over its output tokens, or that of its query */
    size_t n_tokens; /* of the output; of a query, its positive and its negatives together */
    size_t n_right;  /* output tokens that the model holds to be the likeliest */
    size_t rank;     /* of the positive, 1 when the best; 0 for what is no ranking */
};

#endif
