/* Adapters on disk: what is read of their configuration and tensors, and what is refused. */
#include "adapter/lora_folder.h"

#include <math.h>

#include "adapter/name_pattern.h"
#include "scratch.h"

#define Q "base_model.model.model.layers.0.self_attn.q_proj"
#define V "base_model.model.model.layers.1.self_attn.v_proj"
#define E "base_model.model.model.layers.0.mlp.experts"

static void write_config(const char *more)
{
    char *text = memory_format("{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 6%s%s}",
                               *more ? ", " : "", more);

    scratch_text("lora/adapter_config.json", text);
    free(text);
}

static void write_q(void)
{
    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2));
}

static int open_lora(struct lora_folder *lora, struct error *err)
{
    struct notices notices = {0};
    int rc = lora_folder_open(lora, scratch_path("lora"), "it", false, &notices, err);

    notices_release(&notices);
    return rc;
}

/* What the configuration, beside the tensors that lie there, ends with. */
static void check(const char *config, enum error_code code, const char *message)
{
    struct lora_folder lora;
    struct error err = {0};

    write_config(config);
    if (open_lora(&lora, &err) == 0)
        lora_folder_release(&lora);
    if (err.code != code || (code && !strstr(err.text, message))) {
        printf("# %s: %d: %s\n", config, err.code, err.text);
        test_has_failed = true;
    }
}

static void reads_modules_and_scales(void)
{
    struct lora_folder lora;
    struct error err = {0};

    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2),
                TENSOR(V ".lora_A.default.weight", DTYPE_BF16, 1, 5, 3),
                TENSOR(V ".lora_B.default.weight", DTYPE_BF16, 1, 4, 5),
                TENSOR("base_model.model.lm_head.modules_to_save.weight", DTYPE_F32, 1, 7, 3));
    write_config("\"target_modules\": [\"q_proj\", \"v_proj\"], \"modules_to_save\": [\"head\"],"
                 "\"rank_pattern\": {\"v.proj\": 3, \"layers.1.self_attn.v_proj\": 5, \"x\": 9},"
                 "\"alpha_pattern\": {\"(q|v)_proj$\": 20, \"q_proj\": 1}, \"use_rslora\": true");
    CHECK(open_lora(&lora, &err) == -1);
    CHECK_CONTAINS(err.text, "rank 5, adapter_config.json says 3"); /* the first that fits */
    err = (struct error){0};
    write_config("\"target_modules\": [\"q_proj\", \"v_proj\"], \"modules_to_save\": [\"head\"],"
                 "\"rank_pattern\": {\"proj\": 3, \"layers.1.self_attn.v_proj\": 5, \"x\": 9},"
                 "\"alpha_pattern\": {\"v_pro[j]\": 20, \"q_proj\": 1}, \"use_rslora\": true");
    CHECK(open_lora(&lora, &err) == 0);
    if (err.code) {
        printf("# %s\n", err.text);
        return;
    }
    CHECK(lora.n_modules == 2 && lora.n_wholes == 1);
    CHECK(strcmp(lora.modules[0].name, "model.layers.0.self_attn.q_proj") == 0);
    CHECK(lora.modules[0].rank == 2 && lora.modules[0].scale == 1 / sqrt(2));
    CHECK(lora.modules[1].rank == 5 && lora.modules[1].scale == 20 / sqrt(5));
    CHECK(!lora.modules[0].parameter && lora.modules[0].n_experts == 1);
    CHECK(strcmp(lora.wholes[0].name, "lm_head.weight") == 0);
    lora_folder_release(&lora);
    CHECK(lora.name == NULL);
}

