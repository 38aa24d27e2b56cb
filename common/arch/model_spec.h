/* model_spec.h - what a model computes: the numbers and switches of config.json, read and checked.
 *
 * A family (a row in families.c) says how its models are built, config.json how large this one is.
 * Both end up in a struct model_spec, and nothing above reads config.json any more. Sources:
 * docs/models.md; defaults of transformers 5.23. */
#ifndef COCKTAIL_MODEL_SPEC_H
#define COCKTAIL_MODEL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/architecture.h"
#include "arch/config.h"
#include "arch/rope_spec.h"
#include "base/error.h"
#include "math/vector.h"

enum norm_kind {
    NORM_LAYER,
    NORM_RMS,
    NORM_RMS_OFFSET,   /* weight + 1: Gemma */
    NORM_LAYER_OFFSET, /* weight + 1: Megatron */
};
enum block_kind {
    BLOCK_PRE_NORM,  /* x += f(norm(x)); with post norms: x += post(f(norm(x))) */
    BLOCK_POST_NORM, /* x = norm(x + f(x)): BERT */
    BLOCK_PARALLEL,  /* x += attention(norm1(x)) + mlp(norm2(x)): GPT-NeoX */
};
enum position_kind {
    POSITION_LEARNED,
    POSITION_ROTARY,
    POSITION_RELATIVE, /* T5's buckets */
    POSITION_NONE,     /* but for the order of keys: MoLM */
};
enum qkv_kind {
    QKV_SEPARATE,
    QKV_FUSED,    /* one matrix, rows q | k | v */
    QKV_PER_HEAD, /* one matrix, rows q, k, v of the first head, of the second, …: GPT-NeoX */
    QKV_LATENT,   /* struct mla_spec: DeepSeek */
};

enum router_kind { /* docs/models.md, "Routers"; p = softmax of all logits */
    ROUTER_TOP_P,       /* the K largest p */
    ROUTER_TOP_P_SUM_1, /* the K largest p, divided by their sum */
    ROUTER_TOP_LOGITS,  /* softmax of the K largest logits: the same in exact arithmetic */
    ROUTER_SPARSEMIXER, /* PhiMoE: each of the two by its share among those near the largest */
    ROUTER_SIGMOID,     /* s = sigmoid of each logit; the K largest s + bias, but they weigh s */
    ROUTER_SIGMOID_SUM_1, /* likewise, divided by their sum */
    ROUTER_SQRT_SOFTPLUS, /* as sigmoids, with s = sqrt(log(1 + exp(logit))) */
    ROUTER_SQRT_SOFTPLUS_SUM_1,
};

/* Whether it scores each expert by itself: a sigmoid or the like, no softmax of all. */
bool router_scores_each(enum router_kind kind);

enum gate_kind { /* how a router comes to its logits; the last two: MoLM */
    GATE_LINEAR, /* W x */
    GATE_MLP,    /* W gelu(V x + b) */
    GATE_COSINE, /* cosines of V x and the experts' centroids, times exp(temperature) */
    N_GATE_KINDS,
};

struct moe_spec { /* mixture of experts, in place of the MLP or in attention */
    size_t n_experts, n_chosen; /* chosen: those that a token meets, top-k; 0: none */
    size_t intermediate_size;   /* of an expert */
    size_t shared_size;         /* of the expert that every token passes; 0: none */
    bool has_shared_gate;       /* sigmoid(gate x) * shared(x) */
    size_t capacity;            /* tokens of a sequence that an expert takes; 0: all */
    /* OpenMoE: instead, so many times its share if all experts were chosen equally often, made
     * even, and at least min_capacity. 0: not so. */
    double capacity_factor;
    size_t min_capacity;
    enum gate_kind gate;
    size_t gate_size;           /* rows of V */
    enum router_kind router;
    float jitter;               /* ROUTER_SPARSEMIXER: how near is near */
    bool has_router_bias;
    bool has_choice_bias; /* added to what experts are chosen by, and not to their weights */
    bool has_expert_bias; /* each matrix of an expert has one: Megatron */
    bool has_bias;              /* added once, to what the experts gave together: JetMoE */
    /* gpt-oss: gate and up alternate in one matrix, stored as [n_in, n_out], all with biases, and
     * what comes out of them is kept within this limit; 0: none of that. */
    float swiglu_limit, swiglu_alpha; /* alpha: up + 1 times gate * sigmoid(alpha * gate) */
    /* Experts are chosen from the n_kept_groups best of n_groups equal groups. A group counts as
     * much as its best expert, or with sigmoids its best two, or as its n_judging best. 0: no groups,
     * or not so. */
    size_t n_groups, n_kept_groups, n_judging;
    float routed_scaling_factor; /* of the experts' weights; 1: none */
};

struct mla_spec { /* multi-head latent attention: keys and values come from one short vector */
    size_t kv_lora_rank;     /* its length */
    size_t q_lora_rank;      /* of the one that queries come from; 0: they come from x */
    size_t qk_nope_head_dim; /* of a head, the first that do not rotate; the others do */
};

