#include "families.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

/* ---- names ---- */

static const struct family_names bert_names = {
    .embedding = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .token_types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layers = &(const struct layer_names){
        .prefix = "encoder.layer.#.",
        .q = "attention.self.query",
        .k = "attention.self.key",
        .v = "attention.self.value",
        .o = "attention.output.dense",
        .norm1 = "attention.output.LayerNorm",
        .up = "intermediate.dense",
        .down = "output.dense",
        .norm2 = "output.LayerNorm",
    },
};

static const struct family_names distilbert_names = {
    .embedding = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layers = &(const struct layer_names){
        .prefix = "layer.#.",
        .q = "attention.q_lin",
        .k = "attention.k_lin",
        .v = "attention.v_lin",
        .o = "attention.out_lin",
        .norm1 = "sa_layer_norm",
        .up = "ffn.lin1",
        .down = "ffn.lin2",
        .norm2 = "output_layer_norm",
    },
};

static const struct family_names llama_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .q = "self_attn.q_proj",
        .k = "self_attn.k_proj",
        .v = "self_attn.v_proj",
        .o = "self_attn.o_proj",
        .q_norm = "self_attn.q_norm",
        .k_norm = "self_attn.k_norm",
        .norm2 = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .final_norm = "norm",
    },
};

/* As hub files have it, and as transformers 5 holds it in memory. */
static const struct moe_names mixtral_moe[] = {
    {
        .router = "block_sparse_moe.gate",
        .gate = "block_sparse_moe.experts.@.w1",
        .up = "block_sparse_moe.experts.@.w3",
        .down = "block_sparse_moe.experts.@.w2",
    },
    {
        .router = "mlp.gate",
        .fused_gate_up = "mlp.experts.gate_up_proj",
        .fused_down = "mlp.experts.down_proj",
    },
};

static const struct moe_names qwen_moe[] = {
    {
        .router = "mlp.gate",
        .gate = "mlp.experts.@.gate_proj",
        .up = "mlp.experts.@.up_proj",
        .down = "mlp.experts.@.down_proj",
        .fused_gate_up = "mlp.experts.gate_up_proj",
        .fused_down = "mlp.experts.down_proj",
        .shared_gate = "mlp.shared_expert.gate_proj",
        .shared_up = "mlp.shared_expert.up_proj",
        .shared_down = "mlp.shared_expert.down_proj",
        .shared_router = "mlp.shared_expert_gate",
    },
};

static const struct moe_names gpt_oss_moe[] = {
    {
        .router = "mlp.router",
        .turned_gate_up = "mlp.experts.gate_up_proj",
        .turned_gate_up_bias = "mlp.experts.gate_up_proj_bias",
        .turned_down = "mlp.experts.down_proj",
        .turned_down_bias = "mlp.experts.down_proj_bias",
    },
};

static const struct moe_names deepseek_moe[] = {
    {
        .router = "mlp.gate",
        .choice_bias = "mlp.gate.e_score_correction_bias",
        .gate = "mlp.experts.@.gate_proj",
        .up = "mlp.experts.@.up_proj",
        .down = "mlp.experts.@.down_proj",
        .fused_gate_up = "mlp.experts.gate_up_proj",
        .fused_down = "mlp.experts.down_proj",
        .shared_gate = "mlp.shared_experts.gate_proj",
        .shared_up = "mlp.shared_experts.up_proj",
        .shared_down = "mlp.shared_experts.down_proj",
    },
};

static const struct moe_names granite_moe[] = {
    {
        .router = "block_sparse_moe.router.layer",
        .fused_gate_up = "block_sparse_moe.input_linear.weight",
        .fused_down = "block_sparse_moe.output_linear.weight",
    },
};

static const struct family_names mixtral_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .q = "self_attn.q_proj",
        .k = "self_attn.k_proj",
        .v = "self_attn.v_proj",
        .o = "self_attn.o_proj",
        .q_norm = "self_attn.q_norm",
        .k_norm = "self_attn.k_norm",
        .norm2 = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .final_norm = "norm",
        .moe = mixtral_moe,
        .n_moe = sizeof mixtral_moe / sizeof *mixtral_moe,
    },
};

static const struct family_names qwen_moe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .q = "self_attn.q_proj",
        .k = "self_attn.k_proj",
        .v = "self_attn.v_proj",
        .o = "self_attn.o_proj",
        .q_norm = "self_attn.q_norm",
        .k_norm = "self_attn.k_norm",
        .norm2 = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .final_norm = "norm",
        .moe = qwen_moe,
        .n_moe = sizeof qwen_moe / sizeof *qwen_moe,
    },
};

static const struct family_names deepseek_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .mla = &(const struct mla_names){
            .q = "self_attn.q_proj",
            .q_a = "self_attn.q_a_proj",
            .q_norm = "self_attn.q_a_layernorm",
            .q_b = "self_attn.q_b_proj",
            .kv_a = "self_attn.kv_a_proj_with_mqa",
            .kv_norm = "self_attn.kv_a_layernorm",
            .kv_b = "self_attn.kv_b_proj",
        },
        .o = "self_attn.o_proj",
        .norm2 = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .final_norm = "norm",
        .moe = deepseek_moe,
        .n_moe = sizeof deepseek_moe / sizeof *deepseek_moe,
    },
};

static const struct family_names granite_moe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .q = "self_attn.q_proj",
        .k = "self_attn.k_proj",
        .v = "self_attn.v_proj",
        .o = "self_attn.o_proj",
        .q_norm = "self_attn.q_norm",
        .k_norm = "self_attn.k_norm",
        .norm2 = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .final_norm = "norm",
        .moe = granite_moe,
        .n_moe = sizeof granite_moe / sizeof *granite_moe,
    },
};

static const struct family_names gpt_oss_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .q = "self_attn.q_proj",
        .k = "self_attn.k_proj",
        .v = "self_attn.v_proj",
        .o = "self_attn.o_proj",
        .q_norm = "self_attn.q_norm",
        .k_norm = "self_attn.k_norm",
        .sinks = "self_attn.sinks",
        .norm2 = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .final_norm = "norm",
        .moe = gpt_oss_moe,
        .n_moe = sizeof gpt_oss_moe / sizeof *gpt_oss_moe,
    },
};