static void targets_are_ends_at_dots_or_patterns(void)
{
    write_q();
    check("\"target_modules\": [\"q_proj\"]", ERROR_NONE, "");
    check("\"target_modules\": [\"self_attn.q_proj\"]", ERROR_NONE, "");
    check("\"target_modules\": [\"model.layers.0.self_attn.q_proj\"]", ERROR_NONE, "");
    check("\"target_modules\": \"all-linear\"", ERROR_NONE, "");
    check("", ERROR_NONE, "");
    check("\"target_modules\": [\"proj\"]", ERROR_FORMAT, "is none that");
    check("\"target_modules\": [\"q_proj\", \"_proj\"]", ERROR_FORMAT, "names '_proj'");
    check("\"target_modules\": [\"q_proj\", \"k_proj\"]", ERROR_FORMAT, "names 'k_proj'");
    check("\"target_modules\": \".*\\\\.(q|v)_proj\"", ERROR_NONE, "");
    check("\"target_modules\": \"q_proj\"", ERROR_FORMAT, "is none that");
    check("\"target_modules\": \"(q_proj\"", ERROR_FORMAT, "parenthesis");
    check("\"target_modules\": 3", ERROR_FORMAT, "neither a list nor text");
    check("\"target_modules\": [3]", ERROR_FORMAT, "no name");
    check("\"exclude_modules\": [\"q_proj\"]", ERROR_FORMAT, "is none that");
    check("\"exclude_modules\": \".*q_.*\"", ERROR_FORMAT, "is none that");
    check("\"exclude_modules\": [\"proj\"]", ERROR_NONE, "");
    check("\"modules_to_save\": [\"self_attn\"]", ERROR_FORMAT, "modules_to_save");
    check("\"modules_to_save\": [\"attn\"]", ERROR_FORMAT, "names 'attn'"); /* an end without a dot */
}

/* What is told of the configuration, beside the tensors that lie there. */
static void check_told(const char *config, const char *notice)
{
    struct notices notices = {0};
    struct lora_folder lora;
    struct error err = {0};

    write_config(config);
    CHECK(lora_folder_open(&lora, scratch_path("lora"), "it", false, &notices, &err) == 0);
    CHECK(notices.n_texts == (notice != NULL));
    if (notice && notices.n_texts)
        CHECK_CONTAINS(notices.texts[0], notice);
    notices_release(&notices);
    lora_folder_release(&lora);
}

static void what_goes_with_no_module_is_told(void)
{
    write_q();
    check_told("\"rank_pattern\": {\"q_proj\": 2}, \"alpha_pattern\": {\"layers.0.*\": 3}", NULL);
    check_told("\"rank_pattern\": {\"v_proj\": 2}", "rank_pattern 'v_proj' goes with no module");
    check_told("\"alpha_pattern\": {\"q_proj\": 3, \".*_proj\": 4}", "alpha_pattern '.*_proj'");
    check_told("\"layers_to_transform\": [0, 0]", NULL);
    check_told("\"layers_to_transform\": [0, 7, 7]", "layers_to_transform '7' goes with no module");
    check_told("\"modules_to_save\": [\"classifier\", \"score\"], \"task_type\": \"TOKEN_CLS\"", NULL);
    check_told("\"modules_to_save\": [\"lm_head\"], \"ensure_weight_tying\": true", NULL);
    check("\"modules_to_save\": [\"score\"], \"task_type\": \"CAUSAL_LM\"", ERROR_FORMAT,
          "modules_to_save names 'score'");
    check("\"lora_alpha\": null", ERROR_FORMAT, "'lora_alpha': is no number");
}

static void a_file_of_it_stands_for_the_folder(void)
{
    static const char *const names[] = {"lora/adapter_model.safetensors", "lora/adapter_config.json"};
    struct notices notices = {0};
    struct lora_folder lora;
    struct error err = {0};

    write_q();
    write_config("");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(lora_folder_open(&lora, scratch_path(names[i]), NULL, false, &notices, &err) == 0);
        CHECK(lora.n_modules == 1);
        lora_folder_release(&lora);
    }
    scratch_text("lora/other.safetensors", "");
    CHECK(lora_folder_open(&lora, scratch_path("lora/other.safetensors"), "it", false, &notices, &err));
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "no adapter, which is a directory");
    notices_release(&notices);
}

