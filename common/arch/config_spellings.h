/* config_spellings.h - the names that config.json has for one thing, in the order in which they are
 * looked at.
 *
 * One list each, for all who look: whoever reads a size, says in which setting two models differ,
 * or only counts experts. Which of the names models of a family obey stands in config_keys.c. */
#ifndef COCKTAIL_CONFIG_SPELLINGS_H
#define COCKTAIL_CONFIG_SPELLINGS_H

#define HIDDEN_SIZE_SPELLINGS(X) X("hidden_size") X("d_model") X("n_embd") X("dim")
#define N_LAYERS_SPELLINGS(X) X("num_hidden_layers") X("num_layers") X("n_layer") X("n_layers")
#define N_HEADS_SPELLINGS(X) X("num_attention_heads") X("num_heads") X("n_head") X("n_heads")
#define N_KV_HEADS_SPELLINGS(X) X("num_key_value_heads") X("n_kv_heads")
/* Of a latent head the part that rotates; transformers 5 calls that head_dim, too. */
#define HEAD_DIM_SPELLINGS(X) X("qk_rope_head_dim") X("head_dim") X("d_kv") X("kv_channels")
#define INTERMEDIATE_SIZE_SPELLINGS(X) \
    X("intermediate_size") X("d_ff") X("n_inner") X("hidden_dim") X("ffn_hidden_size") \
    X("ffd_hidden")
#define MAX_POSITIONS_SPELLINGS(X) X("max_position_embeddings") X("n_positions") X("n_ctx")
#define NORM_EPS_SPELLINGS(X) \
    X("rms_norm_eps") X("layer_norm_eps") X("layer_norm_epsilon") X("norm_eps")
#define ACTIVATION_SPELLINGS(X) \
    X("hidden_activation") X("hidden_act") X("activation_function") X("activation")
#define N_EXPERTS_SPELLINGS(X) \
    X("num_local_experts") X("num_experts") X("n_routed_experts") X("moe_num_experts") \
    X("n_mlp_experts")
/* How many of them a token meets. */
#define N_CHOSEN_SPELLINGS(X) \
    X("num_experts_per_tok") X("moe_top_k") X("router_topk") X("experts_per_token") X("k_mlp")
/* Those in attention, where they are counted apart. */
#define N_ATTENTION_EXPERTS_SPELLINGS(X) X("n_att_experts")
#define N_ATTENTION_CHOSEN_SPELLINGS(X) X("k_att")

/* For lists of texts: {HIDDEN_SIZE_SPELLINGS(SPELLING) NULL} */
#define SPELLING(name) name,

#endif
