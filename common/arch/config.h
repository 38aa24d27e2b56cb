/* config.h - config.json, or the params.json of Mistral's or Llama's own files: what a checkpoint says
 * it is. */
#ifndef COCKTAIL_CONFIG_H
#define COCKTAIL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/json.h"

struct config { /* a zeroed struct is "no config.json" */
    char *text;               /* the file as it is */
    size_t size;
    cJSON *json;              /* of Llama's params.json with what it leaves to be computed */
    bool is_consolidated;     /* params.json, which names no class */
    const char *architecture; /* architectures[0], or NULL */
    const char *model_type;   /* or NULL; "consolidated" by params.json */
};

/* Reads DIRECTORY/config.json, or params.json, of the folder. ERROR_FORMAT when it is missing or
 * malformed. */
int config_load(struct config *config, const struct folder *folder, const char *directory,
                bool is_consolidated, struct error *err);
const char *config_name(const struct config *config); /* of the file */
void config_release(struct config *config);

/* The first of the `names` (NULL-terminated) that holds a number, looked up at the top, then in
 * text_config or the moe of params.json; -1 when none does. Spellings: docs/models.md,
 * "Settings". */
double config_number(const struct config *config, const char *const *names);
/* tie_word_embeddings: 1, 0, or -1 when config.json does not say. */
int config_tied(const struct config *config);

/* For it: config_spellings.h. */
extern const char *const config_hidden_size[], *const config_max_positions[],
    *const config_n_experts[], *const config_n_chosen[], *const config_n_attention_experts[],
    *const config_n_attention_chosen[];

#endif
