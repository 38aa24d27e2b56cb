/* test_plan_match.c - which tensor of which model goes where, and which models do not fit. */
#include "mix/plan_match.h"

#include "format/checkpoint_reader.h"
#include "scratch.h"

enum { N_MAX = 4 };

/* A plan for the models that lie in m0/, m1/ … of the scratch directory. */
struct trial {
    struct plan plan;
    struct plan_model models[N_MAX];
    struct checkpoint *checkpoints[N_MAX];
    struct notices notices;
    struct error err;
    size_t n_models;
};

/* Each letter of `models` is a model: t for one whose head is tied, u for one whose is not. */
static struct trial plan_with(const char *models, struct plan_options options)
{
    static const char *const names[N_MAX] = {"m0", "m1", "m2", "m3"};
    struct trial trial = {.n_models = strlen(models)};

    for (size_t i = 0; i < trial.n_models; i++) {
        trial.checkpoints[i] = scratch_open(names[i], NULL, &trial.notices, &trial.err);
        scratch_must(trial.checkpoints[i] != NULL, "open", names[i]);
        trial.models[i] =
            (struct plan_model){names[i], trial.checkpoints[i], models[i] == 't', NULL};
    }
    options.method = &combine_linear;
    options.format = &safetensors_writer;
    plan_match(&trial.plan, trial.models, trial.n_models, &options, &trial.notices, &trial.err);
    return trial;
}

static void end(struct trial *trial)
{
    plan_release(&trial->plan);
    for (size_t i = 0; i < trial->n_models; i++)
        checkpoint_close(trial->checkpoints[i]);
    notices_release(&trial->notices);
}

static struct trial must_plan(const char *models, struct plan_options options)
{
    struct trial trial = plan_with(models, options);

    if (trial.err.code)
        printf("# %s\n", trial.err.text);
    CHECK(trial.err.code == ERROR_NONE);
    return trial;
}

static void check_refused(const char *models, struct plan_options options, enum error_code code,
                          const char *part)
{
    struct trial trial = plan_with(models, options);

    CHECK(trial.err.code == code);
    CHECK_CONTAINS(trial.err.text, part);
    CHECK(!trial.plan.items && trial.plan.n_items == 0);
    end(&trial);
}

static const struct plan_item *item_of(const struct trial *trial, const char *name)
{
    for (size_t i = 0; i < trial->plan.n_items; i++)
        if (strcmp(trial->plan.items[i].out.name, name) == 0)
            return &trial->plan.items[i];
    return NULL;
}

/* The name of what model `i` contributes to `name`, or "". */
static const char *source(const struct trial *trial, const char *name, size_t i)
{
    const struct plan_item *item = item_of(trial, name);

    return item && i < item->n_sources ? item->sources[i].tensor->name : "";
}

static const struct plan_options plain = {0};
static const struct plan_options encoder = {.drops_heads = true};

/* ---- names ---- */

static void the_base_decides_names_shapes_and_dtypes(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors", TENSOR("b", DTYPE_BF16, 0, 2, 3),
                TENSOR("a", DTYPE_F16, 0, 4), TENSOR("c", DTYPE_F32, 0, 1));
    SAFETENSORS("m1/model.safetensors", TENSOR("a", DTYPE_F32, 0, 4),
                TENSOR("b", DTYPE_F8_E4M3, 0, 2, 3), TENSOR("c", DTYPE_F64, 0, 1));
    trial = must_plan("uu", plain);
    CHECK(trial.plan.n_items == 3 && trial.plan.items[0].n_sources == 2);
    /* In the order of the reference writer: dtype, then name. */
    CHECK(strcmp(trial.plan.items[0].out.name, "c") == 0);
    CHECK(strcmp(trial.plan.items[1].out.name, "b") == 0);
    CHECK(strcmp(trial.plan.items[2].out.name, "a") == 0);
    CHECK(trial.plan.items[1].out.dtype == DTYPE_BF16 && trial.plan.items[1].out.n_items == 6);
    CHECK(trial.plan.items[1].sources[1].tensor->dtype == DTYPE_F8_E4M3);
    CHECK(trial.plan.n_parameters == 11 && trial.plan.size_bytes == 4 + 12 + 8);
    CHECK(trial.plan.method == &combine_linear && trial.plan.n_inputs == 2);
    CHECK(strcmp(trial.plan.inputs[0].name, "m0") == 0);
    CHECK(strcmp(trial.plan.inputs[1].name, "m1") == 0);
    CHECK(trial.notices.n_texts == 0);
    end(&trial);
}

