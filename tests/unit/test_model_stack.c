/* test_model_stack.c - layers put on one another: which tensors, and what config.json says of it. */
#include "arch/model_stack.h"

#include "arch/layout_check.h"
#include "arch/model_layout.h"
#include "arch/model_spec.h"

#include "scratch.h"

enum { PARTS_MAX = 3 };

struct made {
    struct model_folder parts[PARTS_MAX], model;
    struct notices notices;
    struct error err;
    int rc;
};

struct range {
    size_t first, n;
};

static struct made make_of(const char *path, const char *module, size_t n_parts,
                           const struct range *ranges)
{
    struct made made = {0};
    struct stack_part parts[PARTS_MAX];

    for (size_t i = 0; i < n_parts; i++) {
        CHECK(model_folder_open(&made.parts[i], path, NULL, false, &made.err) == 0);
        parts[i] = (struct stack_part){&made.parts[i], ranges[i].first, ranges[i].n};
    }
    CHECK(model_folder_open(&made.model, path, NULL, false, &made.err) == 0);
    made.rc = model_stack(&made.model, parts, n_parts, module, &made.notices, &made.err);
    if (made.rc)
        printf("# %s\n", made.err.text);
    return made;
}

static struct made make(const char *path, size_t n_parts, const struct range *ranges)
{
    return make_of(path, NULL, n_parts, ranges);
}

static void release(struct made *made)
{
    model_folder_release(&made->model);
    for (size_t i = 0; i < PARTS_MAX; i++)
        model_folder_release(&made->parts[i]);
    notices_release(&made->notices);
}

/* Whether its tensors are those that its config.json describes. */
static bool is_whole(struct made *made)
{
    struct checkpoint_names names;
    struct model_layout layout;
    struct model_spec spec;
    enum model_type type;
    bool fits = false;

    if (model_folder_type(&made->model, NULL, &type, &made->err) ||
        model_spec_load(&spec, &made->model.config, type, "m", &made->err)) {
        printf("# %s\n", made->err.text);
        return false;
    }
    checkpoint_names_init(&names, model_folder_weights(&made->model, &made->notices, &made->err));
    layout_make(&layout, &spec, type, &names);
    fits = layout_check(&layout, &made->err) == 0;
    if (!fits)
        printf("# %s\n", made->err.text);
    layout_release(&layout);
    checkpoint_names_release(&names);
    model_spec_release(&spec);
    return fits;
}

static const struct tensor *find(struct model_folder *model, const char *name)
{
    struct error err = {0};
    struct notices notices = {0};
    const struct tensor *tensor =
        checkpoint_find(model_folder_weights(model, &notices, &err), name);

    notices_release(&notices);
    return tensor;
}

static bool is_from(struct made *made, const char *name, size_t part, const char *old_name)
{
    const struct tensor *tensor = find(&made->model, name);
    const struct tensor *old = find(&made->parts[part], old_name);

    return tensor && old && tensor->source == old->source && tensor->offset == old->offset;
}

static void layers_come_in_the_order_of_the_parts(void)
{
    struct made made = make("fixtures/models/llama-gqa", 3,
                            (struct range[]){{1, 1}, {0, 2}, {1, 1}});

    CHECK(made.rc == 0 && is_whole(&made));
    CHECK(model_stack_count_layers(&made.model, NULL) == 4);
    CHECK(model_stack_count_layers(&made.parts[0], NULL) == 2);
    CHECK(is_from(&made, "model.layers.0.mlp.up_proj.weight", 0,
                  "model.layers.1.mlp.up_proj.weight"));
    CHECK(is_from(&made, "model.layers.1.mlp.up_proj.weight", 1,
                  "model.layers.0.mlp.up_proj.weight"));
    CHECK(is_from(&made, "model.layers.2.mlp.up_proj.weight", 1,
                  "model.layers.1.mlp.up_proj.weight"));
    CHECK(is_from(&made, "model.layers.3.input_layernorm.weight", 2,
                  "model.layers.1.input_layernorm.weight"));
    CHECK(is_from(&made, "model.embed_tokens.weight", 0, "model.embed_tokens.weight"));
    CHECK(is_from(&made, "model.norm.weight", 2, "model.norm.weight"));
    CHECK(is_from(&made, "lm_head.weight", 2, "lm_head.weight"));
    release(&made);
}

static void encoders_keep_embeddings_and_pooler(void)
{
    struct made made = make("fixtures/models/bert", 2, (struct range[]){{0, 2}, {0, 1}});

    CHECK(made.rc == 0 && is_whole(&made));
    CHECK(is_from(&made, "embeddings.LayerNorm.weight", 0, "embeddings.LayerNorm.weight"));
    CHECK(is_from(&made, "pooler.dense.weight", 1, "pooler.dense.weight"));
    release(&made);
}

#define T5_BIAS "block.0.layer.0.SelfAttention.relative_attention_bias.weight"

static void a_module_is_stacked_alone(void)
{
    struct made made = make_of("fixtures/models/t5", "decoder", 2,
                               (struct range[]){{1, 2}, {0, 2}});

    CHECK(made.rc == 0 && is_whole(&made));
    CHECK(model_stack_count_layers(&made.model, "decoder") == 4);
    CHECK(model_stack_count_layers(&made.model, "encoder") == 2);
    CHECK(is_from(&made, "decoder.block.0.layer.1.EncDecAttention.q.weight", 0,
                  "decoder.block.1.layer.1.EncDecAttention.q.weight"));
    CHECK(is_from(&made, "decoder.block.2.layer.1.EncDecAttention.q.weight", 1,
                  "decoder.block.0.layer.1.EncDecAttention.q.weight"));
    CHECK(is_from(&made, "decoder.final_layer_norm.weight", 1, "decoder.final_layer_norm.weight"));
    CHECK(is_from(&made, "encoder.final_layer_norm.weight", 0, "encoder.final_layer_norm.weight"));
    CHECK(is_from(&made, "encoder.block.1.layer.0.SelfAttention.q.weight", 0,
                  "encoder.block.1.layer.0.SelfAttention.q.weight"));
    CHECK(is_from(&made, "shared.weight", 0, "shared.weight"));
    CHECK(is_from(&made, "decoder." T5_BIAS, 0, "decoder." T5_BIAS)); /* of all its layers */
    release(&made);
}

