/* loaded_model.h - what a command that runs a model begins with: directory, type, tokenizer,
 * threads, weights. */
#ifndef COCKTAIL_LOADED_MODEL_H
#define COCKTAIL_LOADED_MODEL_H

#include <stdbool.h>

#include "arch/architecture.h"
#include "arch/model_folder.h"
#include "base/error.h"
#include "base/threads.h"
#include "model/model.h"
#include "text/tokenizer.h"

#include "options.h"

struct loaded_model {
    struct model_folder folder;
    enum model_type type;
    struct threads *threads;
    bool owns_threads;
    struct sentence_settings settings; /* of an encoder or reranker; else zeroed */
    struct tokenizer *tokenizer; /* NULL when it was not asked for */
    struct model *model;
    struct expert_group own_group; /* of --expert-parallel, unless it is another model's */
    struct expert_group *experts;  /* the model's, or NULL */
};

struct loaded_model_options {
    const char *type;       /* as --type takes it; NULL: what config.json says */
    const char *capacity;   /* as --capacity takes it; NULL: drop */
    unsigned types;         /* those that the command can use: 1 << MODEL_DECODER | …; 0: all */
    bool follow_symlinks, no_tokenizer;
    /* Of another model, borrowed; NULL: a pool and, for --expert-parallel, a group of its own. */
    struct threads *threads;
    struct expert_group *experts;
};

/* Opens the model that the user typed, a path or the name of a model on the Hub, and prints its
 * notices. Errors: those of model_argument_find, ERROR_FORMAT, ERROR_INCOMPATIBLE for a type that the command cannot use, ERROR_UNSUPPORTED.
 * Released with loaded_model_release, also after an error. */
int loaded_model_open(struct loaded_model *loaded, const char *argument,
                      const struct loaded_model_options *options,
                      const struct common_options *common, struct error *err);
/* --expert-parallel: *experts becomes `group`, or NULL where all experts are here. ERROR_USAGE as
 * expert_group_init has it. */
int experts_join(struct expert_group *group, struct expert_group **experts,
                 const struct common_options *common, struct error *err);
/* At the end, on all ranks: a notice says what they hold and have sent. NULL: there is nothing. */
int experts_tell(const struct expert_group *experts, const struct common_options *common,
                 struct error *err);
/* Whether --capacity, or NULL, says that experts take all tokens that choose them. */
bool loaded_model_lifts_capacity(const char *capacity);
void loaded_model_release(struct loaded_model *loaded);

#endif
