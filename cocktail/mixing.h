/* mixing.h - what the commands that write a mixed model share: options, the plan, the result. */
#ifndef COCKTAIL_MIXING_H
#define COCKTAIL_MIXING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json_writer.h"
#include "base/threads.h"
#include "mix/merge.h"

#include "option_blocks.h"
#include "options.h"

struct mixing_options {
    const char *output, *type, *dtype, *compat, *pooling;
    size_t shard_bytes; /* 0: as usual */
    bool ignore_tokenizer, force, dry_run, follow_symlinks;
};

/* The rows of these options, for a struct that has them as `mixing`. */
#define OPTION_MIXING_DTYPE(type_name, fallback)                                                  \
    {0, "dtype", OPTION_CHOICE, offsetof(type_name, mixing.dtype), "f32|f16|bf16|q8_0",           \
     "store every floating tensor so (" fallback ")"}
#define OPTION_MIXING_SHARDS(type_name)                                                           \
    {0, "shard-size", OPTION_SIZE, offsetof(type_name, mixing.shard_bytes), "SIZE",               \
     "start a new weights file beyond this (5GB)"}
#define OPTIONS_MIXING_TARGET(type_name)                                                          \
    {'f', "force", OPTION_FLAG, offsetof(type_name, mixing.force), NULL,                          \
     "replace the checkpoint that is there"},                                                     \
    {0, "dry-run", OPTION_FLAG, offsetof(type_name, mixing.dry_run), NULL,                        \
     "check everything and show the plan, write nothing"},                                        \
    OPTION_FOLLOW_SYMLINKS(type_name, mixing.follow_symlinks, "directories")
#define OPTIONS_MIXING(type_name)                                                                 \
    {'o', "output", OPTION_PATH, offsetof(type_name, mixing.output), "DIR|FILE.gguf",             \
     "where to put the mixed model"},                                                             \
    OPTION_TYPE(type_name, mixing.type, "decoder|encoder|reranker|encoder-decoder",               \
                "what the models are (from config.json)"),                                        \
    OPTION_MIXING_DTYPE(type_name, "as the first model has it"),                                  \
    OPTION_MIXING_SHARDS(type_name),                                                              \
    {0, "ignore-tokenizer", OPTION_FLAG, offsetof(type_name, mixing.ignore_tokenizer), NULL,      \
     "mix although the tokenizers differ"},                                                       \
    OPTION_POOLING(type_name, mixing.pooling),                                                    \
    OPTIONS_MIXING_TARGET(type_name)

/* Whether there may be an output, before models are fetched for it; merge_open looks again. */
int mixing_check_output(const struct mixing_options *options, struct error *err);
/* For merge_open. */
struct merge_options mixing_merge_options(const struct mixing_options *options);

struct mixing { /* all borrowed */
    const struct mixing_options *options;
    const struct common_options *common;
    struct merge *merge;
    struct threads *threads;
    const double *weights;    /* [merge->n_models]; NULL: the plan has them already */
    const struct plan_settings *settings; /* NULL: the method has none */
    const char *recipe;       /* YAML; NULL: there is none */
    const double *losses;     /* [merge->n_models], NAN: has none; NULL: there are none */
    /* Adds members to the JSON object; NULL: no more. */
    void (*add_members)(const void *context, struct json_writer *json);
    /* What stands above the last lines of the text; NULL: nothing more. */
    void (*print_more)(const void *context, FILE *out);
    const void *context;
};

/* Writes the mix and shows the result, or, with --dry-run, shows the plan. */
int mixing_run(const struct mixing *mixing, struct error *err);
/* Shows models and weights, and writes nothing. */
void mixing_show_weights(const struct mixing *mixing);

#endif
