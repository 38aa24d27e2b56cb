/* test_layout_fixtures.c - the layouts of whole models, whichever way their experts are stored. */
#include "arch/layout_check.h"
#include "arch/layout_experts.h"

#include "arch/model_folder.h"
#include "scratch.h"

struct sample {
    struct model_folder folder;
    const struct checkpoint *checkpoint; /* the folder's */
    struct model_spec spec;
    struct checkpoint_names names;
    struct model_layout layout;
    struct notices notices;
    struct error err;
};

static void sample_open(struct sample *sample, const char *name, enum model_type type)
{
    char *path = memory_format("fixtures/models/%s", name);

    *sample = (struct sample){0};
    scratch_must(model_folder_open(&sample->folder, path, NULL, false, &sample->err) == 0, "open", path);
    sample->checkpoint = model_folder_weights(&sample->folder, &sample->notices, &sample->err);
    scratch_must(sample->checkpoint != NULL, "read", path);
    scratch_must(model_spec_load(&sample->spec, &sample->folder.config, type, path,
                                 &sample->err) == 0, "understand", path);
    checkpoint_names_init(&sample->names, sample->checkpoint);
    layout_make(&sample->layout, &sample->spec, type, &sample->names);
    free(path);
}

static void sample_close(struct sample *sample)
{
    layout_release(&sample->layout);
    checkpoint_names_release(&sample->names);
    model_spec_release(&sample->spec);
    model_folder_release(&sample->folder);
    notices_release(&sample->notices);
}

/* What a checkpoint stores besides the parts of its model; `type` as the fixture's folder is used. */
static void every_tensor_of_a_fixture_has_a_place(void)
{
    static const struct {
        const char *name;
        enum model_type type;
    } rows[] = {
        {"llama-gqa", MODEL_DECODER},     {"gpt2", MODEL_DECODER},
        {"phi3-window-bf16", MODEL_DECODER}, {"gemma2-f16", MODEL_DECODER},
        {"mixtral", MODEL_DECODER},       {"mixtral-fused-bf16", MODEL_DECODER},
        {"qwen2-moe", MODEL_DECODER},     {"gpt-oss", MODEL_DECODER},
        {"jetmoe-bf16", MODEL_DECODER},   {"molm", MODEL_DECODER},
        {"openmoe", MODEL_DECODER},       {"deepseek-v2-bf16", MODEL_DECODER},
        {"mixtral-consolidated", MODEL_DECODER}, {"mixtral-first-release", MODEL_DECODER},
        {"t5", MODEL_ENCODER_DECODER},    {"switch-transformers-bf16", MODEL_ENCODER_DECODER},
        {"bert-score-1", MODEL_RERANKER}, {"distilbert-score-2-f16", MODEL_RERANKER},
        {"roberta-score-2-f16", MODEL_RERANKER}, {"phimoe-bf16", MODEL_DECODER},
        {"granitemoe-bf16", MODEL_DECODER}, {"olmoe-bf16", MODEL_DECODER},
        {"deepseek-moe-bf16", MODEL_DECODER},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sample sample;

        sample_open(&sample, rows[i].name, rows[i].type);
        CHECK(layout_check(&sample.layout, &sample.err) == 0);
        for (size_t t = 0; t < sample.checkpoint->n_tensors; t++) {
            const struct tensor *tensor = &sample.checkpoint->tensors[t];
            const struct tied_name *tied = tensor_names_find_tied(sample.names.plain[t]);
            bool has_place = sample.layout.entry_of[t] != SIZE_MAX || (tied && !tied->is_head) ||
                             !tensor_names_is_parameter(tensor);

            if (!has_place)
                printf("# %s: '%s' has no place\n", rows[i].name, tensor->name);
            CHECK(has_place);
        }
        sample_close(&sample);
    }
}

/* One expert's matrix as [n_out, n_in], in doubles that the caller frees. */
static double *read_matrix(struct sample *sample, size_t group, size_t expert,
                           enum expert_matrix matrix, size_t *n)
{
    struct arena arena = {0};
    struct tensor tensor;
    bool is_transposed;
    double *values;
    float *floats;

