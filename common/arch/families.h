/* families.h - how the models of each family are built, and what their tensors are called.
 *
 * A family is a row of switches, names and defaults over the same layers; what config.json may
 * change besides sizes is in its `adjust`. */
#ifndef COCKTAIL_FAMILIES_H
#define COCKTAIL_FAMILIES_H

#include "arch/model_spec.h"

struct gate_names {
    const char *hidden, *out;       /* GATE_COSINE: out is a whole name */
    const char *temperature;        /* whole name */
};

struct moe_names { /* '@' stands for the number of an expert; with ".weight", but for the fused */
    const char *router;
    const char *router_matrix; /* in place of it; whole name */
    const struct gate_names *gates; /* [N_GATE_KINDS], in place of it */
    const char *choice_bias; /* whole name */
    const char *gate, *up, *down;
    const char *stacked_gate, *stacked_up, *stacked_down; /* [E I, H] each; whole names */
    const char *fused_gate_up, *fused_down; /* [E, 2I, H] gate rows first, and [E, H, I]; whole names */
    const char *turned_gate_up, *turned_down; /* [E, H, 2I] gate and up in turn, and [E, I, H]; whole */
    const char *turned_gate_up_bias, *turned_down_bias;
    const char *turned_gate, *turned_up; /* [E, H, I], in place of turned_gate_up; whole names */
    const char *bias;            /* the whole name */
    const char *shared_gate, *shared_up, *shared_down, *shared_router;
};

struct mla_names {
    const char *q;                  /* where queries come from x, else: */
    const char *q_a, *q_norm, *q_b;
    const char *kv_a, *kv_norm, *kv_b;
};

struct layer_names { /* plain names (tensor_names.h); NULL: the family has none */
    const char *prefix;  /* '#' stands for the number of the layer */
    const char *norm1, *qkv, *q, *k, *v, *o, *q_norm, *k_norm, *post_attention_norm;
    const struct mla_names *mla; /* in place of q, k and v */
    const char *relative_bias, *sinks; /* sinks: the whole name */
    const char *cross_norm, *cross_q, *cross_k, *cross_v, *cross_o;
    const char *norm2, *gate_up, *gate, *up, *down, *post_mlp_norm;
    const char *gated_up;   /* instead of `up` where there is a gate */
    const char *kv;                        /* one matrix of keys and values: JetMoE */
    const struct moe_names *attention_moe; /* fused_gate_up or turned_up: queries, …_down: out */
    const struct layer_names *extra_mlp;   /* norm2, gate, up and down of another MLP: OpenMoE */
    const char *final_norm; /* of the stack */
    const char *table;      /* embeddings of its own, beside those that two stacks share */
};

struct family_names {
    const char *embedding, *positions, *token_types, *embedding_norm, *head;
    const char *other_head;    /* another name of the head */
    const char *before_layers; /* a prefix that only layers have */
    const struct layer_names *layers, *encoder_layers;
    /* Ways to store experts: the one whose tensors are there. Of the layers, and of the encoder's. */
    const struct moe_names *moe, *encoder_moe; /* [n_moe], [n_encoder_moe] */
    size_t n_moe, n_encoder_moe;
};

struct classifier_names { /* of CLASSIFIER_…; dense NULL: there is none */
    const char *dense, *out;
    bool has_bias;
};
/* NULL for CLASSIFIER_NONE. */
const struct classifier_names *classifier_names_of(enum classifier_kind kind);

struct moe_defaults { /* of the class in transformers; 0: none, or as the comment says */
    size_t n_experts, n_chosen;
    size_t intermediate_size; /* that of the model */
    size_t shared_size;       /* of the expert that every token passes; or of so many experts: */
    size_t n_shared;
    size_t n_groups, n_kept_groups;
    size_t n_dense_layers;    /* before the first that has experts */
    double routed_scaling_factor;
};

struct family_defaults { /* of the class in transformers; 0: as the comment says */
    size_t vocab_size, hidden_size, n_layers, n_heads;
    size_t n_kv_heads;        /* n_heads */
    size_t head_dim;          /* hidden_size / n_heads */
    size_t intermediate_size; /* 4 hidden_size */
    size_t max_positions, n_token_types;
    size_t original_positions; /* max_positions */
    size_t window;
    size_t sliding_pattern;   /* of so many layers the last one does not slide; all do */
    double norm_eps, theta;
    double windowed_theta;    /* theta of a model that has a window; theta */
    /* Of sliding layers, whose rotary embeddings are then their own: rope_local_base_freq, and no
     * rope_scaling; theta. */
    double sliding_theta;
    double partial_rotary_factor; /* 1 */
    double score_softcap, logit_softcap; /* none */
    struct moe_defaults moe;
    const char *activation;
    long pad_id;              /* -1: none */
};

struct family {
    const char *name; /* as the list of supported architectures shows it */
    const struct family_names *names;
    struct family_defaults defaults;
    enum norm_kind norm;
    enum block_kind block;
    enum position_kind position;
    enum qkv_kind qkv;
    enum classifier_kind classifier; /* of its …ForSequenceClassification */
    bool is_causal, is_gated, is_conv1d, is_encoder_decoder;
    bool has_qkv_bias, has_o_bias, has_mlp_bias, has_qk_norm, has_post_norms;
    bool lacks_final_norm, has_interleaved_rope;
    bool has_fixed_mask;     /* is_causal cannot be obeyed: its masks are made another way */
    bool has_bias_per_layer; /* POSITION_RELATIVE */
    bool scales_head_input;  /* as a tied head's, unless config.json says otherwise: T5 */
    enum router_kind router;
    size_t fixed_n_chosen;   /* experts that a token meets, whatever config.json says; 0: it says */
    /* May be NULL. Sees the config (the part that describes the text model). */
    int (*adjust)(struct model_spec *spec, const cJSON *config, struct error *err);
};

extern const struct family family_bert, family_roberta, family_distilbert, family_llama,
    family_mistral, family_consolidated, family_qwen2, family_qwen3, family_gemma, family_gemma2,
    family_gemma3, family_gpt2, family_gpt_neox, family_phi3, family_mixtral, family_qwen2_moe,
    family_qwen3_moe, family_olmoe, family_phi_moe, family_granite_moe, family_gpt_oss,
    family_jetmoe, family_deepseek, family_deepseek_v2, family_deepseek_v3, family_molm, family_openmoe, family_t5,
    family_mt5, family_umt5, family_switch, family_megatron;

#endif
