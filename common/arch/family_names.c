#include "family_names.h"

const struct family_names bert_names = {
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

const struct family_names distilbert_names = {
    .before_layers = "transformer.",
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

static const struct layer_names llama_layers = {
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
};

const struct family_names llama_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &llama_layers,
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

static const struct moe_names phimoe_moe[] = {
    {
        .router = "block_sparse_moe.gate",
        .gate = "block_sparse_moe.experts.@.w1",
        .up = "block_sparse_moe.experts.@.w3",
        .down = "block_sparse_moe.experts.@.w2",
    },
    {
        .router = "mlp.router",
        .fused_gate_up = "mlp.experts.gate_up_proj",
        .fused_down = "mlp.experts.down_proj",
    },
};

/* Mistral's own files, and as their first release had them. */
static const struct moe_names consolidated_moe[] = {
    {
        .router = "feed_forward.gate",
        .gate = "feed_forward.experts.@.w1",
        .up = "feed_forward.experts.@.w3",
        .down = "feed_forward.experts.@.w2",
    },
    {
        .router = "block_sparse_moe.gate",
        .stacked_gate = "block_sparse_moe.w1",
        .stacked_up = "block_sparse_moe.w3",
        .stacked_down = "block_sparse_moe.w2",
    },
};

const struct family_names consolidated_names = {
    .embedding = "tok_embeddings",
    .head = "output",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "attention_norm",
        .q = "attention.wq",
        .k = "attention.wk",
        .v = "attention.wv",
        .o = "attention.wo",
        .norm2 = "ffn_norm",
        .gate = "feed_forward.w1",
        .up = "feed_forward.w3",
        .down = "feed_forward.w2",
        .final_norm = "norm",
    },
    .moe = consolidated_moe,
    .n_moe = sizeof consolidated_moe / sizeof *consolidated_moe,
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

/* As hub files have it, and as transformers 5 holds it in memory. */
static const struct moe_names granite_moe[] = {
    {
        .router = "block_sparse_moe.router.layer",
        .fused_gate_up = "block_sparse_moe.input_linear.weight",
        .fused_down = "block_sparse_moe.output_linear.weight",
    },
    {
        .router = "block_sparse_moe.router",
        .fused_gate_up = "block_sparse_moe.experts.gate_up_proj",
        .fused_down = "block_sparse_moe.experts.down_proj",
    },
};

const struct family_names mixtral_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &llama_layers,
    .moe = mixtral_moe,
    .n_moe = sizeof mixtral_moe / sizeof *mixtral_moe,
};

const struct family_names phimoe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &llama_layers,
    .moe = phimoe_moe,
    .n_moe = sizeof phimoe_moe / sizeof *phimoe_moe,
};

const struct family_names qwen_moe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &llama_layers,
    .moe = qwen_moe,
    .n_moe = sizeof qwen_moe / sizeof *qwen_moe,
};

const struct family_names deepseek_moe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &llama_layers,
    .moe = deepseek_moe,
    .n_moe = sizeof deepseek_moe / sizeof *deepseek_moe,
};

const struct family_names deepseek_names = {
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
    },
    .moe = deepseek_moe,
    .n_moe = sizeof deepseek_moe / sizeof *deepseek_moe,
};

const struct family_names granite_moe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &llama_layers,
    .moe = granite_moe,
    .n_moe = sizeof granite_moe / sizeof *granite_moe,
};

const struct family_names gpt_oss_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &llama_layers,
    .moe = gpt_oss_moe,
    .n_moe = sizeof gpt_oss_moe / sizeof *gpt_oss_moe,
};