/* For methods that work on differences: the base is compared with, and is no input. */
static void a_base_is_a_part_of_its_own(void)
{
    struct trial trial;
    const struct plan_item *mixed, *copied;

    SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F16, 0, 4), TENSOR("n", DTYPE_I64, 0, 1));
    SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 0, 4), TENSOR("n", DTYPE_I64, 0, 1));
    SAFETENSORS("m2/model.safetensors", TENSOR("w", DTYPE_F64, 0, 4), TENSOR("n", DTYPE_I64, 0, 1));
    trial = must_plan("uuu", (struct plan_options){.has_base = true});
    mixed = item_of(&trial, "w");
    copied = item_of(&trial, "n");
    CHECK(mixed && mixed->out.dtype == DTYPE_F16 && mixed->base.tensor->dtype == DTYPE_F16);
    CHECK(mixed && mixed->n_sources == 2 && mixed->sources[0].tensor->dtype == DTYPE_F32);
    CHECK(mixed && mixed->sources[1].input == 2 && strcmp(mixed->sources[1].owner, "m2") == 0);
    CHECK(copied && !copied->method && copied->n_sources == 1 && !copied->base.tensor);
    CHECK(copied && copied->sources[0].input == 0);
    end(&trial);
}

static void prefixes_of_wrappers_do_not_matter(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors",
                TENSOR("bert.embeddings.word_embeddings.weight", DTYPE_F32, 0, 2),
                TENSOR("bert.encoder.layer.0.output.dense.bias", DTYPE_F32, 0, 2));
    SAFETENSORS("m1/model.safetensors",
                TENSOR("embeddings.word_embeddings.weight", DTYPE_F32, 0, 2),
                TENSOR("encoder.layer.0.output.dense.bias", DTYPE_F32, 0, 2));
    SAFETENSORS("m2/model.safetensors",
                TENSOR("0.auto_model.embeddings.word_embeddings.weight", DTYPE_F32, 0, 2),
                TENSOR("0.auto_model.encoder.layer.0.output.dense.bias", DTYPE_F32, 0, 2));
    SAFETENSORS("m3/model.safetensors",
                TENSOR("module.bert.embeddings.word_embeddings.weight", DTYPE_F32, 0, 2),
                TENSOR("module.bert.encoder.layer.0.output.dense.bias", DTYPE_F32, 0, 2));
    trial = must_plan("tttt", plain);
    CHECK(trial.plan.n_items == 2);
    CHECK(strcmp(source(&trial, "bert.encoder.layer.0.output.dense.bias", 1),
                 "encoder.layer.0.output.dense.bias") == 0);
    CHECK(strcmp(source(&trial, "bert.embeddings.word_embeddings.weight", 2),
                 "0.auto_model.embeddings.word_embeddings.weight") == 0);
    CHECK(strcmp(source(&trial, "bert.embeddings.word_embeddings.weight", 3),
                 "module.bert.embeddings.word_embeddings.weight") == 0);
    end(&trial);
}

static void gamma_and_beta_are_weight_and_bias(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors", TENSOR("embeddings.LayerNorm.gamma", DTYPE_F32, 0, 2),
                TENSOR("embeddings.LayerNorm.beta", DTYPE_F32, 0, 2));
    SAFETENSORS("m1/model.safetensors", TENSOR("bert.embeddings.LayerNorm.weight", DTYPE_F32, 0, 2),
                TENSOR("bert.embeddings.LayerNorm.bias", DTYPE_F32, 0, 2));
    trial = must_plan("tt", plain);
    CHECK(strcmp(source(&trial, "embeddings.LayerNorm.weight", 1),
                 "bert.embeddings.LayerNorm.weight") == 0);
    CHECK(strcmp(source(&trial, "embeddings.LayerNorm.bias", 1),
                 "bert.embeddings.LayerNorm.bias") == 0);
    end(&trial);
}

