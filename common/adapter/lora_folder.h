/* lora_folder.h - an adapter of PEFT on disk: its configuration, and its tensors by module.
 * Source: docs/adapters.md, "Merging". */
#ifndef COCKTAIL_LORA_FOLDER_H
#define COCKTAIL_LORA_FOLDER_H

#include "adapter/lora_config.h"
#include "base/arena.h"
#include "base/hash.h"
#include "format/checkpoint.h"

struct lora_module {
    const char *name;               /* "model.layers.0.mlp.up_proj" */
    const char *parameter;          /* of target_parameters, "gate_up_proj"; NULL: its weight */
    const struct tensor *a, *b;     /* [rank, in], [out, rank]; of an embedding [rank, vocab], [dim, rank] */
    const struct tensor *magnitude; /* DoRA: [out], of an embedding [dim]; else NULL */
    const struct tensor *bias;      /* lora_B.bias [out], or NULL */
    bool is_embedding;
    size_t rank;      /* of each expert */
    size_t n_experts; /* 1, but of a parameter: expert e has rows e rank + i of A, columns i n_experts + e of B */
    double scale;
};

struct lora_whole { /* takes the place of the base's tensor */
    const char *name; /* "lm_head.weight" */
    const struct tensor *tensor;
};

struct lora_folder {
    char *name; /* as the user wrote it */
    struct folder *folder;
    struct lora_config config;
    struct checkpoint *checkpoint;
    struct lora_module *modules; /* [n_modules], in the order of the file */
    struct lora_whole *wholes;   /* [n_wholes] */
    size_t n_modules, n_wholes;
    struct hash_map by_module; /* names as they are stored */
    struct hash_map by_whole;
    struct arena arena;
};

/* Opens the directory at `path`, or that of the adapter's file at `path`; `name` is what messages call it, NULL: the path. All values have been
 * looked at: they are finite. ERROR_FORMAT for what is malformed or incomplete, ERROR_UNSUPPORTED for
 * another kind of adapter; zeroed then. Released with lora_folder_release. */
int lora_folder_open(struct lora_folder *lora, const char *path, const char *name,
                     bool follow_symlinks, struct notices *notices, struct error *err);
void lora_folder_release(struct lora_folder *lora);

#endif
