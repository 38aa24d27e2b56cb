/* test_recipe.c - what a recipe says, and what is said of one that is wrong. */
#include "mix/recipe.h"

#include <string.h>

#include "test.h"

static int parse(struct recipes *recipes, const char *text, struct notices *notices,
                 struct error *err)
{
    return recipes_parse(recipes, text, strlen(text), "r.yml", notices, err);
}

static struct recipes read(const char *text)
{
    struct error err = {0};
    struct notices notices = {0};
    struct recipes recipes;

    if (parse(&recipes, text, &notices, &err)) {
        printf("# %s\n", err.text);
        CHECK(!"read");
    }
    CHECK(notices.n_texts == 0);
    notices_release(&notices);
    return recipes;
}

static void models_are_one_slice_without_ranges(void)
{
    struct recipes recipes = read("merge_method: ties\nbase_model: org/base@v1\nmodels:\n"
                                  "  - model: a\n  - model: b\n    parameters: {weight: 0.5}\n"
                                  "parameters:\n  normalize: true\ndtype: torch.bfloat16\n");
    const struct recipe *recipe = &recipes.items[0];
    const struct recipe_slice *slice = recipe->modules[0].slices;

    CHECK(recipes.n_items == 1 && recipe->n_modules == 1 && recipe->modules[0].n_slices == 1);
    CHECK(!recipe->modules[0].has_slices && !recipe->modules[0].name);
    CHECK(strcmp(recipe->method, "ties") == 0 && recipe->method_line == 1);
    CHECK(strcmp(recipe->base.path, "org/base") == 0 && strcmp(recipe->base.revision, "v1") == 0);
    CHECK(slice->n_sources == 2 && strcmp(slice->sources[1].model.path, "b") == 0);
    CHECK(slice->sources[1].model.line == 5 && slice->sources[1].line == 5);
    CHECK(recipe_settings_find(&slice->sources[1].settings, "weight"));
    CHECK(!recipe_settings_find(&slice->sources[0].settings, "weight"));
    CHECK(recipe_settings_find(&recipe->settings, "normalize")->line == 8);
    CHECK(strcmp(recipe->dtype, "bfloat16") == 0 && !recipe->out_dtype);
    CHECK(recipe->tokenizer.line == 0);
    recipes_release(&recipes);
}

static void slices_have_ranges_and_their_own_base(void)
{
    struct recipes recipes = read("merge_method: slerp\nbase_model: a\nslices:\n"
                                  "- sources:\n  - {model: a, layer_range: [0, 2]}\n"
                                  "  - {model: b, layer_range: [1, 3]}\n  parameters: {t: 0.5}\n"
                                  "- sources:\n  - {model: a, layer_range: [1, 4]}\n"
                                  "  base_model: c\n");
    const struct recipe_module *module = recipes.items[0].modules;

    CHECK(module->has_slices && module->n_slices == 2);
    CHECK(module->slices[0].sources[1].first == 1 && module->slices[0].sources[1].end == 3);
    CHECK(!module->slices[0].base.path && strcmp(module->slices[1].base.path, "c") == 0);
    CHECK(recipe_settings_find(&module->slices[0].settings, "t"));
    recipes_release(&recipes);
}

static void references_have_revisions_and_adapters(void)
{
    struct recipes recipes =
        read("merge_method: linear\nmodels:\n- model: o/a@r+o/l@s\n"
             "- model: {model: {path: ./b, revision: null}, lora: {path: l}}\n"
             "- model: {model: c, override_architecture: X}\n");
    const struct recipe_source *sources = recipes.items[0].modules[0].slices[0].sources;

    CHECK(strcmp(sources[0].model.path, "o/a") == 0 && strcmp(sources[0].model.revision, "r") == 0);
    CHECK(strcmp(sources[0].model.lora, "o/l") == 0);
    CHECK(strcmp(sources[0].model.lora_revision, "s") == 0);
    CHECK(strcmp(sources[0].model.text, "o/a@r+o/l@s") == 0);
    CHECK(strcmp(sources[1].model.text, "./b+l") == 0 && !sources[1].model.revision);
    CHECK(strcmp(sources[2].model.override_architecture, "X") == 0);
    CHECK(strcmp(sources[2].model.text, "c as X") == 0);
    recipes_release(&recipes);
}