static void the_very_name_comes_before_the_plain_one(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors", TENSOR("model.x", DTYPE_F32, 0, 2),
                TENSOR("x", DTYPE_F32, 0, 2));
    SAFETENSORS("m1/model.safetensors", TENSOR("x", DTYPE_F32, 0, 2),
                TENSOR("model.x", DTYPE_F32, 0, 2));
    trial = must_plan("uu", plain);
    CHECK(strcmp(source(&trial, "model.x", 1), "model.x") == 0);
    CHECK(strcmp(source(&trial, "x", 1), "x") == 0);
    end(&trial);
}

static void a_plain_name_of_two_tensors_is_nobodys(void)
{
    SAFETENSORS("m0/model.safetensors", TENSOR("bert.x", DTYPE_F32, 0, 2));
    SAFETENSORS("m1/model.safetensors", TENSOR("x", DTYPE_F32, 0, 2),
                TENSOR("model.x", DTYPE_F32, 0, 2));
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "'bert.x'");
    SAFETENSORS("m1/model.safetensors", TENSOR("bert.x", DTYPE_F32, 0, 2));
    SAFETENSORS("m0/model.safetensors", TENSOR("x", DTYPE_F32, 0, 2),
                TENSOR("model.x", DTYPE_F32, 0, 2));
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "2 tensors are missing");
    SAFETENSORS("m1/model.safetensors", TENSOR("x", DTYPE_F32, 0, 2));
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "missing in it ('model.x')");
}

/* ---- tied heads ---- */

#define EMBEDDING "model.embed_tokens.weight"
#define HEAD "lm_head.weight"

/* A decoder whose embedding holds 1, 2 …; `head` is the first value of its head, 0: none. */
static void decoder(const char *name, double head)
{
    if (head)
        SAFETENSORS(name, TENSOR(EMBEDDING, DTYPE_F32, 1, 3, 2),
                    TENSOR(HEAD, DTYPE_F32, head, 3, 2));
    else
        SAFETENSORS(name, TENSOR(EMBEDDING, DTYPE_F32, 1, 3, 2));
}

static void a_tied_base_and_a_head_that_equals_its_embedding_fit(void)
{
    struct trial trial;

    decoder("m0/model.safetensors", 0);
    decoder("m1/model.safetensors", 1);
    trial = must_plan("tu", plain);
    CHECK(trial.plan.n_items == 1 && trial.plan.n_parameters == 6);
    CHECK(trial.notices.n_texts == 0);
    end(&trial);
}

static void a_tied_base_and_a_head_that_differs_do_not_fit(void)
{
    decoder("m0/model.safetensors", 0);
    decoder("m1/model.safetensors", 2);
    check_refused("tu", plain, ERROR_INCOMPATIBLE, "'lm_head.weight' differs from its embedding");
    check_refused("tt", plain, ERROR_INCOMPATIBLE, "'m1'");
}

static void a_tied_base_stores_its_head_once(void)
{
    struct trial trial;

    decoder("m0/model.safetensors", 1);
    decoder("m1/model.safetensors", 0);
    trial = must_plan("tt", plain);
    CHECK(trial.plan.n_items == 1 && trial.plan.n_parameters == 6);
    CHECK(item_of(&trial, EMBEDDING) && !item_of(&trial, HEAD));
    CHECK(!trial.plan.has_untied_head && trial.notices.n_texts == 0);
    end(&trial);

    decoder("m1/model.safetensors", 2);
    check_refused("tu", plain, ERROR_INCOMPATIBLE, "differs from its embedding");
}

static void a_tied_base_with_another_head_keeps_it_with_a_notice(void)
{
    struct trial trial;

    decoder("m0/model.safetensors", 2);
    decoder("m1/model.safetensors", 0);
    decoder("m2/model.safetensors", 5);
    trial = must_plan("ttu", plain);
    CHECK(trial.plan.n_items == 2 && trial.plan.has_untied_head);
    CHECK(strcmp(source(&trial, HEAD, 1), EMBEDDING) == 0);
    CHECK(strcmp(source(&trial, HEAD, 2), HEAD) == 0);
    CHECK(trial.notices.n_texts == 1);
    if (trial.notices.n_texts)
        CHECK_CONTAINS(trial.notices.texts[0], "differs from the embedding");
    end(&trial);
}

