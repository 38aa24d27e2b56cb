#include "config_keys.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/architecture.h"
#include "base/buffer.h"
#include "base/memory.h"

/* ---- families as sets ---- */

#define FAMILIES(X) \
    X(BERT, bert) X(ROBERTA, roberta) X(DISTILBERT, distilbert) X(LLAMA, llama) \
    X(MISTRAL, mistral) X(PARAMS, consolidated) X(QWEN2, qwen2) X(QWEN3, qwen3) X(GEMMA, gemma) \
    X(GEMMA2, gemma2) X(GEMMA3, gemma3) X(GPT2, gpt2) X(NEOX, gpt_neox) X(PHI3, phi3) \
    X(MIXTRAL, mixtral) X(QWEN2_MOE, qwen2_moe) X(QWEN3_MOE, qwen3_moe) X(OLMOE, olmoe) \
    X(DEEPSEEK1, deepseek) X(DEEPSEEK2, deepseek_v2) X(DEEPSEEK3, deepseek_v3) \
    X(GPT_OSS, gpt_oss) X(PHI_MOE, phi_moe) X(GRANITE, granite_moe) X(JETMOE, jetmoe) \
    X(MOLM, molm) X(OPENMOE, openmoe) X(T5, t5) X(MT5, mt5) X(UMT5, umt5) X(SWITCH, switch) \
    X(MEGATRON, megatron)

enum {
#define NUMBER(name, family) NUMBER_##name,
    FAMILIES(NUMBER)
#undef NUMBER
    N_FAMILIES
};
static_assert(N_FAMILIES <= 64, "a set of families is 64 bits");

static const struct family *const families[] = {
#define POINTER(name, family) [NUMBER_##name] = &family_##family,
    FAMILIES(POINTER)
#undef POINTER
};

/* No enum, whose constants would have to be ints. */
#define SET_OF(name) (UINT64_C(1) << NUMBER_##name)
#define BERT SET_OF(BERT)
#define ROBERTA SET_OF(ROBERTA)
#define DISTILBERT SET_OF(DISTILBERT)
#define LLAMA SET_OF(LLAMA)
#define MISTRAL SET_OF(MISTRAL)
#define PARAMS SET_OF(PARAMS)
#define QWEN2 SET_OF(QWEN2)
#define QWEN3 SET_OF(QWEN3)
#define GEMMA SET_OF(GEMMA)
#define GEMMA2 SET_OF(GEMMA2)
#define GEMMA3 SET_OF(GEMMA3)
#define GPT2 SET_OF(GPT2)
#define NEOX SET_OF(NEOX)
#define PHI3 SET_OF(PHI3)
#define MIXTRAL SET_OF(MIXTRAL)
#define QWEN2_MOE SET_OF(QWEN2_MOE)
#define QWEN3_MOE SET_OF(QWEN3_MOE)
#define OLMOE SET_OF(OLMOE)
#define DEEPSEEK1 SET_OF(DEEPSEEK1)
#define DEEPSEEK2 SET_OF(DEEPSEEK2)
#define DEEPSEEK3 SET_OF(DEEPSEEK3)
#define GPT_OSS SET_OF(GPT_OSS)
#define PHI_MOE SET_OF(PHI_MOE)
#define GRANITE SET_OF(GRANITE)
#define JETMOE SET_OF(JETMOE)
#define MOLM SET_OF(MOLM)
#define OPENMOE SET_OF(OPENMOE)
#define T5 SET_OF(T5)
#define MT5 SET_OF(MT5)
#define UMT5 SET_OF(UMT5)
#define SWITCH SET_OF(SWITCH)
#define MEGATRON SET_OF(MEGATRON)
#define ALL (~UINT64_C(0) >> (64 - N_FAMILIES))
#define BERTS (BERT | ROBERTA)
#define ENCODERS (BERTS | DISTILBERT)
#define T5S (T5 | MT5 | UMT5 | SWITCH)
#define GEMMAS (GEMMA | GEMMA2 | GEMMA3)
#define QWENS (QWEN2 | QWEN3 | QWEN2_MOE | QWEN3_MOE)
#define LATENTS (DEEPSEEK2 | DEEPSEEK3)
#define DEEPSEEKS (DEEPSEEK1 | LATENTS)
#define ROTARY (LLAMA | MISTRAL | QWENS | GEMMAS | NEOX | PHI3 | MIXTRAL | OLMOE | DEEPSEEKS | \
    GPT_OSS | PHI_MOE | GRANITE | JETMOE | MEGATRON)