/* The norm after attention is called what elsewhere is the norm before the MLP. */
const struct family_names gemma2_names = {
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

const struct family_names phi3_names = {
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

const struct family_names gpt2_names = {
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

const struct family_names gpt_neox_names = {
    .embedding = "embed_in",
    .head = "embed_out",
    .other_head = "lm_head",
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

const struct family_names t5_names = {
    .embedding = "shared",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "decoder.block.#.layer.",
        .table = "decoder.embed_tokens",
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
        .table = "encoder.embed_tokens",
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

const struct family_names jetmoe_names = {
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
    },
    .moe = jetmoe_moe,
    .n_moe = 1,
};

static const struct moe_names molm_moe[] = {
    {
        .gates = (const struct gate_names[N_GATE_KINDS]){
            [GATE_LINEAR] = {.out = "mlpf.gate.w_gate.0"},
            [GATE_MLP] = {"mlpf.gate.w_gate.0", "mlpf.gate.w_gate.3", NULL},
            [GATE_COSINE] = {"mlpf.gate.w_gate", "mlpf.gate.expert_centroids",
                             "mlpf.gate.temperature"},
        },
        .turned_up = "mlpf.experts.weight",
        .turned_down = "mlpf.output_experts.weight",
    },
};

const struct family_names molm_names = {
    .embedding = "wte",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "h.#.",
        .norm1 = "ln_1",
        .k = "attn.k_proj",
        .v = "attn.v_proj",
        .attention_moe = &(const struct moe_names){
            .gates = (const struct gate_names[N_GATE_KINDS]){
                [GATE_LINEAR] = {.out = "attn.q_proj.gate.w_gate.0"},
                [GATE_MLP] = {"attn.q_proj.gate.w_gate.0", "attn.q_proj.gate.w_gate.3", NULL},
                [GATE_COSINE] = {"attn.q_proj.gate.w_gate", "attn.q_proj.gate.expert_centroids",
                                 "attn.q_proj.gate.temperature"},
            },
            .turned_up = "attn.q_proj.experts.weight",
            .turned_down = "attn.q_proj.output_experts.weight",
        },
        .norm2 = "ln_2",
        .final_norm = "ln_f",
    },
    .moe = molm_moe,
    .n_moe = 1,
};

static const struct moe_names openmoe_moe[] = {
    {
        .router_matrix = "mlp.gate_weight",
        .turned_gate = "mlp.experts.wi_gate",
        .turned_up = "mlp.experts.wi_up",
        .turned_down = "mlp.experts.wo",
    },
};

const struct family_names openmoe_names = {
    .embedding = "embed_tokens",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "layers.#.",
        .norm1 = "input_layernorm",
        .q = "self_attn.q_proj",
        .k = "self_attn.k_proj",
        .v = "self_attn.v_proj",
        .o = "self_attn.o_proj",
        .norm2 = "post_attention_layernorm",
        .gate = "mlp.gate_proj",
        .up = "mlp.up_proj",
        .down = "mlp.down_proj",
        .extra_mlp = &(const struct layer_names){
            .norm2 = "pre_extra_mlp_layernorm",
            .gate = "extra_mlp.gate_proj",
            .up = "extra_mlp.up_proj",
            .down = "extra_mlp.down_proj",
        },
        .final_norm = "norm",
    },
    .moe = openmoe_moe,
    .n_moe = 1,
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

const struct family_names switch_names = {
    .embedding = "shared",
    .head = "lm_head",
    .layers = &(const struct layer_names){
        .prefix = "decoder.block.#.layer.",
        .table = "decoder.embed_tokens",
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
    },
    .moe = switch_decoder_moe,
    .n_moe = 1,
    .encoder_layers = &(const struct layer_names){
        .prefix = "encoder.block.#.layer.",
        .table = "encoder.embed_tokens",
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
    },
    .encoder_moe = switch_encoder_moe,
    .n_encoder_moe = 1,
};

const struct classifier_names *classifier_names_of(enum classifier_kind kind)
{
    static const struct classifier_names rows[] = {
        [CLASSIFIER_POOLER] = {"pooler.dense", "classifier", true},
        [CLASSIFIER_DENSE] = {"classifier.dense", "classifier.out_proj", true},
        [CLASSIFIER_RELU] = {"pre_classifier", "classifier", true},
        [CLASSIFIER_SCORE] = {NULL, "score", false},
        [CLASSIFIER_SCORE_COUNTED] = {NULL, "score", false},
    };

    return rows[kind].out ? &rows[kind] : NULL;
}

/* Ours: Megatron-LM's own names are another thing, and so are its tensors (megatron_tensors.h). */
static const struct moe_names megatron_moe[] = {
    {
        .router = "mlp.gate",
        .choice_bias = "mlp.gate.e_score_correction_bias",
        .gate = "mlp.experts.@.gate_proj",
        .up = "mlp.experts.@.up_proj",
        .down = "mlp.experts.@.down_proj",
        .shared_gate = "mlp.shared_expert.gate_proj",
        .shared_up = "mlp.shared_expert.up_proj",
        .shared_down = "mlp.shared_expert.down_proj",
        .shared_router = "mlp.shared_expert_gate",
    },
};

const struct family_names megatron_names = {
    .embedding = "embed_tokens",
    .positions = "embed_positions",
    .head = "lm_head",
    .layers = &llama_layers,
    .moe = megatron_moe,
    .n_moe = 1,
};
