#include "families.h"

#include "arch/family_adjust.h"
#include "arch/family_moe.h"
#include "arch/family_names.h"

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

/* Mistral's own files, dense or Mixtral. No limit to positions. */
const struct family family_consolidated = {
    .name = "consolidated Mistral",
    .names = &consolidated_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .intermediate_size = 14336, .norm_eps = 1e-5, .theta = 1e6,
                 .activation = "silu", .pad_id = -1,
                 .windowed_theta = 1e4, .moe = {.n_experts = 8, .n_chosen = 2}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true, .has_interleaved_rope = true, .has_fixed_mask = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_consolidated,
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
    .adjust = adjust_qwen2,
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
                 .activation = "gelu_pytorch_tanh", .pad_id = 0,
                 .sliding_pattern = 2, .score_softcap = 50, .logit_softcap = 30},
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
                 .activation = "gelu_pytorch_tanh", .pad_id = 0,
                 .sliding_pattern = 6, .sliding_theta = 1e4},
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
                 .pad_id = -1, .partial_rotary_factor = 0.25},
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
                 .theta = 1e4, .activation = "silu", .pad_id = 32000,
                 .original_positions = 4096},
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
                 .norm_eps = 1e-5, .theta = 1e6, .activation = "silu", .pad_id = -1,
                 .moe = {.n_experts = 8, .n_chosen = 2}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_P_SUM_1,
    .adjust = family_moe_read,
};

const struct family family_qwen2_moe = {
    .name = "Qwen2-MoE",
    .names = &qwen_moe_names,
    .defaults = {.vocab_size = 151936, .hidden_size = 2048, .n_layers = 24, .n_heads = 16,
                 .intermediate_size = 5632, .max_positions = 32768, .window = 4096,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "silu", .pad_id = -1,
                 .moe = {.n_experts = 60, .n_chosen = 4, .intermediate_size = 1408,
                         .shared_size = 5632}},
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
                 .pad_id = -1,
                 .moe = {.n_experts = 128, .n_chosen = 8, .intermediate_size = 768}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .has_qk_norm = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_qwen_moe,
};