#define EXPERTS (MIXTRAL | QWEN2_MOE | QWEN3_MOE | OLMOE | LATENTS | GPT_OSS | PHI_MOE | GRANITE \
    | JETMOE | MEGATRON)
#define WINDOWS (MISTRAL | PARAMS | QWENS | GEMMA2 | GEMMA3 | PHI3 | MIXTRAL | GPT_OSS | PHI_MOE)
#define O_BIASES (LLAMA | QWEN3 | GEMMAS | NEOX | QWEN3_MOE | OLMOE | DEEPSEEKS | GPT_OSS | \
    PHI_MOE | GRANITE)

static uint64_t bit_of(const struct family *family)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (families[i] == family)
            return UINT64_C(1) << i;
    return 0;
}

/* ---- obeyed ---- */

enum kind { /* what is asked for here; of others who reads it judges the type */
    ANY,
    FLAG,
    NUMBER,
    TEXT,
    OBJECT,
    LIST,
};

static const struct obeyed {
    const char *name;
    enum kind kind;
    uint64_t families;
} obeyed[] = {
    {"architectures", ANY, ALL},
    {"model_type", ANY, ALL},
    {"quantization_config", ANY, ALL},
    {"quantization", ANY, ALL}, /* of MLX, and of params.json */
    {"compression_config", ANY, ALL},
    {"tie_word_embeddings", FLAG, ALL},
    {"tied_embeddings", FLAG, PARAMS},
    {"is_causal", FLAG, ALL},
    {"pad_token_id", ANY, ALL},
    /* sizes */
    {"vocab_size", ANY, ALL},
    {"hidden_size", ANY, ALL},
    {"d_model", ANY, T5S},
    {"n_embd", ANY, GPT2 | MOLM},
    {"dim", ANY, DISTILBERT | PARAMS},
    {"num_hidden_layers", ANY, ALL},
    {"num_layers", ANY, T5S},
    {"n_layer", ANY, GPT2 | MOLM},
    {"n_layers", ANY, DISTILBERT | PARAMS},
    {"num_decoder_layers", ANY, T5S},
    {"num_attention_heads", ANY, ALL},
    {"num_heads", ANY, T5S},
    {"n_head", ANY, GPT2 | MOLM},
    {"n_heads", ANY, DISTILBERT | PARAMS},
    {"num_key_value_heads", ANY, (ROTARY & ~NEOX) | OPENMOE | PARAMS},
    {"n_kv_heads", ANY, PARAMS},
    {"head_dim", ANY, (ROTARY & ~NEOX) | OPENMOE | PARAMS | T5S},
    {"d_kv", ANY, T5S},
    {"kv_channels", ANY, JETMOE},
    {"intermediate_size", ANY, BERTS | ROTARY | OPENMOE | PARAMS},
    {"d_ff", ANY, T5S},
    {"n_inner", ANY, GPT2},
    {"hidden_dim", ANY, DISTILBERT | PARAMS},
    {"multiple_of", ANY, PARAMS},
    {"ffn_dim_multiplier", ANY, PARAMS},
    {"ffn_hidden_size", ANY, JETMOE},
    {"ffd_hidden", ANY, MOLM},
    {"att_hidden", ANY, MOLM},
    {"max_position_embeddings", ANY, ENCODERS | ROTARY | GPT2 | OPENMOE},
    {"n_positions", ANY, GPT2},
    {"type_vocab_size", ANY, BERTS},
    /* norms and activations */
    {"rms_norm_eps", ANY, (ROTARY & ~NEOX) | OPENMOE | PARAMS},
    {"layer_norm_eps", ANY, BERTS | NEOX | MEGATRON},
    {"layer_norm_epsilon", ANY, GPT2 | T5S},
    {"norm_eps", ANY, PARAMS},
    {"hidden_act", TEXT, BERTS | (ROTARY & ~(GEMMA2 | GEMMA3 | JETMOE)) | OPENMOE | PARAMS},
    {"hidden_activation", TEXT, GEMMA2 | GEMMA3},
    {"activation_function", TEXT, GPT2 | JETMOE | MOLM},
    {"activation", TEXT, DISTILBERT},
    {"feed_forward_proj", TEXT, T5 | MT5 | UMT5},
    {"dense_act_fn", TEXT, SWITCH},
    /* positions and windows */
    {"normalization", TEXT, MEGATRON},
    {"layernorm_zero_centered_gamma", FLAG, MEGATRON},
    {"gated_linear_unit", FLAG, MEGATRON},
    {"add_bias_linear", FLAG, MEGATRON},
    {"position_embedding_type", TEXT, BERTS | MEGATRON},
    {"rope_theta", NUMBER, ROTARY | PARAMS},
    {"rope_scaling", OBJECT, ROTARY | PARAMS},
    {"use_scaled_rope", FLAG, PARAMS},
    {"rope_scaling_factor", NUMBER, PARAMS},
    {"rope_high_freq_factor", NUMBER, PARAMS},
    {"rope_parameters", OBJECT, ROTARY},
    {"original_max_position_embeddings", ANY, ROTARY},
    {"partial_rotary_factor", NUMBER, NEOX | PHI3 | MEGATRON},
    {"rotary_interleaved", FLAG, MEGATRON},
    {"rotary_pct", NUMBER, NEOX},
    {"rotary_emb_base", NUMBER, NEOX},
    {"rope_local_base_freq", NUMBER, GEMMA3},
    {"rope_interleave", FLAG, DEEPSEEK3},
    {"relative_attention_num_buckets", ANY, T5S},
    {"relative_attention_max_distance", ANY, T5S},
    {"sliding_window", ANY, WINDOWS},
    {"sliding_window_pattern", ANY, GEMMA3},
    {"use_sliding_window", FLAG, QWENS},
    {"max_window_layers", ANY, QWEN2 | QWEN3 | QWEN2_MOE},
    {"layer_types", ANY, QWEN2 | QWEN3 | QWEN2_MOE | GEMMA2 | GEMMA3 | GPT_OSS},
    /* attention */
    {"is_decoder", FLAG, BERTS},
    {"use_bidirectional_attention", FLAG, GEMMA3},
    {"attention_bias", FLAG, O_BIASES},
    {"qkv_bias", FLAG, QWEN2_MOE},
    {"add_qkv_bias", FLAG, MEGATRON},
    {"qk_layernorm", FLAG, MEGATRON},
    {"mlp_bias", FLAG, LLAMA | LATENTS},
    {"lm_head_bias", FLAG, PHI_MOE},
    {"clip_qkv", ANY, OLMOE},
    {"query_pre_attn_scalar", ANY, GEMMA2 | GEMMA3},
    {"attn_logit_softcapping", ANY, GEMMA2 | GEMMA3},
    {"final_logit_softcapping", ANY, GEMMA2 | GEMMA3},
    {"scale_attn_weights", FLAG, GPT2},
    {"scale_attn_by_inverse_layer_idx", FLAG, GPT2},
    {"use_parallel_residual", FLAG, NEOX},
    {"kv_lora_rank", ANY, LATENTS},
    {"q_lora_rank", ANY, LATENTS},
    {"qk_nope_head_dim", ANY, LATENTS},
    {"qk_rope_head_dim", ANY, LATENTS},
    {"v_head_dim", ANY, LATENTS},
    {"attention_multiplier", ANY, GRANITE},
    {"embedding_multiplier", ANY, GRANITE},
    {"residual_multiplier", ANY, GRANITE},
    {"logits_scaling", ANY, GRANITE},
    {"scale_decoder_outputs", FLAG, T5S},
    {"decoder_start_token_id", ANY, T5S},
    /* experts */
    {"moe", OBJECT, PARAMS},
    {"num_local_experts", ANY, EXPERTS | PARAMS},
    {"num_experts", ANY, EXPERTS | SWITCH | OPENMOE | PARAMS},
    {"n_routed_experts", ANY, DEEPSEEKS},
    {"num_experts_per_tok", ANY, EXPERTS | DEEPSEEK1 | PARAMS},
    {"moe_num_experts", ANY, JETMOE},
    {"moe_top_k", ANY, JETMOE},
    {"experts_per_token", ANY, GPT_OSS},
    {"router_topk", ANY, OPENMOE},
    {"moe_intermediate_size", ANY, QWEN2_MOE | QWEN3_MOE | DEEPSEEKS | MEGATRON},
    {"shared_expert_intermediate_size", ANY, QWEN2_MOE | MEGATRON},
    {"decoder_sparse_step", ANY, QWEN2_MOE | QWEN3_MOE},
    {"mlp_only_layers", LIST, QWEN2_MOE | QWEN3_MOE | MEGATRON},
    {"norm_topk_prob", FLAG, QWEN2_MOE | QWEN3_MOE | OLMOE | DEEPSEEK1 | DEEPSEEK3 | MEGATRON},
    {"n_shared_experts", ANY, DEEPSEEKS},
    {"n_group", ANY, LATENTS | MEGATRON},
    {"topk_group", ANY, LATENTS | MEGATRON},
    {"topk_method", TEXT, LATENTS},
    {"scoring_func", TEXT, DEEPSEEKS},
    {"first_k_dense_replace", ANY, DEEPSEEKS},
    {"moe_layer_freq", ANY, DEEPSEEKS},
    {"routed_scaling_factor", ANY, LATENTS | MEGATRON},
    {"router_jitter_noise", ANY, PHI_MOE},
    {"swiglu_limit", ANY, GPT_OSS},
    {"swiglu_alpha", ANY, GPT_OSS},
    {"expert_capacity", ANY, SWITCH},
    {"router_bias", FLAG, SWITCH | MEGATRON},
    {"moe_router_score_function", TEXT, MEGATRON},
    {"moe_router_enable_expert_bias", FLAG, MEGATRON},
    {"moe_shared_expert_gate", FLAG, MEGATRON},
    {"num_sparse_encoder_layers", ANY, SWITCH},
    {"num_sparse_decoder_layers", ANY, SWITCH},
    {"n_mlp_experts", ANY, MOLM},
    {"k_mlp", ANY, MOLM},
    {"n_att_experts", ANY, MOLM},
    {"k_att", ANY, MOLM},
    {"gate_type", TEXT, MOLM},
    {"gating_size", ANY, MOLM},
    {"moe_layer_interval", ANY, OPENMOE},
    {"router_capacity_factor_eval", ANY, OPENMOE},
    {"router_min_capacity", ANY, OPENMOE},
    {"mlp_gated", FLAG, OPENMOE},
};

