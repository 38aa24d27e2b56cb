/* recipe.c - read the documents of a recipe: a table of keys for every kind of map. */
#include "recipe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line_reader.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "base/yaml_reader.h"

static const size_t recipe_bytes_max = 16 * 1000 * 1000;
static const double token_number_max = 2147483647;

/* ---- messages ---- */

int recipe_fail(const struct recipe *recipe, size_t line, struct error *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(err, ERROR_FORMAT, "%s:%zu: %s", recipe->file, line, text);
}

/* ---- maps ---- */

static const char *of_mixture(const char *key)
{
    return strcmp(key, "experts") == 0 || strcmp(key, "gate_mode") == 0
               ? "is a key of a mixture of experts made of dense models, not of a merge: use "
                 "'cocktail moe'"
               : NULL;
}

static struct recipe *recipe_of(const struct yaml_reader *reader)
{
    return reader->root;
}

static int read_reference(const struct yaml_reader *reader, const struct yaml_node *node,
                          struct recipe_reference *reference)
{
    return recipe_reference_read(reference, node, reader->file, reader->arena, reader->err);
}

static int read_settings(const struct yaml_reader *reader, const struct yaml_member *member,
                         struct recipe_settings *settings)
{
    return recipe_settings_read(settings, member->value, reader->file, reader->arena, reader->err);
}

/* ---- sources ---- */

static int source_model(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    return read_reference(reader, member->value, &((struct recipe_source *)target)->model);
}

static int source_settings(const struct yaml_reader *reader, const struct yaml_member *member,
                           void *target)
{
    return read_settings(reader, member, &((struct recipe_source *)target)->settings);
}

static bool is_layer(const struct yaml_node *node)
{
    double number;

    return recipe_scalar(node, COMBINE_WHOLE, &number) && node->type != YAML_BOOL &&
           number >= -1e9 && number <= 1e9;
}

static int source_range(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    struct recipe_source *source = target;
    const struct yaml_node *range = member->value;
    double first, end;

    if (range->type != YAML_LIST || range->n_items != 2 || !is_layer(range->items[0]) ||
        !is_layer(range->items[1]))
        return yaml_reader_wants(reader, member->key, member->value, "two layers: the first, and "
                                 "the one behind the last");
    recipe_scalar(range->items[0], COMBINE_WHOLE, &first);
    recipe_scalar(range->items[1], COMBINE_WHOLE, &end);
    source->has_range = true;
    source->first = (long)first;
    source->end = (long)end;
    if (source->first < 0 || source->end <= source->first)
        return yaml_reader_fail(reader, member->line, "layer_range [%ld, %ld] holds no layers; it "
                                "wants the first, from 0, and the one behind the last",
                                source->first, source->end);
    return 0;
}

static int read_source(const struct yaml_reader *reader, const struct yaml_node *node,
                       bool has_range, struct recipe_source *source)
{
    static const struct yaml_key keys[] = {
        {"model", source_model}, {"parameters", source_settings}, {"layer_range", source_range},
    };
    size_t n_keys = sizeof keys / sizeof *keys - !has_range;

    source->line = node->line;
    if (yaml_reader_map(reader, node, keys, n_keys,
                        has_range ? "a source of a slice" : "an entry of models", source))
        return -1;
    if (!source->model.path)
        return yaml_reader_fail(reader, node->line, "an entry without 'model'");
    if (has_range && !source->has_range)
        return yaml_reader_fail(reader, node->line, "a source without 'layer_range'");
    return 0;
}

/* A model twice would be two inputs of which nobody knows which is meant by its settings. */
static int check_once(const struct yaml_reader *reader, const struct recipe_slice *slice,
                      size_t index)
{
    const struct recipe_reference *model = &slice->sources[index].model;

    for (size_t i = 0; i < index; i++)
        if (strcmp(slice->sources[i].model.text, model->text) == 0)
            return yaml_reader_fail(reader, model->line, "model '" ERROR_NAME "' stands twice in "
                                    "one list", model->text);
    return 0;
}

