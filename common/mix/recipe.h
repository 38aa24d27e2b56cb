/* recipe.h - mergekit's YAML files: what a merge is made of, as it is written.
 *
 * The grammar is that of mergekit 0.1.5. What none of its programs knows is refused with the nearest
 * word that is known; nothing is looked up on the disk, no method is asked. Every message begins
 * with FILE:LINE. */
#ifndef COCKTAIL_RECIPE_H
#define COCKTAIL_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/notices.h"
#include "mix/recipe_reference.h"
#include "mix/recipe_setting.h"

struct recipe_source {
    struct recipe_reference model;
    bool has_range;
    long first, end;       /* layers first … end - 1, as written: not checked */
    struct recipe_settings settings;
    size_t line;
};

struct recipe_slice {
    struct recipe_source *sources; /* [n_sources] */
    size_t n_sources;
    struct recipe_reference base;  /* path NULL: that of the recipe */
    struct recipe_settings settings;
    size_t line;
};

struct recipe_module {
    const char *name;              /* NULL: models or slices stand at the top */
    bool has_slices;               /* else one slice without ranges: the models */
    struct recipe_slice *slices;   /* [n_slices] */
    size_t n_slices;
    struct recipe_settings settings;
    size_t line;
};

enum recipe_token_kind {
    RECIPE_TOKEN_DEFAULT, /* no source: as if the recipe did not name it */
    RECIPE_TOKEN_MODEL,   /* as the model has it */
    RECIPE_TOKEN_OTHER,   /* the row of another token of the model */
    RECIPE_TOKEN_ZERO,
};

struct recipe_token { /* where models that lack a token get its rows from */
    const char *text;
    size_t line;
    enum recipe_token_kind kind;
    struct recipe_reference model;
    const char *other;    /* the other token; NULL: by its number */
    double other_id;
    bool has_id, is_forced; /* forced: also models that have the token */
};

struct recipe_tokenizer {
    size_t line;                   /* 0: the recipe says nothing of it */
    bool is_union, is_base;        /* source: "union", "base", or: */
    struct recipe_reference model;
    struct recipe_token *tokens;   /* [n_tokens], in the order of the recipe */
    size_t n_tokens;
    size_t pad_line;               /* of pad_to_multiple_of; 0: there is none */
    double pad_to_multiple_of;
};

struct recipe {
    const char *file;              /* for messages */
    const char *name;              /* of a stage, or NULL */
    size_t line;                   /* where the document begins */
    const char *method;
    size_t method_line;
    struct recipe_reference base;  /* path NULL: none */
    struct recipe_module *modules; /* [n_modules], at least 1 */
    const char **module_names;     /* [n_modules]; NULL: models or slices stand at the top */
    size_t n_modules;
    struct recipe_settings settings;
    const char *dtype, *out_dtype; /* "float32", …; NULL: not said */
    struct recipe_tokenizer tokenizer;
    const char *chat_template;     /* NULL: not said */
    size_t chat_template_line;
};

struct recipes { /* the documents of a file */
    char *text;            /* of the file, for mergekit_config.yml */
    size_t size;
    struct recipe *items;  /* [n_items], at least 1 */
    size_t n_items;
    struct arena arena;
};

/* Reads a file or a pipe, or, for "-", standard input; notices get what is said and means nothing.
 * ERROR_FORMAT, ERROR_IO. Released with recipes_release. */
int recipes_load(struct recipes *recipes, const char *path, struct notices *notices,
                 struct error *err);
/* The same of bytes, which are copied; messages call them `shown`. */
int recipes_parse(struct recipes *recipes, const char *text, size_t size, const char *shown,
                  struct notices *notices, struct error *err);
void recipes_release(struct recipes *recipes);

/* "FILE:LINE: " and what follows, with ERROR_FORMAT. */
int recipe_fail(const struct recipe *recipe, size_t line, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
