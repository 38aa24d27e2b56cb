/* The file of a mixture of experts: what it says, and what mergekit-moe would reject. */
#include "mix/moe_recipe.h"

#include <string.h>

#include "test.h"

static int parse(struct moe_recipe *recipe, const char *text, bool allows_same, struct error *err)
{
    struct notices notices = {0};
    int rc;

    *err = (struct error){0};
    rc = moe_recipe_parse(recipe, text, strlen(text), "m.yml", allows_same, &notices, err);
    notices_release(&notices);
    return rc;
}

static void all_that_a_file_says_is_read(void)
{
    static const char text[] =
        "base_model: org/base@main\n"
        "gate_mode: cheap_embed\n"
        "dtype: torch.bfloat16\n"
        "experts_per_token: 1\n"
        "architecture: qwen\n"
        "experts:\n"
        "  - source_model: a\n"
        "    positive_prompts: [add, \"1\"]\n"
        "    negative_prompts:\n"
        "      - cat\n"
        "    noise_scale: 1e-2\n"
        "  - source_model: {model: {path: b}}\n"
        "    positive_prompts: [count]\n"
        "    residual_scale: 0.5\n"
        "shared_experts:\n"
        "  - source_model: c\n";
    struct moe_recipe recipe;
    struct error err;

    CHECK(parse(&recipe, text, false, &err) == 0);
    CHECK(strcmp(recipe.base.path, "org/base") == 0);
    CHECK(strcmp(recipe.base.revision, "main") == 0);
    CHECK(recipe.gate == MOE_GATE_CHEAP_EMBED && recipe.n_chosen == 1);
    CHECK(strcmp(recipe.dtype, "bf16") == 0);
    CHECK(strcmp(recipe.architecture, "qwen") == 0);
    CHECK(recipe.architecture_line == 5 && recipe.n_experts == 2 && recipe.n_shared == 1);
    CHECK(recipe.experts[0].positive.n_items == 2 && recipe.experts[0].negative.n_items == 1);
    CHECK(strcmp(recipe.experts[0].positive.items[1], "1") == 0);
    CHECK(recipe.experts[0].has_noise && recipe.experts[0].noise == 0.01);
    CHECK(!recipe.experts[0].has_scale && recipe.experts[1].has_scale);
    CHECK(recipe.experts[1].scale == 0.5 && recipe.experts[1].line == 12);
    CHECK(strcmp(recipe.experts[1].model.path, "b") == 0);
    CHECK(strcmp(recipe.shared[0].model.path, "c") == 0);
    moe_recipe_release(&recipe);
    CHECK(parse(&recipe, "base_model: a\ngate_mode: random\nexperts: [{source_model: a}, "
                         "{source_model: a}]", false, &err) == 0);
    CHECK(recipe.n_chosen == 2 && !recipe.dtype && !recipe.architecture);
    moe_recipe_release(&recipe);
}

static void gate_modes_have_names(void)
{
    static const struct {
        const char *name;
        enum moe_gate gate;
    } rows[] = {
        {"hidden", MOE_GATE_HIDDEN}, {"hidden_last", MOE_GATE_HIDDEN},
        {"hidden_avg", MOE_GATE_HIDDEN_AVG}, {"cheap_embed", MOE_GATE_CHEAP_EMBED},
        {"random", MOE_GATE_RANDOM}, {"uniform_random", MOE_GATE_UNIFORM_RANDOM},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct moe_recipe recipe;
        struct error err;
        char text[300];

        snprintf(text, sizeof text, "base_model: a\ngate_mode: %s\nexperts:\n"
                 "- {source_model: a, positive_prompts: [x]}\n"
                 "- {source_model: b, positive_prompts: [y]}\n", rows[i].name);
        CHECK(parse(&recipe, text, false, &err) == 0);
        CHECK(recipe.gate == rows[i].gate);
        moe_recipe_release(&recipe);
    }
}

#define TWO                                                                                       \
    "experts:\n- {source_model: a, positive_prompts: [x]}\n"                                      \
    "- {source_model: b, positive_prompts: [y]}\n"