/* The norm after attention is called what elsewhere is the norm before the MLP. */
static const struct family_names gemma2_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .q = "self_attn.q_proj",
        .k = "self_attn.k_proj",
        .v = "self_attn.v_proj",
        .o = "self_attn.o_proj",
        .q_norm = "self_attn.q_norm",
        .k_norm = "self_attn.k_norm",
        .post_attention_norm = "post_attention_layernorm",
        .norm2 = "pre_feedforward_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .post_mlp_norm = "post_feedforward_layernorm",
        .final_norm = "norm",
    },
};

static const struct family_names phi3_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .qkv = "self_attn.qkv_proj",
        .o = "self_attn.o_proj",
        .norm2 = "post_attention_layernorm",
        .gate_up = "mlp.gate_up_proj",
        .down = "mlp.down_proj",
        .final_norm = "norm",
    },
};

static const struct family_names gpt2_names = {
    .embedding = "wte",
    .positions = "wpe",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "h.#.",
        .norm1 = "ln_1",
        .qkv = "attn.c_attn",
        .o = "attn.c_proj",
        .norm2 = "ln_2",
        .up = "mlp.c_fc",
        .down = "mlp.c_proj",
        .final_norm = "ln_f",
    },
};

static const struct family_names gpt_neox_names = {
    .embedding = "embed_in",
    .head = "embed_out",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .qkv = "attention.query_key_value",
        .o = "attention.dense",
        .norm2 = "post_attention_layernorm",
        .up = "mlp.dense_h_to_4h",
        .down = "mlp.dense_4h_to_h",
        .final_norm = "final_layer_norm",
    },
};

static const struct family_names t5_names = {
    .embedding = "shared",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "decoder.block.#.layer.",
        .norm1 = "0.layer_norm",
        .q = "0.SelfAttention.q",
        .k = "0.SelfAttention.k",
        .v = "0.SelfAttention.v",
        .o = "0.SelfAttention.o",
        .relative_bias = "0.SelfAttention.relative_attention_bias",
        .cross_norm = "1.layer_norm",
        .cross_q = "1.EncDecAttention.q",
        .cross_k = "1.EncDecAttention.k",
        .cross_v = "1.EncDecAttention.v",
        .cross_o = "1.EncDecAttention.o",
        .norm2 = "2.layer_norm",
        .gate = "2.DenseReluDense.wi_0",
        .up = "2.DenseReluDense.wi",
        .gated_up = "2.DenseReluDense.wi_1",
        .down = "2.DenseReluDense.wo",
        .final_norm = "decoder.final_layer_norm",
    },
    .encoder_layers = &(const struct layer_names){
        .prefix = "encoder.block.#.layer.",
        .norm1 = "0.layer_norm",
        .q = "0.SelfAttention.q",
        .k = "0.SelfAttention.k",
        .v = "0.SelfAttention.v",
        .o = "0.SelfAttention.o",
        .relative_bias = "0.SelfAttention.relative_attention_bias",
        .norm2 = "1.layer_norm",
        .gate = "1.DenseReluDense.wi_0",
        .up = "1.DenseReluDense.wi",
        .gated_up = "1.DenseReluDense.wi_1",
        .down = "1.DenseReluDense.wo",
        .final_norm = "encoder.final_layer_norm",
    },
};

static const struct moe_names jetmoe_moe[] = {
    {
        .router = "mlp.router.layer",
        .fused_gate_up = "mlp.input_linear.weight",
        .fused_down = "mlp.output_linear.weight",
        .bias = "mlp.bias",
    },
};

static const struct family_names jetmoe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .kv = "self_attention.kv_proj",
        .attention_moe = &(const struct moe_names){
            .router = "self_attention.experts.router.layer",
            .fused_gate_up = "self_attention.experts.input_linear.weight",
            .fused_down = "self_attention.experts.output_linear.weight",
            .bias = "self_attention.experts.bias",
        },
        .norm2 = "post_attention_layernorm",
        .final_norm = "norm",
        .moe = jetmoe_moe,
        .n_moe = 1,
    },
};

/* T5 with other names for the feed-forward part, and experts in some layers. */
static const struct moe_names switch_decoder_moe[] = {
    {
        .router = "2.mlp.router.classifier",
        .up = "2.mlp.experts.expert_@.wi",
        .down = "2.mlp.experts.expert_@.wo",
    },
};

static const struct moe_names switch_encoder_moe[] = {
    {
        .router = "1.mlp.router.classifier",
        .up = "1.mlp.experts.expert_@.wi",
        .down = "1.mlp.experts.expert_@.wo",
    },
};

static const struct family_names switch_names = {
    .embedding = "shared",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "decoder.block.#.layer.",
        .norm1 = "0.layer_norm",
        .q = "0.SelfAttention.q",
        .k = "0.SelfAttention.k",
        .v = "0.SelfAttention.v",
        .o = "0.SelfAttention.o",
        .relative_bias = "0.SelfAttention.relative_attention_bias",
        .cross_norm = "1.layer_norm",
        .cross_q = "1.EncDecAttention.q",
        .cross_k = "1.EncDecAttention.k",
        .cross_v = "1.EncDecAttention.v",
        .cross_o = "1.EncDecAttention.o",
        .norm2 = "2.layer_norm",
        .up = "2.mlp.wi",
        .down = "2.mlp.wo",
        .final_norm = "decoder.final_layer_norm",
        .moe = switch_decoder_moe,
        .n_moe = 1,
    },
    .encoder_layers = &(const struct layer_names){
        .prefix = "encoder.block.#.layer.",
        .norm1 = "0.layer_norm",
        .q = "0.SelfAttention.q",
        .k = "0.SelfAttention.k",
        .v = "0.SelfAttention.v",
        .o = "0.SelfAttention.o",
        .relative_bias = "0.SelfAttention.relative_attention_bias",
        .norm2 = "1.layer_norm",
        .up = "1.mlp.wi",
        .down = "1.mlp.wo",
        .final_norm = "encoder.final_layer_norm",
        .moe = switch_encoder_moe,
        .n_moe = 1,
    },
};

/* ---- what config.json may change ---- */

static int bad(struct error *err, const char *key, double value)
{
    return error_set(err, ERROR_FORMAT, "%s is %g", key, value);
}

/* A number of at least `min`, or `fallback` when it is absent or null. */
static int number(const cJSON *config, const char *key, double fallback, double min, double *out,
                  struct error *err)
{
    const cJSON *member = json_find(config, key);

