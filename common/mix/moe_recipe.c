/* moe_recipe.c - read the file of a mixture: a table of keys for each kind of map. */
#include "moe_recipe.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line_reader.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/yaml_reader.h"
#include "mix/recipe_setting.h"

static const size_t recipe_bytes_max = 16 * 1000 * 1000;
enum { EXPERTS_MAX = 65536 };

/* ---- messages ---- */

int moe_recipe_fail(const struct moe_recipe *recipe, size_t line, struct error *err,
                    const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(err, ERROR_FORMAT, "%s:%zu: %s", recipe->file, line, text);
}

/* ---- maps ---- */

/* The keys of a merge, by which such a file is told from one for merge. */
static const char *of_merge(const char *key)
{
    static const char *const names[] = {"merge_method", "models", "slices", "modules"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i]) == 0)
            return "is a key of a merge, not of a mixture of experts: use 'cocktail merge'";
    return NULL;
}

static int read_reference(const struct yaml_reader *reader, const struct yaml_node *node,
                          struct recipe_reference *reference)
{
    if (recipe_reference_read(reference, node, reader->file, reader->arena, reader->err))
        return -1;
    if (!reference->override_architecture)
        return 0;
    return error_set(reader->err, ERROR_UNSUPPORTED, "%s:%zu: model '" ERROR_NAME "': "
                     "override_architecture is not supported", reader->file, node->line,
                     reference->path);
}

/* ---- experts ---- */

static int expert_model(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    return read_reference(reader, member->value, &((struct moe_recipe_expert *)target)->model);
}

static int read_prompts(const struct yaml_reader *reader, const struct yaml_member *member,
                        struct moe_prompts *prompts)
{
    const struct yaml_node *list = member->value;

    if (list->type != YAML_LIST)
        return yaml_reader_wants(reader, member->key, list, "a list of texts");
    prompts->items = arena_alloc(reader->arena, list->n_items * sizeof *prompts->items);
    prompts->n_items = 0;
    for (size_t i = 0; i < list->n_items; i++) {
        if (list->items[i]->type != YAML_TEXT)
            return yaml_reader_wants(reader, "a prompt", list->items[i],
                                     "text; write it in quotes");
        prompts->items[prompts->n_items++] = list->items[i]->text;
    }
    return 0;
}

static int expert_positive(const struct yaml_reader *reader, const struct yaml_member *member,
                           void *target)
{
    return read_prompts(reader, member, &((struct moe_recipe_expert *)target)->positive);
}

static int expert_negative(const struct yaml_reader *reader, const struct yaml_member *member,
                           void *target)
{
    return read_prompts(reader, member, &((struct moe_recipe_expert *)target)->negative);
}

static int read_number(const struct yaml_reader *reader, const struct yaml_member *member,
                       double *value)
{
    if (!recipe_scalar(member->value, COMBINE_NUMBER, value))
        return yaml_reader_wants(reader, member->key, member->value, "a number");
    if (!isfinite((float)*value))
        return yaml_reader_fail(reader, member->value->line, "%s %.20s is not a finite number",
                                member->key, member->value->text);
    return 0;
}

static int expert_noise(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    struct moe_recipe_expert *expert = target;

    expert->has_noise = true;
    return read_number(reader, member, &expert->noise);
}

static int expert_scale(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    struct moe_recipe_expert *expert = target;

    expert->has_scale = true;
    return read_number(reader, member, &expert->scale);
}

static int read_expert(const struct yaml_reader *reader, const struct yaml_node *node,
                       struct moe_recipe_expert *expert)
{
    static const struct yaml_key keys[] = {
        {"source_model", expert_model}, {"positive_prompts", expert_positive},
        {"negative_prompts", expert_negative}, {"noise_scale", expert_noise},
        {"residual_scale", expert_scale},
    };

    *expert = (struct moe_recipe_expert){.line = node->line};
    if (YAML_READ_MAP(reader, node, keys, "an expert", expert))
        return -1;
    if (expert->model.path)
        return 0;
    return yaml_reader_fail(reader, node->line, "an expert without 'source_model'");
}

static int read_experts(const struct yaml_reader *reader, const struct yaml_member *member,
                        struct moe_recipe_expert **experts, size_t *n_experts)
{
    const struct yaml_node *list = member->value;

    if (list->type != YAML_LIST)
        return yaml_reader_wants(reader, member->key, list, "a list");
    if (list->n_items > EXPERTS_MAX)
        return yaml_reader_fail(reader, list->line, "%zu experts; a router knows %d at most",
                                list->n_items, (int)EXPERTS_MAX);
    *experts = arena_alloc(reader->arena, list->n_items * sizeof **experts);
    *n_experts = list->n_items;
    for (size_t i = 0; i < list->n_items; i++)
        if (read_expert(reader, list->items[i], &(*experts)[i]))
            return -1;
    return 0;
}