/* ---- refused ---- */

enum harmless { /* a value that changes nothing; null never does */
    NOTHING, /* false, 0, "", [] or {} */
    ONE,
    TRUE,
};

static const struct refused {
    const char *name;
    enum harmless harmless;
    uint64_t families;
} refused[] = {
    {"add_cross_attention", NOTHING, ALL},
    {"cross_attention_hidden_size", NOTHING, ALL},
    {"tie_encoder_decoder", NOTHING, ALL},
    {"pruned_heads", NOTHING, ALL},
    {"per_layer_config", NOTHING, ALL},
    {"compression_config", NOTHING, ALL},
    {"is_decoder", NOTHING, T5S},
    {"use_bidirectional_attention", NOTHING, ALL & ~GEMMA3},
    {"attention_bias", NOTHING, ALL & ~(O_BIASES | QWEN2 | QWEN2_MOE | OPENMOE)},
    {"qkv_bias", NOTHING, ROTARY & ~(QWEN2 | QWEN2_MOE)},
    {"mlp_bias", NOTHING, ALL & ~(LLAMA | LATENTS)},
    {"lm_head_bias", NOTHING, ALL & ~PHI_MOE},
    {"use_qk_norm", NOTHING, ALL & ~(QWEN3 | QWEN3_MOE | GEMMA3 | OLMOE)},
    {"qk_norm", NOTHING, ALL & ~(QWEN3 | QWEN3_MOE | GEMMA3 | OLMOE)},
    {"qk_layernorm", NOTHING, ALL & ~MEGATRON},
    {"attn_temperature_tuning", NOTHING, ALL},
    {"attention_chunk_size", NOTHING, ALL},
    {"no_rope_layers", NOTHING, ALL},
    {"no_rope_layer_interval", NOTHING, ALL},
    {"alibi", NOTHING, ALL},
    {"use_alibi", NOTHING, ALL},
    {"rope_interleaved", NOTHING, ALL},
    {"partial_rotary_factor", ONE, ALL & ~(NEOX | PHI3 | MEGATRON)},
    {"rotary_pct", ONE, ALL & ~NEOX},
    {"attn_logit_softcapping", NOTHING, ALL & ~(GEMMA2 | GEMMA3)},
    {"final_logit_softcapping", NOTHING, ALL & ~(GEMMA2 | GEMMA3)},
    {"use_parallel_residual", NOTHING, ALL & ~NEOX},
    {"parallel_attn", NOTHING, ALL},
    {"scale_embedding", NOTHING, ALL},
    {"scale_embeddings", NOTHING, ALL},
    {"attention_multiplier", ONE, ALL & ~GRANITE},
    {"embedding_multiplier", ONE, ALL & ~GRANITE},
    {"residual_multiplier", ONE, ALL & ~GRANITE},
    {"logits_scaling", ONE, ALL & ~GRANITE},
    {"logit_scale", ONE, ALL},
    {"kv_lora_rank", NOTHING, ALL & ~LATENTS},
    {"q_lora_rank", NOTHING, ALL & ~LATENTS},
    {"n_shared_experts", NOTHING, ALL & ~DEEPSEEKS},
    {"num_shared_experts", NOTHING, ALL},
    {"shared_intermediate_size", NOTHING, ALL},
    {"routed_scaling_factor", ONE, ALL & ~(LATENTS | MEGATRON)},
    {"first_k_dense_replace", NOTHING, ALL & ~DEEPSEEKS},
    {"num_selected_experts", ONE, SWITCH},
    {"full_attn_mod", ONE, PHI3},
    {"interpolate_factor", ONE, PHI3},
    {"yarn", NOTHING, PARAMS},
    {"llama_4_scaling", NOTHING, PARAMS},
    {"causal", TRUE, PARAMS},
};

