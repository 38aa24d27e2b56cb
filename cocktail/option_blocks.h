/* option_blocks.h - rows that several commands have. `type_name` is the command's struct. */
#ifndef COCKTAIL_OPTION_BLOCKS_H
#define COCKTAIL_OPTION_BLOCKS_H

#include <stddef.h>

#include "options.h"

/* Members examples and task. */
#define OPTIONS_EXAMPLES(type_name)                                                               \
    {0, "examples", OPTION_PATH, offsetof(type_name, examples), "FILE",                           \
     "JSON Lines, or a JSON list; - is stdin"},                                                   \
    {0, "task", OPTION_TEXT, offsetof(type_name, task), "NAME",                                   \
     "which list of a FILE that is an object of lists"}

/* How examples are run: members batch_size and max_length. */
#define OPTIONS_EXAMPLE_BATCHES(type_name)                                                        \
    {0, "batch-size", OPTION_COUNT, offsetof(type_name, batch_size), "N",                         \
     "at most N examples at once (as many as run best)"},                                         \
    {0, "max-input-length", OPTION_COUNT, offsetof(type_name, max_length), "N",                   \
     "cut texts at N tokens (2048)"}

/* What encoders and rerankers are judged by: members n_negatives, seed, similarity_temperature. */
#define OPTIONS_RANKING_LOSS(type_name)                                                           \
    {0, "neg-number", OPTION_COUNT, offsetof(type_name, n_negatives), "N",                        \
     "negatives of a query; more are thinned (7)"},                                               \
    {0, "seed", OPTION_COUNT, offsetof(type_name, seed), "N", "which negatives are left (1)"},    \
    {0, "similarity-temperature", OPTION_NUMBER, offsetof(type_name, similarity_temperature),     \
     "T", "what cosines are divided by (0.05)"}

/* What a text is: a struct text_form_options form. Rule: RULE_TEXT_FORM. */
#define OPTIONS_TEXT_FORM(type_name, of_lines, of_whole, of_jsonl)                                \
    {0, "lines", OPTION_FLAG, offsetof(type_name, form.lines), NULL, of_lines},                   \
    {0, "whole", OPTION_FLAG, offsetof(type_name, form.whole), NULL, of_whole},                   \
    {0, "jsonl", OPTION_FLAG, offsetof(type_name, form.jsonl), NULL, of_jsonl}

/* Of "texts" or the like: members max_input_length, batch_size. */
#define OPTION_MAX_INPUT_LENGTH(type_name, texts)                                                 \
    {0, "max-input-length", OPTION_COUNT, offsetof(type_name, max_input_length), "N",             \
     "cut " texts " after N tokens (what the model takes)"}
#define OPTION_TEXTS_AT_ONCE(type_name, texts)                                                    \
    {0, "batch-size", OPTION_COUNT, offsetof(type_name, batch_size), "N",                         \
     "at most N " texts " at once (as many as run best)"}

/* Rows of floats, one for a "text" or the like: member format. Rule: RULE_FORMAT. */
#define OPTION_FORMAT(type_name, text)                                                            \
    {0, "format", OPTION_CHOICE, offsetof(type_name, format), "json|npy",                         \
     "one JSON array a " text ", or one numpy array of all (json)"}

/* Of every command that may embed texts, or write what does. */
#define OPTION_POOLING(type_name, member)                                                         \
    {0, "pooling", OPTION_CHOICE, offsetof(type_name, member),                                    \
     "cls|max|mean|mean_sqrt_len_tokens|weightedmean|lasttoken",                                  \
     "of an encoder that does not say it (cls; of a decoder: lasttoken)"}

/* Of every command that makes prompts of what users say. */
#define OPTION_LITERAL_SPECIAL(type_name, member)                                                 \
    {0, "literal-special", OPTION_FLAG, offsetof(type_name, member), NULL,                        \
     "special tokens in what users say are text"}

#define OPTION_TYPE(type_name, member, types, help_text)                                          \
    {0, "type", OPTION_CHOICE, offsetof(type_name, member), types, help_text}

/* Of every command that runs a model: member capacity. */
#define OPTION_CAPACITY(type_name)                                                                \
    {0, "capacity", OPTION_CHOICE, offsetof(type_name, capacity), "drop|dropless",                \
     "whether full experts turn tokens away, where a model has such (drop)"}

/* Likewise; command_parse obeys it. */
#define OPTION_COMPUTE                                                                            \
    {0, "compute", OPTION_CHOICE, offsetof(struct common_options, compute), "exact|fast",         \
     "matrix products of floats, or of rounded inputs, which is faster (exact)"}

/* Of commands that several ranks can run together. */
#define OPTION_EXPERT_PARALLEL                                                                    \
    {0, "expert-parallel", OPTION_COUNT, offsetof(struct common_options, expert_parallel), "N",   \
     "N ranks hold the experts together, a part each (1)"}

#define OPTION_FOLLOW_SYMLINKS(type_name, member, directories)                                    \
    {0, "follow-symlinks", OPTION_FLAG, offsetof(type_name, member), NULL,                        \
     "follow symbolic links out of the model " directories}

#endif