static void several_documents_are_stages(void)
{
    struct recipes recipes = read("---\nmerge_method: linear\nmodels: [{model: s}]\n"
                                  "---\nname: s\nmerge_method: linear\nmodels: [{model: a}]\n"
                                  "---\n");

    CHECK(recipes.n_items == 2 && !recipes.items[0].name);
    CHECK(strcmp(recipes.items[1].name, "s") == 0 && recipes.items[1].line == 5);
    recipes_release(&recipes);
}

static void tokenizer_forms(void)
{
    struct recipes recipes = read("merge_method: linear\nmodels: [{model: a}]\n"
                                  "tokenizer:\n  source: base\n  pad_to_multiple_of: 8\n"
                                  "  tokens: {x: {source: a}}\nchat_template: chatml\n");

    CHECK(recipes.items[0].tokenizer.is_base && recipes.items[0].tokenizer.line == 3);
    CHECK(recipes.items[0].tokenizer.pad_to_multiple_of == 8);
    CHECK(recipes.items[0].tokenizer.tokens[0].line == 6);
    CHECK(strcmp(recipes.items[0].chat_template, "chatml") == 0);
    recipes_release(&recipes);
    recipes = read("merge_method: linear\nmodels: [{model: a}]\ntokenizer: {}\n");
    CHECK(recipes.items[0].tokenizer.is_union);
    recipes_release(&recipes);
    recipes = read("merge_method: linear\nmodels: [{model: a}]\ntokenizer_source: a\n");
    CHECK(strcmp(recipes.items[0].tokenizer.model.path, "a") == 0);
    recipes_release(&recipes);
}