/* ---- irrelevant ---- */

/* Training, loading, saving and generation; names of labels; what other programs note down. */
static const char *const irrelevant[] = {
    "_name_or_path", "name_or_path", "_attn_implementation", "_attn_implementation_autoset",
    "_attn_implementation_internal", "attn_implementation", "_commit_hash", "_num_labels",
    "_experts_implementation", "_flash_attn_2_enabled", "use_flash_attn", "use_flash_attention",
    "use_sdpa", "transformers_version", "torch_dtype", "dtype", "auto_map", "custom_pipelines",
    "tokenizer_class", "torchscript", "use_bfloat16", "tf_legacy_loss", "use_cache", "return_dict",
    "return_dict_in_generate", "use_return_dict", "tie_last_hidden_states", "id2label", "label2id",
    "num_labels", "problem_type", "finetuning_task", "task_specific_params", "prefix", "language",
    "license", "name", "is_llama_config", "model_name", "model_max_length", "max_seq_length",
    "max_seq_len",
    "max_sequence_length", "seq_length", "gradient_checkpointing", "initializer_range",
    "initializer_factor", "init_std", "layerdrop", "neftune_noise_alpha", "is_encoder_decoder",
    "chunk_size_feed_forward", "pretraining_tp", "ep_size", "sentence_transformers",
    "sbert_ce_default_activation_function", "transformers.js_config", "trl_version",
    /* of generation_config.json, in older files */
    "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams",
    "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p",
    "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
    "bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "num_return_sequences",
    "exponential_decay_length_penalty", "remove_invalid_values",
};

