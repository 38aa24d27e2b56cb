/* sentence_transformers.h - the folder layout of embedding models: modules.json and what it names.
 * Source: architectures.md A.5. */
#ifndef COCKTAIL_SENTENCE_TRANSFORMERS_H
#define COCKTAIL_SENTENCE_TRANSFORMERS_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/config.h"
#include "base/error.h"
#include "base/folder.h"

struct sentence_module {
    char *path; /* of its folder, "" for the model folder itself */
    char *kind; /* last component of its type: "Transformer", "Pooling", "Dense", "Normalize", … */
};

struct sentence_folder {
    struct sentence_module *modules;
    size_t n_modules; /* 0: no modules.json */
    char *pooling;    /* "cls", "mean", "cls+mean", …; NULL when no module pools */
    const char *transformer; /* path of the folder with config.json and weights; never NULL */
};

/* Reads modules.json, and the config.json of its pooling module, if they are there. A folder
 * without modules.json has its transformer at "", or under 0_Transformer/ when there is a
 * config.json only there, and pools as a 1_Pooling/config.json says. */
int sentence_folder_load(struct sentence_folder *sentence, const struct folder *folder,
                         struct error *err);
void sentence_folder_release(struct sentence_folder *sentence);

/* One file of the layout that an encoder without modules.json gets: its text, to be freed. */
struct sentence_file {
    const char *name;
    char *text;
};
enum { SENTENCE_FILES = 3 };

/* Transformer (in the folder of that path, as sentence_folder.transformer has it), pooling ("cls"
 * or "mean"), normalize. ERROR_FORMAT when config.json lacks the hidden size. The texts are freed
 * by the caller, also on error. */
int sentence_folder_make(const struct config *config, const char *transformer, const char *pooling,
                         struct sentence_file files[SENTENCE_FILES], struct error *err);

#endif