static void biases_of_each_layer_go_with_it(void)
{
    struct made made = make_of("fixtures/models/umt5-f16", "encoder", 2,
                               (struct range[]){{1, 1}, {0, 2}});

    CHECK(made.rc == 0 && is_whole(&made));
    CHECK(model_stack_count_layers(&made.model, "encoder") == 3);
    CHECK(model_stack_count_layers(&made.model, "decoder") == 2);
    CHECK(is_from(&made, "encoder." T5_BIAS, 0,
                  "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"));
    CHECK(is_from(&made, "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight", 1,
                  "encoder." T5_BIAS));
    release(&made);
}

/* Without num_decoder_layers the decoder has as many as the encoder: it keeps them. */
static void the_other_module_keeps_its_layers(void)
{
    struct made made = make_of("fixtures/models/umt5-f16", "encoder", 1,
                               (struct range[]){{0, 1}});
    struct buffer text = {0};

    buffer_add(&text, "{\"num_layers\": 5}", strlen("{\"num_layers\": 5}"));
    CHECK(model_folder_set_config(&made.parts[0], &text, &made.err) == 0);
    buffer_add(&text, "{\"num_layers\": 5}", strlen("{\"num_layers\": 5}"));
    CHECK(model_stack_set_n_layers(&made.parts[0], &text, "encoder", 3, &made.err) == 0);
    CHECK(model_folder_set_config(&made.parts[0], &text, &made.err) == 0);
    CHECK(model_stack_count_layers(&made.parts[0], "encoder") == 3);
    CHECK(model_stack_count_layers(&made.parts[0], "decoder") == 5);
    release(&made);
}

static void check_config(const char *path, size_t n_parts, const struct range *ranges,
                         const char *name, const char *expected)
{
    struct made made = make(path, n_parts, ranges);
    const cJSON *json = json_find(made.model.config.json, name);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;

    CHECK(made.rc == 0 && is_whole(&made));
    CHECK(text && strcmp(text, expected) == 0);
    if (text)
        printf("# %s: %s\n", path, text);
    cJSON_free(text);
    release(&made);
}

static void lists_of_layers_follow(void)
{
    check_config("fixtures/models/gemma2-f16", 2, (struct range[]){{1, 1}, {0, 3}}, "layer_types",
                 "[\"full_attention\",\"sliding_attention\",\"full_attention\","
                 "\"sliding_attention\"]");
    check_config("fixtures/models/qwen2-moe", 2, (struct range[]){{1, 1}, {0, 1}},
                 "mlp_only_layers", "[1]");
    check_config("fixtures/models/qwen3-moe-f16", 2, (struct range[]){{1, 2}, {1, 1}},
                 "mlp_only_layers", "[0,2]");
}

static void a_layer_that_slides_by_a_rule_keeps_doing_so(void)
{
    check_config("fixtures/models/gemma2-old-bf16", 1, (struct range[]){{1, 1}}, "layer_types",
                 "[\"full_attention\"]");
    check_config("fixtures/models/qwen2-window-f16", 2, (struct range[]){{2, 1}, {0, 1}},
                 "layer_types", "[\"sliding_attention\",\"full_attention\"]");
}

static void layers_keep_their_experts_where_a_rule_would_not(void)
{
    check_config("fixtures/models/deepseek-v2-bf16", 1, (struct range[]){{1, 1}},
                 "first_k_dense_replace", "0");
    check_config("fixtures/models/deepseek-v2-bf16", 2, (struct range[]){{0, 1}, {0, 2}},
                 "first_k_dense_replace", "2");
    check_config("fixtures/models/qwen2-moe-step-bf16", 2, (struct range[]){{1, 2}, {0, 2}},
                 "mlp_only_layers", "[1,2]");
    check_config("fixtures/models/qwen2-moe-step-bf16", 2, (struct range[]){{1, 2}, {0, 2}},
                 "decoder_sparse_step", "1");
}

static void what_config_json_cannot_say_is_refused(void)
{
    struct made made = make("fixtures/models/deepseek-v2-bf16", 2,
                            (struct range[]){{1, 1}, {0, 1}});

    CHECK(made.rc == -1 && made.err.code == ERROR_INCOMPATIBLE);
    CHECK_CONTAINS(made.err.text, "layer 1 of the stack has no experts");
    release(&made);
    made = make("fixtures/models/t5", 1, (struct range[]){{0, 1}});
    CHECK(made.rc == -1 && made.err.code == ERROR_FORMAT);
    CHECK_CONTAINS(made.err.text, "an encoder and of a decoder");
    release(&made);
}

TESTS(TEST(layers_come_in_the_order_of_the_parts), TEST(encoders_keep_embeddings_and_pooler),
      TEST(lists_of_layers_follow), TEST(a_layer_that_slides_by_a_rule_keeps_doing_so),
      TEST(layers_keep_their_experts_where_a_rule_would_not),
      TEST(what_config_json_cannot_say_is_refused), TEST(a_module_is_stacked_alone),
      TEST(biases_of_each_layer_go_with_it), TEST(the_other_module_keeps_its_layers))