static int read_sources(const struct yaml_reader *reader, const struct yaml_member *member,
                        bool has_range, struct recipe_slice *slice)
{
    const struct yaml_node *list = yaml_reader_list(reader, member);

    if (!list)
        return -1;
    if (list->n_items == 0)
        return yaml_reader_fail(reader, list->line, "%s is empty", member->key);
    slice->sources = arena_alloc(reader->arena, list->n_items * sizeof *slice->sources);
    for (size_t i = 0; i < list->n_items; i++) {
        if (read_source(reader, list->items[i], has_range, &slice->sources[i]) ||
            check_once(reader, slice, i))
            return -1;
        slice->n_sources++;
    }
    return 0;
}

/* ---- slices ---- */

static int slice_sources(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    return read_sources(reader, member, true, target);
}

static int slice_base(const struct yaml_reader *reader, const struct yaml_member *member,
                      void *target)
{
    return read_reference(reader, member->value, &((struct recipe_slice *)target)->base);
}

static int slice_settings(const struct yaml_reader *reader, const struct yaml_member *member,
                          void *target)
{
    return read_settings(reader, member, &((struct recipe_slice *)target)->settings);
}

static int slice_residual(const struct yaml_reader *reader, const struct yaml_member *member,
                          void *target)
{
    (void)target;
    notices_add(reader->notices, "%s:%zu: residual_weight has no effect, here as in mergekit",
                reader->file, member->line);
    return 0;
}

static int check_lengths(const struct yaml_reader *reader, const struct recipe_slice *slice)
{
    long length = slice->sources[0].end - slice->sources[0].first;

    for (size_t i = 1; i < slice->n_sources; i++)
        if (slice->sources[i].end - slice->sources[i].first != length)
            return yaml_reader_fail(reader, slice->sources[i].line, "%ld layers of '" ERROR_NAME
                                    "', but %ld of '" ERROR_NAME "' in the same slice",
                                    slice->sources[i].end - slice->sources[i].first,
                                    slice->sources[i].model.text, length,
                                    slice->sources[0].model.text);
    return 0;
}

static int read_slice(const struct yaml_reader *reader, const struct yaml_node *node,
                      struct recipe_slice *slice)
{
    static const struct yaml_key keys[] = {
        {"sources", slice_sources}, {"base_model", slice_base}, {"parameters", slice_settings},
        {"residual_weight", slice_residual},
    };

    slice->line = node->line;
    if (YAML_READ_MAP(reader, node, keys, "a slice", slice))
        return -1;
    if (!slice->sources)
        return yaml_reader_fail(reader, node->line, "a slice without 'sources'");
    return check_lengths(reader, slice);
}

/* ---- modules ---- */

static int module_models(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    struct recipe_module *module = target;

    if (module->slices)
        return yaml_reader_fail(reader, member->line, "both models and slices; one of them "
                                "must go");
    module->slices = arena_alloc(reader->arena, sizeof *module->slices);
    module->slices->line = member->line;
    module->n_slices = 1;
    return read_sources(reader, member, false, module->slices);
}

static int module_slices(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    struct recipe_module *module = target;
    const struct yaml_node *list = yaml_reader_list(reader, member);

    if (!list)
        return -1;
    if (module->slices)
        return yaml_reader_fail(reader, member->line, "both models and slices; one of them "
                                "must go");
    if (list->n_items == 0)
        return yaml_reader_fail(reader, list->line, "slices is empty");
    module->slices = arena_alloc(reader->arena, list->n_items * sizeof *module->slices);
    module->has_slices = true;
    for (size_t i = 0; i < list->n_items; i++)
        if (read_slice(reader, list->items[i], &module->slices[module->n_slices++]))
            return -1;
    return 0;
}