static const char *const irrelevant_starts[] = {"output_", "unsloth_"};

static const char *const irrelevant_ends[] = {
    "dropout", "_dropout_prob", "_dropout_rate", "dropout_rate", "_pdrop", "_token_id",
    "_token_ids", "_token_index", "_loss_coef", "_loss_factor", "_loss_weight", "_loss_alpha",
    "_loss_type",
};

/* What a class of transformers has, but does not use to compute; and of a few families more. */
static const struct family_keys {
    const char *name;
    uint64_t families;
} irrelevant_here[] = {
    {"is_decoder", ALL & ~(BERTS | T5S)},
    {"n_ctx", GPT2 | MOLM},
    {"n_positions", T5S},
    {"hidden_act", GEMMA2 | GEMMA3},
    {"hidden_activation", GEMMA},
    {"layer_norm_epsilon", MOLM | OPENMOE},
    {"attention_bias", QWEN2 | QWEN2_MOE | OPENMOE}, /* has them always, or never */
    {"qkv_bias", QWEN2},
    {"use_qk_norm", QWEN3 | QWEN3_MOE | GEMMA3 | OLMOE},
    {"qk_norm", QWEN3 | QWEN3_MOE | GEMMA3 | OLMOE},
    {"max_window_layers", QWEN3_MOE},
    {"_sliding_window_pattern", GEMMA3}, /* stands beside layer_types, which says the same */
    {"pooler_fc_size", BERTS},
    {"pooler_num_attention_heads", BERTS},
    {"pooler_num_fc_layers", BERTS},
    {"pooler_size_per_head", BERTS},
    {"pooler_type", BERTS},
    {"directionality", BERTS},
    {"sinusoidal_pos_embds", DISTILBERT}, /* the table is stored */
    {"tie_weights_", DISTILBERT},
    {"reorder_and_upcast_attn", GPT2},
    {"summary_type", GPT2 | MOLM},
    {"summary_use_proj", GPT2 | MOLM},
    {"summary_activation", GPT2 | MOLM},
    {"summary_proj_to_labels", GPT2 | MOLM},
    {"summary_first_dropout", GPT2 | MOLM},
    {"qk_head_dim", LATENTS},
    {"num_nextn_predict_layers", LATENTS},
    {"num_mtp_layers", LATENTS},
    {"norm_topk_prob", DEEPSEEK2},
    {"seq_aux", DEEPSEEKS},
    {"router_jitter_noise", MIXTRAL | SWITCH}, /* in training only, as are the next two */
    {"input_jitter_noise", PHI_MOE},
    {"router_noisy_policy", OPENMOE},
    {"initial_context_length", GPT_OSS}, /* stands in rope_scaling, too */
    {"is_gated_act", T5S}, /* both follow from feed_forward_proj */
    {"dense_act_fn", T5 | MT5 | UMT5},
    {"feed_forward_proj", SWITCH},
    {"encoder_sparse_step", SWITCH},
    {"decoder_sparse_step", SWITCH},
    {"router_dtype", SWITCH},
    {"router_type", SWITCH},
    {"router_ignore_padding_tokens", SWITCH},
    {"add_router_probs", SWITCH},
    {"block_size", MOLM},
    {"history_length", MOLM},
    {"sample_topk", MOLM},
    {"rope_theta", OPENMOE}, /* fixed in its class */
    {"rope_scaling", OPENMOE},
    {"expert_parallel", OPENMOE},
    {"enable_comm_overlap", OPENMOE},
    {"enable_hierarchical_alltoall", OPENMOE},
    {"enable_kernel", OPENMOE},
    {"enable_load_balance", OPENMOE},
    {"load_balance_beam_width", OPENMOE},
    {"load_balance_group_swap_factor", OPENMOE},
    {"load_balance_tolerance", OPENMOE},
    {"label_smoothing", OPENMOE},
    {"router_capacity_factor_train", OPENMOE},
    {"router_drop_tks", OPENMOE}, /* false matters only where experts are spread over machines */
    {"max_batch_size", PARAMS},
    {"max_position_embeddings", PARAMS},
    {"causal", PARAMS},
};

