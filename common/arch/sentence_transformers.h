/* sentence_transformers.h - the folder layout of embedding models: modules.json and what it names.
 * Source: docs/models.md, "Sentence embeddings". */
#ifndef COCKTAIL_SENTENCE_TRANSFORMERS_H
#define COCKTAIL_SENTENCE_TRANSFORMERS_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/config.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/notices.h"
#include "math/vector.h"

struct sentence_module {
    char *path; /* of its folder, "" for the model folder itself */
    char *type; /* "sentence_transformers.models.Pooling" */
    const char *kind; /* last component of its type: "Transformer", "Pooling", "Dense", … */
};

struct sentence_folder {
    struct sentence_module *modules;
    size_t n_modules; /* 0: no modules.json */
    char *pooling;    /* "cls", "mean", "cls+mean", …; NULL when no module pools */
    bool skips_prompt; /* the tokens of a prompt are not pooled */
    bool is_cross_encoder; /* config_sentence_transformers.json says so */
    const char *transformer; /* path of the folder with config.json and weights; never NULL */
};

/* Reads modules.json, the config.json of its pooling module, and what kind of model
 * config_sentence_transformers.json says it is, if they are there. A folder
 * without modules.json has its transformer at "", or under 0_Transformer/ when there is a
 * config.json only there, and pools as a 1_Pooling/config.json says. */
int sentence_folder_load(struct sentence_folder *sentence, const struct folder *folder,
                         struct error *err);
void sentence_folder_release(struct sentence_folder *sentence);

struct sentence_prompt { /* text to put in front of what is embedded */
    char *name, *text;
};

/* What running the model needs besides the modules. */
struct sentence_settings {
    size_t max_tokens;   /* of a text, special ones included; 0: not said */
    bool lowers_case;    /* of texts, before they are tokenized */
    struct sentence_prompt *prompts;
    size_t n_prompts;
    const struct sentence_prompt *default_prompt; /* one of them, or NULL */
    size_t n_dimensions; /* that are kept of a vector, the first ones; 0: all */
    char *similarity;    /* "cosine", "dot", …; NULL: not said */
    char *activation;    /* of a cross-encoder's scores: "Sigmoid", …; NULL: not said */
    struct notices notices; /* what is said there and not obeyed */
};

/* Reads sentence_bert_config.json, tokenizer_config.json and config_sentence_transformers.json, as
 * far as they are there. ERROR_FORMAT for a malformed one, ERROR_UNSUPPORTED for a transformer that
 * is to be run in another way than ours. Released with sentence_settings_release. */
int sentence_settings_load(struct sentence_settings *settings,
                           const struct sentence_folder *sentence, const struct folder *folder,
                           struct error *err);
void sentence_settings_release(struct sentence_settings *settings);
/* The prompt of that name, or NULL with ERROR_USAGE that lists the names. */
const struct sentence_prompt *sentence_settings_prompt(const struct sentence_settings *settings,
                                                       const char *name, struct error *err);

/* ERROR_UNSUPPORTED, naming it, when one of the modules is code that came with the model. */
int sentence_folder_check(const struct sentence_folder *sentence, struct error *err);
/* The same for a model that scores pairs: it has no module but its transformer. */
int sentence_folder_check_scorer(const struct sentence_folder *sentence, struct error *err);

/* A notice names what the config.json of a module says and nobody reads. */
void sentence_module_note(const struct sentence_module *module, const struct folder *folder,
                          struct notices *notices);
/* ERROR_UNSUPPORTED when the Normalize module at `path` is to work on anything but embeddings. */
int sentence_normalize_check(const struct folder *folder, const char *path, struct error *err);

/* What a cross-encoder does to its scores: "Sigmoid", "Identity", …, by its settings or else by
 * config.json, where older ones have it; NULL when neither says. */
const char *sentence_settings_activation(const struct sentence_settings *settings,
                                         const struct config *config);

struct sentence_dense { /* y = activation(x W^T + bias) */
    size_t n_in, n_out;
    bool has_bias;
    enum activation activation;
};

/* Reads the config.json of the Dense module at `path`. ERROR_FORMAT when it is malformed,
 * ERROR_UNSUPPORTED for an activation or a wiring that is not known. */
int sentence_dense_load(struct sentence_dense *dense, const struct folder *folder,
                        const char *path, struct error *err);

/* One file of the layout that an encoder without modules.json gets: its text, to be freed. */
struct sentence_file {
    const char *name;
    char *text;
};
enum { SENTENCE_FILES = 3 };

/* Transformer (in the folder of that path, as sentence_folder.transformer has it), pooling (a
 * name of --pooling), normalize. ERROR_FORMAT when config.json lacks the hidden size. The texts are
 * freed by the caller, also on error. */
int sentence_folder_make(const struct config *config, const char *transformer, const char *pooling,
                         struct sentence_file files[SENTENCE_FILES], struct error *err);

#endif