    *out = fallback;
    if (!member)
        return 0;
    if (!cJSON_IsNumber(member))
        return error_set(err, ERROR_FORMAT, "%s is not a number", key);
    *out = member->valuedouble;
    return *out >= min && *out <= 1e15 ? 0 : bad(err, key, *out);
}

static void read_attention_bias(struct model_spec *spec, const cJSON *config)
{
    bool has_bias = json_find_bool(config, "attention_bias") == 1;

    spec->stack.has_qkv_bias = spec->stack.has_o_bias = has_bias;
}

static int adjust_bert(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const char *kind = json_find_string(config, "position_embedding_type");

    (void)spec;
    if (kind && strcmp(kind, "absolute") != 0)
        return error_set(err, ERROR_UNSUPPORTED, "position_embedding_type '" ERROR_NAME "'; only "
                         "'absolute' is supported", kind);
    return 0;
}

static int adjust_roberta(struct model_spec *spec, const cJSON *config, struct error *err)
{
    if (spec->pad_id < 0 || (size_t)spec->pad_id + 1 >= spec->n_positions)
        return error_set(err, ERROR_FORMAT, "pad_token_id is %lld, with %zu positions",
                         (long long)spec->pad_id, spec->n_positions);
    spec->position_offset = (size_t)spec->pad_id + 1;
    spec->max_tokens = spec->n_positions - spec->position_offset;
    return adjust_bert(spec, config, err);
}

static int adjust_distilbert(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)config;
    (void)err;
    spec->stack.norm_eps = 1e-12f; /* fixed, whatever config.json says */
    return 0;
}

static int adjust_llama(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)err;
    read_attention_bias(spec, config);
    spec->stack.has_mlp_bias = json_find_bool(config, "mlp_bias") == 1;
    return 0;
}

/* Layers from max_window_layers on slide, when windows are used at all. */
static int adjust_qwen2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double first;

    if (number(config, "max_window_layers", 28, 0, &first, err))
        return -1;
    if (json_find_bool(config, "use_sliding_window") != 1)
        stack->window = 0;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && (double)i >= first;
    return 0;
}

static int adjust_qwen3(struct model_spec *spec, const cJSON *config, struct error *err)
{
    read_attention_bias(spec, config);
    return adjust_qwen2(spec, config, err);
}

static int adjust_gemma(struct model_spec *spec, const cJSON *config, struct error *err)
{
    const char *activation = json_find_string(config, "hidden_act");

    (void)err;
    spec->embedding_scale = (float)sqrt((double)spec->hidden_size);
    read_attention_bias(spec, config);
    /* The files of the first release say "gelu" and mean the approximation. */
    if (activation && strcmp(activation, "gelu") == 0)
        spec->stack.activation = ACTIVATION_GELU_TANH;
    return 0;
}

static int adjust_gemma2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    bool is_third = spec->family == &family_gemma3;
    double scalar, score_cap, logit_cap, pattern;

    if (number(config, "query_pre_attn_scalar", 256, 1e-6, &scalar, err) ||
        number(config, "attn_logit_softcapping", 0, 1e-6, &score_cap, err) ||
        number(config, "final_logit_softcapping", 0, 1e-6, &logit_cap, err) ||
        number(config, "sliding_window_pattern", is_third ? 6 : 2, 1, &pattern, err))
        return -1;
    /* Absent, the second Gemma has its class's caps; null means none. */
    if (!is_third && !cJSON_HasObjectItem(config, "attn_logit_softcapping"))
        score_cap = 50;
    if (!is_third && !cJSON_HasObjectItem(config, "final_logit_softcapping"))
        logit_cap = 30;
    spec->embedding_scale = (float)sqrt((double)spec->hidden_size);
    spec->logit_cap = (float)logit_cap;
    stack->score_cap = (float)score_cap;
    stack->score_scale = (float)(1 / sqrt(scalar));
    read_attention_bias(spec, config);
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && (i + 1) % (size_t)pattern != 0;
    if (is_third && json_find_bool(config, "use_bidirectional_attention") == 1) {
        stack->is_causal = false;
        stack->window = stack->window ? stack->window / 2 + 1 : 0;
    }
    return 0;
}

static int adjust_gpt2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)err;
    if (json_find_bool(config, "scale_attn_weights") == 0)
        spec->stack.score_scale = 1;
    spec->stack.scales_by_layer = json_find_bool(config, "scale_attn_by_inverse_layer_idx") == 1;
    return 0;
}

static int adjust_gpt_neox(struct model_spec *spec, const cJSON *config, struct error *err)
{
    (void)err;
    if (json_find_bool(config, "use_parallel_residual") == 0)
        spec->stack.block = BLOCK_PRE_NORM;
    if (json_find_bool(config, "attention_bias") == 0)
        spec->stack.has_qkv_bias = spec->stack.has_o_bias = false;
    return 0;
}

/* ---- mixtures of experts ---- */

static int read_count(const cJSON *config, const char *const *names, size_t fallback, size_t max,
                      size_t *out, struct error *err)
{
    *out = fallback;
    for (; *names; names++) {
        const cJSON *member = json_find(config, *names);
        double value = cJSON_IsNumber(member) ? member->valuedouble : 0;

        if (!member)
            continue;
        if (!(value >= 1 && value <= (double)max) || value != floor(value))
            return error_set(err, ERROR_FORMAT, "%s must be a whole number from 1 to %zu", *names,
                             max);
        *out = (size_t)value;
        break;
    }
    return 0;
}

/* Experts in every layer, as wide as the MLP of a dense model. */
static int read_moe(struct model_spec *spec, const cJSON *config, size_t n_experts,
                    size_t n_chosen, struct error *err)
{
    static const char *const counts[] = {"num_local_experts", "num_experts", "n_routed_experts",
                                         "moe_num_experts", NULL};
    static const char *const chosen[] = {"num_experts_per_tok", "moe_top_k", "router_topk",
                                         "experts_per_token", NULL};
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;

    if (read_count(config, counts, n_experts, 65536, &moe->n_experts, err) ||
        read_count(config, chosen, n_chosen, 65536, &moe->n_chosen, err))
        return -1;
    if (moe->n_chosen > moe->n_experts)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token, of %zu", moe->n_chosen,
                         moe->n_experts);
    moe->intermediate_size = stack->intermediate_size;
    moe->router = spec->family->router;
    stack->is_sparse = memory_zalloc(stack->n_layers, 1);
    memset(stack->is_sparse, 1, stack->n_layers);
    return 0;
}

