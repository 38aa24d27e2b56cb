/* test_sentence_model.c - what stands behind the transformer: pooling, dense layers, lengths. */
#include "model/sentence.h"

#include <math.h>

#include "scratch.h"

#define ST "sentence_transformers.models."
#define POOLING "{\"path\":\"1_Pooling\",\"type\":\"" ST "Pooling\"}"
#define MODULES(more) \
    "[{\"path\":\"\",\"type\":\"" ST "Transformer\"}," POOLING more "]"

/* Two sequences, of three tokens and of one, of a model that is two numbers wide. */
static const float hidden[] = {1, -2, 3, 6, 5, -1, 7, 8};
static const size_t ends[] = {3, 4};
static const struct batch batch = {.ends = ends, .n_sequences = 2};

struct fixture {
    struct threads *threads;
    struct model model;
    struct model_folder folder;
    struct notices notices;
    struct sentence_model *sentence;
    struct error err;
};

static void open_model(struct fixture *fixture, const char *name, const char *pooling)
{
    *fixture = (struct fixture){.threads = threads_new(2, &fixture->err)};
    fixture->model.spec.hidden_size = 2;
    CHECK(engine_init(&fixture->model.engine, fixture->threads, &fixture->err) == 0);
    if (model_folder_open(&fixture->folder, scratch_path(name), NULL, false, &fixture->err) == 0)
        fixture->sentence = sentence_model_load(&fixture->folder, &fixture->model, pooling,
                                                &fixture->notices, &fixture->err);
}

static void close_model(struct fixture *fixture)
{
    sentence_model_free(fixture->sentence);
    model_folder_release(&fixture->folder);
    notices_release(&fixture->notices);
    engine_release(&fixture->model.engine);
    threads_free(fixture->threads);
}

/* Pools, and compares with [2, n] numbers. */
static void check_pooled(struct fixture *fixture, size_t n_prompt_tokens, size_t n,
                         const float *expected)
{
    float out[2 * 8];

    CHECK(fixture->sentence && sentence_model_size(fixture->sentence) == n);
    if (!fixture->sentence || sentence_model_size(fixture->sentence) != n)
        return;
    CHECK(sentence_model_pool(fixture->sentence, &fixture->model, &batch, hidden, n_prompt_tokens,
                              out, &fixture->err) == 0);
    for (size_t i = 0; i < 2 * n; i++)
        if (!(fabsf(out[i] - expected[i]) <= 1e-6f)) /* a few roundings of numbers below 10 */
            printf("# %zu: %.9g instead of %.9g\n", i, (double)out[i], (double)expected[i]);
    for (size_t i = 0; i < 2 * n; i++)
        CHECK(fabsf(out[i] - expected[i]) <= 1e-6f);
}

static void pooling_is_chosen_by_name(void)
{
    static const struct {
        const char *name;
        float expected[4];
    } table[] = {
        {"cls", {1, -2, 7, 8}},
        {"max", {5, 6, 7, 8}},
        {"mean", {3, 1, 7, 8}},
        {"mean_sqrt_len_tokens", {5.19615242f, 1.73205081f, 7, 8}},
        {"weightedmean", {22 / 6.0f, 7 / 6.0f, 7, 8}},
        {"lasttoken", {5, -1, 7, 8}},
    };

    scratch_text("plain/config.json", "{}");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture fixture;

        open_model(&fixture, "plain", table[i].name);
        check_pooled(&fixture, 0, 2, table[i].expected);
        CHECK(fixture.notices.n_texts == 0);
        close_model(&fixture);
    }
}

static void what_does_not_say_takes_the_first_token_and_tells(void)
{
    struct fixture fixture;

    scratch_text("plain/config.json", "{}");
    open_model(&fixture, "plain", NULL);
    check_pooled(&fixture, 0, 2, (const float[]){1, -2, 7, 8});
    CHECK(fixture.notices.n_texts == 1);
    if (fixture.notices.n_texts)
        CHECK_CONTAINS(fixture.notices.texts[0], "does not say how it pools");
    close_model(&fixture);
}

static void the_folder_wins_over_the_option_and_tells(void)
{
    struct fixture fixture;

    scratch_text("mean/modules.json", MODULES(""));
    scratch_text("mean/1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true}");
    open_model(&fixture, "mean", "max");
    check_pooled(&fixture, 0, 2, (const float[]){3, 1, 7, 8});
    CHECK(fixture.notices.n_texts == 1);
    close_model(&fixture);
}

static void several_are_put_side_by_side(void)
{
    struct fixture fixture;

    scratch_text("parts/modules.json", MODULES(""));
    scratch_text("parts/1_Pooling/config.json",
                 "{\"pooling_mode_mean_tokens\":true,\"pooling_mode_cls_token\":true}");
    open_model(&fixture, "parts", NULL);
    check_pooled(&fixture, 0, 4, (const float[]){1, -2, 3, 1, 7, 8, 7, 8});
    close_model(&fixture);
    /* A list keeps its own order. */
    scratch_text("parts/1_Pooling/config.json", "{\"pooling_mode\":[\"mean\",\"cls\"]}");
    open_model(&fixture, "parts", NULL);
    check_pooled(&fixture, 0, 4, (const float[]){3, 1, 1, -2, 7, 8, 7, 8});
    close_model(&fixture);
}