static int module_settings(const struct yaml_reader *reader, const struct yaml_member *member,
                           void *target)
{
    return read_settings(reader, member, &((struct recipe_module *)target)->settings);
}

/* Room for so many. */
static void make_modules(const struct yaml_reader *reader, size_t n_modules)
{
    struct recipe *recipe = recipe_of(reader);

    recipe->modules = arena_alloc(reader->arena, n_modules * sizeof *recipe->modules);
}

static struct recipe_module *add_module(const struct yaml_reader *reader, const char *name,
                                        size_t line)
{
    struct recipe_module *module = &recipe_of(reader)->modules[recipe_of(reader)->n_modules++];

    *module = (struct recipe_module){.name = name, .line = line};
    return module;
}

static int read_module(const struct yaml_reader *reader, const struct yaml_member *member)
{
    static const struct yaml_key keys[] = {
        {"models", module_models}, {"slices", module_slices}, {"parameters", module_settings},
    };
    struct recipe_module *module = add_module(reader, member->key, member->line);

    if (YAML_READ_MAP(reader, member->value, keys, "a module", module))
        return -1;
    if (!module->slices)
        return yaml_reader_fail(reader, member->line, "module '" ERROR_NAME "' has neither models "
                                "nor slices", member->key);
    return 0;
}

/* ---- tokenizer ---- */

static int tokenizer_source(const struct yaml_reader *reader, const struct yaml_member *member,
                            void *target)
{
    struct recipe_tokenizer *tokenizer = target;
    const struct yaml_node *value = member->value;
    bool is_text = value->type == YAML_TEXT;

    tokenizer->is_union = is_text && strcmp(value->text, "union") == 0;
    tokenizer->is_base = is_text && strcmp(value->text, "base") == 0;
    return tokenizer->is_union || tokenizer->is_base
               ? 0
               : read_reference(reader, value, &tokenizer->model);
}

static int token_kind(const struct yaml_reader *reader, const struct yaml_member *member,
                      void *target)
{
    struct recipe_token *token = target;
    const struct yaml_node *value = member->value;

    if (value->type == YAML_TEXT && strcmp(value->text, "zero") == 0)
        token->kind = RECIPE_TOKEN_ZERO;
    else if (value->type == YAML_TEXT && strcmp(value->text, "model_token") == 0)
        token->kind = RECIPE_TOKEN_OTHER;
    else
        return yaml_reader_wants(reader, member->key, member->value, "zero or model_token");
    return 0;
}

static int token_model(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    return read_reference(reader, member->value, &((struct recipe_token *)target)->model);
}

static int token_other(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    return yaml_reader_text(reader, member, &((struct recipe_token *)target)->other);
}

static int token_other_id(const struct yaml_reader *reader, const struct yaml_member *member,
                          void *target)
{
    struct recipe_token *token = target;

    token->has_id = true;
    if (!recipe_scalar(member->value, COMBINE_WHOLE, &token->other_id) || token->other_id < 0 ||
        token->other_id > token_number_max)
        return yaml_reader_wants(reader, member->key, member->value, "the number of a token");
    return 0;
}

static int check_other(const struct yaml_reader *reader, const struct recipe_token *token)
{
    if (token->kind == RECIPE_TOKEN_OTHER &&
        (!token->model.path || !token->other == !token->has_id))
        return yaml_reader_fail(reader, token->line, "token '" ERROR_NAME "': model_token wants "
                                "'model', and one of 'token' and 'token_id'", token->text);
    if (token->kind == RECIPE_TOKEN_ZERO && (token->model.path || token->other || token->has_id))
        return yaml_reader_fail(reader, token->line, "token '" ERROR_NAME "': zero has no model, "
                                "token or token_id", token->text);
    return 0;
}