static int adjust_mixtral(struct model_spec *spec, const cJSON *config, struct error *err)
{
    return read_moe(spec, config, 8, 2, err);
}

/* Layers that mlp_only_layers lists, and those between the steps, have an MLP. */
static int read_sparse_layers(struct stack_spec *stack, const cJSON *config, struct error *err)
{
    const cJSON *dense = json_find(config, "mlp_only_layers"), *item;
    double step;

    if (number(config, "decoder_sparse_step", 1, 1, &step, err))
        return -1;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = (i + 1) % (size_t)step == 0;
    cJSON_ArrayForEach(item, dense)
        if (cJSON_IsNumber(item) && item->valuedouble >= 0 &&
            item->valuedouble < (double)stack->n_layers)
            stack->is_sparse[(size_t)item->valuedouble] = 0;
    return 0;
}

static int read_qwen_moe(struct model_spec *spec, const cJSON *config, size_t n_experts,
                         size_t n_chosen, size_t size, struct error *err)
{
    static const char *const sizes[] = {"moe_intermediate_size", NULL};
    struct moe_spec *moe = &spec->stack.moe;

    if (read_moe(spec, config, n_experts, n_chosen, err) ||
        read_count(config, sizes, size, 100000000, &moe->intermediate_size, err))
        return -1;
    if (json_find_bool(config, "norm_topk_prob") == 1)
        moe->router = ROUTER_TOP_P_SUM_1;
    return read_sparse_layers(&spec->stack, config, err);
}

/* Not as in Qwen2: of the layers below max_window_layers every other one slides. */
static int read_qwen2_moe_windows(struct stack_spec *stack, const cJSON *config,
                                  struct error *err)
{
    double end;

    if (number(config, "max_window_layers", 28, 0, &end, err))
        return -1;
    if (json_find_bool(config, "use_sliding_window") != 1)
        stack->window = 0;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && i % 2 == 0 && (double)i < end;
    return 0;
}

static int adjust_qwen2_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const sizes[] = {"shared_expert_intermediate_size", NULL};

    if (read_qwen_moe(spec, config, 60, 4, 1408, err) ||
        read_count(config, sizes, 5632, 100000000, &spec->stack.moe.shared_size, err))
        return -1;
    spec->stack.moe.has_shared_gate = true;
    spec->stack.has_qkv_bias = json_find_bool(config, "qkv_bias") != 0;
    return read_qwen2_moe_windows(&spec->stack, config, err);
}

static int adjust_qwen3_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    if (read_qwen_moe(spec, config, 128, 8, 768, err))
        return -1;
    read_attention_bias(spec, config);
    /* Its class has no max_window_layers: where windows are used, all layers slide. */
    if (json_find_bool(config, "use_sliding_window") != 1) {
        spec->stack.window = 0;
        memset(spec->stack.slides, 0, spec->stack.n_layers);
    }
    return 0;
}

static int adjust_olmoe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double clip;

    if (read_moe(spec, config, 64, 8, err) || number(config, "clip_qkv", 0, 0, &clip, err))
        return -1;
    read_attention_bias(spec, config);
    if (json_find_bool(config, "norm_topk_prob") == 1)
        spec->stack.moe.router = ROUTER_TOP_P_SUM_1;
    spec->stack.qkv_clip = (float)clip;
    spec->stack.has_flat_qk_norm = true;
    return 0;
}

static int adjust_phi_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double jitter;

    if (read_moe(spec, config, 16, 2, err) ||
        number(config, "router_jitter_noise", 0.01, 0, &jitter, err))
        return -1;
    if (spec->stack.moe.n_chosen != 2)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token; its router chooses 2",
                         spec->stack.moe.n_chosen);
    read_attention_bias(spec, config);
    spec->has_head_bias = json_find_bool(config, "lm_head_bias") == 1;
    spec->stack.moe.jitter = (float)jitter;
    return 0;
}

static int adjust_jetmoe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const sizes[] = {"intermediate_size", "ffn_hidden_size", NULL};
    struct stack_spec *stack = &spec->stack;
    size_t n_kv_heads = stack->n_kv_heads;

    if (read_moe(spec, config, 8, 2, err) ||
        read_count(config, sizes, 5632, 100000000, &stack->moe.intermediate_size, err))
        return -1;
    /* Each chosen expert has a query head for each key and value. */
    stack->n_heads = n_kv_heads * stack->moe.n_chosen;
    if (stack->n_heads > 1000000)
        return bad(err, "num_key_value_heads", (double)n_kv_heads);
    stack->norm_eps = 1e-6f; /* fixed, but for the last norm */
    stack->has_moe_attention = stack->moe.has_bias = true;
    return 0;
}

static int adjust_gpt_oss(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    double limit, alpha;

    if (read_moe(spec, config, 128, 4, err) ||
        number(config, "swiglu_limit", 7, 1e-6, &limit, err) ||
        number(config, "swiglu_alpha", 1.702, -1e6, &alpha, err))
        return -1;
    if (alpha != 1.702)
        return error_set(err, ERROR_UNSUPPORTED, "swiglu_alpha %g; only 1.702 is supported", alpha);
    stack->has_qkv_bias = stack->has_o_bias = json_find_bool(config, "attention_bias") != 0;
    stack->has_sinks = stack->moe.has_router_bias = true;
    stack->moe.clamp = (float)limit;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->slides[i] = stack->window && i % 2 == 0;
    return 0;
}

/* ---- DeepSeek ---- */

/* As read_count, but null is no default: the class has a number there. */
static int need_count(const cJSON *config, const char *name, size_t fallback, size_t *out,
                      struct error *err)
{
    const char *const names[] = {name, NULL};

    if (cJSON_HasObjectItem(config, name))
        fallback = 0;
    if (read_count(config, names, fallback, 100000, out, err))
        return -1;
    return *out ? 0 : error_set(err, ERROR_FORMAT, "%s is missing", name);
}

/* Another way to choose or to attend than this version of the model has. */
static int need_value(const cJSON *config, const char *name, const char *value, struct error *err)
{
    const char *given = json_find_string(config, name);

    if (!given || strcmp(given, value) == 0)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "%s '" ERROR_NAME "'; only '%s' is supported", name,
                     given, value);
}