/* ---- the file ---- */

static int recipe_base(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    return read_reference(reader, member->value, &((struct moe_recipe *)target)->base);
}

static int recipe_experts(const struct yaml_reader *reader, const struct yaml_member *member,
                          void *target)
{
    struct moe_recipe *recipe = target;

    return read_experts(reader, member, &recipe->experts, &recipe->n_experts);
}

static int recipe_shared(const struct yaml_reader *reader, const struct yaml_member *member,
                         void *target)
{
    struct moe_recipe *recipe = target;

    return read_experts(reader, member, &recipe->shared, &recipe->n_shared);
}

static int recipe_gate(const struct yaml_reader *reader, const struct yaml_member *member,
                       void *target)
{
    static const struct {
        const char *name;
        enum moe_gate gate;
    } gates[] = {
        {"hidden", MOE_GATE_HIDDEN},           {"hidden_last", MOE_GATE_HIDDEN},
        {"hidden_avg", MOE_GATE_HIDDEN_AVG},   {"cheap_embed", MOE_GATE_CHEAP_EMBED},
        {"random", MOE_GATE_RANDOM},           {"uniform_random", MOE_GATE_UNIFORM_RANDOM},
    };
    struct nearest nearest = {0};
    const char *name = "";

    if (yaml_reader_text(reader, member, &name))
        return -1;
    nearest.typed = name;
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++) {
        nearest_consider(&nearest, gates[i].name);
        if (strcmp(gates[i].name, name) == 0) {
            ((struct moe_recipe *)target)->gate = gates[i].gate;
            return 0;
        }
    }
    return yaml_reader_fail(reader, member->value->line, "gate_mode '" ERROR_NAME "' is none of "
                            "hidden, hidden_avg, hidden_last, cheap_embed, random and "
                            "uniform_random%s%s%s", name, nearest.word ? "; did you mean '" : "",
                            nearest.word ? nearest.word : "", nearest.word ? "'?" : "");
}

static int recipe_dtype(const struct yaml_reader *reader, const struct yaml_member *member,
                        void *target)
{
    static const struct {
        const char *name, *dtype;
    } dtypes[] = {
        {"float32", "f32"}, {"float16", "f16"}, {"bfloat16", "bf16"}, {"float64", "f64"},
    };
    const char *name = "", *plain;

    if (yaml_reader_text(reader, member, &name))
        return -1;
    plain = strncmp(name, "torch.", 6) == 0 ? name + 6 : name;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, plain) == 0) {
            ((struct moe_recipe *)target)->dtype = dtypes[i].dtype;
            return 0;
        }
    return yaml_reader_fail(reader, member->value->line, "dtype '" ERROR_NAME "' is none of "
                            "float32, float16, bfloat16 and float64", name);
}

static int recipe_n_chosen(const struct yaml_reader *reader, const struct yaml_member *member,
                           void *target)
{
    double value;

    if (!recipe_scalar(member->value, COMBINE_WHOLE, &value))
        return yaml_reader_wants(reader, member->key, member->value, "a whole number");
    if (value < 1 || value > EXPERTS_MAX)
        return yaml_reader_fail(reader, member->value->line, "experts_per_token is %.20s; a token "
                                "needs one expert, and can have %d", member->value->text,
                                (int)EXPERTS_MAX);
    ((struct moe_recipe *)target)->n_chosen = (size_t)value;
    return 0;
}

static int recipe_architecture(const struct yaml_reader *reader, const struct yaml_member *member,
                               void *target)
{
    struct moe_recipe *recipe = target;

    recipe->architecture_line = member->value->line;
    return yaml_reader_text(reader, member, &recipe->architecture);
}

static const struct yaml_key recipe_keys[] = {
    {"base_model", recipe_base}, {"experts", recipe_experts}, {"shared_experts", recipe_shared},
    {"gate_mode", recipe_gate}, {"dtype", recipe_dtype}, {"experts_per_token", recipe_n_chosen},
    {"architecture", recipe_architecture},
};

/* ---- what mergekit-moe rejects ---- */

static bool same_prompts(const struct moe_prompts *a, const struct moe_prompts *b)
{
    bool is_same = a->n_items == b->n_items;

    for (size_t i = 0; is_same && i < a->n_items; i++)
        is_same = strcmp(a->items[i], b->items[i]) == 0;
    return is_same;
}