static void an_untied_base_takes_a_tied_models_embedding_as_its_head(void)
{
    struct trial trial;

    decoder("m0/model.safetensors", 2);
    decoder("m1/model.safetensors", 0);
    trial = must_plan("ut", plain);
    CHECK(trial.plan.n_items == 2 && trial.plan.n_parameters == 12);
    CHECK(strcmp(source(&trial, HEAD, 1), EMBEDDING) == 0);
    CHECK(strcmp(source(&trial, EMBEDDING, 1), EMBEDDING) == 0);
    CHECK(!trial.plan.has_untied_head && !trial.plan.lacks_head);
    end(&trial);
}

static void an_untied_base_keeps_a_head_that_happens_to_equal_its_embedding(void)
{
    struct trial trial;

    decoder("m0/model.safetensors", 1);
    decoder("m1/model.safetensors", 2);
    trial = must_plan("uu", plain);
    CHECK(trial.plan.n_items == 2 && trial.plan.n_parameters == 12);
    CHECK(strcmp(source(&trial, HEAD, 1), HEAD) == 0);
    end(&trial);
}

static void a_head_of_another_shape_does_not_fit(void)
{
    SAFETENSORS("m0/model.safetensors", TENSOR(EMBEDDING, DTYPE_F32, 1, 3, 2),
                TENSOR(HEAD, DTYPE_F32, 1, 4, 2));
    decoder("m1/model.safetensors", 0);
    check_refused("ut", plain, ERROR_INCOMPATIBLE, "[4, 2]");
}

static void an_embedding_without_a_head_is_seen(void)
{
    struct trial trial;

    decoder("m0/model.safetensors", 0);
    trial = must_plan("u", plain);
    CHECK(trial.plan.lacks_head);
    end(&trial);
    decoder("m0/model.safetensors", 2);
    trial = must_plan("u", plain);
    CHECK(!trial.plan.lacks_head);
    end(&trial);
    SAFETENSORS("m0/model.safetensors", TENSOR("linear.weight", DTYPE_F32, 0, 2));
    trial = must_plan("u", plain);
    CHECK(!trial.plan.lacks_head);
    end(&trial);
}

static void one_tensor_under_two_names_is_written_once(void)
{
    struct trial trial;

    /* T5: whatever the head does, both stacks share their embedding. */
    SAFETENSORS("m0/model.safetensors", TENSOR("shared.weight", DTYPE_F32, 1, 2, 2),
                TENSOR("encoder.embed_tokens.weight", DTYPE_F32, 1, 2, 2),
                TENSOR("decoder.embed_tokens.weight", DTYPE_F32, 1, 2, 2),
                TENSOR("lm_head.weight", DTYPE_F32, 9, 2, 2));
    SAFETENSORS("m1/model.safetensors", TENSOR("shared.weight", DTYPE_F32, 5, 2, 2),
                TENSOR("lm_head.weight", DTYPE_F32, 9, 2, 2));
    trial = must_plan("uu", plain);
    CHECK(trial.plan.n_items == 2 && trial.plan.n_parameters == 8);
    CHECK(item_of(&trial, "shared.weight") && item_of(&trial, "lm_head.weight"));
    end(&trial);

    SAFETENSORS("m0/model.safetensors", TENSOR("cls.predictions.bias", DTYPE_F32, 1, 2));
    SAFETENSORS("m1/model.safetensors", TENSOR("cls.predictions.bias", DTYPE_F32, 1, 2),
                TENSOR("cls.predictions.decoder.bias", DTYPE_F32, 1, 2));
    trial = must_plan("tt", plain);
    CHECK(trial.plan.n_items == 1);
    end(&trial);
    SAFETENSORS("m1/model.safetensors", TENSOR("cls.predictions.bias", DTYPE_F32, 1, 2),
                TENSOR("cls.predictions.decoder.bias", DTYPE_F32, 7, 2));
    check_refused("tt", plain, ERROR_INCOMPATIBLE, "cls.predictions.decoder.bias");
}

