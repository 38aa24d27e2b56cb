#include "spec_settings.h"

#include "arch/config_spellings.h"
#include "arch/model_spec.h"

const struct setting_home setting_homes[] = {
    {IN_MODEL, 0},
    {IN_STACK, offsetof(struct model_spec, stack)},
    {IN_ENCODER, offsetof(struct model_spec, encoder)},
    {IN_MLA, offsetof(struct model_spec, stack.mla)},
    {IN_MOE, offsetof(struct model_spec, stack.moe)},
    {IN_MOE, offsetof(struct model_spec, encoder.moe)},
    {IN_ATTENTION_MOE, offsetof(struct model_spec, stack.attention_moe)},
    {IN_ROPE, offsetof(struct model_spec, stack.rope[0])},
    {IN_SLIDING_ROPE, offsetof(struct model_spec, stack.rope[1])},
};
const size_t n_setting_homes = sizeof setting_homes / sizeof *setting_homes;

/* ---- the names of kinds ---- */

static const char *const norms[] = {
    [NORM_LAYER] = "layer norm",
    [NORM_LAYER_OFFSET] = "layer norm with weights + 1",
    [NORM_RMS] = "RMS norm",
    [NORM_RMS_OFFSET] = "RMS norm with weights + 1",
};
static const char *const blocks[] = {
    [BLOCK_PRE_NORM] = "one after the other, norms first",
    [BLOCK_POST_NORM] = "one after the other, norms last",
    [BLOCK_PARALLEL] = "in parallel",
};
static const char *const positions[] = {
    [POSITION_LEARNED] = "learned",
    [POSITION_ROTARY] = "rotary",
    [POSITION_RELATIVE] = "relative",
    [POSITION_NONE] = "none",
};
static const char *const qkvs[] = {
    [QKV_SEPARATE] = "three matrices",
    [QKV_FUSED] = "one matrix",
    [QKV_PER_HEAD] = "one matrix, head by head",
    [QKV_LATENT] = "latent",
};
static const char *const activations[N_ACTIVATIONS] = { /* as config.json calls them */
    [ACTIVATION_SILU] = "\"silu\"",
    [ACTIVATION_GELU] = "\"gelu\"",
    [ACTIVATION_GELU_TANH] = "\"gelu_pytorch_tanh\"",
    [ACTIVATION_GELU_QUICK] = "\"quick_gelu\"",
    [ACTIVATION_RELU] = "\"relu\"",
    [ACTIVATION_RELU_SQUARED] = "\"relu2\"",
    [ACTIVATION_TANH] = "\"tanh\"",
    [ACTIVATION_SIGMOID] = "\"sigmoid\"",
    [ACTIVATION_IDENTITY] = "\"linear\"",
};
static const char *const gates[N_GATE_KINDS] = { /* likewise */
    [GATE_LINEAR] = "\"linear\"",
    [GATE_MLP] = "\"mlp\"",
    [GATE_COSINE] = "\"gmm\"",
};
static const char *const routers[] = {
    [ROUTER_TOP_P] = "softmax",
    [ROUTER_TOP_P_SUM_1] = "softmax",
    [ROUTER_TOP_LOGITS] = "softmax",
    [ROUTER_SPARSEMIXER] = "sparsemixer",
    [ROUTER_SIGMOID] = "sigmoid",
    [ROUTER_SIGMOID_SUM_1] = "sigmoid",
    [ROUTER_SQRT_SOFTPLUS] = "square root of softplus",
    [ROUTER_SQRT_SOFTPLUS_SUM_1] = "square root of softplus",
};
static const char *const router_sums[] = { /* norm_topk_prob */
    [ROUTER_TOP_P] = "false",
    [ROUTER_TOP_P_SUM_1] = "true",
    [ROUTER_TOP_LOGITS] = "true",
    [ROUTER_SPARSEMIXER] = "false",
    [ROUTER_SIGMOID] = "false",
    [ROUTER_SIGMOID_SUM_1] = "true",
    [ROUTER_SQRT_SOFTPLUS] = "false",
    [ROUTER_SQRT_SOFTPLUS_SUM_1] = "true",
};

/* ---- the rows ---- */