static void layers_are_counted_as_peft_counts(void)
{
    write_q();
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": [3, 0]", ERROR_NONE, "");
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 0", ERROR_NONE, "");
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": []", ERROR_NONE, "");
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 1", ERROR_FORMAT,
          "is none that");
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 0.5", ERROR_FORMAT,
          "no layer");
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 0, "
          "\"layers_pattern\": \"layers\"", ERROR_NONE, "");
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 0, "
          "\"layers_pattern\": [\"h\", \"model.layers\"]", ERROR_NONE, "");
    check("\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 0, "
          "\"layers_pattern\": \"ayers\"", ERROR_FORMAT, "is none that");
    check("\"layers_pattern\": \"layers\"", ERROR_FORMAT, "without layers_to_transform");
    check("\"target_modules\": \".*\", \"layers_to_transform\": 0", ERROR_FORMAT, "as a pattern");
    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR("base_model.model.h.0.q.lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR("base_model.model.h.0.q.lora_B.weight", DTYPE_F32, 1, 4, 2));
    /* One name before the number is too few, unless it is said. */
    check("\"target_modules\": [\"q\"], \"layers_to_transform\": 0", ERROR_FORMAT, "is none that");
    check("\"target_modules\": [\"q\"], \"layers_to_transform\": 0, \"layers_pattern\": \"h\"",
          ERROR_NONE, "");
}

static void refuses_settings(void)
{
    write_q();
    check("\"peft_type\": \"LOHA\"", ERROR_UNSUPPORTED, "LOHA");
    check("\"peft_type\": null", ERROR_FORMAT, "peft_type");
    check("\"r\": 0", ERROR_FORMAT, "no rank");
    check("\"r\": 2.5", ERROR_FORMAT, "no rank");
    check("\"r\": 4", ERROR_FORMAT, "its A has rank 2, adapter_config.json says 4");
    check("\"lora_alpha\": Infinity", ERROR_FORMAT, "not finite");
    check("\"lora_alpha\": 1e999", ERROR_FORMAT, "not finite");
    check("\"alpha_pattern\": {\"x\": NaN}", ERROR_FORMAT, "not finite");
    check("\"rank_pattern\": {\"x\": -1}", ERROR_FORMAT, "no rank");
    check("\"rank_pattern\": [1]", ERROR_FORMAT, "no object");
    check("\"rank_pattern\": {\"a)|(b\": 1}", ERROR_FORMAT, "parenthesis");
    check("\"use_rslora\": \"yes\"", ERROR_FORMAT, "neither true nor false");
    check("\"bias\": \"some\"", ERROR_FORMAT, "'none', 'all'");
    check("\"use_dora\": true", ERROR_FORMAT, "no magnitudes");
    check("\"use_dora\": true, \"lora_bias\": true", ERROR_FORMAT, "beside use_dora");
    check("\"use_qalora\": true", ERROR_UNSUPPORTED, "use_qalora");
    check("\"layer_replication\": [[0, 2]]", ERROR_UNSUPPORTED, "layer_replication");
    check("\"trainable_token_indices\": {}", ERROR_NONE, "");
    check("\"trainable_token_indices\": [1]", ERROR_UNSUPPORTED, "trainable_token_indices");
    check("\"init_lora_weights\": \"pissa_niter_16\"", ERROR_NONE, "");
    check("\"init_lora_weights\": \"loftq\"", ERROR_UNSUPPORTED, "loftq");
    check("\"init_lora_weights\": \"gaussian\"", ERROR_NONE, "");
    check("\"init_lora_weights\": 1", ERROR_FORMAT, "init_lora_weights");
    check("\"exclude_modules\": \"(.*)*(.*)*(.*)*(.*)*(.*)*[xy]\"", ERROR_FORMAT, "takes too long");
}