const struct family family_olmoe = {
    .name = "OLMoE",
    .names = &qwen_moe_names,
    .defaults = {.vocab_size = 50304, .hidden_size = 2048, .n_layers = 16, .n_heads = 16,
                 .intermediate_size = 2048, .max_positions = 4096, .norm_eps = 1e-5,
                 .theta = 1e4, .activation = "silu", .pad_id = 1,
                 .moe = {.n_experts = 64, .n_chosen = 8}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true,
    .has_qk_norm = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_olmoe,
};

const struct family family_phi_moe = {
    .name = "PhiMoE",
    .names = &phimoe_names,
    .defaults = {.vocab_size = 32064, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .n_kv_heads = 8, .intermediate_size = 6400, .max_positions = 131072,
                 .norm_eps = 1e-5, .theta = 1e6, .activation = "silu", .pad_id = -1,
                 .moe = {.n_experts = 16, .n_chosen = 2}},
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
                 .activation = "silu", .pad_id = -1,
                 .sliding_pattern = 2, .moe = {.n_experts = 128, .n_chosen = 4}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true,
    .has_qkv_bias = true, .has_o_bias = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_gpt_oss,
};

const struct family family_jetmoe = {
    .name = "JetMoE",
    .names = &jetmoe_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 2048, .n_layers = 12, .n_heads = 32,
                 .n_kv_heads = 16, .head_dim = 128, .intermediate_size = 5632,
                 .max_positions = 4096, .norm_eps = 1e-6, .theta = 1e4, .activation = "silu",
                 .pad_id = -1,
                 .moe = {.n_experts = 8, .n_chosen = 2}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_jetmoe,
};

/* The first DeepSeek-MoE: Llama's attention, and no groups. */
const struct family family_deepseek = {
    .name = "DeepSeek-MoE",
    .names = &deepseek_moe_names,
    .defaults = {.vocab_size = 102400, .hidden_size = 4096, .n_layers = 30, .n_heads = 32,
                 .intermediate_size = 11008, .max_positions = 2048, .norm_eps = 1e-6,
                 .theta = 1e4, .activation = "silu", .pad_id = -1,
                 .moe = {.intermediate_size = 1407, .routed_scaling_factor = 1}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_deepseek,
};

const struct family family_deepseek_v2 = {
    .name = "DeepSeek-V2",
    .names = &deepseek_names,
    .defaults = {.vocab_size = 102400, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .head_dim = 64, .intermediate_size = 11008, .max_positions = 2048,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "silu", .pad_id = -1,
                 .moe = {.n_experts = 64, .intermediate_size = 1407, .n_shared = 2,
                         .routed_scaling_factor = 1}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .qkv = QKV_LATENT,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true, .has_interleaved_rope = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_deepseek_v2,
};

const struct family family_deepseek_v3 = {
    .name = "DeepSeek-V3",
    .names = &deepseek_names,
    .defaults = {.vocab_size = 129280, .hidden_size = 7168, .n_layers = 61, .n_heads = 128,
                 .head_dim = 64, .intermediate_size = 18432, .max_positions = 4096,
                 .norm_eps = 1e-6, .theta = 1e4, .activation = "silu", .pad_id = -1,
                 .moe = {.n_experts = 256, .n_chosen = 8, .intermediate_size = 2048,
                         .n_shared = 1, .n_groups = 8, .n_kept_groups = 4,
                         .n_dense_layers = 3, .routed_scaling_factor = 2.5}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .qkv = QKV_LATENT,
    .classifier = CLASSIFIER_SCORE,
    .is_causal = true, .is_gated = true, .has_interleaved_rope = true,
    .router = ROUTER_SIGMOID_SUM_1,
    .adjust = adjust_deepseek_v3,
};

const struct family family_granite_moe = {
    .name = "GraniteMoE",
    .names = &granite_moe_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .intermediate_size = 11008, .max_positions = 2048, .norm_eps = 1e-6,
                 .theta = 1e4, .activation = "silu", .pad_id = -1,
                 .moe = {.n_experts = 8, .n_chosen = 2}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_granite_moe,
};

const struct family family_molm = {
    .name = "MoLM",
    .names = &molm_names,
    .defaults = {.vocab_size = 50295, .hidden_size = 1024, .n_layers = 24, .n_heads = 8,
                 .head_dim = 64, .intermediate_size = 2048, .norm_eps = 1e-5,
                 .activation = "gelu_new", .pad_id = -1,
                 .moe = {.n_experts = 32, .n_chosen = 2}},
    .norm = NORM_LAYER,
    .position = POSITION_NONE,
    .classifier = CLASSIFIER_SCORE_COUNTED,
    .is_causal = true, .has_fixed_mask = true,
    .has_qkv_bias = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_molm,
};

const struct family family_openmoe = {
    .name = "OpenMoE",
    .names = &openmoe_names,
    .defaults = {.vocab_size = 32000, .hidden_size = 4096, .n_layers = 32, .n_heads = 32,
                 .intermediate_size = 11008, .max_positions = 2048, .norm_eps = 1e-6,
                 .theta = 1e4, .activation = "swiglu", .pad_id = -1,
                 .moe = {.n_chosen = 2}},
    .norm = NORM_RMS,
    .position = POSITION_ROTARY,
    .is_causal = true, .is_gated = true, .has_fixed_mask = true,
    .router = ROUTER_TOP_P,
    .adjust = adjust_openmoe,
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
    .scales_head_input = true,
    .adjust = adjust_t5,
};

/* Has never had a tied head. */
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
    .has_bias_per_layer = true, .scales_head_input = true,
    .adjust = adjust_t5,
};

const struct family family_switch = {
    .name = "Switch Transformers",
    .names = &switch_names,
    .defaults = {.vocab_size = 32128, .hidden_size = 768, .n_layers = 12, .n_heads = 12,
                 .head_dim = 64, .intermediate_size = 2048, .norm_eps = 1e-6,
                 .activation = "relu", .pad_id = 0,
                 .moe = {.n_experts = 8}},
    .norm = NORM_RMS,
    .position = POSITION_RELATIVE,
    .is_causal = true, .is_encoder_decoder = true,
    .scales_head_input = true,
    .router = ROUTER_TOP_P,
    .fixed_n_chosen = 1,
    .adjust = adjust_switch,
};

const struct family family_megatron = {
    .name = "Megatron",
    .names = &megatron_names,
    .defaults = {.vocab_size = 50257, .hidden_size = 1024, .n_layers = 24, .n_heads = 16,
                 .max_positions = 1024, .norm_eps = 1e-5, .theta = 1e4, .activation = "gelu",
                 .pad_id = -1},
    .norm = NORM_LAYER,
    .position = POSITION_ROTARY,
    .is_causal = true, .has_fixed_mask = true,
    .router = ROUTER_TOP_LOGITS,
    .adjust = adjust_megatron,
};