static void a_prompt_may_be_left_out(void)
{
    static const struct {
        const char *name;
        float expected[2];
    } table[] = {
        {"cls", {3, 6}},
        {"max", {5, 6}},
        {"mean", {4, 2.5f}},
        {"weightedmean", {21 / 5.0f, 9 / 5.0f}}, /* weights 2 and 3 */
        {"lasttoken", {5, -1}},
    };
    static const size_t one_end[] = {3};
    static const struct batch one = {.ends = one_end, .n_sequences = 1};

    scratch_text("prompt/modules.json", MODULES(""));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture fixture;
        char config[100];
        float out[2];

        snprintf(config, sizeof config, "{\"pooling_mode\":\"%s\",\"include_prompt\":false}",
                 table[i].name);
        scratch_text("prompt/1_Pooling/config.json", config);
        open_model(&fixture, "prompt", NULL);
        CHECK(fixture.sentence && sentence_model_pool(fixture.sentence, &fixture.model, &one,
                                                      hidden, 1, out, &fixture.err) == 0);
        CHECK(fabsf(out[0] - table[i].expected[0]) <= 1e-6f &&
              fabsf(out[1] - table[i].expected[1]) <= 1e-6f);
        /* The second sequence of the batch has nothing behind its prompt. */
        CHECK(fixture.sentence && sentence_model_pool(fixture.sentence, &fixture.model, &batch,
                                                      hidden, 1, out, &fixture.err) == -1);
        CHECK(fixture.err.code == ERROR_FORMAT);
        CHECK_CONTAINS(fixture.err.text, "text 2 of the batch has 1 tokens");
        close_model(&fixture);
    }
}

static void dense_layers_and_lengths_follow_in_their_order(void)
{
    struct fixture fixture;
    /* W = [1 2; 3 4; 5 6], b = [-1 0 1]; means (3, 1) and (7, 8): x W^T + b = (4, 13, 22) and
     * (22, 53, 84), then through relu, then divided by their lengths 25.8650343 and 101.729973. */
    static const float expected[] = {4 / 25.8650343f, 13 / 25.8650343f, 22 / 25.8650343f,
                                     22 / 101.729973f, 53 / 101.729973f, 84 / 101.729973f};

    scratch_text("dense/modules.json", MODULES(",{\"path\":\"2_Dense\",\"type\":\"" ST "Dense\"},"
                                               "{\"path\":\"3_N\",\"type\":\"Normalize\"}"));
    scratch_text("dense/1_Pooling/config.json", "{\"pooling_mode\":\"mean\"}");
    scratch_text("dense/2_Dense/config.json",
                 "{\"in_features\":2,\"out_features\":3,\"bias\":true,"
                 "\"activation_function\":\"torch.nn.modules.activation.ReLU\"}");
    SAFETENSORS("dense/2_Dense/model.safetensors", TENSOR("linear.weight", DTYPE_F32, 1, 3, 2),
                TENSOR("linear.bias", DTYPE_BF16, -1, 3));
    open_model(&fixture, "dense", NULL);
    check_pooled(&fixture, 0, 3, expected);
    close_model(&fixture);
}