static void equal_means_equal_to_the_last_item(void)
{
    static float embedding[200000], head[200000];

    for (size_t i = 0; i < 200000; i++)
        embedding[i] = head[i] = (float)i;
    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES(EMBEDDING, DTYPE_F32, embedding, 200000));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES(EMBEDDING, DTYPE_F32, embedding, 200000),
                TENSOR_BYTES(HEAD, DTYPE_F32, head, 200000));
    {
        struct trial trial = must_plan("tt", plain);

        end(&trial);
    }
    head[199999] += 1;
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES(EMBEDDING, DTYPE_F32, embedding, 200000),
                TENSOR_BYTES(HEAD, DTYPE_F32, head, 200000));
    check_refused("tt", plain, ERROR_INCOMPATIBLE, "differs from its embedding");
}

/* ---- what is no parameter ---- */

static void buffers_of_the_base_are_copied_and_those_of_others_ignored(void)
{
    struct trial trial;
    const struct plan_item *item;

    SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F32, 0, 2),
                TENSOR("embeddings.position_ids", DTYPE_I64, 0, 1, 4),
                TENSOR("h.0.attn.bias", DTYPE_F32, 0, 1, 1, 2, 2),
                TENSOR("layers.0.rotary_emb.inv_freq", DTYPE_F32, 0, 2));
    SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 0, 2),
                TENSOR("embeddings.position_ids", DTYPE_I64, 0, 1, 8), /* another length */
                TENSOR("h.0.attn.masked_bias", DTYPE_F32, 0, 1),
                TENSOR("embeddings.token_type_ids", DTYPE_I64, 0, 4));
    trial = must_plan("uu", (struct plan_options){.has_dtype = true, .dtype = DTYPE_F16});
    CHECK(trial.plan.n_items == 4 && trial.plan.n_parameters == 2);
    item = item_of(&trial, "layers.0.rotary_emb.inv_freq");
    CHECK(item && !item->method && !item->is_parameter && item->out.dtype == DTYPE_F32);
    CHECK(item && item->sources[0].tensor && item->n_sources == 1);
    item = item_of(&trial, "embeddings.position_ids");
    CHECK(item && !item->method && item->out.n_items == 4);
    item = item_of(&trial, "h.0.attn.bias");
    CHECK(item && !item->method);
    item = item_of(&trial, "w");
    CHECK(item && item->method && item->is_parameter && item->out.dtype == DTYPE_F16);
    CHECK(!item_of(&trial, "embeddings.token_type_ids"));
    end(&trial);
}

static void a_bias_that_is_called_as_a_mask_is_mixed(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors", TENSOR("h.0.attn.bias", DTYPE_F32, 0, 4));
    SAFETENSORS("m1/model.safetensors", TENSOR("h.0.attn.bias", DTYPE_F32, 0, 4));
    trial = must_plan("uu", plain);
    CHECK(trial.plan.n_items == 1 && trial.plan.items[0].method);
    CHECK(trial.plan.n_parameters == 4);
    end(&trial);
}

static void whole_numbers_are_copied_from_the_base(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors", TENSOR("count", DTYPE_I64, 3, 1),
                TENSOR("flags", DTYPE_BOOL, 0, 2), TENSOR("w", DTYPE_F32, 0, 1));
    SAFETENSORS("m1/model.safetensors", TENSOR("count", DTYPE_I32, 4, 1),
                TENSOR("flags", DTYPE_U8, 0, 2), TENSOR("w", DTYPE_F32, 0, 1));
    trial = must_plan("uu", (struct plan_options){.has_dtype = true, .dtype = DTYPE_BF16});
    CHECK(trial.plan.n_items == 3);
    CHECK(!item_of(&trial, "count")->method && item_of(&trial, "count")->out.dtype == DTYPE_I64);
    CHECK(!item_of(&trial, "flags")->method && item_of(&trial, "flags")->n_sources == 1);
    CHECK(item_of(&trial, "w")->out.dtype == DTYPE_BF16);
    end(&trial);
}

/* ---- what does not fit ---- */