static void what_is_wrong_is_said_with_its_line(void)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"", "r.yml:1: no recipe"},
        {"- a\n", "r.yml:1: a recipe is a list"},
        {"models: [{model: a}]\n", "r.yml:1: no 'merge_method'"},
        {"merge_method: linear\n", "'models', 'slices' and 'modules'"},
        {"merge_method: linear\nmodels: []\n", "r.yml:2: models is empty"},
        {"merge_method: linear\nmodel:\n- model: a\n", "r.yml:2: 'model' is no key of a recipe; did "
                                                       "you mean 'models'?"},
        {"base_modell: x\nmerge_method: linear\nmodels: [{model: a}]\n", "did you mean 'base_model'"},
        {"merge_method: [linear]\nmodels: [{model: a}]\n", "merge_method is a list, not text"},
        {"merge_method: linear\nmodels: [{modle: a}]\n", "did you mean 'model'?"},
        {"merge_method: linear\nmodels: [{parameters: {}}]\n", "an entry without 'model'"},
        {"merge_method: linear\nmodels: [{model: a, params: {weight: 1}}]\n", "'params' is no key"},
        {"merge_method: linear\nmodels: [{model: a}, {model: a}]\n", "stands twice"},
        {"merge_method: linear\nmodels: [{model: a+b+c}]\n", "more than one '+'"},
        {"merge_method: linear\nmodels: [{model: a@b@c}]\n", "more than one '@'"},
        {"merge_method: linear\nmodels: [{model: a+}]\n", "an empty part"},
        {"merge_method: linear\nmodels: [{model: 5}]\n", "a model is a whole number"},
        {"merge_method: linear\nmodels: [{model: {path: a}}]\n", "'path' is none of model"},
        {"merge_method: linear\nmodels: [{model: a}]\nslices: []\n", "only one of them"},
        {"merge_method: linear\nmodules: {x: {}}\n", "neither models nor slices"},
        {"merge_method: linear\nmodules: {x: {models: [{model: a}], slices: []}}\n", "both models"},
        {"merge_method: passthrough\nslices:\n- {}\n", "a slice without 'sources'"},
        {"merge_method: passthrough\nslices:\n- sources: [{model: a}]\n", "without 'layer_range'"},
        {"merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: [2, 1]}]\n",
         "r.yml:3: layer_range [2, 1] holds no layers"},
        {"merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: [1, 1]}]\n",
         "holds no layers"},
        {"merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: [-1, 1]}]\n",
         "holds no layers"},
        {"merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: [0, 1.5]}]\n",
         "not two layers"},
        {"merge_method: passthrough\nslices:\n- sources: [{model: a, layer_range: 3}]\n",
         "not two layers"},
        {"merge_method: linear\nslices:\n- sources: [{model: a, layer_range: [0, 2]}, "
         "{model: b, layer_range: [0, 3]}]\n", "3 layers of 'b', but 2 of 'a'"},
        {"merge_method: linear\nmodels: [{model: a}]\ndtype: float8\n", "dtype 'float8' is none of"},
        {"merge_method: linear\nmodels: [{model: a}]\ndtype: int64\n", "dtype 'int64' is none of"},
        {"merge_method: linear\nmodels: [{model: a, parameters: 3}]\n", "parameters is a whole"},
        {"merge_method: linear\nmodels: [{model: a, parameters: {weight: }}]\n", "wants a value"},
        {"merge_method: linear\nmodels: [{model: a, parameters: {weight: [1, [2]]}}]\n", "mixes"},
        {"merge_method: linear\nmodels: [{model: a, parameters: {weight: [{value: 1}, 2]}}]\n",
         "mixes values with filters"},
        {"merge_method: linear\nmodels: [{model: a, parameters: {weight: {filter: x}}}]\n",
         "without a value"},
        {"merge_method: linear\nmodels: [{model: a, parameters: {weight: {filtr: x, value: 1}}}]\n",
         "'filtr' is neither"},
        {"merge_method: linear\nmodels: [{model: a}]\nname: ../x\n", "no plain name"},
        {"merge_method: linear\nmodels: [{model: a}]\ntokenizer: {pad_to_multiple_of: -4}\n",
         "wants a whole number"},
        {"merge_method: linear\nmodels: [{model: a}]\ntokenizer: {}\ntokenizer_source: base\n",
         "both tokenizer and tokenizer_source"},
        {"base_model: a\ngate_mode: hidden\nexperts: []\n", "mixture of experts"},
        {"merge_method: linear\nmodels: [\n", "r.yml:3:"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        struct notices notices = {0};
        struct recipes recipes;

        CHECK(parse(&recipes, rows[i].text, &notices, &err) == -1 && err.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, rows[i].part);
        notices_release(&notices);
    }
}

static void what_means_nothing_is_a_notice(void)
{
    struct error err = {0};
    struct notices notices = {0};
    struct recipes recipes;

    CHECK(parse(&recipes, "merge_method: linear\nrandom_seed: 3\nslices:\n- sources:\n"
                "  - {model: a, layer_range: [0, 1]}\n  residual_weight: 0.5\n"
                "merge_method: slerp\n", &notices, &err) == 0);
    CHECK(notices.n_texts == 3);
    if (notices.n_texts == 3) {
        CHECK_CONTAINS(notices.texts[0], "r.yml:7: 'merge_method' is said twice");
        CHECK_CONTAINS(notices.texts[1], "r.yml:2: random_seed");
        CHECK_CONTAINS(notices.texts[2], "r.yml:6: residual_weight");
    }
    CHECK(strcmp(recipes.items[0].method, "slerp") == 0);
    notices_release(&notices);
    recipes_release(&recipes);
}

/* ---- settings ---- */

static double value(const char *setting, enum combine_kind kind, const char *tensor, double t)
{
    char text[400];
    struct recipes recipes;
    double value = -99;

    snprintf(text, sizeof text, "merge_method: linear\nmodels: [{model: a}]\nparameters: {p: %s}\n",
             setting);
    recipes = read(text);
    CHECK(recipe_settings_find(&recipes.items[0].settings, "p"));
    recipe_setting_value(recipe_settings_find(&recipes.items[0].settings, "p"), kind, tensor, t,
                         &value);
    recipes_release(&recipes);
    return value;
}

