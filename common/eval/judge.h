/* judge.h - several models, one after another, judged by the same examples.
 *
 * A model is loaded, judged and put away before the next one, so that memory is that of the largest.
 * All of them read the examples as the first one's tokenizer cuts them: they are going to be one
 * model. */
#ifndef COCKTAIL_JUDGE_H
#define COCKTAIL_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/architecture.h"
#include "arch/model_folder.h"
#include "base/error.h"
#include "base/notices.h"
#include "base/progress.h"
#include "base/threads.h"
#include "eval/examples.h"
#include "eval/losses.h"
#include "text/tokenizer.h"

struct judge_options { /* all borrowed */
    enum model_type type; /* of all models */
    const char *pooling;  /* of an encoder, as sentence_model_load takes it */
    bool lifts_capacity;  /* experts take all tokens that choose them */
    struct threads *threads;
    struct expert_group *experts; /* of ranks that share them; NULL: all are here */
    /* is_lm_cocktail: examples, prompts and pooling are as it has them, too. */
    struct losses_options losses;
};

struct judge { /* a zeroed struct holds nothing */
    struct judge_options options;
    const struct examples *examples; /* borrowed */
    struct tokenizer *tokenizer;
    struct encoded_examples encoded; /* as the model before read them */
};

struct judge_examples {
    const char *path, *task; /* as examples_load takes them */
    size_t n_negatives, seed; /* as examples_thin takes them */
};

/* Reads the examples that such models are judged by; notices say what may surprise. ERROR_FORMAT as
 * examples_load has it, and where LM_Cocktail would find too few negatives. Released with
 * examples_release in every case. */
int judge_load_examples(struct examples *examples, const struct judge_options *options,
                        const struct judge_examples *from, struct notices *notices,
                        struct error *err);

/* With the tokenizer of `base`. Errors: those of its settings and of tokenizer_load. Released with
 * judge_release in every case. */
int judge_init(struct judge *judge, const struct judge_options *options,
               const struct examples *examples, const struct model_folder *base,
               struct error *err);
void judge_release(struct judge *judge);

/* Loads a model, judges it and puts it away; meanwhile the disk gives its weights and those of `next`,
 * the model that comes then, or NULL. `progress` may be NULL. Errors: those of model_load,
 * sentence_model_load and losses_compute. *losses is released with losses_release, also then. */
int judge_run(struct judge *judge, struct model_folder *folder, struct model_folder *next,
              struct losses *losses, struct progress *progress, struct notices *notices,
              struct error *err);

#endif
