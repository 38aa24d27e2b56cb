#include "gguf_keys.h"

#include <string.h>

enum {
    MOST = GGUF_ALL & ~GGUF_GPT2,
    NUM_EXPERTS = GGUF_QWEN2_MOE | GGUF_QWEN3_MOE | GGUF_OLMOE,
    LOCAL_EXPERTS = GGUF_MIXTRAL | GGUF_GRANITE_MOE,
    NO_EXPERTS = GGUF_ALL & ~GGUF_EXPERTS,
    OWN_EXPERT_SIZE = GGUF_QWEN2_MOE | GGUF_QWEN3_MOE | GGUF_DEEPSEEK2,
    CAPPED = GGUF_GEMMA2 | GGUF_GEMMA3,
};

static const struct gguf_key keys[] = {
    /* sizes */
    {"context_length", "max_position_embeddings", GGUF_COUNT, MOST, GGUF_NEEDED, 0},
    {"context_length", "n_positions", GGUF_COUNT, GGUF_GPT2, GGUF_NEEDED, 0},
    {"embedding_length", "hidden_size", GGUF_COUNT, MOST, GGUF_NEEDED, 0},
    {"embedding_length", "n_embd", GGUF_COUNT, GGUF_GPT2, GGUF_NEEDED, 0},
    {"block_count", "num_hidden_layers", GGUF_COUNT, MOST, GGUF_NEEDED, 0},
    {"block_count", "n_layer", GGUF_COUNT, GGUF_GPT2, GGUF_NEEDED, 0},
    {"feed_forward_length", "intermediate_size", GGUF_COUNT, MOST, GGUF_NEEDED, 0},
    {"feed_forward_length", "n_inner", GGUF_COUNT, GGUF_GPT2, GGUF_BY_CODE, 0},
    {"vocab_size", NULL, GGUF_COUNT, GGUF_ALL, GGUF_BY_CODE, 0},
    /* attention */
    {"attention.head_count", "num_attention_heads", GGUF_COUNT, MOST, GGUF_NEEDED, 0},
    {"attention.head_count", "n_head", GGUF_COUNT, GGUF_GPT2, GGUF_NEEDED, 0},
    {"attention.head_count_kv", "num_key_value_heads", GGUF_COUNT, GGUF_ROTARY & ~GGUF_DEEPSEEK2,
     GGUF_OPTIONAL, -1},
    {"attention.head_count_kv", NULL, GGUF_COUNT, GGUF_GPT2 | GGUF_BERT | GGUF_DEEPSEEK2,
     GGUF_BY_CODE, 0},
    {"attention.key_length", "head_dim", GGUF_COUNT, GGUF_ROTARY & ~GGUF_DEEPSEEK2, GGUF_OPTIONAL,
     -1},
    {"attention.key_length", NULL, GGUF_COUNT, GGUF_GPT2 | GGUF_BERT | GGUF_DEEPSEEK2, GGUF_BY_CODE,
     0},
    {"attention.value_length", NULL, GGUF_COUNT, GGUF_ALL, GGUF_BY_CODE, 0},
    {"attention.key_length_mla", NULL, GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_BY_CODE, 0},
    {"attention.value_length_mla", NULL, GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_BY_CODE, 0},
    {"attention.kv_lora_rank", "kv_lora_rank", GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_NEEDED, 0},
    {"attention.q_lora_rank", NULL, GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_BY_CODE, 0},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", GGUF_REAL, GGUF_ROTARY, GGUF_NEEDED, 0},
    {"attention.layer_norm_epsilon", "layer_norm_eps", GGUF_REAL, GGUF_BERT, GGUF_NEEDED, 0},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon", GGUF_REAL, GGUF_GPT2, GGUF_NEEDED, 0},
    {"attention.causal", NULL, GGUF_FLAG, GGUF_ALL, GGUF_BY_CODE, 0},
    {"attention.sliding_window", NULL, GGUF_COUNT, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"attention.sliding_window_pattern", NULL, GGUF_COUNT, GGUF_GEMMA3, GGUF_BY_CODE, 0},
    {"attention.scale", "attention_multiplier", GGUF_REAL, GGUF_GRANITE_MOE, GGUF_OPTIONAL, -1},
    {"attention.scale", NULL, GGUF_REAL, GGUF_ALL & ~GGUF_GRANITE_MOE, GGUF_MUST_BE, 0},
    {"attention.clamp_kqv", "clip_qkv", GGUF_REAL, GGUF_OLMOE, GGUF_OPTIONAL, -1},
    {"attention.clamp_kqv", NULL, GGUF_REAL, GGUF_ALL & ~GGUF_OLMOE, GGUF_MUST_BE, 0},
    {"attention.max_alibi_bias", NULL, GGUF_REAL, GGUF_ALL, GGUF_MUST_BE, 0},
    {"attn_logit_softcapping", "attn_logit_softcapping", GGUF_REAL, GGUF_GEMMA2, GGUF_OPTIONAL, 50},
    {"final_logit_softcapping", "final_logit_softcapping", GGUF_REAL, GGUF_GEMMA2, GGUF_OPTIONAL,
     30},
    {"final_logit_softcapping", "final_logit_softcapping", GGUF_REAL, GGUF_GEMMA3, GGUF_OPTIONAL,
     -1},
    {"attn_logit_softcapping", NULL, GGUF_REAL, GGUF_ALL & ~GGUF_GEMMA2, GGUF_MUST_BE, 0},
    {"final_logit_softcapping", NULL, GGUF_REAL, GGUF_ALL & ~CAPPED, GGUF_MUST_BE, 0},
    /* positions: all as default, linear, llama3, yarn or longrope of config.json has it */
    {"rope.freq_base", "rope_theta", GGUF_REAL, GGUF_ROTARY, GGUF_OPTIONAL, 10000},
    {"rope.freq_base_swa", "rope_local_base_freq", GGUF_REAL, GGUF_GEMMA3, GGUF_OPTIONAL, 10000},
    {"rope.dimension_count", NULL, GGUF_COUNT, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scale_linear", NULL, GGUF_REAL, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scaling.type", NULL, GGUF_WORD, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scaling.factor", NULL, GGUF_REAL, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scaling.attn_factor", NULL, GGUF_REAL, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scaling.original_context_length", NULL, GGUF_COUNT, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scaling.yarn_log_multiplier", NULL, GGUF_REAL, GGUF_DEEPSEEK2, GGUF_BY_CODE, 0},
    {"rope.scaling.yarn_beta_fast", NULL, GGUF_REAL, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scaling.yarn_beta_slow", NULL, GGUF_REAL, GGUF_ROTARY, GGUF_BY_CODE, 0},
    {"rope.scaling.yarn_ext_factor", NULL, GGUF_REAL, GGUF_ROTARY, GGUF_MUST_BE, 1},
    {"rope.scaling.yarn_attn_factor", NULL, GGUF_REAL, GGUF_ROTARY, GGUF_MUST_BE, 1},
    {"rope.scaling.finetuned", NULL, GGUF_FLAG, GGUF_ROTARY, GGUF_IDLE, 0},
    /* experts */
    {"expert_count", "num_local_experts", GGUF_COUNT, LOCAL_EXPERTS, GGUF_NEEDED, 0},
    {"expert_count", "num_experts", GGUF_COUNT, NUM_EXPERTS, GGUF_NEEDED, 0},
    {"expert_count", "n_routed_experts", GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_NEEDED, 0},
    {"expert_count", NULL, GGUF_COUNT, NO_EXPERTS, GGUF_MUST_BE, 0},
    {"expert_used_count", "num_experts_per_tok", GGUF_COUNT, GGUF_EXPERTS, GGUF_NEEDED, 0},
    {"expert_used_count", NULL, GGUF_COUNT, NO_EXPERTS, GGUF_MUST_BE, 0},
    {"expert_feed_forward_length", "moe_intermediate_size", GGUF_COUNT, OWN_EXPERT_SIZE,
     GGUF_NEEDED, 0},
    {"expert_feed_forward_length", NULL, GGUF_COUNT, GGUF_ALL & ~OWN_EXPERT_SIZE, GGUF_BY_CODE, 0},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", GGUF_COUNT,
     GGUF_QWEN2_MOE, GGUF_NEEDED, 0},
    {"expert_shared_feed_forward_length", NULL, GGUF_COUNT, GGUF_ALL & ~GGUF_QWEN2_MOE,
     GGUF_MUST_BE, 0},
    {"expert_shared_count", "n_shared_experts", GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_OPTIONAL, 0},
    {"expert_shared_count", NULL, GGUF_COUNT, GGUF_ALL & ~(GGUF_DEEPSEEK2 | GGUF_QWEN2_MOE),
     GGUF_MUST_BE, 0},
    {"expert_shared_count", NULL, GGUF_COUNT, GGUF_QWEN2_MOE, GGUF_MUST_BE, 1},
    {"leading_dense_block_count", "first_k_dense_replace", GGUF_COUNT, GGUF_DEEPSEEK2,
     GGUF_OPTIONAL, 0},
    {"leading_dense_block_count", NULL, GGUF_COUNT, GGUF_ALL & ~GGUF_DEEPSEEK2, GGUF_MUST_BE, 0},
    {"expert_weights_norm", NULL, GGUF_FLAG, GGUF_EXPERTS, GGUF_BY_CODE, 0},
    {"expert_weights_scale", "routed_scaling_factor", GGUF_REAL, GGUF_DEEPSEEK2, GGUF_OPTIONAL, 1},
    {"expert_weights_scale", NULL, GGUF_REAL, GGUF_ALL & ~GGUF_DEEPSEEK2, GGUF_MUST_BE, 1},
    {"expert_gating_func", NULL, GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_BY_CODE, 0},
    {"expert_gating_func", NULL, GGUF_COUNT, GGUF_ALL & ~GGUF_DEEPSEEK2, GGUF_MUST_BE, 1},
    {"expert_group_count", NULL, GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_BY_CODE, 0},
    {"expert_group_used_count", NULL, GGUF_COUNT, GGUF_DEEPSEEK2, GGUF_BY_CODE, 0},
    {"expert_group_count", NULL, GGUF_COUNT, GGUF_ALL & ~GGUF_DEEPSEEK2, GGUF_MUST_BE, 1},
    {"expert_group_used_count", NULL, GGUF_COUNT, GGUF_ALL & ~GGUF_DEEPSEEK2, GGUF_MUST_BE, 1},
    {"nextn_predict_layers", NULL, GGUF_COUNT, GGUF_ALL, GGUF_MUST_BE, 0},
    /* Granite's factors */
    {"embedding_scale", "embedding_multiplier", GGUF_REAL, GGUF_GRANITE_MOE, GGUF_OPTIONAL, 1},
    {"residual_scale", "residual_multiplier", GGUF_REAL, GGUF_GRANITE_MOE, GGUF_OPTIONAL, 1},
    {"logit_scale", "logits_scaling", GGUF_REAL, GGUF_GRANITE_MOE, GGUF_OPTIONAL, 1},
    {"embedding_scale", NULL, GGUF_REAL, GGUF_ALL & ~GGUF_GRANITE_MOE, GGUF_MUST_BE, 1},
    {"residual_scale", NULL, GGUF_REAL, GGUF_ALL & ~GGUF_GRANITE_MOE, GGUF_MUST_BE, 1},
    {"logit_scale", NULL, GGUF_REAL, GGUF_ALL & ~GGUF_GRANITE_MOE, GGUF_MUST_BE, 1},
    /* the rest */
    {"pooling_type", NULL, GGUF_COUNT, GGUF_ALL, GGUF_BY_CODE, 0},
    {"tensor_data_layout", NULL, GGUF_WORD, GGUF_ALL, GGUF_IDLE, 0},
};

const struct gguf_key *gguf_keys_next(const struct gguf_architecture *architecture, size_t *i)
{
    while (*i < sizeof keys / sizeof *keys) {
        const struct gguf_key *key = &keys[(*i)++];

        if (key->set & architecture->set)
            return key;
    }
    return NULL;
}

const struct gguf_key *gguf_keys_find(const struct gguf_architecture *architecture,
                                      const char *name)
{
    const struct gguf_key *key;

    for (size_t i = 0; (key = gguf_keys_next(architecture, &i));)
        if (strcmp(key->gguf, name) == 0)
            return key;
    return NULL;
}