struct layer_names;

struct stack_spec { /* of layers */
    const struct layer_names *names;
    size_t n_layers, hidden_size, n_heads, n_kv_heads, intermediate_size;
    size_t head_dim, v_head_dim; /* of queries and keys, and of values */
    enum norm_kind norm;
    enum block_kind block;
    enum position_kind position;
    enum qkv_kind qkv;
    enum activation activation;
    float norm_eps;
    bool is_gated;      /* f(gate(x)) * up(x) */
    bool has_double_gate; /* a * f(b) * up(x), where gate(x) = a | b: OpenMoE */
    bool has_extra_mlp; /* behind the experts of a layer, with a norm of its own: OpenMoE */
    bool is_conv1d;     /* matrices are stored as [n_in, n_out]: GPT-2 */
    bool is_causal, has_cross_attention, has_final_norm;
    bool has_qkv_bias, has_o_bias, has_mlp_bias, has_qk_norm, has_post_norms;
    bool scales_by_layer;    /* scores of layer i divided by i + 1 as well: GPT-2 */
    bool has_bias_per_layer; /* POSITION_RELATIVE: a table in each layer, not only in the first */
    float score_scale, score_softcap; /* cap 0: none */
    size_t window;           /* keys that a token of a sliding layer sees, its own too; 0: all */
    uint8_t *slides;         /* [n_layers], 1 for a sliding layer */
    bool has_interleaved_rope; /* items 2i and 2i + 1 of a head together, not halves */
    struct rope_spec rope[2]; /* of full and of sliding layers */
    size_t n_buckets, max_distance; /* POSITION_RELATIVE */
    struct mla_spec mla;     /* QKV_LATENT */
    struct moe_spec moe;
    uint8_t *is_sparse;      /* [n_layers], 1 where experts are; NULL: nowhere */
    bool has_flat_qk_norm;   /* over all heads at once: OLMoE */
    float qkv_clip;          /* q, k and v are kept within it; 0: no limit */
    struct moe_spec attention_moe; /* of query heads over shared keys and values: JetMoE, MoLM */
    bool lacks_kv;           /* keys and values are what attention is given: MoLM */
    bool has_stick_breaking; /* attention.h: MoLM */
    float final_norm_eps;
    bool has_sinks;          /* a score for each head that no key has: gpt-oss */
    float residual_scale;    /* of what a part adds to x; 1: none */
};

/* QKV_LATENT: items of a token that all heads attend to, its short vector and what rotates. */
static inline size_t stack_latent_width(const struct stack_spec *stack)
{
    return stack->mla.kv_lora_rank + stack->head_dim - stack->mla.qk_nope_head_dim;
}

/* What turns the hidden state of one token into scores: dense (may be absent), then out. */
enum classifier_kind {
    CLASSIFIER_NONE,
    CLASSIFIER_POOLER, /* BERT: pooler, tanh, classifier, on the first token */
    CLASSIFIER_DENSE,  /* RoBERTa: classifier.dense, tanh, classifier.out_proj, likewise */
    CLASSIFIER_RELU,   /* DistilBERT: pre_classifier, relu, classifier, on the first token */
    CLASSIFIER_SCORE,  /* decoders: score, on the last token that is not padding */
    CLASSIFIER_SCORE_COUNTED, /* MoLM: on token number (how many are not padding) - 1 */
};

struct model_spec {
    const struct family *family;
    const char *config_name;   /* of the file that all this is from */
    bool is_encoder_decoder;
    struct stack_spec stack;   /* the only one, or the decoder */
    struct stack_spec encoder; /* of an encoder-decoder */
    size_t vocab_size, hidden_size;
    size_t n_positions;     /* rows of the position table; 0 without one */
    size_t position_offset; /* of the first token: pad + 1 in RoBERTa */
    size_t n_token_types;   /* 0: no such table */
    bool has_embedding_norm;
    float embedding_scale;  /* 1: none */
    float logit_scale;      /* of what goes into the head; 1: none */
    float logit_softcap;    /* 0: none */
    bool has_head_bias;
    bool has_tied_head;     /* by config.json; a head that is stored all the same is used */
    enum classifier_kind classifier;
    int64_t pad_id;         /* -1: none */
    uint32_t decoder_start_id;
    size_t max_tokens;      /* of a sequence; 0: no limit */
    size_t cache_limit;     /* rope_spec_switch: positions from which on keys differ; 0: never */
};

/* Reads and checks. `where` names the model in messages. ERROR_FORMAT for a value that is missing,
 * out of range or contradicts another; ERROR_UNSUPPORTED for an unknown architecture (the message
 * names it and those that are known) or a value that we cannot run. Released with
 * model_spec_release. */
int model_spec_load(struct model_spec *spec, const struct config *config, enum model_type type,
                    const char *where, struct error *err);
void model_spec_release(struct model_spec *spec);
/* Whether it has an output head, used as a `type`: a decoder or an encoder-decoder. */
bool model_spec_has_head(const struct model_spec *spec, enum model_type type);

#endif