static int read_mla(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const q_ranks[] = {"q_lora_rank", NULL};
    struct stack_spec *stack = &spec->stack;
    struct mla_spec *mla = &stack->mla;
    const struct rope_spec *rope = &stack->rope[0];

    if (need_count(config, "kv_lora_rank", 512, &mla->kv_rank, err) ||
        need_count(config, "qk_nope_head_dim", 128, &mla->still_dim, err) ||
        need_count(config, "v_head_dim", 128, &stack->value_dim, err) ||
        read_count(config, q_ranks, cJSON_HasObjectItem(config, q_ranks[0]) ? 0 : 1536, 100000,
                   &mla->q_rank, err))
        return -1;
    if (rope->n_dims != stack->head_dim)
        return error_set(err, ERROR_UNSUPPORTED, "partial_rotary_factor of a latent head");
    stack->head_dim += mla->still_dim;
    stack->n_kv_heads = stack->n_heads; /* each has its own, whatever num_key_value_heads says */
    if (stack->n_heads * (stack->head_dim + stack->value_dim) > 100000000)
        return error_set(err, ERROR_FORMAT, "%zu heads of %zu and %zu dimensions", stack->n_heads,
                         stack->head_dim, stack->value_dim);
    stack->score_scale = (float)(1 / sqrt((double)stack->head_dim));
    if (rope->mscale_all_dim != 0 && rope->factor > 1) {
        double factor = 0.1 * rope->mscale_all_dim * log(rope->factor) + 1;

        stack->score_scale = (float)(1 / sqrt((double)stack->head_dim) * factor * factor);
    }
    read_attention_bias(spec, config);
    return 0;
}

static int read_groups(struct moe_spec *moe, const cJSON *config, size_t n_groups, size_t n_kept,
                       struct error *err)
{
    size_t size;

    if (need_count(config, "n_group", n_groups, &moe->n_groups, err) ||
        need_count(config, "topk_group", n_kept, &moe->n_kept_groups, err))
        return -1;
    if (moe->n_experts % moe->n_groups)
        return error_set(err, ERROR_FORMAT, "%zu experts cannot be divided into %zu groups",
                         moe->n_experts, moe->n_groups);
    if (moe->n_kept_groups > moe->n_groups)
        return error_set(err, ERROR_FORMAT, "topk_group is %zu, of %zu groups", moe->n_kept_groups,
                         moe->n_groups);
    size = moe->n_experts / moe->n_groups;
    if (moe->n_chosen > moe->n_kept_groups * size)
        return error_set(err, ERROR_FORMAT, "%zu experts for each token, of %zu in %zu groups",
                         moe->n_chosen, moe->n_kept_groups * size, moe->n_kept_groups);
    if (moe->router != ROUTER_TOP_P && size < 2)
        return error_set(err, ERROR_FORMAT, "groups of one expert; they are judged by their best "
                         "two");
    return 0;
}

struct deepseek_defaults {
    size_t n_experts, n_chosen, n_shared, size, n_dense;
    double factor;
};

/* Experts but in the first layers; some more, which together are one, for every token. */
static int read_deepseek_moe(struct model_spec *spec, const cJSON *config,
                             const struct deepseek_defaults *defaults, struct error *err)
{
    static const char *const sizes[] = {"moe_intermediate_size", NULL};
    struct stack_spec *stack = &spec->stack;
    struct moe_spec *moe = &stack->moe;
    bool has_shared = cJSON_HasObjectItem(config, "n_shared_experts"); /* null: there are none */
    double n_shared, n_dense, step, factor;

    if (read_moe(spec, config, defaults->n_experts, defaults->n_chosen, err) ||
        read_count(config, sizes, defaults->size, 100000000, &moe->intermediate_size, err) ||
        number(config, "n_shared_experts", has_shared ? 0 : (double)defaults->n_shared, 0,
               &n_shared, err) ||
        number(config, "first_k_dense_replace", (double)defaults->n_dense, 0, &n_dense, err) ||
        number(config, "moe_layer_freq", 1, 1, &step, err) ||
        number(config, "routed_scaling_factor", defaults->factor, -1e6, &factor, err))
        return -1;
    if (moe->n_chosen == 0)
        return error_set(err, ERROR_FORMAT, "num_experts_per_tok is missing");
    if (n_shared != floor(n_shared) || n_shared * (double)moe->intermediate_size > 1e8)
        return bad(err, "n_shared_experts", n_shared);
    if (json_find_bool(config, "mlp_bias") == 1)
        return error_set(err, ERROR_UNSUPPORTED, "mlp_bias is true");
    moe->shared_size = (size_t)n_shared * moe->intermediate_size;
    moe->weight_factor = (float)factor;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = (double)i >= n_dense && i % (size_t)step == 0;
    return 0;
}

/* norm_topk_prob is not looked at, as in transformers; no release has it. */
static int adjust_deepseek_v2(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const struct deepseek_defaults defaults = {.n_experts = 64, .n_shared = 2,
                                                      .size = 1407, .factor = 1};
    const char *method = json_find_string(config, "topk_method");

    if (read_mla(spec, config, err) || read_deepseek_moe(spec, config, &defaults, err) ||
        need_value(config, "scoring_func", "softmax", err))
        return -1;
    spec->stack.mla.rotates_pairs = true;
    if (method && strcmp(method, "group_limited_greedy") == 0)
        return read_groups(&spec->stack.moe, config, 0, 0, err);
    return need_value(config, "topk_method", "greedy", err);
}

static int adjust_deepseek_v3(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const struct deepseek_defaults defaults = {.n_experts = 256, .n_chosen = 8,
                                                      .n_shared = 1, .size = 2048, .n_dense = 3,
                                                      .factor = 2.5};
    struct moe_spec *moe = &spec->stack.moe;

    if (read_mla(spec, config, err) || read_deepseek_moe(spec, config, &defaults, err) ||
        need_value(config, "scoring_func", "sigmoid", err) ||
        need_value(config, "topk_method", "noaux_tc", err))
        return -1;
    if (json_find_bool(config, "norm_topk_prob") == 0)
        moe->router = ROUTER_SIGMOID;
    spec->stack.mla.rotates_pairs = json_find_bool(config, "rope_interleave") != 0;
    return read_groups(moe, config, 8, 4, err);
}