static bool all_same_prompts(const struct moe_recipe *recipe)
{
    for (size_t i = 1; i < recipe->n_experts; i++)
        if (!same_prompts(&recipe->experts[0].positive, &recipe->experts[i].positive) ||
            !same_prompts(&recipe->experts[0].negative, &recipe->experts[i].negative))
            return false;
    return true;
}

static bool all_same_models(const struct moe_recipe *recipe)
{
    for (size_t i = 1; i < recipe->n_experts; i++)
        if (strcmp(recipe->experts[0].model.text, recipe->experts[i].model.text) != 0)
            return false;
    return true;
}

static int check_prompts(const struct moe_recipe *recipe, struct error *err)
{
    for (size_t i = 0; i < recipe->n_experts; i++)
        if (recipe->experts[i].positive.n_items == 0)
            return moe_recipe_fail(recipe, recipe->experts[i].line, err, "expert %zu has no "
                                   "positive_prompts, by which tokens would find it", i);
    if (all_same_prompts(recipe))
        return moe_recipe_fail(recipe, recipe->experts[0].line, err, "all experts have the same "
                               "prompts: no token would be sent to one rather than to another");
    return 0;
}

static int check_recipe(const struct moe_recipe *recipe, bool allows_same, struct error *err)
{
    if (!recipe->base.path)
        return moe_recipe_fail(recipe, recipe->line, err, "no 'base_model'");
    if (!recipe->experts)
        return moe_recipe_fail(recipe, recipe->line, err, "no 'experts'");
    if (recipe->n_experts < recipe->n_chosen)
        return moe_recipe_fail(recipe, recipe->line, err, "%zu experts, but experts_per_token is "
                               "%zu", recipe->n_experts, recipe->n_chosen);
    if (recipe->gate == MOE_GATE_RANDOM)
        return 0;
    if (check_prompts(recipe, err))
        return -1;
    if (!allows_same && all_same_models(recipe))
        return moe_recipe_fail(recipe, recipe->experts[0].line, err, "all experts are the same "
                               "model: the mixture would compute what that does, at a higher price; "
                               "before a training that may be wanted: "
                               "--i-understand-this-is-not-useful-without-training");
    return 0;
}

/* ---- loading ---- */

static int read_document(const struct yaml_reader *reader, const struct yaml_documents *documents)
{
    struct moe_recipe *recipe = reader->root;
    const struct yaml_node *document = NULL;

    for (size_t i = 0; i < documents->n_items; i++) {
        if (documents->items[i]->type == YAML_NULL) /* behind a last "---" */
            continue;
        if (document)
            return yaml_reader_fail(reader, documents->items[i]->line,
                                    "a second document; a mixture has one");
        document = documents->items[i];
    }
    if (!document)
        return yaml_reader_fail(reader, 1, "nothing in it");
    recipe->line = document->line;
    return YAML_READ_MAP(reader, document, recipe_keys, "a mixture", recipe);
}

int moe_recipe_parse(struct moe_recipe *recipe, const char *text, size_t size, const char *shown,
                     bool allows_same, struct notices *notices, struct error *err)
{
    struct yaml_documents documents;
    struct yaml_reader reader = {.arena = &recipe->arena, .notices = notices, .err = err,
                                 .root = recipe, .elsewhere = of_merge};
    int rc;

    *recipe = (struct moe_recipe){.text = memory_alloc(size + 1), .size = size, .n_chosen = 2};
    memcpy(recipe->text, text, size);
    recipe->text[size] = '\0';
    reader.file = recipe->file = arena_copy(&recipe->arena, shown, strlen(shown));
    rc = yaml_reader_parse(&reader, recipe->text, size, &documents) ||
         read_document(&reader, &documents) || check_recipe(recipe, allows_same, err);
    if (rc)
        moe_recipe_release(recipe);
    return rc ? -1 : 0;
}

int moe_recipe_load(struct moe_recipe *recipe, const char *path, bool allows_same,
                    struct notices *notices, struct error *err)
{
    struct line_reader *reader = line_reader_open(path, err);
    const char *text;
    size_t size;
    int rc = -1;

    *recipe = (struct moe_recipe){0};
    if (reader && line_reader_rest(reader, recipe_bytes_max, &text, &size, err) == 0)
        rc = moe_recipe_parse(recipe, text, size, line_reader_name(reader), allows_same, notices,
                              err);
    line_reader_close(reader);
    return rc;
}

void moe_recipe_release(struct moe_recipe *recipe)
{
    free(recipe->text);
    arena_release(&recipe->arena);
    *recipe = (struct moe_recipe){0};
}