/* Around text_config: what is not of the text. */
static const char *const wrapper_keys[] = {"text_config", "vision_config", "mm_tokens_per_image",
                                           "quantization_config", "tie_word_embeddings",
                                           "architectures", "model_type"};

static const char *const rope_keys[] = {
    "rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings",
    "attention_factor", "partial_rotary_factor", "low_freq_factor", "high_freq_factor",
    "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate", "short_factor",
    "long_factor", "short_mscale", "long_mscale", "finetuned",
    "mrope_section", /* of pictures; the positions of a text are the same in each section */
};

static const char *const moe_keys[] = {"num_experts", "num_experts_per_tok", "num_shared_experts"};

/* ---- look-ups ---- */

#define IS_IN(name, list) is_in(name, list, sizeof(list) / sizeof *(list))

static bool is_in(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static const struct obeyed *find_obeyed(const char *name, uint64_t family)
{
    for (size_t i = 0; i < sizeof obeyed / sizeof *obeyed; i++)
        if (obeyed[i].families & family && strcmp(name, obeyed[i].name) == 0)
            return &obeyed[i];
    return NULL;
}

static const struct refused *find_refused(const char *name, uint64_t family)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].families & family && strcmp(name, refused[i].name) == 0)
            return &refused[i];
    return NULL;
}