static int token_source(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    static const struct yaml_key keys[] = {
        {"kind", token_kind}, {"model", token_model}, {"token", token_other},
        {"token_id", token_other_id},
    };
    struct recipe_token *token = target;
    const struct yaml_node *value = member->value;
    /* A map with the place of a model is one of it. */
    const struct yaml_node *model = value->type == YAML_MAP ? yaml_find(value, "model") : NULL;

    if (value->type != YAML_MAP ||
        (model && model->type == YAML_MAP && !yaml_find(value, "kind"))) {
        token->kind = RECIPE_TOKEN_MODEL;
        return read_reference(reader, value, &token->model);
    }
    if (YAML_READ_MAP(reader, value, keys, "the source of a token", token))
        return -1;
    if (token->kind == RECIPE_TOKEN_DEFAULT)
        return yaml_reader_fail(reader, member->line, "source of token '" ERROR_NAME "' has no "
                                "'kind': zero or model_token", token->text);
    return check_other(reader, token);
}

static int token_force(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    double value;

    if (!recipe_scalar(member->value, COMBINE_BOOLEAN, &value))
        return yaml_reader_wants(reader, member->key, member->value, "true or false");
    ((struct recipe_token *)target)->is_forced = value != 0;
    return 0;
}

static int tokenizer_tokens(const struct yaml_reader *reader, const struct yaml_member *member,
                            void *target)
{
    static const struct yaml_key keys[] = {{"source", token_source}, {"force", token_force}};
    struct recipe_tokenizer *tokenizer = target;
    const struct yaml_node *map = member->value;

    if (map->type != YAML_MAP)
        return yaml_reader_wants(reader, member->key, member->value, "a map of tokens");
    tokenizer->tokens = arena_alloc(reader->arena, (map->n_items + 1) * sizeof *tokenizer->tokens);
    for (size_t i = 0; i < map->n_items; i++) {
        struct recipe_token *token = &tokenizer->tokens[tokenizer->n_tokens++];

        *token = (struct recipe_token){.text = map->members[i].key, .line = map->members[i].line};
        if (*token->text == '\0')
            return yaml_reader_fail(reader, token->line, "an empty token");
        if (map->members[i].value->type != YAML_NULL &&
            YAML_READ_MAP(reader, map->members[i].value, keys, "a token", token))
            return -1;
    }
    return 0;
}

static int tokenizer_pad(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    struct recipe_tokenizer *tokenizer = target;
    double *number = &tokenizer->pad_to_multiple_of;

    if (!recipe_scalar(member->value, COMBINE_WHOLE, number) || *number < 1 || *number > 1e6)
        return yaml_reader_fail(reader, member->line, "pad_to_multiple_of wants a whole number "
                                "from 1 to 1000000");
    tokenizer->pad_line = member->line;
    return 0;
}

static int check_no_tokenizer(const struct yaml_reader *reader, size_t line)
{
    return recipe_of(reader)->tokenizer.line
               ? yaml_reader_fail(reader, line, "both tokenizer and tokenizer_source; one of them "
                                  "must go")
               : 0;
}

static int read_tokenizer(const struct yaml_reader *reader, const struct yaml_member *member)
{
    static const struct yaml_key keys[] = {
        {"source", tokenizer_source}, {"tokens", tokenizer_tokens},
        {"pad_to_multiple_of", tokenizer_pad},
    };
    struct recipe_tokenizer *tokenizer = &recipe_of(reader)->tokenizer;

    if (check_no_tokenizer(reader, member->line))
        return -1;
    *tokenizer = (struct recipe_tokenizer){.line = member->line};
    if (YAML_READ_MAP(reader, member->value, keys, "tokenizer", tokenizer))
        return -1;
    if (!tokenizer->is_base && !tokenizer->model.path)
        tokenizer->is_union = true;
    return 0;
}

/* ---- the recipe ---- */

static int recipe_method(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    struct recipe *recipe = target;

    recipe->method_line = member->line;
    return yaml_reader_text(reader, member, &recipe->method);
}

static int recipe_base(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    return read_reference(reader, member->value, &((struct recipe *)target)->base);
}

