/* tokenizer_config.h - what stands beside tokenizer.json and changes what it means.
 * Rules: docs/tokenizers.md, "Files beside it". */
#ifndef COCKTAIL_TOKENIZER_CONFIG_H
#define COCKTAIL_TOKENIZER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/json.h"

/* A token that tokenizer_config.json, special_tokens_map.json or added_tokens.json names. */
struct config_token {
    char *name;     /* "bos_token", …; NULL: none of the named ones */
    char *content;
    bool has_id;    /* from added_tokens_decoder or added_tokens.json */
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

struct tokenizer_config { /* zeroed: no such files */
    char *class_name;      /* without "Tokenizer" and "Fast"; NULL when not given */
    struct config_token *tokens; /* those with ids first, by id; then the named ones */
    size_t n_tokens;
    /* -1: not said */
    int add_bos_token, add_eos_token, add_prefix_space, legacy;
    int do_lower_case, strip_accents, tokenize_chinese_chars;
    bool truncates_left;
    bool gives_types; /* model_input_names, or else the class, has token_type_ids */
    size_t n_extra_ids; /* of T5's: 100 where nothing is said */
};

int tokenizer_config_load(struct tokenizer_config *config, const struct folder *folder,
                          const char *directory, struct error *err);
/* Where no class was given: the one that config.json implies for a tokenizer made of this file, as
 * its tokenizer_class or by its model_type. For folders without tokenizer.json, which needs none. */
void tokenizer_config_guess_class(struct tokenizer_config *config, const struct folder *folder,
                                  const char *directory, const char *file);
void tokenizer_config_release(struct tokenizer_config *config);

/* The content of a named token, or NULL. */
const char *tokenizer_config_find(const struct tokenizer_config *config, const char *name);
/* Whether class_name is one of `names` (NULL-terminated). */
bool tokenizer_config_is(const struct tokenizer_config *config, const char *const *names);

#endif
