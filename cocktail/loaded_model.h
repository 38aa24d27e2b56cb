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
    struct sentence_settings settings; /* of an encoder or reranker; else zeroed */
    struct tokenizer *tokenizer; /* NULL when it was not asked for */
    struct model *model;
};

struct loaded_model_options {
    const char *type;       /* as --type takes it; NULL: what config.json says */
    const char *capacity;   /* as --capacity takes it; NULL: drop */
    unsigned types;         /* those that the command can use: 1 << MODEL_DECODER | …; 0: all */
    bool follow_symlinks, no_tokenizer;
};

/* Opens the model that the user typed, a path or the name of a model on the Hub, and prints its
 * notices. Errors: those of model_argument_find, ERROR_FORMAT, ERROR_INCOMPATIBLE for a type that the command cannot use, ERROR_UNSUPPORTED.
 * Released with loaded_model_release, also after an error. */
int loaded_model_open(struct loaded_model *loaded, const char *argument,
                      const struct loaded_model_options *options,
                      const struct common_options *common, struct error *err);
/* For a model that was not opened so. Its settings, when it is an encoder or a reranker, with a
 * notice of what they say and nobody obeys; ERROR_UNSUPPORTED for a reranker with other modules than
 * its transformer. Zeroed on error; released with sentence_settings_release. */
int loaded_model_settings(struct sentence_settings *settings, const struct model_folder *folder,
                          enum model_type type, struct notices *notices, struct error *err);
/* Its tokenizer, to be freed, as the settings want it. */
struct tokenizer *loaded_model_tokenizer(const struct model_folder *folder,
                                         const struct sentence_settings *settings,
                                         struct error *err);
/* What --capacity says, or NULL. */
void loaded_model_set_capacity(struct model *model, const char *capacity);
void loaded_model_release(struct loaded_model *loaded);

#endif