static void missing_and_extra_tensors_are_listed(void)
{
    SAFETENSORS("m0/model.safetensors", TENSOR("a", DTYPE_F32, 0, 1), TENSOR("b", DTYPE_F32, 0, 1),
                TENSOR("c", DTYPE_F32, 0, 1), TENSOR("d", DTYPE_F32, 0, 1),
                TENSOR("e", DTYPE_F32, 0, 1));
    SAFETENSORS("m1/model.safetensors", TENSOR("a", DTYPE_F32, 0, 1), TENSOR("x", DTYPE_F32, 0, 1));
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "'m1' does not fit the base 'm0'");
    check_refused("uu", plain, ERROR_INCOMPATIBLE,
                  "4 tensors are missing in it ('b', 'c', 'd', …), 1 tensor is only in it ('x')");
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "cocktail diff");

    SAFETENSORS("m2/model.safetensors", TENSOR("a", DTYPE_F32, 0, 1), TENSOR("b", DTYPE_F32, 0, 1),
                TENSOR("c", DTYPE_F32, 0, 1), TENSOR("d", DTYPE_F32, 0, 1));
    rename(scratch_path("m0/model.safetensors"), scratch_path("m1/model.safetensors"));
    rename(scratch_path("m2/model.safetensors"), scratch_path("m0/model.safetensors"));
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "1 tensor is only in it ('e')");
}

static void the_model_that_does_not_fit_is_named(void)
{
    SAFETENSORS("m0/model.safetensors", TENSOR("a", DTYPE_F32, 0, 1));
    SAFETENSORS("m1/model.safetensors", TENSOR("a", DTYPE_F32, 0, 1));
    SAFETENSORS("m2/model.safetensors", TENSOR("b", DTYPE_F32, 0, 1));
    check_refused("uuu", plain, ERROR_INCOMPATIBLE,
                  "'m2' does not fit the base 'm0': 1 tensor is missing in it ('a'), 1 tensor is "
                  "only in it ('b')");
}

static void shapes_that_differ_are_shown(void)
{
    static const size_t shapes[][2] = {{3, 2}, {2, 2}, {6, 1}};

    SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F32, 0, 2, 3));
    for (size_t i = 0; i < 3; i++) {
        char part[64];

        SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 0, shapes[i][0], shapes[i][1]));
        snprintf(part, sizeof part, "'w': shape [2, 3] in 'm0', [%zu, %zu] in 'm1'", shapes[i][0],
                 shapes[i][1]);
        check_refused("uu", plain, ERROR_INCOMPATIBLE, part);
    }
    SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 0, 6));
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "[2, 3] in 'm0', [6] in 'm1'");
    SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 0, 2, 3, 1));
    check_refused("uu", plain, ERROR_INCOMPATIBLE, "[2, 3, 1] in 'm1'");
}

static void floats_and_whole_numbers_do_not_mix(void)
{
    static const enum dtype wholes[] = {DTYPE_I8, DTYPE_U8, DTYPE_I64, DTYPE_BOOL};

    for (size_t i = 0; i < 4; i++) {
        SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F16, 0, 2));
        SAFETENSORS("m1/model.safetensors", TENSOR("w", wholes[i], 0, 2));
        check_refused("uu", plain, ERROR_INCOMPATIBLE, "F16 in 'm0'");
        SAFETENSORS("m0/model.safetensors", TENSOR("w", wholes[i], 0, 2));
        SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F16, 0, 2));
        check_refused("uu", plain, ERROR_INCOMPATIBLE, "F16 in 'm1'");
    }
}

static void numbers_that_cannot_be_averaged_are_not_supported(void)
{
    static const enum dtype dtypes[] = {DTYPE_F4, DTYPE_F6_E2M3, DTYPE_F6_E3M2, DTYPE_F8_E8M0,
                                        DTYPE_F8_E4M3FNUZ, DTYPE_F8_E5M2FNUZ, DTYPE_C64};

    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        const char *name = dtype_info(dtypes[i])->name;
        struct trial trial;

        SAFETENSORS("m0/model.safetensors", TENSOR("w", dtypes[i], 0, 8));
        SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 0, 8));
        check_refused("uu", plain, ERROR_UNSUPPORTED, name);
        check_refused("u", plain, ERROR_UNSUPPORTED, "'m0'");
        SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F32, 0, 8));
        SAFETENSORS("m1/model.safetensors", TENSOR("w", dtypes[i], 0, 8));
        check_refused("uu", plain, ERROR_UNSUPPORTED, name);
        /* As a buffer it is only copied. */
        SAFETENSORS("m0/model.safetensors", TENSOR("x._extra_state", dtypes[i], 0, 8));
        SAFETENSORS("m1/model.safetensors", TENSOR("y._extra_state", DTYPE_U8, 0, 8));
        trial = must_plan("uu", plain);
        CHECK(trial.plan.n_items == 1 && !trial.plan.items[0].method);
        end(&trial);
    }
}