static int adjust_granite_moe(struct model_spec *spec, const cJSON *config, struct error *err)
{
    double attention, embedding, residual, logits;

    if (read_moe(spec, config, 8, 2, err) ||
        number(config, "attention_multiplier", 1, -1e6, &attention, err) ||
        number(config, "embedding_multiplier", 1, -1e6, &embedding, err) ||
        number(config, "residual_multiplier", 1, -1e6, &residual, err) ||
        number(config, "logits_scaling", 1, -1e6, &logits, err))
        return -1;
    if (logits == 0)
        return bad(err, "logits_scaling", logits);
    read_attention_bias(spec, config);
    spec->embedding_scale = (float)embedding;
    spec->logit_scale = (float)(1 / logits);
    spec->stack.score_scale = (float)attention;
    spec->stack.residual_scale = (float)residual;
    return 0;
}

/* ---- encoder-decoders ---- */

/* "relu", or "gated-" and a name, where "gelu" means the approximation. */
static int read_projection(struct stack_spec *stack, const char *text, struct error *err)
{
    static const struct {
        const char *name;
        enum activation activation;
        bool is_gated;
    } kinds[] = {
        {"relu", ACTIVATION_RELU, false},       {"gelu", ACTIVATION_GELU, false},
        {"silu", ACTIVATION_SILU, false},       {"gelu_new", ACTIVATION_GELU_TANH, false},
        {"gated-gelu", ACTIVATION_GELU_TANH, true}, {"gated-silu", ACTIVATION_SILU, true},
        {"gated-relu", ACTIVATION_RELU, true},  {"gated-gelu_new", ACTIVATION_GELU_TANH, true},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(text, kinds[i].name) == 0) {
            stack->activation = kinds[i].activation;
            stack->is_gated = kinds[i].is_gated;
            return 0;
        }
    return error_set(err, ERROR_UNSUPPORTED, "unknown feed_forward_proj '" ERROR_NAME "'", text);
}

static int adjust_t5(struct model_spec *spec, const cJSON *config, struct error *err)
{
    struct stack_spec *stack = &spec->stack;
    const char *projection = json_find_string(config, "feed_forward_proj");
    double buckets, distance, n_layers, start;
    int scales = json_find_bool(config, "scale_decoder_outputs");

    if (number(config, "relative_attention_num_buckets", 32, 4, &buckets, err) ||
        number(config, "relative_attention_max_distance", 128, 1, &distance, err) ||
        number(config, "num_decoder_layers", (double)stack->n_layers, 1, &n_layers, err) ||
        number(config, "decoder_start_token_id", spec->pad_id < 0 ? 0 : (double)spec->pad_id, 0,
               &start, err) ||
        read_projection(stack, projection ? projection : spec->family->defaults.activation, err))
        return -1;
    if (buckets > 1e6 || distance > 1e9 || distance <= buckets / 2)
        return error_set(err, ERROR_FORMAT, "relative_attention_max_distance is %g, with %g "
                         "buckets", distance, buckets);
    if (n_layers > 10000 || start >= (double)spec->vocab_size)
        return n_layers > 10000 ? bad(err, "num_decoder_layers", n_layers)
                                : bad(err, "decoder_start_token_id", start);
    /* One array for both stacks; nothing slides. */
    stack->slides = memory_resize(stack->slides, stack->n_layers + (size_t)n_layers, 1);
    memset(stack->slides, 0, stack->n_layers + (size_t)n_layers);
    stack->n_buckets = (size_t)buckets;
    stack->max_distance = (size_t)distance;
    stack->score_scale = 1;
    stack->has_bias_per_layer = spec->family == &family_umt5;
    spec->decoder_start_id = (uint32_t)start;
    /* The flag is older than the key: it said whether the head's input is scaled. mT5 has never had
     * a tied head. */
    if (scales < 0)
        scales = spec->family != &family_mt5 && json_find_bool(config, "tie_word_embeddings") != 0;
    spec->logit_scale = scales ? (float)(1 / sqrt((double)spec->hidden_size)) : 1;
    spec->encoder = *stack;
    spec->encoder.names = spec->family->names->encoder_layers;
    spec->encoder.is_causal = false;
    stack->n_layers = (size_t)n_layers;
    stack->has_cross_attention = true;
    return 0;
}

/* Of n layers so many have experts, at equal distances; the first of them is the second layer. */
static int read_switch_layers(struct stack_spec *stack, const cJSON *config, const char *key,
                              struct error *err)
{
    double n_sparse;
    size_t step;

    if (number(config, key, 3, 0, &n_sparse, err))
        return -1;
    stack->is_sparse = memory_zalloc(stack->n_layers, 1);
    if (n_sparse < 1)
        return 0;
    if (n_sparse > (double)stack->n_layers)
        return error_set(err, ERROR_FORMAT, "%s is %g, of %zu layers", key, n_sparse,
                         stack->n_layers);
    step = stack->n_layers / (size_t)n_sparse;
    for (size_t i = 0; i < stack->n_layers; i++)
        stack->is_sparse[i] = step == 1 || i % step == 1;
    return 0;
}

static int adjust_switch(struct model_spec *spec, const cJSON *config, struct error *err)
{
    static const char *const counts[] = {"num_experts", NULL};
    struct moe_spec *moe = &spec->stack.moe;
    double capacity;

    if (read_count(config, counts, 8, 65536, &moe->n_experts, err) ||
        number(config, "expert_capacity", 64, 1, &capacity, err))
        return -1;
    moe->n_chosen = 1;
    moe->capacity = (size_t)capacity;
    moe->intermediate_size = spec->stack.intermediate_size;
    moe->router = ROUTER_TOP_P;
    moe->has_router_bias = json_find_bool(config, "router_bias") == 1;
    if (adjust_t5(spec, config, err))
        return -1;
    if (spec->stack.is_gated)
        return error_set(err, ERROR_UNSUPPORTED, "gated experts");
    return read_switch_layers(&spec->stack, config, "num_sparse_decoder_layers", err) ||
                   read_switch_layers(&spec->encoder, config, "num_sparse_encoder_layers", err)
               ? -1
               : 0;
}

/* ---- families ---- */