static void what_cannot_be_run_is_named(void)
{
    static const struct {
        const char *modules, *dense;
        enum error_code code;
        const char *part;
    } table[] = {
        {MODULES(",{\"path\":\"2_CNN\",\"type\":\"" ST "CNN\"}"), NULL, ERROR_UNSUPPORTED,
         "module '2_CNN' of kind 'CNN'"},
        {"[{\"path\":\"\",\"type\":\"" ST "Transformer\"},{\"path\":\"2_D\",\"type\":\"Dense\"},"
         POOLING "]", NULL, ERROR_UNSUPPORTED, "module '2_D'"},
        {MODULES("," POOLING), NULL, ERROR_UNSUPPORTED, "module '1_Pooling'"},
        {MODULES(",{\"path\":\"2_D\",\"type\":\"Dense\"}"), NULL, ERROR_FORMAT, "is missing"},
        {MODULES(",{\"path\":\"2_D\",\"type\":\"Dense\"}"), "{\"in_features\":3}", ERROR_FORMAT,
         "out_features"},
        {MODULES(",{\"path\":\"2_D\",\"type\":\"Dense\"}"),
         "{\"in_features\":3,\"out_features\":2}", ERROR_FORMAT, "takes 3 numbers, and is given 2"},
        {MODULES(",{\"path\":\"2_D\",\"type\":\"Dense\"}"),
         "{\"in_features\":2,\"out_features\":2,\"activation_function\":\"a.Mish\"}",
         ERROR_UNSUPPORTED, "a.Mish"},
        {MODULES(",{\"path\":\"2_D\",\"type\":\"Dense\"}"),
         "{\"in_features\":2,\"out_features\":2}", ERROR_FORMAT, "no weights"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture fixture;
        char name[20], path[60];

        snprintf(name, sizeof name, "bad%zu", i);
        snprintf(path, sizeof path, "%s/modules.json", name);
        scratch_text(path, table[i].modules);
        snprintf(path, sizeof path, "%s/1_Pooling/config.json", name);
        scratch_text(path, "{\"pooling_mode\":\"mean\"}");
        snprintf(path, sizeof path, "%s/2_D/config.json", name);
        if (table[i].dense)
            scratch_text(path, table[i].dense);
        open_model(&fixture, name, NULL);
        CHECK(!fixture.sentence && fixture.err.code == table[i].code);
        CHECK_CONTAINS(fixture.err.text, table[i].part);
        close_model(&fixture);
    }
}

static void dense_weights_have_the_shape_that_their_config_says(void)
{
    struct fixture fixture;

    scratch_text("shape/modules.json", MODULES(",{\"path\":\"2_D\",\"type\":\"Dense\"}"));
    scratch_text("shape/1_Pooling/config.json", "{}");
    scratch_text("shape/2_D/config.json", "{\"in_features\":2,\"out_features\":3}");
    SAFETENSORS("shape/2_D/model.safetensors", TENSOR("linear.weight", DTYPE_F32, 1, 2, 3));
    open_model(&fixture, "shape", NULL);
    CHECK(!fixture.sentence && fixture.err.code == ERROR_FORMAT);
    CHECK_CONTAINS(fixture.err.text, "linear.weight");
    close_model(&fixture);
}

static void unknown_pooling_is_refused(void)
{
    static const char *const configs[] = {"{\"pooling_mode\":\"attention\"}",
                                          "{\"pooling_mode\":[\"cls\",7]}"};

    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;

        scratch_text("unknown/modules.json", MODULES(""));
        scratch_text("unknown/1_Pooling/config.json", configs[i]);
        open_model(&fixture, "unknown", NULL);
        CHECK(!fixture.sentence && fixture.err.code == ERROR_UNSUPPORTED);
        CHECK_CONTAINS(fixture.err.text, "is not known");
        close_model(&fixture);
    }
}

static void dropout_is_for_training(void)
{
    struct fixture fixture;

    scratch_text("dropout/modules.json",
                 MODULES(",{\"path\":\"2_Dropout\",\"type\":\"" ST "Dropout\"}"));
    scratch_text("dropout/1_Pooling/config.json", "{\"pooling_mode\":\"lasttoken\"}");
    open_model(&fixture, "dropout", NULL);
    check_pooled(&fixture, 0, 2, (const float[]){5, -1, 7, 8});
    close_model(&fixture);
}

static void a_vector_may_be_cut_behind_all_modules(void)
{
    struct fixture fixture;

    scratch_text("cut/modules.json", MODULES(",{\"path\":\"2_N\",\"type\":\"" ST "Normalize\"}"));
    scratch_text("cut/1_Pooling/config.json", "{\"pooling_mode\":[\"lasttoken\",\"cls\"]}");
    scratch_text("cut/config_sentence_transformers.json", "{\"truncate_dim\":1}");
    open_model(&fixture, "cut", NULL);
    /* 5 of (5, -1, 1, -2), 7 of (7, 8, 7, 8), each divided by its length */
    check_pooled(&fixture, 0, 1, (const float[]){5 / 5.5677643628f, 7 / 15.0332963784f});
    close_model(&fixture);
}

static void a_decoder_is_pooled_at_its_last_token(void)
{
    static const struct {
        const char *config, *said;
        float expected[4];
    } table[] = {
        {"{\"architectures\":[\"Qwen2Model\"]}", "last token (--pooling lasttoken)", {5, -1, 7, 8}},
        {"{\"architectures\":[\"NewForCausalLM\"]}", "last token", {5, -1, 7, 8}},
        {"{\"architectures\":[\"BertModel\"]}", "first token (--pooling cls)", {1, -2, 7, 8}},
        {"{\"architectures\":[\"BertLMHeadModel\"]}", "first token", {1, -2, 7, 8}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture fixture;

        scratch_text("bare/config.json", table[i].config);
        open_model(&fixture, "bare", NULL);
        check_pooled(&fixture, 0, 2, table[i].expected);
        CHECK(fixture.notices.n_texts == 1);
        CHECK_CONTAINS(fixture.notices.texts[0], table[i].said);
        close_model(&fixture);
    }
}

TESTS(TEST(pooling_is_chosen_by_name), TEST(what_does_not_say_takes_the_first_token_and_tells),
      TEST(the_folder_wins_over_the_option_and_tells), TEST(several_are_put_side_by_side),
      TEST(a_prompt_may_be_left_out), TEST(dense_layers_and_lengths_follow_in_their_order),
      TEST(what_cannot_be_run_is_named), TEST(dense_weights_have_the_shape_that_their_config_says),
      TEST(unknown_pooling_is_refused),
      TEST(dropout_is_for_training),
      TEST(a_vector_may_be_cut_behind_all_modules),
      TEST(a_decoder_is_pooled_at_its_last_token))
