/* model_folder.h - a model on disk, opened: its directory, config and layout. */
#ifndef COCKTAIL_MODEL_FOLDER_H
#define COCKTAIL_MODEL_FOLDER_H

#include <stdbool.h>

#include "arch/architecture.h"
#include "arch/config.h"
#include "arch/megatron.h"
#include "arch/sentence_transformers.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/notices.h"
#include "format/checkpoint.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

struct opened_checkpoint {
    char *directory, *file; /* as it was asked for; file may be NULL */
    struct checkpoint *checkpoint;
    struct error refusal; /* why its values cannot be read: quantized.h */
};

/* What was added to its weights, and is released just before they are. */
struct model_addition {
    void (*release)(struct model_addition *addition);
    struct model_addition *next;
    char *label; /* what strangers may read of it */
};

struct model_folder {
    char *name;            /* as the user wrote it; for messages and the model card */
    char *path;            /* that it was opened at */
    struct folder *folder;
    char *file;            /* the weights file, when one was given and no directory; else NULL */
    char *gguf;            /* the GGUF file that is shown as a folder; else NULL */
    bool has_config;
    struct config config;
    struct sentence_folder sentence;
    struct megatron *megatron; /* it is a directory of Megatron-LM's; else NULL */
    struct opened_checkpoint *opened; /* [n_opened], all weights that were asked for */
    size_t n_opened;
    struct model_folder *of; /* whose files it has, NULL: its own */
    struct model_addition *additions; /* the last first */
};

/* Opens the directory, or single weights file, at `path`, and reads its config.json (of Mistral's and
 * Llama's own files: params.json) and modules.json if they are there. A single file has neither: it
 * is weights and nothing else. But a GGUF file, and the only one in a directory without other
 * weights, is a model: `folder` shows it as one of transformers. `name` is what the user wrote, which
 * may be the name of a model on the Hub: messages show it, and not its place in the cache; NULL: the
 * path. ERROR_FORMAT when one is malformed. Released with model_folder_release. */
int model_folder_open(struct model_folder *model, const char *path, const char *name,
                      bool follow_symlinks, struct error *err);
void model_folder_release(struct model_folder *model);
/* The same once more, called `name`, for whoever gives it other tensors and another config.json: no
 * file is opened a second time, so `of` must stay where it is and outlive it. Released with
 * model_folder_release. */
int model_folder_reopen(struct model_folder *model, struct model_folder *of, const char *name,
                        struct error *err);
/* Gives it another config.json, in memory; takes over what `text` holds. ERROR_FORMAT. */
int model_folder_set_config(struct model_folder *model, struct buffer *text, struct error *err);

/* Whose snapshot in a cache of the Hub it is, "org/name"; NULL for any other. Freed by the caller. */
char *model_folder_hub_id(const struct model_folder *model);
/* What strangers may read of where it lies: its name on the Hub, as the user wrote it if so, else
 * the last part of its path; and "+" with what was added. Freed by the caller. */
char *model_folder_label(const struct model_folder *model);

/* -1 with ERROR_FORMAT that says what was looked for when there is no config.json. */
int model_folder_need_config(const struct model_folder *model, struct error *err);

/* What it is used as: `wanted` (a name of --type, may be NULL) when it can be that; else what its
 * sentence-transformers folder says it was made for, a list of modules with a pooling or a
 * cross-encoder; else what config.json says. Needs a config. Errors: those of architecture_type. */
int model_folder_type(const struct model_folder *model, const char *wanted, enum model_type *type,
                      struct error *err);
/* How an encoder is pooled that does not say it: "cls", or "lasttoken" where config.json is that of
 * a decoder, whose first token sees nothing of the text. */
const char *model_folder_default_pooling(const struct model_folder *model);

/* The weights in a directory of it, or in one `file` there, as checkpoint_open has them; quantised
 * ones as the model has them that was quantised. Those that are quantised in a way that is not read are there
 * as they are stored: quantized_check says it. They are opened once: who asks again is given the same,
 * and no notices. Closed with the folder. */
const struct checkpoint *model_folder_checkpoint(struct model_folder *model, const char *directory,
                                                 const char *file, struct notices *notices,
                                                 struct error *err);
/* Those of the model itself. Of Llama's own files those must all be there, and what their slices
 * make must be what params.json says. */
const struct checkpoint *model_folder_weights(struct model_folder *model, struct notices *notices,
                                              struct error *err);
/* The same, for whoever gives it other tensors (checkpoint_replace_tensors); NULL for NULL. */
struct checkpoint *model_folder_own(struct model_folder *model,
                                    const struct checkpoint *checkpoint);
/* The directory, within the folder, whose tokenizer is the model's. Old sentence-transformers folders
 * keep everything of the model one level down. */
const char *model_folder_tokenizer_at(const struct model_folder *model);
/* What is said of running it, when `type` is that of an encoder or a reranker, else nothing; with a
 * notice of what is said and nobody obeys. ERROR_UNSUPPORTED for a reranker with other modules than
 * its transformer. Zeroed on error; released with sentence_settings_release. */
int model_folder_settings(const struct model_folder *model, enum model_type type,
                          struct sentence_settings *settings, struct notices *notices,
                          struct error *err);
/* Its tokenizer, to be freed, as the settings want it. */
struct tokenizer *model_folder_tokenizer(const struct model_folder *model,
                                         const struct sentence_settings *settings,
                                         struct error *err);
/* Its tokens and their ids, from there or else from where there are any;
 * zeroed when there are none. ERROR_FORMAT for a malformed one. Released with vocabulary_release. */
int model_folder_vocabulary(const struct model_folder *model, struct vocabulary *vocabulary,
                            struct error *err);
/* Whether both have the same by the bytes of its files, so that there is nothing to compare. Errors:
 * those of tokenizer_has_same_files. */
int model_folder_has_same_vocabulary(const struct model_folder *a, const struct model_folder *b,
                                     bool *same, struct error *err);
/* Whether its output head is tied to the embedding, by config.json or else by its family. */
bool model_folder_is_tied(const struct model_folder *model);

#endif