const struct family family_bert = {
    .name = "BERT",
    .names = &bert_names,
    .defaults = {.vocab_size = 30522, .hidden_size = 768, .n_layers = 12, .n_heads = 12,
                 .intermediate_size = 3072, .max_positions = 512, .n_token_types = 2,
                 .norm_eps = 1e-12, .activation = "gelu", .pad_id = 0},
    .norm = NORM_LAYER,
    .block = BLOCK_POST_NORM,
    .position = POSITION_LEARNED,
    .classifier = CLASSIFIER_POOLER,
    .has_qkv_bias = true, .has_o_bias = true, .has_mlp_bias = true,
    .lacks_final_norm = true,
    .adjust = adjust_bert,
};

const struct family family_roberta = {
    .name = "RoBERTa, XLM-RoBERTa",
    .names = &bert_names,
    .defaults = {.vocab_size = 50265, .hidden_size = 768, .n_layers = 12, .n_heads = 12,
                 .intermediate_size = 3072, .max_positions = 512, .n_token_types = 2,
                 .norm_eps = 1e-12, .activation = "gelu", .pad_id = 1},
    .norm = NORM_LAYER,
    .block = BLOCK_POST_NORM,
    .position = POSITION_LEARNED,
    .classifier = CLASSIFIER_DENSE,
    .has_qkv_bias = true, .has_o_bias = true, .has_mlp_bias = true,
    .lacks_final_norm = true,
    .adjust = adjust_roberta,
};

const struct family family_distilbert = {
    .name = "DistilBERT",
    .names = &distilbert_names,
    .defaults = {.vocab_size = 30522, .hidden_size = 768, .n_layers = 6, .n_heads = 12,
                 .intermediate_size = 3072, .max_positions = 512, .norm_eps = 1e-12,
                 .activation = "gelu", .pad_id = 0},
    .norm = NORM_LAYER,
    .block = BLOCK_POST_NORM,
    .position = POSITION_LEARNED,
    .classifier = CLASSIFIER_RELU,
    .has_qkv_bias = true, .has_o_bias = true, .has_mlp_bias = true,
    .lacks_final_norm = true,
    .adjust = adjust_distilbert,
};

const struct family family_llama = {
    .name = "Llama",
    .names = &llama_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .intermediate_size = 11008, .max_positions = 2048, .norm_eps = 1e-6,
                 .theta = 1e4, .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .adjust = adjust_llama,
};

const struct family family_mistral = {
    .name = "Mistral",
    .names = &llama_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .n_kv_heads = 8, .intermediate_size = 14336, .max_positions = 131072,
                 .window = 4096, .norm_eps = 1e-6, .theta = 1e4, .activation = "silu",
                 .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
};