static void all_other_floats_are_averaged(void)
{
    static const enum dtype dtypes[] = {DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_F8_E4M3,
                                        DTYPE_F8_E5M2};

    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 6; k++) {
            struct trial trial;

            SAFETENSORS("m0/model.safetensors", TENSOR("w", dtypes[i], 0, 8));
            SAFETENSORS("m1/model.safetensors", TENSOR("w", dtypes[k], 0, 8));
            trial = must_plan("uu", plain);
            CHECK(trial.plan.n_items == 1 && trial.plan.items[0].out.dtype == dtypes[i]);
            end(&trial);
        }
}

/* ---- heads of encoders ---- */

#define BODY TENSOR("bert.embeddings.word_embeddings.weight", DTYPE_F32, 1, 3, 2)
#define BARE_BODY TENSOR("embeddings.word_embeddings.weight", DTYPE_F32, 1, 3, 2)
#define MASKED_LM_HEAD                                                                            \
    TENSOR("cls.predictions.bias", DTYPE_F32, 1, 3),                                              \
        TENSOR("cls.predictions.transform.dense.weight", DTYPE_F32, 1, 2, 2)

static void a_head_that_all_encoders_have_goes_along(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors", BODY, MASKED_LM_HEAD);
    SAFETENSORS("m1/model.safetensors", BODY, MASKED_LM_HEAD,
                TENSOR("cls.predictions.decoder.weight", DTYPE_F32, 1, 3, 2),
                TENSOR("cls.predictions.decoder.bias", DTYPE_F32, 1, 3));
    trial = must_plan("tt", encoder);
    CHECK(trial.plan.n_items == 3 && trial.notices.n_texts == 0);
    CHECK(item_of(&trial, "cls.predictions.transform.dense.weight"));
    end(&trial);
}

static void a_head_that_not_all_encoders_have_is_left_out_with_a_notice(void)
{
    struct trial trial;

    SAFETENSORS("m0/model.safetensors", BODY, MASKED_LM_HEAD,
                TENSOR("cls.predictions.decoder.weight", DTYPE_F32, 1, 3, 2));
    SAFETENSORS("m1/model.safetensors", BARE_BODY);
    trial = must_plan("tt", encoder);
    CHECK(trial.plan.n_items == 1 && trial.notices.n_texts == 1);
    CHECK(trial.notices.n_texts && strstr(trial.notices.texts[0], "'m0'"));
    CHECK(trial.notices.n_texts && strstr(trial.notices.texts[0], "cls.predictions.bias"));
    end(&trial);
    check_refused("tt", plain, ERROR_INCOMPATIBLE, "cls.predictions");

    /* The other way round, and a classifier. */
    SAFETENSORS("m0/model.safetensors", BARE_BODY);
    SAFETENSORS("m1/model.safetensors", BODY, TENSOR("classifier.weight", DTYPE_F32, 1, 1, 2));
    trial = must_plan("tt", encoder);
    CHECK(trial.plan.n_items == 1 && trial.notices.n_texts == 1);
    CHECK(trial.notices.n_texts && strstr(trial.notices.texts[0], "'m1'"));
    end(&trial);
    check_refused("tt", plain, ERROR_INCOMPATIBLE, "classifier.weight");
}

static void the_output_head_of_a_decoder_used_as_encoder_is_a_head_too(void)
{
    struct trial trial;

    decoder("m0/model.safetensors", 2);
    SAFETENSORS("m1/model.safetensors", TENSOR("embed_tokens.weight", DTYPE_F32, 1, 3, 2));
    trial = must_plan("uu", encoder);
    CHECK(trial.plan.n_items == 1 && item_of(&trial, EMBEDDING) && trial.notices.n_texts == 1);
    end(&trial);

    rename(scratch_path("m1/model.safetensors"), scratch_path("m2/model.safetensors"));
    rename(scratch_path("m0/model.safetensors"), scratch_path("m1/model.safetensors"));
    rename(scratch_path("m2/model.safetensors"), scratch_path("m0/model.safetensors"));
    trial = must_plan("uu", encoder);
    CHECK(trial.plan.n_items == 1 && trial.notices.n_texts == 1);
    end(&trial);
}