    CHECK(layout_expert(&sample->layout, &sample->layout.experts[group], expert, matrix, &arena,
                        &tensor, &is_transposed, &sample->err) == 0);
    *n = tensor.n_items;
    values = memory_zalloc(*n, sizeof *values);
    floats = memory_zalloc(*n, sizeof *floats);
    CHECK(tensor_read_floats(&tensor, floats, &sample->err) == 0);
    for (size_t i = 0; i < *n; i++) {
        size_t row = i / tensor.shape[1], column = i % tensor.shape[1];

        values[is_transposed ? column * tensor.shape[0] + row : i] = (double)floats[i];
    }
    free(floats);
    arena_release(&arena);
    return values;
}

/* The same model stored apart and stacked. */
static void an_expert_is_the_same_in_each_way_of_storing_it(void)
{
    struct sample apart, stacked;

    sample_open(&apart, "mixtral-consolidated", MODEL_DECODER);
    sample_open(&stacked, "mixtral-first-release", MODEL_DECODER);
    CHECK(apart.layout.experts[0].way == EXPERTS_APART);
    CHECK(stacked.layout.experts[0].way == EXPERTS_STACKED);
    for (size_t g = 0; g < apart.layout.n_experts; g++)
        for (size_t e = 0; e < apart.spec.stack.moe.n_experts; e++)
            for (int m = EXPERT_GATE; m <= EXPERT_DOWN; m++) {
                size_t n, other_n;
                double *a = read_matrix(&apart, g, e, (enum expert_matrix)m, &n);
                double *b = read_matrix(&stacked, g, e, (enum expert_matrix)m, &other_n);

                CHECK(n == other_n && n > 0 && memcmp(a, b, n * sizeof *a) == 0);
                free(a);
                free(b);
            }
    sample_close(&apart);
    sample_close(&stacked);
}

/* Every part of one is found in the other, in the shape and with the values of the first. */
static void check_match(struct sample *one, struct sample *other)
{
    for (size_t i = 0; i < one->layout.n_entries; i++) {
        const struct layout_entry *entry = &one->layout.entries[i];
        struct arena arena = {0};
        const struct tensor *match =
            layout_match(&one->layout, entry, &other->layout, &arena, &one->err);

        CHECK(!entry->tensor == !match);
        if (match)
            CHECK(tensor_equal(entry->tensor, match, &one->err) == 1);
        arena_release(&arena);
    }
}

static void each_way_is_put_together_from_the_other(void)
{
    struct sample apart, stacked;

    sample_open(&apart, "mixtral-consolidated", MODEL_DECODER);
    sample_open(&stacked, "mixtral-first-release", MODEL_DECODER);
    check_match(&apart, &stacked);
    check_match(&stacked, &apart);
    sample_close(&apart);
    sample_close(&stacked);
}

static void a_config_beyond_all_reason_costs_nothing(void)
{
    struct sample sample;

    sample_open(&sample, "mixtral", MODEL_DECODER);
    layout_release(&sample.layout);
    free(sample.spec.stack.is_sparse);
    free(sample.spec.stack.slides);
    sample.spec.stack.n_layers = 10000;
    sample.spec.stack.moe.n_experts = 65536;
    sample.spec.stack.is_sparse = memory_zalloc(10000, 1);
    sample.spec.stack.slides = memory_zalloc(10000, 1);
    memset(sample.spec.stack.is_sparse, 1, 10000);
    layout_make(&sample.layout, &sample.spec, MODEL_DECODER, &sample.names);
    CHECK(sample.layout.n_entries < 1000);
    CHECK(layout_check(&sample.layout, &sample.err) && sample.err.code == ERROR_FORMAT);
    sample_close(&sample);
}

static void layers_that_predict_further_tokens_are_told_by_their_norms(void)
{
    struct sample sample;
    size_t n = 0;

    sample_open(&sample, "deepseek-v3-bf16", MODEL_DECODER);
    CHECK(layout_check(&sample.layout, &sample.err) == 0);
    for (size_t i = 0; i < sample.checkpoint->n_tensors; i++)
        n += layout_is_next_token(&sample.names, sample.spec.stack.n_layers, i);
    CHECK(n == 5);
    for (size_t i = 0; i < sample.checkpoint->n_tensors; i++)
        CHECK(!layout_is_next_token(&sample.names, 3, i));
    sample_close(&sample);
}

TESTS(TEST(every_tensor_of_a_fixture_has_a_place),
      TEST(an_expert_is_the_same_in_each_way_of_storing_it),
      TEST(each_way_is_put_together_from_the_other), TEST(a_config_beyond_all_reason_costs_nothing),
      TEST(layers_that_predict_further_tokens_are_told_by_their_norms))
