/* model_weights.h - the weights of a model by the part that they play. Matrices stay in the mapped
 * file as they are stored; vectors are small and become float. */
#ifndef COCKTAIL_MODEL_WEIGHTS_H
#define COCKTAIL_MODEL_WEIGHTS_H

#include <stddef.h>

#include "base/arena.h"
#include "math/gemm.h"

struct linear { /* y = x W^T + bias */
    struct gemm_matrix matrix; /* data NULL: there is none */
    const float *bias;         /* [n_out], or NULL */
};

struct norm {
    const float *weight; /* [n]; NULL: there is none */
    const float *bias;
};

struct mla_weights {
    struct linear q_a, q_b; /* without a short vector: only q_b, from x */
    struct norm q_norm;
    struct linear kv_a, kv_b;
    struct norm kv_norm;
};

struct moe_weights {
    struct linear router_hidden; /* of a gate that is not linear */
    struct linear router;        /* GATE_COSINE: centroids of length exp(temperature) */
    const float *choice_bias; /* [n_experts], or NULL */
    struct linear *gate, *up, *down; /* [n_experts] */
    const float *bias;               /* [hidden_size], or NULL */
    struct linear shared_router, shared_gate, shared_up, shared_down;
};

struct attention_weights {
    struct moe_weights *experts; /* in place of q and o: up gives queries, down takes heads */
    struct linear q, k, v; /* fused: all in q */
    struct mla_weights *mla; /* in place of these: QKV_LATENT */
    struct linear o;
    const float *relative_bias; /* [n_buckets, n_heads], or NULL */
    const float *sinks;         /* [n_heads], or NULL */
};

struct layer {
    struct norm norm1, q_norm, k_norm, post_attention_norm, cross_norm, norm2, post_mlp_norm;
    struct attention_weights self, cross;
    struct linear gate, up, down;
    struct moe_weights *moe; /* in place of these; NULL: an MLP */
    struct norm extra_norm;  /* of an MLP that stands behind the experts; else there is none */
};

struct stack {
    struct layer *layers; /* [n_layers] */
    struct norm final_norm;
    struct gemm_matrix embedding; /* the model's, or its own; rows are looked up */
    size_t lender; /* its number where ranks share experts: expert_group.h */
};

struct parameters {
    struct gemm_matrix embedding, positions, token_types; /* rows are looked up */
    struct norm embedding_norm;
    struct linear head;                /* to the vocabulary; a decoder's or an encoder-decoder's */
    struct linear classifier_dense, classifier;
    struct stack stack, encoder;
    struct arena arena;                /* vectors and layers */
    void **copies;                     /* matrices that could not stay where they are */
    size_t n_copies;
    size_t expert_bytes, all_expert_bytes; /* of experts' matrices: those that were loaded, and all */
};

#endif