const struct family family_qwen2 = {
    .name = "Qwen2",
    .names = &llama_names,
    .defaults = {.vocab_size = 151936, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .intermediate_size = 22016, .max_positions = 32768, .window = 4096,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .has_qkv_bias = true,
    .adjust = adjust_qwen2,
};

const struct family family_qwen3 = {
    .name = "Qwen3",
    .names = &llama_names,
    .defaults = {.vocab_size = 151936, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .head_dim = 128, .intermediate_size = 22016, .max_positions = 32768,
                 .window = 4096, .norm_eps = 1e-6, .theta = 1e4, .activation = "silu",
                 .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .has_qk_norm = true,
    .adjust = adjust_qwen3,
};

const struct family family_gemma = {
    .name = "Gemma",
    .names = &llama_names,
    .defaults = {.vocab_size = 256000, .hidden_size = 3072, .n_layers = 28, .n_heads = 16,
                 .head_dim = 256, .intermediate_size = 24576, .max_positions = 8192,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "gelu_pytorch_tanh",
                 .pad_id = 0},
    .norm = NORM_RMS_OFFSET,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .adjust = adjust_gemma,
};

const struct family family_gemma2 = {
    .name = "Gemma 2",
    .names = &gemma2_names,
    .defaults = {.vocab_size = 256000, .hidden_size = 2304, .n_layers = 26, .n_heads = 8,
                 .n_kv_heads = 4, .head_dim = 256, .intermediate_size = 9216,
                 .max_positions = 8192, .window = 4096, .norm_eps = 1e-6, .theta = 1e4,
                 .activation = "gelu_pytorch_tanh", .pad_id = 0},
    .norm = NORM_RMS_OFFSET,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .has_post_norms = true,
    .adjust = adjust_gemma2,
};

const struct family family_gemma3 = {
    .name = "Gemma 3",
    .names = &gemma2_names,
    .defaults = {.vocab_size = 262208, .hidden_size = 2304, .n_layers = 26, .n_heads = 8,
                 .n_kv_heads = 4, .head_dim = 256, .intermediate_size = 9216,
                 .max_positions = 131072, .window = 4096, .norm_eps = 1e-6, .theta = 1e6,
                 .activation = "gelu_pytorch_tanh", .pad_id = 0},
    .norm = NORM_RMS_OFFSET,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .has_qk_norm = true, .has_post_norms = true,
    .adjust = adjust_gemma2,
};

const struct family family_gpt2 = {
    .name = "GPT-2",
    .names = &gpt2_names,
    .defaults = {.vocab_size = 50257, .hidden_size = 768, .n_layers = 12, .n_heads = 12,
                 .max_positions = 1024, .norm_eps = 1e-5, .activation = "gelu_new",
                 .pad_id = -1},
    .norm = NORM_LAYER,
    .position = POSITION_LEARNED,
    .qkv = QKV_FUSED,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_conv1d = true,
    .has_qkv_bias = true, .has_o_bias = true, .has_mlp_bias = true,
    .adjust = adjust_gpt2,
};

const struct family family_gpt_neox = {
    .name = "GPT-NeoX",
    .names = &gpt_neox_names,
    .defaults = {.vocab_size = 50432, .hidden_size = 6144, .n_layers = 44, .n_heads = 64,
                 .intermediate_size = 24576, .max_positions = 2048, .norm_eps = 1e-5,
                 .theta = 1e4, .activation = "gelu",
                 .pad_id = -1},
    .norm = NORM_LAYER,
    .block = BLOCK_PARALLEL,
    .position = POSITION_ROTARY,
    .qkv = QKV_PER_HEAD,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true,
    .has_qkv_bias = true, .has_o_bias = true, .has_mlp_bias = true,
    .adjust = adjust_gpt_neox,
};

const struct family family_phi3 = {
    .name = "Phi-3",
    .names = &phi3_names,
    .defaults = {.vocab_size = 32064, .hidden_size = 3072, .n_layers = 32, .n_heads = 32,
                 .intermediate_size = 8192, .max_positions = 4096, .norm_eps = 1e-5,
                 .theta = 1e4, .activation = "silu", .pad_id = 32000},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .qkv = QKV_FUSED,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
};

const struct family family_mixtral = {
    .name = "Mixtral",
    .names = &mixtral_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .n_kv_heads = 8, .intermediate_size = 14336, .max_positions = 131072,
                 .norm_eps = 1e-5, .theta = 1e6, .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_P_SUM_1,
    .adjust = adjust_mixtral,
};

const struct family family_qwen2_moe = {
    .name = "Qwen2-MoE",
    .names = &qwen_moe_names,
    .defaults = {.vocab_size = 151936, .hidden_size = 2048, .n_layers = 24, .n_heads = 16,
                 .intermediate_size = 5632, .max_positions = 32768, .window = 4096,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .has_qkv_bias = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_qwen2_moe,
};

const struct family family_qwen3_moe = {
    .name = "Qwen3-MoE",
    .names = &qwen_moe_names,
    .defaults = {.vocab_size = 151936, .hidden_size = 2048, .n_layers = 24, .n_heads = 32,
                 .n_kv_heads = 4, .intermediate_size = 6144, .max_positions = 32768,
                 .window = 4096, .norm_eps = 1e-6, .theta = 1e4, .activation = "silu",
                 .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .has_qk_norm = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_qwen3_moe,
};

const struct family family_olmoe = {
    .name = "OLMoE",
    .names = &qwen_moe_names,
    .defaults = {.vocab_size = 50304, .hidden_size = 2048, .n_layers = 16, .n_heads = 16,
                 .intermediate_size = 2048, .max_positions = 4096, .norm_eps = 1e-5,
                 .theta = 1e4, .activation = "silu", .pad_id = 1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true,
    .has_qk_norm = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_olmoe,
};

const struct family family_phi_moe = {
    .name = "PhiMoE",
    .names = &mixtral_names,
    .defaults = {.vocab_size = 32064, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .n_kv_heads = 8, .intermediate_size = 6400, .max_positions = 131072,
                 .norm_eps = 1e-5, .theta = 1e6, .activation = "silu", .pad_id = -1},
    .norm = NORM_LAYER,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_SPARSEMIXER,
    .adjust = adjust_phi_moe,
};

const struct family family_gpt_oss = {
    .name = "gpt-oss",
    .names = &gpt_oss_names,
    .defaults = {.vocab_size = 201088, .hidden_size = 2880, .n_layers = 36, .n_heads = 64,
                 .n_kv_heads = 8, .head_dim = 64, .intermediate_size = 2880,
                 .max_positions = 131072, .window = 128, .norm_eps = 1e-5, .theta = 150000,
                 .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_gpt_oss,
};

const struct family family_jetmoe = {
    .name = "JetMoE",
    .names = &jetmoe_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 2048, .n_layers = 12, .n_heads = 32,
                 .n_kv_heads = 16, .head_dim = 128, .intermediate_size = 5632,
                 .max_positions = 4096, .norm_eps = 1e-6, .theta = 1e4, .activation = "silu",
                 .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_jetmoe,
};

const struct family family_deepseek_v2 = {
    .name = "DeepSeek-V2",
    .names = &deepseek_names,
    .defaults = {.vocab_size = 102400, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .head_dim = 64, .intermediate_size = 11008, .max_positions = 2048,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .qkv = QKV_LATENT,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_deepseek_v2,
};

const struct family family_deepseek_v3 = {
    .name = "DeepSeek-V3",
    .names = &deepseek_names,
    .defaults = {.vocab_size = 129280, .hidden_size = 7168, .n_layers = 61, .n_heads = 128,
                 .head_dim = 64, .intermediate_size = 18432, .max_positions = 4096,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .qkv = QKV_LATENT,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_SIGMOID_SUM_1,
    .adjust = adjust_deepseek_v3,
};

const struct family family_granite_moe = {
    .name = "GraniteMoE",
    .names = &granite_moe_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .intermediate_size = 11008, .max_positions = 2048, .norm_eps = 1e-6,
                 .theta = 1e4, .activation = "silu", .pad_id = -1},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_granite_moe,
};

const struct family family_t5 = {
    .name = "T5",
    .names = &t5_names,
    .defaults = {.vocab_size = 32128, .hidden_size = 512, .n_layers = 6, .n_heads = 8,
                 .head_dim = 64, .intermediate_size = 2048, .norm_eps = 1e-6,
                 .activation = "relu", .pad_id = 0},
    .norm = NORM_RMS,
    .position = POSITION_RELATIVE,
    .is_causal = true, .is_encoder_decoder = true,
    .adjust = adjust_t5,
};

const struct family family_mt5 = {
    .name = "mT5",
    .names = &t5_names,
    .defaults = {.vocab_size = 250112, .hidden_size = 512, .n_layers = 8, .n_heads = 6,
                 .head_dim = 64, .intermediate_size = 1024, .norm_eps = 1e-6,
                 .activation = "gated-gelu", .pad_id = 0},
    .norm = NORM_RMS,
    .position = POSITION_RELATIVE,
    .is_causal = true, .is_encoder_decoder = true,
    .adjust = adjust_t5,
};

const struct family family_umt5 = {
    .name = "umT5",
    .names = &t5_names,
    .defaults = {.vocab_size = 250112, .hidden_size = 512, .n_layers = 8, .n_heads = 6,
                 .head_dim = 64, .intermediate_size = 1024, .norm_eps = 1e-6,
                 .activation = "gated-gelu", .pad_id = 0},
    .norm = NORM_RMS,
    .position = POSITION_RELATIVE,
    .is_causal = true, .is_encoder_decoder = true,
    .adjust = adjust_t5,
};

const struct family family_switch = {
    .name = "Switch Transformers",
    .names = &switch_names,
    .defaults = {.vocab_size = 32128, .hidden_size = 768, .n_layers = 12, .n_heads = 12,
                 .head_dim = 64, .intermediate_size = 2048, .norm_eps = 1e-6,
                 .activation = "relu", .pad_id = 0},
    .norm = NORM_RMS,
    .position = POSITION_RELATIVE,
    .is_causal = true, .is_encoder_decoder = true,
    .adjust = adjust_switch,
};