static void what_mergekit_rejects_is_refused_with_its_line(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "m.yml:1: nothing in it"},
        {"- a\n", "m.yml:1: a mixture is a list, not a map"},
        {"base_model: a\n---\nbase_model: b\n", "m.yml:3: a second document"},
        {TWO, "m.yml:1: no 'base_model'"},
        {"base_model: a\n", "m.yml:1: no 'experts'"},
        {"base_model: a\nexperts: []\n", "0 experts, but experts_per_token is 2"},
        {"base_model: a\nexperts: a\n", "m.yml:2: experts is text, not a list"},
        {"base_model: a\nexperts_per_token: 0\n" TWO, "m.yml:2: experts_per_token is 0"},
        {"base_model: a\nexperts_per_token: -1\n" TWO, "experts_per_token is"},
        {"base_model: a\nexperts_per_token: 1.5\n" TWO, "not a whole number"},
        {"base_model: a\nexperts_per_token: 3\n" TWO, "2 experts, but experts_per_token is 3"},
        {"base_model: a\ngate_mode: hiden\n" TWO, "m.yml:2: gate_mode 'hiden' is none of"},
        {"base_model: a\ngate_mode: hiden\n" TWO, "did you mean 'hidden'?"},
        {"base_model: a\ndtype: int8\n" TWO, "m.yml:2: dtype 'int8' is none of"},
        {"base_model: a\nexpert: 1\n" TWO, "'expert' is no key of a mixture; did you mean 'experts'?"},
        {"base_model: a\nmerge_method: ties\n" TWO, "use 'cocktail merge'"},
        {"base_model: a\nexperts:\n- {positive_prompts: [x]}\n", "m.yml:3: an expert without"},
        {"base_model: a\nexperts:\n- {source_model: a, positive: [x]}\n",
         "did you mean 'positive_prompts'?"},
        {"base_model: a\nexperts:\n- {source_model: a, positive_prompts: x}\n",
         "positive_prompts is text, not a list of texts"},
        {"base_model: a\nexperts:\n- {source_model: a, positive_prompts: [1]}\n", "in quotes"},
        {"base_model: a\nexperts:\n- {source_model: a, noise_scale: x}\n",
         "noise_scale is text, not a number"},
        {"base_model: a\nexperts:\n- {source_model: a, noise_scale: .inf}\n", "noise_scale"},
        {"base_model: a\nexperts:\n- {source_model: a, residual_scale: 1e39}\n",
         "residual_scale 1e39 is not a finite number"},
        {"base_model: a\nexperts:\n- {source_model: a}\n- {source_model: b}\n",
         "m.yml:3: expert 0 has no positive_prompts"},
        {"base_model: a\ngate_mode: uniform_random\nexperts:\n- {source_model: a}\n"
         "- {source_model: b}\n", "expert 0 has no positive_prompts"},
        {"base_model: a\nexperts:\n- {source_model: a, positive_prompts: [x, y]}\n"
         "- {source_model: b, positive_prompts: [x, y]}\n", "all experts have the same prompts"},
        {"base_model: a\nexperts_per_token: 1\nexperts:\n"
         "- {source_model: a, positive_prompts: [x, y]}\n", "all experts have the same prompts"},
        {"base_model: a\nexperts:\n- {source_model: a, positive_prompts: [x]}\n"
         "- {source_model: a, positive_prompts: [y]}\n", "m.yml:3: all experts are the same model"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct moe_recipe recipe;
        struct error err;

        CHECK(parse(&recipe, cases[i].text, false, &err) == -1);
        CHECK(err.code == ERROR_FORMAT && strncmp(err.text, "m.yml:", 6) == 0);
        CHECK_CONTAINS(err.text, cases[i].message);
        CHECK(!recipe.text && !recipe.experts);
    }
}

static void experts_of_one_model_can_be_asked_for(void)
{
    struct moe_recipe recipe;
    struct error err;

    CHECK(parse(&recipe, "base_model: a\nexperts:\n- {source_model: a, positive_prompts: [x]}\n"
                         "- {source_model: a, positive_prompts: [x], negative_prompts: [y]}\n",
                true, &err) == 0);
    moe_recipe_release(&recipe);
}

TESTS(TEST(all_that_a_file_says_is_read), TEST(gate_modes_have_names),
      TEST(what_mergekit_rejects_is_refused_with_its_line),
      TEST(experts_of_one_model_can_be_asked_for))