static void refuses_tensors(void)
{
    static const float nan_of_four[] = {1, NAN, 1, 1};

    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3));
    check("", ERROR_FORMAT, "q_proj': has an A and no B");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 2, 3));
    check("", ERROR_FORMAT, "q_proj': has no A");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 3));
    check("", ERROR_FORMAT, "its A has rank 2, its B 3");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 0, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 0));
    check("", ERROR_FORMAT, "has rank 0");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 0, 2));
    check("", ERROR_FORMAT, "is empty");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_I32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2));
    check("", ERROR_FORMAT, "I32, where floats");
    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR_BYTES(Q ".lora_A.weight", DTYPE_F32, nan_of_four, 2, 2),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2));
    check("", ERROR_FORMAT, "value 1 is not finite");
    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3, 1, 1),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2, 1, 1));
    check("", ERROR_UNSUPPORTED, "convolution");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2),
                TENSOR(Q ".lora_B.bias", DTYPE_F32, 1, 4));
    check("", ERROR_FORMAT, "does not say lora_bias");
    check("\"lora_bias\": true", ERROR_NONE, "");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2),
                TENSOR(Q ".lora_magnitude_vector", DTYPE_F32, 1, 4));
    check("", ERROR_FORMAT, "does not say use_dora");
    check("\"use_dora\": true", ERROR_NONE, "");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2),
                TENSOR(Q ".lora_magnitude_vector.weight", DTYPE_F32, 1, 3));
    check("\"use_dora\": true", ERROR_FORMAT, "3 values in its magnitudes, 4 rows");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".lora_A.weight", DTYPE_F32, 1, 2, 3),
                TENSOR(Q ".lora_B.weight", DTYPE_F32, 1, 4, 2),
                TENSOR(Q ".lora_A.default.weight", DTYPE_F32, 1, 2, 3));
    check("", ERROR_FORMAT, "twice");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".weight", DTYPE_F32, 1, 2, 3));
    check("", ERROR_FORMAT, "neither part of a LoRA");
    check("\"modules_to_save\": [\"proj\"]", ERROR_NONE, ""); /* any end */
    check("\"modules_to_save\": [\"pro\"]", ERROR_FORMAT, "neither part");
    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(Q ".bias", DTYPE_F32, 1, 3));
    check("", ERROR_FORMAT, "neither part of a LoRA");
    check("\"bias\": \"all\"", ERROR_NONE, "");
    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR("lora_unet_down.lora_down.weight", DTYPE_F32, 1, 3));
    check("", ERROR_UNSUPPORTED, "kohya");
    SAFETENSORS("lora/adapter_model.safetensors",
                TENSOR("model.layers.0.q_proj.lora_A.weight", DTYPE_F32, 1, 3));
    check("", ERROR_FORMAT, "neither part of a LoRA");
}

/* Two parameters of one module: the outer wrapper is that of the last. */
static void check_both_parameters(const char *names)
{
    char *config = memory_format("\"target_modules\": [], \"target_parameters\": [%s]", names);
    struct lora_folder lora;
    struct error err = {0};

    write_config(config);
    free(config);
    CHECK(open_lora(&lora, &err) == 0);
    if (err.code) {
        printf("# %s: %s\n", names, err.text);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct lora_module *module = &lora.modules[i];
        bool is_down = module->a->shape[1] == 4;

        CHECK(strcmp(module->name, "model.layers.0.mlp.experts") == 0);
        CHECK(strcmp(module->parameter, is_down ? "down_proj" : "gate_up_proj") == 0);
        CHECK(module->rank == 2 && module->n_experts == 3 && module->scale == 3);
    }
    lora_folder_release(&lora);
}