#define MODEL(field) IN_MODEL, offsetof(struct model_spec, field)
#define STACK(field) IN_STACK, offsetof(struct stack_spec, field)
#define ENCODER(field) IN_ENCODER, offsetof(struct stack_spec, field)
#define STACKS(field) IN_STACK | IN_ENCODER, offsetof(struct stack_spec, field)
#define MLA(field) IN_MLA, offsetof(struct mla_spec, field)
#define MOE(field) IN_MOE, offsetof(struct moe_spec, field)
#define ATTENTION_MOE(field) IN_ATTENTION_MOE, offsetof(struct moe_spec, field)
#define MOES(field) IN_MOE | IN_ATTENTION_MOE, offsetof(struct moe_spec, field)
#define ROPE(field) IN_ROPE, offsetof(struct rope_spec, field)
#define SLIDING_ROPE(field) IN_SLIDING_ROPE, offsetof(struct rope_spec, field)
#define ROPES(field) IN_ROPE | IN_SLIDING_ROPE, offsetof(struct rope_spec, field)

#define KEY(spelling) {.name = (spelling)},
#define THETA_KEYS {.name = "rope.rope_theta"}, {.name = "rotary_emb_base"}, {.name = "rope_theta"}

#define OF(kind) (1u << (kind))

/* What is refused comes first, and of that what others follow from: sizes, then kinds. */
const struct setting settings[] = {
    {MODEL(hidden_size), SETTING_SIZE, .same = "hidden size", .keys = {HIDDEN_SIZE_SPELLINGS(KEY)}},
    {STACK(n_layers), SETTING_SIZE, .same = "number of layers",
     .keys = {N_LAYERS_SPELLINGS(KEY) {.name = "num_decoder_layers"}}},
    {ENCODER(n_layers), SETTING_SIZE, .same = "number of layers",
     .keys = {N_LAYERS_SPELLINGS(KEY)}},
    {STACKS(n_heads), SETTING_HEADS, .same = "number of heads",
     .keys = {N_HEADS_SPELLINGS(KEY) N_KV_HEADS_SPELLINGS(KEY)}},
    {STACKS(n_kv_heads), SETTING_SIZE, .same = "number of key-value heads",
     .keys = {N_KV_HEADS_SPELLINGS(KEY) N_HEADS_SPELLINGS(KEY)}},
    {STACKS(head_dim), SETTING_SIZE, .same = "size of heads",
     .keys = {HEAD_DIM_SPELLINGS(KEY) {"qk_nope_head_dim", "128"}, {"att_hidden", "512"}}},
    {STACKS(v_head_dim), SETTING_SIZE, .same = "size of heads", .keys = {{.name = "v_head_dim"}}},
    {MLA(qk_nope_head_dim), SETTING_SIZE_OR_NONE, .same = "size of heads",
     .keys = {{.name = "qk_nope_head_dim"}}},
    {MLA(kv_lora_rank), SETTING_SIZE_OR_NONE, .same = "rank of keys and values",
     .keys = {{.name = "kv_lora_rank"}}},
    {MLA(q_lora_rank), SETTING_SIZE_OR_NONE, .same = "rank of queries",
     .keys = {{.name = "q_lora_rank"}}},
    {MOE(n_experts), SETTING_SIZE_OR_NONE, .same = "number of experts",
     .keys = {N_EXPERTS_SPELLINGS(KEY)}},
    {ATTENTION_MOE(n_experts), SETTING_SIZE_OR_NONE, .same = "number of experts",
     .keys = {N_ATTENTION_EXPERTS_SPELLINGS(KEY) N_EXPERTS_SPELLINGS(KEY)}},
    {STACKS(norm), SETTING_CHOICE, .same = "kind of norm", .plain = "the norm", .names = norms},
    {STACKS(position), SETTING_CHOICE, .same = "kind of positions",
     .plain = "the kind of positions", .names = positions,
     .keys = {{.name = "position_embedding_type"}}},
    {STACKS(qkv), SETTING_CHOICE, .same = "kind of attention",
     .plain = "the form of queries, keys and values", .names = qkvs},
    {STACKS(block), SETTING_CHOICE, .same = "kind of layers",
     .plain = "the order of attention and MLP", .names = blocks,
     .keys = {{"use_parallel_residual", "true"}}},
    {STACKS(activation), SETTING_CHOICE, .same = "activation", .plain = "the activation",
     .names = activations,
     .keys = {ACTIVATION_SPELLINGS(KEY) {.name = "feed_forward_proj"}}},
    {STACKS(is_gated), SETTING_BOOL, .same = "kind of MLP", .plain = "a gated MLP",
     .keys = {{"feed_forward_proj", "absent"}, {"gated_linear_unit", "false"}}},
    {STACKS(has_qk_norm), SETTING_BOOL, .same = "norms of queries and keys",
     .keys = {{.name = "qk_layernorm"}}},
    {MOES(gate), SETTING_CHOICE, .same = "kind of router", .names = gates,
     .keys = {{.name = "gate_type"}}},
    {MOES(router), SETTING_CHOICE, .same = "kind of router", .plain = "the router",
     .names = routers},

    {MODEL(family), SETTING_FAMILY,
     .keys = {{.name = "model_type"}, {.name = "architectures"}}},

    /* ---- rotary embeddings ---- */
    {ROPE(theta), SETTING_DOUBLE_OR_NONE, .keys = {THETA_KEYS, {.name = "sliding_window"}}},
    {SLIDING_ROPE(theta), SETTING_DOUBLE_OR_NONE,
     .keys = {{.name = "rope_local_base_freq"}, THETA_KEYS, {.name = "sliding_window"}}},
    {ROPES(n_dims), SETTING_SIZE, .plain = "the part of a head that rotates",
     .keys = {{"rope.partial_rotary_factor", "absent"}, {"rotary_pct", "absent"},
              {"partial_rotary_factor", "absent"}}},
    {ROPES(kind), SETTING_ROPE_KIND, .keys = {{.name = "rope.rope_type"}, {.name = "rope.type"}}},
    {ROPES(max_positions), SETTING_SIZE_OR_NONE, .keys = {MAX_POSITIONS_SPELLINGS(KEY)}},
    {ROPES(original_positions), SETTING_SIZE_OR_NONE,
     .rope_kinds = OF(ROPE_LLAMA3) | OF(ROPE_YARN) | OF(ROPE_LONGROPE),
     .keys = {{.name = "original_max_position_embeddings"},
              {.name = "rope.original_max_position_embeddings"},
              MAX_POSITIONS_SPELLINGS(KEY)}},
    {ROPES(factor), SETTING_DOUBLE,
     .rope_kinds = OF(ROPE_LINEAR) | OF(ROPE_DYNAMIC) | OF(ROPE_LLAMA3) | OF(ROPE_YARN),
     .keys = {{.name = "rope.factor"}, {.name = "original_max_position_embeddings"},
              {.name = "rope.original_max_position_embeddings"}, MAX_POSITIONS_SPELLINGS(KEY)}},
    {ROPES(low_freq_factor), SETTING_DOUBLE, .rope_kinds = OF(ROPE_LLAMA3),
     .keys = {{.name = "rope.low_freq_factor"}}},
    {ROPES(high_freq_factor), SETTING_DOUBLE, .rope_kinds = OF(ROPE_LLAMA3),
     .keys = {{.name = "rope.high_freq_factor"}}},
    {ROPES(beta_fast), SETTING_DOUBLE, .rope_kinds = OF(ROPE_YARN),
     .keys = {{.name = "rope.beta_fast"}}},
    {ROPES(beta_slow), SETTING_DOUBLE, .rope_kinds = OF(ROPE_YARN),
     .keys = {{.name = "rope.beta_slow"}}},
    {ROPES(truncates), SETTING_BOOL, .rope_kinds = OF(ROPE_YARN),
     .keys = {{.name = "rope.truncate"}}},
    {ROPES(short_factors), SETTING_ROPE_FACTORS, .rope_kinds = OF(ROPE_LONGROPE),
     .keys = {{.name = "rope.short_factor"}}},
    {ROPES(long_factors), SETTING_ROPE_FACTORS, .rope_kinds = OF(ROPE_LONGROPE),
     .keys = {{.name = "rope.long_factor"}}},
    {ROPES(short_mscale), SETTING_DOUBLE_OR_NONE, .rope_kinds = OF(ROPE_LONGROPE),
     .keys = {{.name = "rope.short_mscale"}}},
    {ROPES(long_mscale), SETTING_DOUBLE_OR_NONE, .rope_kinds = OF(ROPE_LONGROPE),
     .keys = {{.name = "rope.long_mscale"}}},
    {ROPES(attention_factor), SETTING_DOUBLE, .rope_kinds = OF(ROPE_YARN) | OF(ROPE_LONGROPE),
     .plain = "what rotary embeddings are multiplied by",
     .keys = {{.name = "rope.attention_factor"}, {"rope.mscale_all_dim", "none"},
              {"rope.mscale", "none"},
              {"rope.factor", "absent"}, {.name = "original_max_position_embeddings"},
              {.name = "rope.original_max_position_embeddings"}, MAX_POSITIONS_SPELLINGS(KEY)}},
    {STACKS(has_interleaved_rope), SETTING_BOOL, .plain = "rotating pairs of neighbours",
     .keys = {{.name = "rope_interleave"}, {.name = "rotary_interleaved"}}},

    /* ---- attention ---- */
    {STACKS(is_causal), SETTING_BOOL,
     .keys = {{.name = "is_causal"}, {.name = "is_decoder"},
              {"use_bidirectional_attention", "false"}}},
    {STACKS(window), SETTING_WINDOW,
     .keys = {{.name = "sliding_window"}, {"use_sliding_window", "false"},
              {"use_bidirectional_attention", "false"}, {"max_window_layers", "28"},
              {"sliding_window_pattern", "absent"}, {"layer_types", "absent"}}},
    {STACKS(slides), SETTING_SLIDING, .plain = "what slides",
     .keys = {{"max_window_layers", "28"}, {"sliding_window_pattern", "absent"},
              {"layer_types", "absent"}}},
    {STACKS(score_scale), SETTING_FLOAT, .plain = "the scale of attention scores",
     .keys = {{"query_pre_attn_scalar", "256"}, {.name = "attention_multiplier"},
              {"scale_attn_weights", "true"}, {"rope.mscale_all_dim", "none"},
              {"rope.factor", "absent"}, {.name = "rope.rope_type"}, {.name = "rope.type"}}},
    {STACKS(score_softcap), SETTING_FLOAT_OR_NONE, .keys = {{.name = "attn_logit_softcapping"}}},
    {STACKS(scales_by_layer), SETTING_BOOL, .keys = {{.name = "scale_attn_by_inverse_layer_idx"}}},
    {STACKS(qkv_clip), SETTING_FLOAT_OR_NONE, .keys = {{.name = "clip_qkv"}}},
    {STACKS(has_qkv_bias), SETTING_BOOL,
     .keys = {{.name = "attention_bias"}, {.name = "qkv_bias"}, {.name = "add_qkv_bias"},
              {"add_bias_linear", "true"}}},
    {STACKS(has_o_bias), SETTING_BOOL,
     .keys = {{.name = "attention_bias"}, {"add_bias_linear", "true"}}},
    {STACKS(n_buckets), SETTING_SIZE_OR_NONE, .keys = {{.name = "relative_attention_num_buckets"}}},
    {STACKS(max_distance), SETTING_SIZE_OR_NONE,
     .keys = {{.name = "relative_attention_max_distance"}}},

    /* ---- norms, MLPs and what lies between ---- */
    {STACKS(norm_eps), SETTING_FLOAT, .keys = {NORM_EPS_SPELLINGS(KEY)}},
    {STACKS(final_norm_eps), SETTING_FLOAT, .keys = {NORM_EPS_SPELLINGS(KEY)}},
    {STACKS(intermediate_size), SETTING_SIZE, .keys = {INTERMEDIATE_SIZE_SPELLINGS(KEY)}},
    {STACKS(has_mlp_bias), SETTING_BOOL, .keys = {{.name = "mlp_bias"}, {"add_bias_linear", "true"}}},
    {STACKS(residual_scale), SETTING_FLOAT, .keys = {{.name = "residual_multiplier"}}},

    /* ---- experts ---- */
    {MOE(n_chosen), SETTING_SIZE_OR_NONE,
     .keys = {N_CHOSEN_SPELLINGS(KEY)}},
    {ATTENTION_MOE(n_chosen), SETTING_SIZE_OR_NONE,
     .keys = {N_ATTENTION_CHOSEN_SPELLINGS(KEY) N_CHOSEN_SPELLINGS(KEY)}},
    {MOES(router), SETTING_CHOICE, .names = router_sums, .keys = {{.name = "norm_topk_prob"}}},
    {MOE(intermediate_size), SETTING_SIZE,
     .keys = {{.name = "moe_intermediate_size"}, INTERMEDIATE_SIZE_SPELLINGS(KEY)}},
    {MOE(shared_size), SETTING_SIZE_OR_NONE, .plain = "the size of the shared expert",
     .keys = {{.name = "shared_expert_intermediate_size"}, {"n_shared_experts", "absent"},
              {.name = "moe_intermediate_size"}}},
    {MOE(has_shared_gate), SETTING_BOOL, .plain = "a gate of the shared expert",
     .keys = {{.name = "moe_shared_expert_gate"}}},
    {STACK(is_sparse), SETTING_LAYERS, .plain = "what has experts",
     .keys = {{"decoder_sparse_step", "1"}, {"mlp_only_layers", "[]"},
              {"first_k_dense_replace", "absent"}, {"moe_layer_freq", "1"},
              {"moe_layer_interval", "4"}, {"num_sparse_decoder_layers", "3"},
              {"num_sparse_encoder_layers", "3"}}},
    {ENCODER(is_sparse), SETTING_LAYERS, .plain = "what has experts in the encoder",
     .keys = {{"num_sparse_encoder_layers", "3"}}},
    {MOES(capacity), SETTING_SIZE_OR_NONE, .keys = {{.name = "expert_capacity"}}},
    {MOES(capacity_factor), SETTING_DOUBLE_OR_NONE,
     .keys = {{.name = "router_capacity_factor_eval"}}},
    {MOES(min_capacity), SETTING_SIZE, .keys = {{.name = "router_min_capacity"}}},
    {MOES(gate_size), SETTING_SIZE_OR_NONE, .keys = {{.name = "gating_size"}}},
    {MOES(jitter), SETTING_FLOAT, .keys = {{.name = "router_jitter_noise"}}},
    {MOES(has_choice_bias), SETTING_BOOL, .plain = "a bias by which experts are chosen",
     .keys = {{.name = "moe_router_enable_expert_bias"}}},
    {MOES(has_router_bias), SETTING_BOOL, .keys = {{.name = "router_bias"}}},
    {MOES(swiglu_limit), SETTING_FLOAT_OR_NONE, .keys = {{.name = "swiglu_limit"}}},
    {MOES(swiglu_alpha), SETTING_FLOAT_OR_NONE, .keys = {{.name = "swiglu_alpha"}}},
    {MOES(n_groups), SETTING_SIZE_OR_NONE,
     .keys = {{.name = "n_group"}, {"topk_method", "\"greedy\""}}},
    {MOES(n_kept_groups), SETTING_SIZE_OR_NONE,
     .keys = {{.name = "topk_group"}, {"topk_method", "\"greedy\""}}},
    {MOES(routed_scaling_factor), SETTING_FLOAT, .keys = {{.name = "routed_scaling_factor"}}},

    /* ---- around the layers ---- */
    {MODEL(n_positions), SETTING_SIZE_OR_NONE, .keys = {MAX_POSITIONS_SPELLINGS(KEY)}},
    {MODEL(n_token_types), SETTING_SIZE_OR_NONE, .keys = {{.name = "type_vocab_size"}}},
    {MODEL(embedding_scale), SETTING_FLOAT, .keys = {{.name = "embedding_multiplier"}}},
    {MODEL(logit_scale), SETTING_FLOAT, .plain = "the scale of logits",
     .keys = {{"logits_scaling", "1"}, {"scale_decoder_outputs", "absent"},
              {"tie_word_embeddings", "true"}}},
    {MODEL(logit_softcap), SETTING_FLOAT_OR_NONE, .keys = {{.name = "final_logit_softcapping"}}},
    {MODEL(has_head_bias), SETTING_BOOL, .keys = {{.name = "lm_head_bias"}}},
    {MODEL(pad_id), SETTING_ID, .keys = {{.name = "pad_token_id"}}},
    {MODEL(decoder_start_id), SETTING_TOKEN,
     .keys = {{.name = "decoder_start_token_id"}, {.name = "pad_token_id"}}},
};
const size_t n_settings = sizeof settings / sizeof *settings;