static int check_one_of(const struct yaml_reader *reader, const struct yaml_member *member)
{
    return recipe_of(reader)->n_modules
               ? yaml_reader_fail(reader, member->line, "'%s' stands beside another of models, "
                                  "slices and modules; only one of them can be there", member->key)
               : 0;
}

static int recipe_models(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    (void)target;
    if (check_one_of(reader, member))
        return -1;
    make_modules(reader, 1);
    return module_models(reader, member, add_module(reader, NULL, member->line));
}

static int recipe_slices(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    (void)target;
    if (check_one_of(reader, member))
        return -1;
    make_modules(reader, 1);
    return module_slices(reader, member, add_module(reader, NULL, member->line));
}

static int recipe_modules(const struct yaml_reader *reader, const struct yaml_member *member,
                          void *target)
{
    (void)target;
    if (check_one_of(reader, member))
        return -1;
    if (member->value->type != YAML_MAP)
        return yaml_reader_wants(reader, member->key, member->value, "a map of modules");
    make_modules(reader, member->value->n_items);
    recipe_of(reader)->module_names = arena_alloc(
        reader->arena, member->value->n_items * sizeof *recipe_of(reader)->module_names);
    for (size_t i = 0; i < member->value->n_items; i++) {
        if (read_module(reader, &member->value->members[i]))
            return -1;
        recipe_of(reader)->module_names[i] = recipe_of(reader)->modules[i].name;
    }
    return 0;
}

static int recipe_parameters(const struct yaml_reader *reader, const struct yaml_member *member,
                             void *target)
{
    return read_settings(reader, member, &((struct recipe *)target)->settings);
}

static int read_dtype(const struct yaml_reader *reader, const struct yaml_member *member,
                      const char **dtype)
{
    static const char *const known[] = {"float64", "float32", "float16", "bfloat16"};
    const char *name;

    if (yaml_reader_text(reader, member, dtype))
        return -1;
    name = strncmp(*dtype, "torch.", 6) == 0 ? *dtype + 6 : *dtype;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) {
            *dtype = known[i];
            return 0;
        }
    return yaml_reader_fail(reader, member->line, "%s '" ERROR_NAME "' is none of float32, "
                            "float16, bfloat16 and float64", member->key, *dtype);
}

static int recipe_dtype(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    return read_dtype(reader, member, &((struct recipe *)target)->dtype);
}

static int recipe_out_dtype(const struct yaml_reader *reader, const struct yaml_member *member,
                            void *target)
{
    return read_dtype(reader, member, &((struct recipe *)target)->out_dtype);
}

static int recipe_tokenizer(const struct yaml_reader *reader, const struct yaml_member *member,
                            void *target)
{
    (void)target;
    return read_tokenizer(reader, member);
}

static int recipe_tokenizer_source(const struct yaml_reader *reader,
                                   const struct yaml_member *member, void *target)
{
    struct recipe *recipe = target;

    if (check_no_tokenizer(reader, member->line))
        return -1;
    recipe->tokenizer = (struct recipe_tokenizer){.line = member->line};
    return tokenizer_source(reader, member, &recipe->tokenizer);
}

static int recipe_template(const struct yaml_reader *reader, const struct yaml_member *member,
                           void *target)
{
    struct recipe *recipe = target;

    recipe->chat_template_line = member->line;
    return yaml_reader_text(reader, member, &recipe->chat_template);
}

static int recipe_name(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    struct recipe *recipe = target;

    if (yaml_reader_text(reader, member, &recipe->name))
        return -1;
    if (*recipe->name == '\0' || strchr(recipe->name, '/') || strcmp(recipe->name, ".") == 0 ||
        strcmp(recipe->name, "..") == 0)
        return yaml_reader_fail(reader, member->line, "name '" ERROR_NAME "' is no plain name, "
                                "without '/'", recipe->name);
    return 0;
}