static bool is_irrelevant(const char *name, uint64_t family)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof irrelevant_starts / sizeof *irrelevant_starts; i++)
        if (strncmp(name, irrelevant_starts[i], strlen(irrelevant_starts[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof irrelevant_ends / sizeof *irrelevant_ends; i++) {
        size_t n = strlen(irrelevant_ends[i]);

        if (length >= n && strcmp(name + length - n, irrelevant_ends[i]) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof irrelevant_here / sizeof *irrelevant_here; i++)
        if (irrelevant_here[i].families & family && strcmp(name, irrelevant_here[i].name) == 0)
            return true;
    return IS_IN(name, irrelevant);
}

bool config_keys_obeyed(const struct family *family, const char *name)
{
    return find_obeyed(name, bit_of(family)) != NULL;
}

/* ---- values ---- */

static bool is_nothing(const cJSON *value)
{
    return cJSON_IsNull(value) || cJSON_IsFalse(value) ||
           (cJSON_IsNumber(value) && value->valuedouble == 0) ||
           (cJSON_IsString(value) && !*value->valuestring) ||
           ((cJSON_IsArray(value) || cJSON_IsObject(value)) && !value->child);
}

static bool is_harmless(const cJSON *value, enum harmless harmless)
{
    if (harmless == ONE)
        return cJSON_IsNull(value) || (cJSON_IsNumber(value) && value->valuedouble == 1);
    if (harmless == TRUE)
        return cJSON_IsNull(value) || cJSON_IsTrue(value);
    return is_nothing(value);
}

static bool has_kind(const cJSON *value, enum kind kind)
{
    return cJSON_IsNull(value) || (kind == FLAG     ? cJSON_IsBool(value)
                                   : kind == NUMBER ? cJSON_IsNumber(value)
                                   : kind == TEXT   ? cJSON_IsString(value)
                                   : kind == OBJECT ? cJSON_IsObject(value)
                                   : kind == LIST   ? cJSON_IsArray(value)
                                                    : true);
}

static int refuse(const cJSON *item, struct error *err)
{
    char *text = cJSON_PrintUnformatted(item);

    if (!text)
        memory_exhausted();
    error_set(err, ERROR_UNSUPPORTED, "%s is %.80s, which cannot be obeyed", item->string, text);
    free(text);
    return -1;
}

int config_keys_check(const struct family *family, const cJSON *json, struct error *err)
{
    static const char *const kinds[] = {[FLAG] = "neither true nor false",
                                        [NUMBER] = "not a number", [TEXT] = "not a string",
                                        [OBJECT] = "not an object", [LIST] = "not a list"};
    uint64_t bit = bit_of(family);
    const cJSON *item;

    cJSON_ArrayForEach(item, json) {
        const struct refused *no = find_refused(item->string, bit);
        const struct obeyed *yes = find_obeyed(item->string, bit);

        if (no && !is_harmless(item, no->harmless))
            return refuse(item, err);
        if (yes && !has_kind(item, yes->kind))
            return error_set(err, ERROR_FORMAT, "%s is %s", yes->name, kinds[yes->kind]);
    }
    return 0;
}

/* ---- what is not known ---- */

enum { NAMES_MAX = 20 };

struct unknown {
    struct buffer names;
    size_t n;
};

static void add_unknown(struct unknown *unknown, const char *inside, const char *name)
{
    if (unknown->n++ < NAMES_MAX)
        buffer_format(&unknown->names, "%s'%s%s%.80s'", unknown->names.size ? ", " : "", inside,
                      *inside ? "." : "", name);
}

static void look_in(struct unknown *unknown, const cJSON *object, const char *inside,
                    const char *const *known, size_t n_known)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
        if (!cJSON_IsNull(item) && !is_in(item->string, known, n_known))
            add_unknown(unknown, inside, item->string);
}

/* The parameters of all layers, or an object for each kind of them. */
static void look_in_rope(struct unknown *unknown, const cJSON *rope)
{
    static const char *const layers[] = {"full_attention", "sliding_attention"};
    const cJSON *item;

    cJSON_ArrayForEach(item, rope)
        if (IS_IN(item->string, layers) && cJSON_IsObject(item))
            look_in(unknown, item, rope->string, rope_keys, sizeof rope_keys / sizeof *rope_keys);
        else if (!cJSON_IsNull(item) && !IS_IN(item->string, rope_keys))
            add_unknown(unknown, rope->string, item->string);
}

static bool is_known(const cJSON *item, uint64_t family)
{
    const struct refused *no = find_refused(item->string, family);

    return cJSON_IsNull(item) || (no && is_harmless(item, no->harmless)) ||
           find_obeyed(item->string, family) || is_irrelevant(item->string, family);
}

static void look_in_model(struct unknown *unknown, const cJSON *json, const char *inside,
                          uint64_t family)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json) {
        if (!is_known(item, family))
            add_unknown(unknown, inside, item->string);
        else if (strcmp(item->string, "moe") == 0)
            look_in(unknown, item, "moe", moe_keys, sizeof moe_keys / sizeof *moe_keys);
        else if (find_obeyed(item->string, family) && strncmp(item->string, "rope_", 5) == 0)
            look_in_rope(unknown, item);
    }
}

static void look_in_wrapper(struct unknown *unknown, const cJSON *json)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json)
        if (!cJSON_IsNull(item) && !IS_IN(item->string, wrapper_keys) &&
            !is_irrelevant(item->string, 0))
            add_unknown(unknown, "", item->string);
}

void config_keys_tell(const struct config *config, const char *where, struct notices *notices)
{
    const struct family *family = architecture_family(config);
    const cJSON *text = json_find(config->json, "text_config");
    struct unknown unknown = {0};

    if (!family)
        return;
    if (cJSON_IsObject(text)) {
        look_in_wrapper(&unknown, config->json);
        look_in_model(&unknown, text, "text_config", bit_of(family));
    } else {
        look_in_model(&unknown, config->json, "", bit_of(family));
    }
    if (unknown.n > NAMES_MAX)
        buffer_format(&unknown.names, " and %zu more", unknown.n - NAMES_MAX);
    if (unknown.n)
        notices_add(notices, "'%s/%s': settings that are not known, and not obeyed: %s", where,
                    config_name(config), unknown.names.data);
    buffer_release(&unknown.names);
}