/* ---- odd sizes ---- */

static void scalars_and_empty_tensors_have_their_place(void)
{
    struct trial trial;
    struct scratch_tensor scalar = {.name = "scale", .dtype = DTYPE_F32, .first = 2};

    SAFETENSORS("m0/model.safetensors", scalar, TENSOR("none", DTYPE_F32, 0, 0, 3));
    SAFETENSORS("m1/model.safetensors", scalar, TENSOR("none", DTYPE_F32, 0, 0, 3));
    trial = must_plan("uu", plain);
    CHECK(trial.plan.n_items == 2 && trial.plan.n_parameters == 1);
    CHECK(trial.plan.size_bytes == 4);
    CHECK(item_of(&trial, "none")->out.n_items == 0 && item_of(&trial, "scale")->out.n_dims == 0);
    end(&trial);
}

/* A buffer is copied; but safetensors has no such numbers. PyTorch files have. */
static void numbers_that_cannot_be_written_cannot_be_copied(void)
{
    static const char name[] = "rotary_emb.inv_freq";
    struct tensor buffer = {.name = name, .dtype = DTYPE_C128, .n_dims = 1,
                            .shape = (const size_t[]){2}};
    struct checkpoint *checkpoint = memory_zalloc(1, sizeof *checkpoint);
    struct plan_model model = {"m0", checkpoint, false, NULL};
    struct notices notices = {0};
    struct error err = {0};
    struct plan plan = {0};

    CHECK(checkpoint_add_tensor(checkpoint, &buffer, strlen(name), &err) == 0);
    CHECK(plan_match(&plan, &model, 1, &plain, &notices, &err) == -1);
    CHECK(err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "rotary_emb.inv_freq");
    checkpoint_close(checkpoint);
    notices_release(&notices);
}

TESTS(TEST(the_base_decides_names_shapes_and_dtypes), TEST(a_base_is_a_part_of_its_own),
      TEST(prefixes_of_wrappers_do_not_matter),
      TEST(gamma_and_beta_are_weight_and_bias), TEST(the_very_name_comes_before_the_plain_one),
      TEST(a_plain_name_of_two_tensors_is_nobodys),
      TEST(a_tied_base_and_a_head_that_equals_its_embedding_fit),
      TEST(a_tied_base_and_a_head_that_differs_do_not_fit), TEST(a_tied_base_stores_its_head_once),
      TEST(a_tied_base_with_another_head_keeps_it_with_a_notice),
      TEST(an_untied_base_takes_a_tied_models_embedding_as_its_head),
      TEST(an_untied_base_keeps_a_head_that_happens_to_equal_its_embedding),
      TEST(a_head_of_another_shape_does_not_fit), TEST(an_embedding_without_a_head_is_seen),
      TEST(one_tensor_under_two_names_is_written_once), TEST(equal_means_equal_to_the_last_item),
      TEST(buffers_of_the_base_are_copied_and_those_of_others_ignored),
      TEST(a_bias_that_is_called_as_a_mask_is_mixed), TEST(whole_numbers_are_copied_from_the_base),
      TEST(missing_and_extra_tensors_are_listed), TEST(the_model_that_does_not_fit_is_named),
      TEST(shapes_that_differ_are_shown), TEST(floats_and_whole_numbers_do_not_mix),
      TEST(numbers_that_cannot_be_averaged_are_not_supported), TEST(all_other_floats_are_averaged),
      TEST(a_head_that_all_encoders_have_goes_along),
      TEST(a_head_that_not_all_encoders_have_is_left_out_with_a_notice),
      TEST(the_output_head_of_a_decoder_used_as_encoder_is_a_head_too),
      TEST(scalars_and_empty_tensors_have_their_place),
      TEST(numbers_that_cannot_be_written_cannot_be_copied))