static void reads_parameters_of_experts(void)
{
    static const char *const both[] = {
        "\"mlp.experts.down_proj\", \"mlp.experts.gate_up_proj\"",
        "\"gate_up_proj\", \"down_proj\", \"experts.gate_up_proj\", \"mlp.experts.down_proj\"",
        "\"experts.gate_up_proj\", \"down_proj\", \"gate_up_proj\"",
    };

    SAFETENSORS("lora/adapter_model.safetensors", TENSOR(E ".lora_A.weight", DTYPE_F32, 1, 6, 4),
                TENSOR(E ".lora_B.weight", DTYPE_F32, 1, 5, 6),
                TENSOR(E ".base_layer.lora_A.weight", DTYPE_F32, 1, 6, 5),
                TENSOR(E ".base_layer.lora_B.weight", DTYPE_F32, 1, 8, 6));
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        check_both_parameters(both[i]);
    check("\"target_parameters\": [\"mlp.experts.down_proj\"]", ERROR_FORMAT, "more parts");
    check("\"target_parameters\": [\"router.weight\"]", ERROR_FORMAT, "target_parameters says nothing");
    check("\"target_parameters\": [\"experts.a\", \"experts.b\", \"experts.c\"]", ERROR_FORMAT,
          "names 3 of its parameters, the file has 2");
    check("\"target_parameters\": [\"experts.a\", \"experts.b\"], \"r\": 4", ERROR_FORMAT,
          "6 rows, which are not experts of rank 4");
    check("\"target_parameters\": [\"experts.a\", \"experts.b\"], \"use_dora\": true", ERROR_FORMAT,
          "beside use_dora");
}

static void folders_lack_something(void)
{
    struct lora_folder lora;
    struct error err = {0};

    scratch_folder("empty");
    CHECK(lora_folder_open(&lora, scratch_path("empty"), NULL, false, &(struct notices){0}, &err));
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "no adapter_config.json");
    err = (struct error){0};
    scratch_text("empty/adapter_config.json", "{\"peft_type\": \"LORA\"}");
    CHECK(lora_folder_open(&lora, scratch_path("empty"), NULL, false, &(struct notices){0}, &err));
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "no adapter_model.safetensors");
}

static void tells_of_settings_that_nobody_knows(void)
{
    struct notices notices = {0};
    struct lora_folder lora;
    struct error err = {0};

    write_q();
    write_config("\"lora_dropout\": 0.1, \"new_way\": true, \"off\": false");
    CHECK(lora_folder_open(&lora, scratch_path("lora"), NULL, false, &notices, &err) == 0);
    CHECK(notices.n_texts == 1);
    if (notices.n_texts)
        CHECK_CONTAINS(notices.texts[0], "'new_way' is not known");
    lora_folder_release(&lora);
    notices_release(&notices);
}

/* A million names against a hundred thousand end soon, and so does a pattern that backtracks. */
static void comparing_names_ends(void)
{
    struct error err = {0};
    struct name_pattern *plain = name_pattern_new("a.c", true, &err);
    struct name_pattern *slow = name_pattern_new("(a*)*[bc]", false, &err);
    size_t work = 3, more = 1000 * NAME_PATTERN_STEP;

    CHECK(name_pattern_match(plain, "x.abc", 5, &work, &err) == 1);
    CHECK(name_pattern_match(plain, "xabc", 4, &work, &err) == 0);
    CHECK(name_pattern_match(plain, "bc", 2, &work, &err) == 0);
    CHECK(name_pattern_match(plain, "abc", 3, &work, &err) == -1);
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "too long");
    err = (struct error){0};
    CHECK(name_pattern_match(slow, "aab", 3, &more, &err) == 1);
    CHECK(more < 1000 * NAME_PATTERN_STEP);
    CHECK(name_pattern_match(slow, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 30, &more, &err) == -1);
    CHECK(err.code == ERROR_FORMAT);
    name_pattern_free(plain);
    name_pattern_free(slow);
}

TESTS(TEST(reads_modules_and_scales), TEST(targets_are_ends_at_dots_or_patterns),
      TEST(what_goes_with_no_module_is_told), TEST(a_file_of_it_stands_for_the_folder),
      TEST(layers_are_counted_as_peft_counts), TEST(refuses_settings), TEST(refuses_tensors),
      TEST(reads_parameters_of_experts), TEST(folders_lack_something),
      TEST(tells_of_settings_that_nobody_knows), TEST(comparing_names_ends))