static int recipe_seed(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    (void)target;
    notices_add(reader->notices, "%s:%zu: random_seed has no effect in a recipe, here as in "
                "mergekit; use --seed", reader->file, member->line);
    return 0;
}

static const struct yaml_key recipe_keys[] = {
    {"merge_method", recipe_method}, {"base_model", recipe_base}, {"models", recipe_models},
    {"slices", recipe_slices}, {"modules", recipe_modules}, {"parameters", recipe_parameters},
    {"dtype", recipe_dtype}, {"out_dtype", recipe_out_dtype},
    {"tokenizer_source", recipe_tokenizer_source}, {"tokenizer", recipe_tokenizer},
    {"chat_template", recipe_template}, {"name", recipe_name}, {"random_seed", recipe_seed},
};

static int read_recipe(const struct yaml_reader *reader, const struct yaml_node *node)
{
    struct recipe *recipe = recipe_of(reader);

    recipe->line = node->line;
    if (YAML_READ_MAP(reader, node, recipe_keys, "a recipe", recipe))
        return -1;
    if (!recipe->method)
        return yaml_reader_fail(reader, recipe->line, "no 'merge_method'");
    if (recipe->n_modules == 0)
        return yaml_reader_fail(reader, recipe->line, "one of 'models', 'slices' and 'modules' "
                                "must say what is merged");
    return 0;
}

/* ---- documents ---- */

static int read_documents(struct recipes *recipes, const struct yaml_documents *documents,
                          struct yaml_reader *reader)
{
    recipes->items = arena_alloc(&recipes->arena, documents->n_items * sizeof *recipes->items);
    for (size_t i = 0; i < documents->n_items; i++) {
        struct recipe *recipe = &recipes->items[recipes->n_items];

        if (documents->items[i]->type == YAML_NULL) /* behind a last "---" */
            continue;
        recipe->file = reader->file;
        reader->root = recipe;
        if (read_recipe(reader, documents->items[i]))
            return -1;
        recipes->n_items++;
    }
    return recipes->n_items ? 0 : yaml_reader_fail(reader, 1, "no recipe in it");
}

int recipes_parse(struct recipes *recipes, const char *text, size_t size, const char *shown,
                  struct notices *notices, struct error *err)
{
    struct yaml_documents documents;
    struct yaml_reader reader = {.arena = &recipes->arena, .notices = notices, .err = err,
                                 .elsewhere = of_mixture};

    *recipes = (struct recipes){.text = memory_alloc(size + 1), .size = size};
    memcpy(recipes->text, text, size);
    recipes->text[size] = '\0';
    reader.file = arena_copy(&recipes->arena, shown, strlen(shown));
    if (yaml_reader_parse(&reader, recipes->text, size, &documents) ||
        read_documents(recipes, &documents, &reader)) {
        recipes_release(recipes);
        return -1;
    }
    return 0;
}

int recipes_load(struct recipes *recipes, const char *path, struct notices *notices,
                 struct error *err)
{
    struct line_reader *reader = line_reader_open(ranks_number() ? "/dev/null" : path, err);
    const char *text;
    char *told;
    size_t size;
    int rc;

    *recipes = (struct recipes){0};
    if (!reader || line_reader_rest(reader, recipe_bytes_max, &text, &size, err) ||
        ranks_tell(&size, sizeof size, err)) {
        line_reader_close(reader);
        return -1;
    }
    told = memory_zalloc(size + 1, 1);
    if (ranks_number() == 0)
        memcpy(told, text, size);
    rc = ranks_tell(told, size, err) ||
         recipes_parse(recipes, told, size, line_reader_name(reader), notices, err);
    free(told);
    line_reader_close(reader);
    return rc ? -1 : 0;
}

void recipes_release(struct recipes *recipes)
{
    free(recipes->text);
    arena_release(&recipes->arena);
    *recipes = (struct recipes){0};
}
