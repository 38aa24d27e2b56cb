/* lora_config.h - adapter_config.json of PEFT, for adapters of kind LoRA.
 *
 * What changes the values of a merged model is obeyed or refused; what only training reads is
 * passed over. Source: docs/adapters.md, "The configuration". */
#ifndef COCKTAIL_LORA_CONFIG_H
#define COCKTAIL_LORA_CONFIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/notices.h"

struct name_pattern;

struct lora_pattern { /* of rank_pattern and alpha_pattern */
    struct name_pattern *pattern;
    const char *text; /* borrowed from the JSON */
    double value;
    bool is_used;     /* it has been the first to fit a module */
};

struct lora_names { /* of modules: the whole name, or what stands behind a dot */
    const char **names; /* [n_names], borrowed from the JSON; NULL when it is a pattern, or absent */
    size_t n_names;
    struct hash_map by_name;
    bool *is_used; /* [n_names], once a module of that name has been found */
    struct name_pattern *pattern;
};

enum lora_biases { LORA_BIAS_NONE, LORA_BIAS_ALL, LORA_BIAS_LORA_ONLY };

struct lora_config {
    cJSON *json; /* all of it */
    size_t r;
    double alpha;
    bool rslora, dora, fan_in_fan_out, lora_bias;
    bool is_pissa; /* init_lora_weights: the base lost its first r singular values before training */
    enum lora_biases biases;
    struct lora_pattern *ranks, *alphas; /* [n_ranks], [n_alphas], the first that fits counts */
    size_t n_ranks, n_alphas;
    struct lora_names targets, excluded, saved; /* target_modules, exclude_modules, modules_to_save */
    struct lora_names parameters;               /* target_parameters: "mlp.experts.gate_up_proj" */
    bool targets_all; /* target_modules is "all-linear", or absent */
    bool has_layers;
    size_t *layers; /* layers_to_transform [n_layers], ascending */
    bool *has_layer; /* [n_layers], once a module of that layer has been found */
    size_t n_layers;
    struct lora_pattern *around; /* layers_pattern [n_around]: what stands before a layer's number */
    size_t n_around;
    const char *base_model, *task_type; /* borrowed from the JSON, may be NULL */
    size_t work; /* that may still be spent on comparing names */
};

/* Reads adapter_config.json in the folder. ERROR_FORMAT when it is absent, malformed or
 * contradicts itself; ERROR_UNSUPPORTED, with its name, for another kind of adapter, or an option
 * that changes the merge in a way that we do not know; a notice of settings that PEFT does not have
 * either. Released with lora_config_release. */
int lora_config_load(struct lora_config *config, const struct folder *folder,
                     struct notices *notices, struct error *err);
void lora_config_release(struct lora_config *config);

/* The rank of a module, or of a parameter ("MODULE.NAME"), and what its B A is multiplied by. -1 when
 * comparing names takes too long. */
int lora_config_rank(struct lora_config *config, const char *module, size_t *rank, double *scale,
                     struct error *err);
/* Whether a module of that name is one that the adapter changes: 1, 0, or -1. */
int lora_config_is_target(struct lora_config *config, const char *module, struct error *err);
/* A module that has this tensor is there, whether or not the adapter changes it: 0, or -1. */
int lora_config_mark_target(struct lora_config *config, const char *tensor, struct error *err);
/* The same of a module whose parameters are changed (target_parameters): sets *names, in the arena, to
 * those, in the order in which PEFT wraps them, the first innermost, and *n_names; those that are said
 * without a module, too, if it `takes_bare`. 0, or -1. */
int lora_config_parameters(struct lora_config *config, const char *module, bool takes_bare,
                           const char ***names, size_t *n_names, struct arena *arena,
                           struct error *err);
/* In which order PEFT wraps two parameters of a module, the first innermost. */
int lora_config_compare_parameters(const char *x, const char *y);
/* Notices of patterns and layers that none of the modules looked up so far has to do with. */
void lora_config_tell_unused(const struct lora_config *config, struct notices *notices);
/* Whether PEFT puts that name into modules_to_save itself, whether or not the model has such a module. */
bool lora_config_is_saved_by_task(const struct lora_config *config, const char *name);
/* Whether it is stored whole, by the end of its name, or of that of a module around it: 1, 0, or -1. */
int lora_config_is_saved(struct lora_config *config, const char *module, struct error *err);

#endif
