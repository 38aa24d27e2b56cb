#include "recipe_join.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static int find_source(const struct recipe *recipe, const struct recipe_token *token,
                       struct model_folder *const *models, size_t n_models, size_t *found,
                       struct error *err)
{
    for (*found = 0; *found < n_models; ++*found)
        if (strcmp(models[*found]->name, token->model.text) == 0)
            return 0;
    return recipe_fail(recipe, token->line, err, "token '" ERROR_NAME "': its source '" ERROR_NAME "' is none "
                       "of the models that are merged", token->text, token->model.text);
}

static int make_rule(struct join_rule *rule, const struct recipe *recipe,
                     const struct recipe_token *token, struct model_folder *const *models,
                     size_t n_models, struct error *err)
{
    static const enum join_row kinds[] = {
        [RECIPE_TOKEN_DEFAULT] = JOIN_ROW_USUAL, [RECIPE_TOKEN_MODEL] = JOIN_ROW_MODEL,
        [RECIPE_TOKEN_OTHER] = JOIN_ROW_TOKEN, [RECIPE_TOKEN_ZERO] = JOIN_ROW_ZERO,
    };

    *rule = (struct join_rule){.token = token->text, .kind = kinds[token->kind],
                               .other = token->other, .other_id = (size_t)token->other_id,
                               .is_forced = token->is_forced};
    return token->model.path ? find_source(recipe, token, models, n_models, &rule->model, err) : 0;
}

int recipe_join_open(struct join *join, const struct recipe *recipe,
                     struct model_folder *const *models, size_t n_models,
                     struct model_folder *other, struct notices *notices, struct error *err)
{
    const struct recipe_tokenizer *tokenizer = &recipe->tokenizer;
    struct join_rule *rules = memory_zalloc(tokenizer->n_tokens + 1, sizeof *rules);
    struct join_options options = {
        .source = tokenizer->is_union ? JOIN_UNION : tokenizer->is_base ? JOIN_BASE : JOIN_OTHER,
        .tokenizer = other, .rules = rules, .n_rules = tokenizer->n_tokens, .promotes = true,
        .multiple = tokenizer->pad_line ? (size_t)tokenizer->pad_to_multiple_of : 1,
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < tokenizer->n_tokens; i++)
        rc = make_rule(&rules[i], recipe, &tokenizer->tokens[i], models, n_models, err);
    if (rc == 0) {
        rc = join_open(join, models, n_models, &options, notices, err);
        if (rc)
            error_context(err, "%s:%zu: tokenizer", recipe->file, tokenizer->line);
    }
    free(rules);
    return rc;
}