/* Expected values: evaluate_setting of mergekit 0.1.5. */
static void gradients_and_filters_are_evaluated_as_mergekit_does(void)
{
    CHECK(value("0.25", COMBINE_NUMBER, "x", 0.5) == 0.25);
    CHECK(value("1e-4", COMBINE_NUMBER, "x", 0) == 1e-4);
    CHECK(value("' 7e-1 '", COMBINE_NUMBER, "x", 0) == 0.7);
    CHECK(value("true", COMBINE_NUMBER, "x", 0) == 1);
    CHECK(value("[0, 1]", COMBINE_NUMBER, "x", 0.25) == 0.25);
    CHECK(value("[0, 0.5, 1, 3]", COMBINE_NUMBER, "x", 0.5) == 0.75);
    CHECK(value("[0, 0.5, 1, 3]", COMBINE_NUMBER, "x", 1) == 3);
    CHECK(value("[2]", COMBINE_NUMBER, "x", 0.7) == 2);
    CHECK(value("[]", COMBINE_NUMBER, "x", 0.7) == -99);
    CHECK(value("[yes, no, yes]", COMBINE_BOOLEAN, "x", 0.7) == 0);
    CHECK(value("[{filter: attn, value: [0, 1]}, {value: 5}]", COMBINE_NUMBER, "l.0.attn.q", 1) == 1);
    CHECK(value("[{filter: attn, value: [0, 1]}, {value: 5}]", COMBINE_NUMBER, "l.0.mlp", 1) == 5);
    CHECK(value("[{filter: '*', value: 2}, {filter: mlp, value: 5}]", COMBINE_NUMBER, "mlp", 1) == 2);
    CHECK(value("{filter: attn, value: 3}", COMBINE_NUMBER, "mlp", 1) == -99);
    CHECK(value("{value: 3}", COMBINE_NUMBER, "mlp", 1) == 3);
}

static void check_value(const char *setting, enum combine_kind kind, const char *part)
{
    char text[400];
    struct error err = {0};
    struct recipes recipes;

    snprintf(text, sizeof text, "merge_method: linear\nmodels: [{model: a}]\nparameters: {p: %s}\n",
             setting);
    recipes = read(text);
    if (recipe_setting_check(recipe_settings_find(&recipes.items[0].settings, "p"),
                             &(struct combine_parameter){.name = "p", .kind = kind, .most = 1},
                             "r.yml", &err) == 0)
        CHECK(!part);
    else
        CHECK_CONTAINS(err.text, part ? part : "no error");
    recipes_release(&recipes);
}

static void values_of_another_kind_are_refused(void)
{
    check_value("0.5", COMBINE_NUMBER, NULL);
    check_value("[0, '1']", COMBINE_NUMBER, NULL);
    check_value("1_0e-2", COMBINE_NUMBER, NULL);
    check_value("much", COMBINE_NUMBER, "r.yml:3: parameter 'p': 'much' is no number");
    check_value("0x1p3", COMBINE_NUMBER, "is no number");
    check_value(".nan", COMBINE_NUMBER, "is no number");
    check_value("[0, 1.5]", COMBINE_NUMBER, "r.yml:3: parameter 'p' must be from 0 to 1, not 1.5");
    check_value("-1", COMBINE_NUMBER, "not -1");
    check_value("'yes'", COMBINE_BOOLEAN, NULL);
    check_value("F", COMBINE_BOOLEAN, NULL);
    check_value("maybe", COMBINE_BOOLEAN, "is no boolean");
    check_value("2", COMBINE_BOOLEAN, "is no boolean");
    check_value("1.0", COMBINE_WHOLE, NULL);
    check_value("0.5", COMBINE_WHOLE, "is no whole number");
}

TESTS(TEST(models_are_one_slice_without_ranges), TEST(slices_have_ranges_and_their_own_base),
      TEST(references_have_revisions_and_adapters), TEST(several_documents_are_stages),
      TEST(tokenizer_forms), TEST(what_is_wrong_is_said_with_its_line),
      TEST(what_means_nothing_is_a_notice),
      TEST(gradients_and_filters_are_evaluated_as_mergekit_does),
      TEST(values_of_another_kind_are_refused))
