/* test_model_layout.c - what a model is made of, checked against what a checkpoint has. */
#include "arch/layout_check.h"
#include "arch/layout_experts.h"

#include "arch/model_folder.h"
#include "scratch.h"

/* A Mixtral of one layer and two experts of 3 x 4. */
static const char config[] =
    "{\"architectures\":[\"MixtralForCausalLM\"],\"hidden_size\":4,\"num_hidden_layers\":1,"
    "\"num_attention_heads\":2,\"num_key_value_heads\":2,\"intermediate_size\":3,\"vocab_size\":5,"
    "\"num_local_experts\":2}";

#define L "model.layers.0."
#define DENSE                                                                                     \
    TENSOR("model.embed_tokens.weight", DTYPE_F32, 0, 5, 4),                                      \
        TENSOR("model.norm.weight", DTYPE_F32, 0, 4),                                             \
        TENSOR("lm_head.weight", DTYPE_F32, 0, 5, 4),                                             \
        TENSOR(L "input_layernorm.weight", DTYPE_F32, 0, 4),                                      \
        TENSOR(L "post_attention_layernorm.weight", DTYPE_F32, 0, 4),                             \
        TENSOR(L "self_attn.q_proj.weight", DTYPE_F32, 0, 4, 4),                                  \
        TENSOR(L "self_attn.k_proj.weight", DTYPE_F32, 0, 4, 4),                                  \
        TENSOR(L "self_attn.v_proj.weight", DTYPE_F32, 0, 4, 4),                                  \
        TENSOR(L "self_attn.o_proj.weight", DTYPE_F32, 0, 4, 4)
#define APART                                                                                     \
    TENSOR(L "block_sparse_moe.gate.weight", DTYPE_F32, 0, 2, 4),                                 \
        TENSOR(L "block_sparse_moe.experts.0.w1.weight", DTYPE_F32, 0, 3, 4),                     \
        TENSOR(L "block_sparse_moe.experts.0.w3.weight", DTYPE_F32, 12, 3, 4),                    \
        TENSOR(L "block_sparse_moe.experts.1.w1.weight", DTYPE_F32, 24, 3, 4),                    \
        TENSOR(L "block_sparse_moe.experts.1.w3.weight", DTYPE_F32, 36, 3, 4),                    \
        TENSOR(L "block_sparse_moe.experts.0.w2.weight", DTYPE_F32, 100, 4, 3),                   \
        TENSOR(L "block_sparse_moe.experts.1.w2.weight", DTYPE_F32, 112, 4, 3)
#define FUSED                                                                                     \
    TENSOR(L "mlp.gate.weight", DTYPE_F32, 0, 2, 4),                                              \
        TENSOR(L "mlp.experts.gate_up_proj", DTYPE_F32, 0, 2, 6, 4),                              \
        TENSOR(L "mlp.experts.down_proj", DTYPE_F32, 100, 2, 4, 3)

struct made {
    struct config config;
    struct model_spec spec;
    struct checkpoint *checkpoint;
    struct checkpoint_names names;
    struct model_layout layout;
};

/* Of the weights in the folder `name`. */
static void make(struct made *made, const char *name)
{
    struct error err = {0};
    struct folder *folder;

    *made = (struct made){.checkpoint = NULL};
    scratch_text("config/config.json", config);
    folder = folder_open(scratch_path("config"), false, &err);
    scratch_must(config_load(&made->config, folder, "", false, &err) == 0 &&
                     model_spec_load(&made->spec, &made->config, MODEL_DECODER, "m", &err) == 0,
                 "read", "config.json");
    folder_close(folder);
    made->checkpoint = scratch_open(name, NULL, NULL, &err);
    scratch_must(made->checkpoint != NULL, "open", name);
    checkpoint_names_init(&made->names, made->checkpoint);
    layout_make(&made->layout, &made->spec, MODEL_DECODER, &made->names);
}

static void end(struct made *made)
{
    layout_release(&made->layout);
    checkpoint_names_release(&made->names);
    checkpoint_close(made->checkpoint);
    model_spec_release(&made->spec);
    config_release(&made->config);
}

static bool holds(const struct tensor *tensor, size_t n, double first)
{
    float values[64];
    struct error err = {0};

    if (!tensor || tensor->n_items != n || tensor_read_floats(tensor, values, &err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (values[i] != (float)(first + (double)i))
            return false;
    return true;
}

static void a_model_is_complete_or_what_is_wrong_is_named(void)
{
    struct made made;
    struct error err = {0};

    SAFETENSORS("apart/model.safetensors", DENSE, APART);
    make(&made, "apart");
    CHECK(layout_check(&made.layout, &err) == 0);
    CHECK(layout_find(&made.layout, "embed_tokens.weight")->is_embedding);
    end(&made);

    SAFETENSORS("part/model.safetensors", APART);
    make(&made, "part");
    CHECK(layout_check(&made.layout, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK(strstr(err.text, "no tensor 'embed_tokens.weight'") != NULL);
    end(&made);

    err = (struct error){0};
    SAFETENSORS("more/model.safetensors", DENSE, APART,
                TENSOR("model.layers.1.input_layernorm.weight", DTYPE_F32, 0, 4));
    make(&made, "more");
    CHECK(layout_check(&made.layout, &err) == -1);
    CHECK(strstr(err.text, "is of layer 1, but by config.json there are 1 layers") != NULL);
    end(&made);
}

static void experts_of_one_way_are_found_in_the_other(void)
{
    struct made apart, fused;
    struct arena arena = {0};
    struct error err = {0};
    const struct layout_entry *entry;
    struct tensor matrix;
    bool is_transposed;

    SAFETENSORS("apart/model.safetensors", DENSE, APART);
    SAFETENSORS("fused/model.safetensors", DENSE, FUSED);
    make(&apart, "apart");
    make(&fused, "fused");
    CHECK(layout_check(&fused.layout, &err) == 0);

    entry = layout_find(&apart.layout, "layers.0.block_sparse_moe.experts.1.w3.weight");
    CHECK(holds(layout_match(&apart.layout, entry, &fused.layout, &arena, &err), 12, 36));
    entry = layout_find(&fused.layout, "layers.0.mlp.experts.gate_up_proj");
    CHECK(holds(layout_match(&fused.layout, entry, &apart.layout, &arena, &err), 48, 0));
    entry = layout_find(&fused.layout, "layers.0.mlp.experts.down_proj");
    CHECK(holds(layout_match(&fused.layout, entry, &apart.layout, &arena, &err), 24, 100));

    CHECK(layout_expert(&fused.layout, layout_find_experts(&fused.layout, &fused.spec.stack, 0), 1,
                        EXPERT_DOWN, &arena, &matrix, &is_transposed, &err) == 0);
    CHECK(!is_transposed && holds(&matrix, 12, 112));
    arena_release(&arena);
    end(&apart);
    end(&fused);
}

TESTS(TEST(a_model_is_complete_or_what_is_wrong_is_named),
      TEST(experts_of_one_way_are_found_in_the_other))
