/* Every field of struct model_spec and of what it holds is either tried below, with a pair of
 * configs that differ in it alone and a pair that spells one value in two ways, or it has a reason
 * why it is not. A field that is neither fails the last test. */
#include "arch/spec_compare.h"

#include <ctype.h>
#include <stddef.h>

#include "scratch.h"

enum owner { OF_MODEL, OF_STACK, OF_MOE, OF_MLA, OF_ROPE };

/* Where structs of each kind lie in struct model_spec. */
static const struct place {
    enum owner owner;
    size_t offset;
} places[] = {
    {OF_MODEL, 0},
    {OF_STACK, offsetof(struct model_spec, stack)},
    {OF_STACK, offsetof(struct model_spec, encoder)},
    {OF_MOE, offsetof(struct model_spec, stack.moe)},
    {OF_MOE, offsetof(struct model_spec, stack.attention_moe)},
    {OF_MOE, offsetof(struct model_spec, encoder.moe)},
    {OF_MLA, offsetof(struct model_spec, stack.mla)},
    {OF_ROPE, offsetof(struct model_spec, stack.rope[0])},
    {OF_ROPE, offsetof(struct model_spec, stack.rope[1])},
};

struct trial {
    const char *field;
    enum owner owner;
    size_t offset, size;
    const char *class_name;
    const char *first, *second; /* members of two config.json that differ in the field alone */
    const char *text;           /* the notice, or, with '!' in front, the refusal */
    const char *alike;          /* members that mean the same as `first`; NULL: one spelling only */
    const char *others_class;   /* of `second`; NULL: the same */
};

#define FIELD(owner, type, field)                                                                 \
    #type "." #field, owner, offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define MODEL(field) FIELD(OF_MODEL, model_spec, field)
#define STACK(field) FIELD(OF_STACK, stack_spec, field)
#define MOE(field) FIELD(OF_MOE, moe_spec, field)
#define MLA(field) FIELD(OF_MLA, mla_spec, field)
#define ROPE(field) FIELD(OF_ROPE, rope_spec, field)

#define ALIKE(members) .alike = members
#define OTHERS(class) .others_class = class
#define ONE_SPELLING .alike = NULL

#define SIZES                                                                                     \
    "'hidden_size':64,'num_hidden_layers':2,'num_attention_heads':4,'num_key_value_heads':4,"     \
    "'head_dim':16,'intermediate_size':96,'max_position_embeddings':32"
#define DEEPSEEK                                                                                  \
    SIZES ",'qk_rope_head_dim':16,'n_routed_experts':8,'num_experts_per_tok':2,'n_group':2,"      \
          "'topk_group':1"
#define MEGATRON                                                                                 \
    SIZES ",'add_bias_linear':false,'num_experts':4,'num_experts_per_tok':2,"                      \
          "'moe_intermediate_size':8"
#define YARN "'rope_scaling':{'type':'yarn','factor':4,'original_max_position_embeddings':512"
#define LLAMA3                                                                                    \
    "'rope_scaling':{'rope_type':'llama3','factor':8,'original_max_position_embeddings':512,"
#define SIX "'num_hidden_layers':6,"
#define LONGROPE                                                                                  \
    "'head_dim':4,'max_position_embeddings':8192,'rope_scaling':{'type':'longrope',"

/* Names and values are in single quotes here; they become double ones. In texts 'A' and 'B' stand
 * for the names of the models. */
static const struct trial trials[] = {
    /* ---- model_spec ---- */
    {MODEL(family), "LlamaForCausalLM", SIZES ",'model_type':'llama','sliding_window':null",
     SIZES ",'model_type':'mistral','sliding_window':null",
     "model_type is \"llama\" in A and \"mistral\" in B",
     ALIKE(SIZES ",'model_type':'code_llama'"), OTHERS("MistralForCausalLM")},
    {MODEL(family), "LlamaForCausalLM", SIZES, SIZES ",'sliding_window':null",
     "architectures is [\"LlamaForCausalLM\"] in A and [\"MistralForCausalLM\"] in B",
     OTHERS("MistralForCausalLM")},
    {MODEL(hidden_size), "LlamaForCausalLM", "'hidden_size':2048", "'hidden_size':4096",
     "!hidden_size is 2048 in A and 4096 in B; only models with the same hidden size can be mixed",
     ONE_SPELLING},
    {MODEL(n_positions), "GPT2LMHeadModel", "'n_positions':512", "'x':0",
     "n_positions is 512 in A and 1024 in B", ALIKE("'max_position_embeddings':512")},
    {MODEL(n_token_types), "BertModel", "'type_vocab_size':1", "'type_vocab_size':2",
     "type_vocab_size is 1 in A and 2 in B", ONE_SPELLING},
    {MODEL(embedding_scale), "GraniteMoeForCausalLM", "'embedding_multiplier':12", "'x':0",
     "embedding_multiplier is 12 in A and 1 in B", ALIKE("'embedding_multiplier':12.0")},
    {MODEL(logit_scale), "GraniteMoeForCausalLM", "'logits_scaling':6", "'x':0",
     "logits_scaling is 6 in A and 1 in B", ALIKE("'logits_scaling':6.0")},
    {MODEL(logit_scale), "T5ForConditionalGeneration", "'tie_word_embeddings':false", "'x':0",
     "tie_word_embeddings is false in A and true in B", ALIKE("'scale_decoder_outputs':false")},
    {MODEL(logit_softcap), "Gemma2ForCausalLM", "'final_logit_softcapping':5.5", "'x':0",
     "final_logit_softcapping is 5.5 in A and 30 in B", ONE_SPELLING},
    {MODEL(logit_softcap), "Gemma2ForCausalLM", "'final_logit_softcapping':null",
     "'final_logit_softcapping':30.0", "final_logit_softcapping is none in A and 30 in B",
     ONE_SPELLING},
    {MODEL(has_head_bias), "PhimoeForCausalLM", "'lm_head_bias':true", "'x':0",
     "lm_head_bias is true in A and false in B", ONE_SPELLING},
    {MODEL(pad_id), "BertModel", "'pad_token_id':5", "'x':0", "pad_token_id is 5 in A and 0 in B",
     ONE_SPELLING},
    {MODEL(pad_id), "BertModel", "'pad_token_id':null", "'x':0",
     "pad_token_id is none in A and 0 in B", ALIKE("'pad_token_id':-1")},
    {MODEL(pad_id), "RobertaModel", "'pad_token_id':0", "'pad_token_id':1",
     "pad_token_id is 0 in A and 1 in B", ONE_SPELLING},
    {MODEL(decoder_start_id), "T5ForConditionalGeneration", "'decoder_start_token_id':3", "'x':0",
     "decoder_start_token_id is 3 in A and 0 in B", ONE_SPELLING},

    /* ---- stack_spec ---- */
    {STACK(n_layers), "LlamaForCausalLM", "'num_hidden_layers':4", "'num_hidden_layers':2",
     "!num_hidden_layers is 4 in A and 2 in B; only models with the same number of layers can be "
     "mixed", ONE_SPELLING},
    {STACK(n_layers), "T5ForConditionalGeneration", "'num_layers':4,'num_decoder_layers':2",
     "'num_layers':4",
     "!num_decoder_layers is 2 in A and 4 in B; only models with the same number of layers can be "
     "mixed", ALIKE("'num_hidden_layers':4,'num_decoder_layers':2")},
    {STACK(n_layers), "T5ForConditionalGeneration", "'num_layers':4,'num_decoder_layers':2",
     "'num_layers':3,'num_decoder_layers':2",
     "!num_layers is 4 in A and 3 in B; only models with the same number of layers can be mixed",
     ONE_SPELLING},
    {STACK(hidden_size), "BertModel", "'hidden_size':96", "'hidden_size':48",
     "!hidden_size is 96 in A and 48 in B; only models with the same hidden size can be mixed",
     ONE_SPELLING},
    {STACK(n_heads), "BertModel", "'num_attention_heads':6", "'x':0",
     "!num_attention_heads is 6 in A and 12 in B; only models with the same number of heads can be "
     "mixed", ONE_SPELLING},
    {STACK(n_kv_heads), "LlamaForCausalLM", "'num_key_value_heads':8", "'x':0",
     "!num_key_value_heads is 8 in A and 32 in B; only models with the same number of key-value "
     "heads can be mixed", ONE_SPELLING},
    {STACK(n_kv_heads), "MistralForCausalLM", "'num_key_value_heads':null", "'x':0",
     "!num_key_value_heads is 32 in A and 8 in B; only models with the same number of key-value "
     "heads can be mixed", ALIKE("'num_key_value_heads':32")},
    {STACK(intermediate_size), "LlamaForCausalLM", "'intermediate_size':5504", "'x':0",
     "intermediate_size is 5504 in A and 11008 in B", ONE_SPELLING},
    {STACK(head_dim), "LlamaForCausalLM", "'head_dim':64", "'x':0",
     "!head_dim is 64 in A and 128 in B; only models with the same size of heads can be mixed",
     ONE_SPELLING},
    {STACK(v_head_dim), "DeepseekV3ForCausalLM", "'v_head_dim':64", "'x':0",
     "!v_head_dim is 64 in A and 128 in B; only models with the same size of heads can be mixed",
     ONE_SPELLING},
    {STACK(norm), "LlamaForCausalLM", SIZES, SIZES,
     "!the norm is RMS norm in A and RMS norm with weights + 1 in B; only models with the same "
     "kind of norm can be mixed", OTHERS("GemmaForCausalLM")},
    {STACK(block), "GPTNeoXForCausalLM", "'use_parallel_residual':false", "'x':0",
     "!use_parallel_residual is false in A and true in B; only models with the same kind of layers "
     "can be mixed", ONE_SPELLING},
    {STACK(position), "GPT2LMHeadModel", SIZES, SIZES,
     "!the kind of positions is learned in A and rotary in B; only models with the same kind of "
     "positions can be mixed", OTHERS("GPTNeoXForCausalLM")},
    {STACK(qkv), "LlamaForCausalLM", SIZES, SIZES,
     "!the form of queries, keys and values is three matrices in A and one matrix in B; only "
     "models with the same kind of attention can be mixed", OTHERS("Phi3ForCausalLM")},
    {STACK(activation), "LlamaForCausalLM", "'hidden_act':'gelu'", "'x':0",
     "!hidden_act is \"gelu\" in A and \"silu\" in B; only models with the same activation can be "
     "mixed", ALIKE("'hidden_act':'gelu_python'")},
    {STACK(activation), "GPT2LMHeadModel", "'x':0", "'activation_function':'relu'",
     "!activation_function is \"gelu_pytorch_tanh\" in A and \"relu\" in B; only models with the "
     "same activation can be mixed", ALIKE("'activation_function':'gelu_fast'")},
    {STACK(activation), "GemmaForCausalLM", "'hidden_act':'gelu'", "'hidden_act':'relu'",
     "!hidden_act is \"gelu\" in A and \"relu\" in B; only models with the same "
     "activation can be mixed", ALIKE("'hidden_act':'gelu_pytorch_tanh'")},
    {STACK(norm_eps), "LlamaForCausalLM", "'rms_norm_eps':1e-5", "'x':0",
     "rms_norm_eps is 1e-05 in A and 1e-06 in B", ONE_SPELLING},
    {STACK(norm_eps), "BertModel", "'layer_norm_eps':1e-5", "'layer_norm_eps':1e-12",
     "layer_norm_eps is 1e-05 in A and 1e-12 in B", ONE_SPELLING},
    {STACK(is_gated), "T5ForConditionalGeneration", "'feed_forward_proj':'gated-relu'", "'x':0",
     "!feed_forward_proj is \"gated-relu\" in A and absent in B; only models with the same kind "
     "of MLP can be mixed", ONE_SPELLING},
    {STACK(has_qk_norm), "MegatronForCausalLM", MEGATRON ",'qk_layernorm':true", MEGATRON,
     "!qk_layernorm is true in A and false in B; only models with the same norms of queries and "
     "keys can be mixed", ONE_SPELLING},
    {STACK(is_gated), "MegatronForCausalLM", MEGATRON ",'gated_linear_unit':true", MEGATRON,
     "!gated_linear_unit is true in A and false in B; only models with the same kind of MLP can be "
     "mixed", ONE_SPELLING},
    {STACK(is_causal), "Gemma3ForCausalLM",
     "'use_bidirectional_attention':true,'sliding_window':null", "'sliding_window':null",
     "use_bidirectional_attention is true in A and false in B", ONE_SPELLING},
    {STACK(is_causal), "Gemma3ForCausalLM", "'use_bidirectional_attention':true", "'x':0",
     "use_bidirectional_attention is true in A and false in B", ONE_SPELLING},
    {STACK(has_qkv_bias), "Qwen2MoeForCausalLM", "'qkv_bias':false", "'x':0",
     "qkv_bias is false in A and true in B", ONE_SPELLING},
    {STACK(has_o_bias), "LlamaForCausalLM", "'attention_bias':true", "'x':0",
     "attention_bias is true in A and false in B", ONE_SPELLING},
    {STACK(has_mlp_bias), "LlamaForCausalLM", "'mlp_bias':true", "'mlp_bias':false",
     "mlp_bias is true in A and false in B", ONE_SPELLING},
    {STACK(scales_by_layer), "GPT2LMHeadModel", "'scale_attn_by_inverse_layer_idx':true", "'x':0",
     "scale_attn_by_inverse_layer_idx is true in A and false in B", ONE_SPELLING},
    {STACK(score_scale), "Gemma2ForCausalLM", "'query_pre_attn_scalar':64", "'x':0",
     "query_pre_attn_scalar is 64 in A and 256 in B", ALIKE("'query_pre_attn_scalar':64.0")},
    {STACK(score_scale), "GraniteMoeForCausalLM", "'attention_multiplier':0.015625", "'x':0",
     "attention_multiplier is 0.015625 in A and 1 in B", ONE_SPELLING},
    {STACK(score_scale), "GPT2LMHeadModel", "'scale_attn_weights':false", "'x':0",
     "scale_attn_weights is false in A and true in B", ONE_SPELLING},
    {STACK(score_softcap), "Gemma2ForCausalLM", "'attn_logit_softcapping':5", "'x':0",
     "attn_logit_softcapping is 5 in A and 50 in B", ONE_SPELLING},
    {STACK(window), "MistralForCausalLM", "'sliding_window':128", "'x':0",
     "sliding_window is 128 in A and 4096 in B", ONE_SPELLING},
    {STACK(window), "MistralForCausalLM", "'sliding_window':null", "'x':0",
     "sliding_window is none in A and 4096 in B", ALIKE("'sliding_window':0")},
    {STACK(window), "Qwen2ForCausalLM", "'use_sliding_window':true,'max_window_layers':0", "'x':0",
     "use_sliding_window is true in A and false in B",
     ALIKE("'use_sliding_window':true,'max_window_layers':0,'sliding_window':4096")},
    {STACK(slides), "Qwen2ForCausalLM", "'use_sliding_window':true,'max_window_layers':0",
     "'use_sliding_window':true,'max_window_layers':32", "max_window_layers is 0 in A and 32 in B",
     ONE_SPELLING},
    {STACK(slides), "Gemma2ForCausalLM", "'num_hidden_layers':4,'layer_types':['sliding_attention',"
     "'sliding_attention','sliding_attention','full_attention']",
     "'num_hidden_layers':4", "layer_types is [\"sliding_attention\",\"sliding_attention\",\"sliding_attention\","
     "\"full_attention\"] in A and absent in B",
     ONE_SPELLING},
    {STACK(slides), "Gemma3ForCausalLM", SIX "'sliding_window':8",
     SIX "'sliding_window':8,'layer_types':['full_attention','full_attention','full_attention',"
     "'sliding_attention','full_attention','full_attention']",
     "layer_types is absent in A and [\"full_attention\",\"full_attention\",\"full_attention\","
     "\"sliding_attention\",\"full_attention\",\"full_atten... in B",
     ALIKE(SIX "'sliding_window':8,'sliding_window_pattern':6")},
    {STACK(has_interleaved_rope), "DeepseekV3ForCausalLM", "'rope_interleave':false", "'x':0",
     "rope_interleave is false in A and true in B", ONE_SPELLING},
    {STACK(n_buckets), "T5ForConditionalGeneration", "'relative_attention_num_buckets':16", "'x':0",
     "relative_attention_num_buckets is 16 in A and 32 in B", ONE_SPELLING},
    {STACK(max_distance), "T5ForConditionalGeneration", "'relative_attention_max_distance':64",
     "'x':0", "relative_attention_max_distance is 64 in A and 128 in B", ONE_SPELLING},
    {STACK(is_sparse), "Qwen3MoeForCausalLM", "'mlp_only_layers':[1]", "'x':0",
     "mlp_only_layers is [1] in A and [] in B", ALIKE("'mlp_only_layers':[1,1]")},
    {STACK(is_sparse), "Qwen3MoeForCausalLM", "'decoder_sparse_step':2", "'x':0",
     "decoder_sparse_step is 2 in A and 1 in B", ONE_SPELLING},
    {STACK(is_sparse), "DeepseekV3ForCausalLM", "'first_k_dense_replace':1,'num_hidden_layers':4",
     "'num_hidden_layers':4", "first_k_dense_replace is 1 in A and absent in B", ONE_SPELLING},
    {STACK(is_sparse), "SwitchTransformersForConditionalGeneration",
     "'num_sparse_encoder_layers':6", "'x':0", "num_sparse_encoder_layers is 6 in A and 3 in B",
     ONE_SPELLING},
    {STACK(qkv_clip), "OlmoeForCausalLM", "'clip_qkv':8.0", "'clip_qkv':null",
     "clip_qkv is 8 in A and none in B", ONE_SPELLING},
    {STACK(final_norm_eps), "JetMoeForCausalLM", "'rms_norm_eps':1e-5", "'x':0",
     "rms_norm_eps is 1e-05 in A and 1e-06 in B", ONE_SPELLING},
    {STACK(residual_scale), "GraniteMoeForCausalLM", "'residual_multiplier':0.22", "'x':0",
     "residual_multiplier is 0.22 in A and 1 in B", ONE_SPELLING},

    /* ---- moe_spec ---- */
    {MOE(n_experts), "MixtralForCausalLM", "'num_local_experts':4", "'x':0",
     "!num_local_experts is 4 in A and 8 in B; only models with the same number of experts can be "
     "mixed", ALIKE("'num_experts':4")},
    {MOE(n_experts), "ModuleFormerForCausalLM", "'n_att_experts':16", "'x':0",
     "!n_att_experts is 16 in A and 32 in B; only models with the same number of experts can be "
     "mixed", ONE_SPELLING},
    {MOE(n_chosen), "MixtralForCausalLM", "'num_experts_per_tok':1", "'x':0",
     "num_experts_per_tok is 1 in A and 2 in B", ONE_SPELLING},
    {MOE(n_chosen), "JetMoeForCausalLM", "'num_experts_per_tok':1", "'x':0",
     "num_experts_per_tok is 1 in A and 2 in B", ALIKE("'moe_top_k':1")},
    {MOE(n_chosen), "ModuleFormerForCausalLM", "'k_att':1", "'x':0", "k_att is 1 in A and 2 in B",
     ONE_SPELLING},
    {MOE(intermediate_size), "Qwen3MoeForCausalLM", "'moe_intermediate_size':384", "'x':0",
     "moe_intermediate_size is 384 in A and 768 in B", ONE_SPELLING},
    {MOE(shared_size), "Qwen2MoeForCausalLM", "'shared_expert_intermediate_size':64", "'x':0",
     "shared_expert_intermediate_size is 64 in A and 5632 in B", ONE_SPELLING},
    {MOE(shared_size), "DeepseekV3ForCausalLM", "'n_shared_experts':2", "'n_shared_experts':1",
     "n_shared_experts is 2 in A and 1 in B", ONE_SPELLING},
    {MOE(capacity), "SwitchTransformersForConditionalGeneration", "'expert_capacity':8", "'x':0",
     "expert_capacity is 8 in A and 64 in B", ONE_SPELLING},
    {MOE(capacity_factor), "OpenMoeForCausalLM",
     "'num_experts':8,'router_capacity_factor_eval':1.25", "'num_experts':8",
     "router_capacity_factor_eval is 1.25 in A and 2 in B", ONE_SPELLING},
    {MOE(min_capacity), "OpenMoeForCausalLM", "'num_experts':8,'router_min_capacity':8",
     "'num_experts':8", "router_min_capacity is 8 in A and 4 in B", ONE_SPELLING},
    {MOE(gate), "ModuleFormerForCausalLM", "'gate_type':'gmm'", "'x':0",
     "!gate_type is \"gmm\" in A and \"mlp\" in B; only models with the same kind of router can be "
     "mixed", ONE_SPELLING},
    {MOE(gate_size), "ModuleFormerForCausalLM", "'gating_size':64", "'x':0",
     "gating_size is 64 in A and 256 in B", ONE_SPELLING},
    {MOE(router), "OlmoeForCausalLM", "'norm_topk_prob':true", "'x':0",
     "norm_topk_prob is true in A and false in B", ONE_SPELLING},
    {MOE(router), "DeepseekForCausalLM",
     "'n_routed_experts':8,'num_experts_per_tok':2,'norm_topk_prob':true",
     "'n_routed_experts':8,'num_experts_per_tok':2",
     "norm_topk_prob is true in A and false in B", ONE_SPELLING},
    {MOE(router), "DeepseekV3ForCausalLM", "'norm_topk_prob':false", "'x':0",
     "norm_topk_prob is false in A and true in B", ONE_SPELLING},
    {MOE(router), "DeepseekV2ForCausalLM", DEEPSEEK, DEEPSEEK,
     "!the router is softmax in A and sigmoid in B; only models with the same kind of router can "
     "be mixed", OTHERS("DeepseekV3ForCausalLM")},
    {MOE(router), "MegatronForCausalLM", MEGATRON, MEGATRON ",'norm_topk_prob':false",
     "norm_topk_prob is true in A and false in B", ONE_SPELLING},
    {MOE(has_choice_bias), "MegatronForCausalLM",
     MEGATRON ",'moe_router_score_function':'sigmoid','moe_router_enable_expert_bias':true",
     MEGATRON ",'moe_router_score_function':'sigmoid'",
     "moe_router_enable_expert_bias is true in A and false in B", ONE_SPELLING},
    {MOE(has_shared_gate), "MegatronForCausalLM",
     MEGATRON ",'shared_expert_intermediate_size':8,'moe_shared_expert_gate':true",
     MEGATRON ",'shared_expert_intermediate_size':8",
     "moe_shared_expert_gate is true in A and false in B", ONE_SPELLING},
    {MOE(jitter), "PhimoeForCausalLM", "'router_jitter_noise':0.1", "'x':0",
     "router_jitter_noise is 0.1 in A and 0.01 in B", ONE_SPELLING},
    {MOE(has_router_bias), "SwitchTransformersForConditionalGeneration", "'router_bias':true",
     "'x':0", "router_bias is true in A and false in B", ONE_SPELLING},
    {MOE(swiglu_limit), "GptOssForCausalLM", "'swiglu_limit':5", "'x':0",
     "swiglu_limit is 5 in A and 7 in B", ONE_SPELLING},
    {MOE(swiglu_alpha), "GptOssForCausalLM", "'swiglu_alpha':1.5", "'x':0",
     "swiglu_alpha is 1.5 in A and 1.702 in B", ONE_SPELLING},
    {MOE(n_groups), "DeepseekV3ForCausalLM", "'n_group':4", "'x':0", "n_group is 4 in A and 8 in B",
     ONE_SPELLING},
    {MOE(n_kept_groups), "DeepseekV3ForCausalLM", "'topk_group':2", "'x':0",
     "topk_group is 2 in A and 4 in B", ONE_SPELLING},
    {MOE(routed_scaling_factor), "DeepseekV3ForCausalLM", "'routed_scaling_factor':1.5", "'x':0",
     "routed_scaling_factor is 1.5 in A and 2.5 in B", ONE_SPELLING},

    /* ---- mla_spec ---- */
    {MLA(kv_lora_rank), "DeepseekV3ForCausalLM", "'kv_lora_rank':256", "'x':0",
     "!kv_lora_rank is 256 in A and 512 in B; only models with the same rank of keys and values "
     "can be mixed", ONE_SPELLING},
    {MLA(q_lora_rank), "DeepseekV3ForCausalLM", "'q_lora_rank':null", "'x':0",
     "!q_lora_rank is none in A and 1536 in B; only models with the same rank of queries can be "
     "mixed", ONE_SPELLING},
    {MLA(qk_nope_head_dim), "DeepseekV3ForCausalLM", "'qk_nope_head_dim':64,'qk_rope_head_dim':128",
     "'x':0",
     "!qk_nope_head_dim is 64 in A and 128 in B; only models with the same size of heads can be "
     "mixed", ALIKE("'qk_nope_head_dim':64,'head_dim':128")},

    /* ---- rope_spec ---- */
    {ROPE(kind), "LlamaForCausalLM", "'rope_scaling':{'type':'linear','factor':4.0}", "'x':0",
     "rope_scaling.type is \"linear\" with factor 4 in A and \"default\" in B",
     ALIKE("'rope_parameters':{'rope_type':'linear','factor':4}")},
    {ROPE(kind), "LlamaForCausalLM", "'rope_scaling':null",
     "'rope_parameters':{'rope_type':'dynamic','factor':2.5}",
     "rope_parameters.rope_type is \"default\" in A and \"dynamic\" with factor 2.5 in B",
     ALIKE("'rope_parameters':{'rope_type':'default','rope_theta':10000.0}")},
    {ROPE(kind), "LlamaForCausalLM", "'rope_scaling':{'type':'linear','factor':4}",
     "'rope_scaling':{'rope_type':'dynamic','factor':4}",
     "rope_scaling.rope_type is \"linear\" with factor 4 in A and \"dynamic\" with factor 4 in B",
     ONE_SPELLING},
    {ROPE(n_dims), "GPTNeoXForCausalLM", "'rotary_pct':0.5", "'x':0",
     "rotary_pct is 0.5 in A and absent in B", ALIKE("'partial_rotary_factor':0.5")},
    {ROPE(theta), "LlamaForCausalLM", "'rope_theta':500000.0", "'x':0",
     "rope_theta is 500000 in A and 10000 in B", ALIKE("'rope_parameters':{'rope_theta':500000}")},
    {ROPE(theta), "LlamaForCausalLM", "'x':0",
     "'rope_parameters':{'rope_type':'default','rope_theta':1000000.0}",
     "rope_parameters.rope_theta is 10000 in A and 1000000 in B", ALIKE("'rope_theta':10000.0")},
    {ROPE(theta), "LlamaForCausalLM",
     "'rope_theta':7,'rope_parameters':{'rope_theta':20000}",
     "'rope_parameters':{'rope_theta':30000}",
     "rope_parameters.rope_theta is 20000 in A and 30000 in B",
     ALIKE("'rope_parameters':{'rope_theta':20000}")},
    {ROPE(theta), "LlamaForCausalLM", "'rope_theta':20000.5",
     "'rope_parameters':{'rope_type':'default','rope_theta':1000000.0}",
     "rope_parameters.rope_theta is 20000.5 in A and 1000000 in B", ONE_SPELLING},
    {ROPE(theta), "GPTNeoXForCausalLM", "'rotary_emb_base':20000", "'x':0",
     "rotary_emb_base is 20000 in A and 10000 in B", ALIKE("'rope_theta':20000")},
    {ROPE(theta), "Gemma3ForCausalLM", "'rope_local_base_freq':20000", "'x':0",
     "rope_local_base_freq is 20000 in A and 10000 in B",
     ALIKE("'rope_parameters':{'sliding_attention':{'rope_theta':20000},"
     "'full_attention':{'rope_theta':1000000}}")},
    {ROPE(theta), "Gemma3ForCausalLM",
     "'rope_parameters':{'sliding_attention':{'rope_theta':10000},"
     "'full_attention':{'rope_theta':500000}}", "'rope_theta':1000000",
     "rope_parameters.full_attention.rope_theta is 500000 in A and 1000000 in B",
     ALIKE("'rope_theta':500000")},
    {ROPE(factor), "LlamaForCausalLM", "'rope_scaling':{'type':'linear','factor':4.0}",
     "'rope_scaling':{'type':'linear','factor':8.0}", "rope_scaling.factor is 4 in A and 8 in B",
     ALIKE("'rope_parameters':{'rope_type':'linear','factor':4}")},
    {ROPE(low_freq_factor), "LlamaForCausalLM",
     LLAMA3 "'low_freq_factor':1.0,'high_freq_factor':4.0}",
     LLAMA3 "'low_freq_factor':2.0,'high_freq_factor':4.0}",
     "rope_scaling.low_freq_factor is 1 in A and 2 in B",
     ALIKE(LLAMA3 "'low_freq_factor':1,'high_freq_factor':4}")},
    {ROPE(high_freq_factor), "LlamaForCausalLM",
     LLAMA3 "'low_freq_factor':1.0,'high_freq_factor':4.0}",
     LLAMA3 "'low_freq_factor':1.0,'high_freq_factor':8.0}",
     "rope_scaling.high_freq_factor is 4 in A and 8 in B", ONE_SPELLING},
    {ROPE(beta_fast), "LlamaForCausalLM", YARN ",'beta_fast':16}", YARN "}",
     "rope_scaling.beta_fast is 16 in A and 32 in B", ONE_SPELLING},
    {ROPE(beta_slow), "LlamaForCausalLM", YARN ",'beta_slow':2}", YARN "}",
     "rope_scaling.beta_slow is 2 in A and 1 in B", ONE_SPELLING},
    {ROPE(truncates), "LlamaForCausalLM", YARN ",'truncate':false}", YARN "}",
     "rope_scaling.truncate is false in A and true in B", ONE_SPELLING},
    {ROPE(max_positions), "LlamaForCausalLM", "'max_position_embeddings':4096", "'x':0",
     "max_position_embeddings is 4096 in A and 2048 in B", ONE_SPELLING},
    {ROPE(original_positions), "LlamaForCausalLM", YARN "}",
     YARN "},'original_max_position_embeddings':256",
     "original_max_position_embeddings is 512 in A and 256 in B",
     ALIKE(YARN ",'beta_fast':32},'original_max_position_embeddings':512")},
    {ROPE(attention_factor), "LlamaForCausalLM", YARN ",'attention_factor':1.5}",
     YARN ",'attention_factor':2}", "rope_scaling.attention_factor is 1.5 in A and 2 in B",
     ONE_SPELLING},
    {ROPE(mscale_all_dim), "DeepseekV3ForCausalLM", YARN ",'mscale':1,'mscale_all_dim':1}",
     YARN ",'mscale':1,'mscale_all_dim':2}", "rope_scaling.mscale_all_dim is 1 in A and 2 in B",
     ALIKE(YARN ",'mscale':1.0,'mscale_all_dim':1.0}")},
    {ROPE(short_factors), "Phi3ForCausalLM",
     LONGROPE "'short_factor':[1,1.05],'long_factor':[1,2]}",
     LONGROPE "'short_factor':[1,1.1],'long_factor':[1,2]}",
     "rope_scaling.short_factor is [1,1.05] in A and [1,1.1] in B",
     ALIKE(LONGROPE "'short_factor':[1.0,1.05],'long_factor':[1.0,2.0]}")},
    {ROPE(long_factors), "Phi3ForCausalLM",
     LONGROPE "'short_factor':[1,1],'long_factor':[1,2]}",
     LONGROPE "'short_factor':[1,1],'long_factor':[1,3]}",
     "rope_scaling.long_factor is [1,2] in A and [1,3] in B", ONE_SPELLING},
    {ROPE(short_mscale), "PhimoeForCausalLM",
     LONGROPE "'short_factor':[1,1],'long_factor':[1,2],'short_mscale':1.25}",
     LONGROPE "'short_factor':[1,1],'long_factor':[1,2]}",
     "rope_scaling.short_mscale is 1.25 in A and none in B", ONE_SPELLING},
    {ROPE(long_mscale), "PhimoeForCausalLM",
     LONGROPE "'short_factor':[1,1],'long_factor':[1,2],'long_mscale':1.25}",
     LONGROPE "'short_factor':[1,1],'long_factor':[1,2]}",
     "rope_scaling.long_mscale is 1.25 in A and none in B", ONE_SPELLING},
};

static const struct {
    const char *field, *reason;
} untried[] = {
    {"model_spec.config_name", "for messages"},
    {"model_spec.is_encoder_decoder", "follows from the type, which all models share"},
    {"model_spec.stack", "its own fields"},
    {"model_spec.encoder", "its own fields"},
    {"model_spec.vocab_size", "the tensors tell"},
    {"model_spec.position_offset", "follows from pad_id and family"},
    {"model_spec.has_embedding_norm", "follows from family"},
    {"model_spec.has_tied_head", "the tensors tell: heads and embeddings are compared as they are"},
    {"model_spec.classifier", "follows from family and type; the tensors tell"},
    {"model_spec.max_tokens", "follows from n_positions, position_offset and rope"},
    {"model_spec.cache_limit", "follows from rope"},
    {"stack_spec.names", "follows from family"},
    {"stack_spec.has_double_gate", "follows from family"},
    {"stack_spec.has_extra_mlp", "follows from family"},
    {"stack_spec.is_conv1d", "follows from family"},
    {"stack_spec.has_cross_attention", "follows from the type"},
    {"stack_spec.has_final_norm", "follows from family"},
    {"stack_spec.has_post_norms", "follows from family"},
    {"stack_spec.has_bias_per_layer", "follows from family"},
    {"stack_spec.rope", "its own fields"},
    {"stack_spec.mla", "its own fields"},
    {"stack_spec.moe", "its own fields"},
    {"stack_spec.attention_moe", "its own fields"},
    {"stack_spec.has_flat_qk_norm", "follows from family"},
    {"stack_spec.lacks_kv", "follows from hidden_size, n_heads and attention_moe"},
    {"stack_spec.has_stick_breaking", "follows from family"},
    {"stack_spec.has_sinks", "follows from family"},
    {"moe_spec.has_expert_bias", "follows from has_mlp_bias"},
    {"moe_spec.n_judging", "follows from family, n_chosen and n_kept_groups"},
    {"moe_spec.has_bias", "follows from family"},
};

/* ---- running them ---- */

struct loaded {
    struct config config;
    struct model_spec spec;
};

static bool load(struct loaded *loaded, const char *text, enum model_type type)
{
    struct error err = {0};
    struct folder *folder;
    bool is_fine;

    *loaded = (struct loaded){0};
    scratch_text("model/config.json", text);
    folder = folder_open(scratch_path("model"), false, &err);
    is_fine = config_load(&loaded->config, folder, "", false, &err) == 0 &&
              model_spec_load(&loaded->spec, &loaded->config, type, "model", &err) == 0;
    if (!is_fine)
        printf("# %s\n# %s\n", text, err.text);
    folder_close(folder);
    return is_fine;
}

static void release(struct loaded *loaded)
{
    model_spec_release(&loaded->spec);
    config_release(&loaded->config);
}

/* The config.json of a class with these members; to be freed. */
static char *config_text(const char *class_name, const char *members)
{
    char *text = memory_format("{'architectures':['%s'],%s}", class_name, members);

    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return text;
}

static bool load_members(struct loaded *loaded, const char *class_name, const char *members)
{
    char *text = config_text(class_name, members);
    bool is_fine = load(loaded, text, strstr(class_name, "ConditionalGeneration")
                                          ? MODEL_ENCODER_DECODER
                                          : MODEL_DECODER);

    free(text);
    return is_fine;
}

/* "a refusal", or the notices one below the other; to be freed. */
static char *outcome(const struct loaded *first, const struct loaded *second)
{
    struct spec_side sides[] = {{"A", &first->config, &first->spec},
                                {"B", &second->config, &second->spec}};
    struct notices notices = {0};
    struct error err = {0};
    struct buffer text = {0};

    buffer_add_text(&text, "");
    if (spec_compare(&sides[0], &sides[1], &notices, &err)) {
        CHECK(err.code == ERROR_INCOMPATIBLE);
        buffer_format(&text, "!%s", err.text);
    }
    for (size_t i = 0; i < notices.n_texts; i++)
        buffer_format(&text, "%s%s", text.size ? "\n" : "", notices.texts[i]);
    notices_release(&notices);
    return text.data;
}

/* What `text` of a trial stands for; to be freed. */
static char *expected(const char *text)
{
    struct buffer out = {0};

    for (; *text; text++)
        if (text[0] == ' ' && (text[1] == 'A' || text[1] == 'B') && !isalnum(text[2])) {
            buffer_format(&out, " '%c'", text[1]);
            text++;
        } else {
            buffer_add_char(&out, *text);
        }
    if (out.data[0] != '!')
        buffer_add_text(&out, ": the first is kept");
    return out.data;
}

static void check_text(const char *found, const char *wanted, const char *field)
{
    if (strcmp(found, wanted) != 0)
        printf("# %s: '%s', not '%s'\n", field, found, wanted);
    CHECK(strcmp(found, wanted) == 0);
}

/* Whether any struct of the trial's kind has another value in the field (pointers always have). */
static bool has_field_differ(const struct trial *trial, const struct model_spec *a,
                             const struct model_spec *b)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t offset = places[i].offset + trial->offset;

        if (places[i].owner == trial->owner &&
            memcmp((const char *)a + offset, (const char *)b + offset, trial->size) != 0)
            return true;
    }
    return false;
}

static void run_trial(const struct trial *trial)
{
    struct loaded first, second, alike;
    char *wanted = expected(trial->text), *found = NULL;
    const char *others = trial->others_class ? trial->others_class : trial->class_name;
    bool is_fine = load_members(&first, trial->class_name, trial->first);

    is_fine = load_members(&second, others, trial->second) && is_fine;
    CHECK(is_fine);
    if (is_fine) {
        if (!has_field_differ(trial, &first.spec, &second.spec))
            printf("# %s: is the same in both\n", trial->field);
        CHECK(has_field_differ(trial, &first.spec, &second.spec));
        found = outcome(&first, &second);
        check_text(found, wanted, trial->field);
    }
    if (is_fine && trial->alike) {
        free(found);
        CHECK(load_members(&alike, trial->class_name, trial->alike));
        found = outcome(&first, &alike);
        check_text(found, "", trial->field);
        release(&alike);
    }
    release(&first);
    release(&second);
    free(found);
    free(wanted);
}

static void each_difference_is_told_by_its_key_and_two_spellings_are_none(void)
{
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        run_trial(&trials[i]);
}

static void check_pair(const char *first_text, const char *second_text, enum model_type type,
                       const char *wanted)
{
    struct loaded first, second;
    bool is_fine = load(&first, first_text, type);
    char *found;

    is_fine = load(&second, second_text, type) && is_fine;
    CHECK(is_fine);
    if (is_fine) {
        found = outcome(&first, &second);
        check_text(found, wanted, first_text);
        free(found);
    }
    release(&first);
    release(&second);
}

static void classes_of_one_family_are_alike(void)
{
    check_pair("{\"architectures\":[\"LlamaModel\"],\"model_type\":\"llama\"}",
               "{\"architectures\":[\"LlamaForCausalLM\"]}", MODEL_ENCODER, "");
    check_pair("{\"architectures\":[\"XLMRobertaModel\"],\"model_type\":\"xlm-roberta\"}",
               "{\"architectures\":[\"RobertaForMaskedLM\"],\"model_type\":\"roberta\"}",
               MODEL_ENCODER, "");
    check_pair("{\"architectures\":[\"T5EncoderModel\"],\"num_decoder_layers\":3}",
               "{\"architectures\":[\"T5EncoderModel\"]}", MODEL_ENCODER, "");
}

static void the_part_about_the_text_model_is_compared(void)
{
    check_pair("{\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"text_config\":"
               "{\"rms_norm_eps\":0.01,\"sliding_window\":8}}",
               "{\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"text_config\":"
               "{\"sliding_window\":16}}", MODEL_DECODER,
               "sliding_window is 8 in 'A' and 16 in 'B': the first is kept\n"
               "rms_norm_eps is 0.01 in 'A' and 1e-06 in 'B': the first is kept");
    check_pair("{\"architectures\":[\"Gemma3ForConditionalGeneration\"],\"text_config\":"
               "{\"sliding_window\":8}}",
               "{\"architectures\":[\"Gemma3ForCausalLM\"],\"sliding_window\":8}", MODEL_DECODER,
               "");
}

static void what_no_layer_uses_is_no_difference(void)
{
    const char *base = "{\"architectures\":[\"LlamaForCausalLM\"],\"num_hidden_layers\":1}";

    check_pair("{\"architectures\":[\"Gemma3ForCausalLM\"],\"num_hidden_layers\":1,"
               "\"layer_types\":[\"full_attention\"],\"sliding_window\":8}",
               "{\"architectures\":[\"Gemma3ForCausalLM\"],\"num_hidden_layers\":1,"
               "\"layer_types\":[\"full_attention\"],\"rope_local_base_freq\":7}", MODEL_DECODER,
               "");
    check_pair("{\"architectures\":[\"LlamaForCausalLM\"],\"num_hidden_layers\":1,"
               "\"rope_scaling\":{\"type\":\"default\",\"factor\":3,\"beta_fast\":7}}", base,
               MODEL_DECODER, "");
    check_pair("{\"architectures\":[\"Qwen2ForCausalLM\"],\"sliding_window\":8}",
               "{\"architectures\":[\"Qwen2ForCausalLM\"],\"max_window_layers\":3}", MODEL_DECODER,
               "");
}

static void one_change_of_kind_is_one_notice(void)
{
    check_pair("{\"architectures\":[\"LlamaForCausalLM\"],"
               "\"rope_scaling\":{\"rope_type\":\"llama3\","
               "\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
               "\"original_max_position_embeddings\":512}}",
               "{\"architectures\":[\"LlamaForCausalLM\"],\"rope_scaling\":{\"type\":\"yarn\","
               "\"factor\":4}}", MODEL_DECODER,
               "rope_scaling.rope_type is \"llama3\" with factor 8 in 'A' and \"yarn\" with factor "
               "4 in 'B': the first is kept");
}

static void long_lists_are_shown_from_the_item_that_differs(void)
{
    struct buffer texts[2] = {{0}, {0}};

    for (size_t i = 0; i < 2; i++) {
        buffer_add_text(&texts[i], "{\"architectures\":[\"Phi3ForCausalLM\"],"
                                   "\"max_position_embeddings\":8192,\"rope_scaling\":"
                                   "{\"type\":\"longrope\",\"long_factor\":[1");
        for (size_t k = 1; k < 48; k++)
            buffer_add_text(&texts[i], ",1");
        buffer_add_text(&texts[i], "],\"short_factor\":[1");
        for (size_t k = 1; k < 48; k++)
            buffer_format(&texts[i], ",%s", k == 47 && i ? "2.75" : "1.1875");
        buffer_add_text(&texts[i], "]}}");
    }
    check_pair(texts[0].data, texts[1].data, MODEL_DECODER,
               "rope_scaling.short_factor is ...1.1875] in 'A' and ...2.75] in 'B': the first is "
               "kept");
    buffer_release(&texts[0]);
    buffer_release(&texts[1]);
}

static void texts_are_compared_where_both_state_a_key(void)
{
    const char *texts[] = {
        "{\"architectures\":[\"NewModel\"],\"model_type\":\"new\",\"rms_norm_eps\":0.1,"
        "\"text_config\":{\"rms_norm_eps\":0.5,\"hidden_act\":\"gelu\",\"rope_scaling\":null}}",
        "{\"architectures\":[\"NewForMaskedLM\"],\"model_type\":\"new\",\"text_config\":"
        "{\"rms_norm_eps\":0.25,\"sliding_window\":7,\"hidden_act\":\"gelu\","
        "\"rope_scaling\":{\"type\":\"linear\"}}}",
    };
    struct config configs[2] = {{0}, {0}};
    struct notices notices = {0};
    struct error err = {0};

    for (size_t i = 0; i < 2; i++) {
        struct folder *folder;

        scratch_text("model/config.json", texts[i]);
        folder = folder_open(scratch_path("model"), false, &err);
        CHECK(config_load(&configs[i], folder, "", false, &err) == 0);
        folder_close(folder);
    }
    spec_compare_texts(&(struct spec_side){"A", &configs[0], NULL},
                       &(struct spec_side){"B", &configs[1], NULL}, &notices);
    CHECK(notices.n_texts == 1);
    if (notices.n_texts)
        check_text(notices.texts[0],
                   "rms_norm_eps is 0.5 in 'A' and 0.25 in 'B': the first is kept", "texts");
    notices_release(&notices);
    config_release(&configs[0]);
    config_release(&configs[1]);
}

/* ---- every field ---- */

static bool is_known(const char *field)
{
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        if (strcmp(trials[i].field, field) == 0)
            return true;
    for (size_t i = 0; i < sizeof untried / sizeof *untried; i++)
        if (strcmp(untried[i].field, field) == 0)
            return true;
    return false;
}

/* Blanks out comments. */
static void strip_comments(char *text)
{
    char *start, *end;

    while ((start = strstr(text, "/*")) && (end = strstr(start, "*/")))
        memset(start, ' ', (size_t)(end + 2 - start));
}

/* The last word in text[size], without the brackets of an array. */
static char *last_word(const char *text, size_t size)
{
    const char *bracket = memchr(text, '[', size);
    size_t end = bracket ? (size_t)(bracket - text) : size, start;

    while (end > 0 && isspace((unsigned char)text[end - 1]))
        end--;
    start = end;
    while (start > 0 && (isalnum((unsigned char)text[start - 1]) || text[start - 1] == '_'))
        start--;
    return memory_format("%.*s", (int)(end - start), text + start);
}

/* Checks the fields that the header's text declares in the struct; returns how many they are. */
static size_t check_fields(const char *text, const char *name)
{
    char *opening = memory_format("struct %s {", name);
    const char *at = strstr(text, opening), *end = at ? strstr(at, "};") : NULL;
    size_t n = 0;

    CHECK(at && end);
    for (at = at ? at + strlen(opening) : NULL; at && end && at < end;) {
        size_t size = strcspn(at, ",;}");
        char *word = last_word(at, size), *field = memory_format("%s.%s", name, word);

        if (at[size] != '}') {
            if (!is_known(field))
                printf("# '%s' is neither tried nor has a reason not to be\n", field);
            CHECK(is_known(field));
            n++;
        }
        free(word);
        free(field);
        at += size + 1;
    }
    free(opening);
    return n;
}

static char *read_header(const char *path)
{
    FILE *file = fopen(path, "r");
    struct buffer text = {0};
    char part[4096];
    size_t got;

    buffer_add_text(&text, "");
    while (file && (got = fread(part, 1, sizeof part, file)) > 0)
        buffer_add(&text, part, got);
    if (file)
        fclose(file);
    strip_comments(text.data);
    return text.data;
}

static void every_field_is_tried_or_has_a_reason(void)
{
    static const struct {
        const char *path, *name;
        size_t least; /* of fields, so that a header that is not understood is noticed */
    } structs[] = {
        {"common/arch/model_spec.h", "model_spec", 20},
        {"common/arch/model_spec.h", "stack_spec", 45},
        {"common/arch/model_spec.h", "moe_spec", 18},
        {"common/arch/model_spec.h", "mla_spec", 3},
        {"common/arch/rope_spec.h", "rope_spec", 16},
    };

    for (size_t i = 0; i < sizeof structs / sizeof *structs; i++) {
        char *text = read_header(structs[i].path);

        CHECK(check_fields(text, structs[i].name) >= structs[i].least);
        free(text);
    }
}

TESTS(TEST(each_difference_is_told_by_its_key_and_two_spellings_are_none),
      TEST(classes_of_one_family_are_alike), TEST(the_part_about_the_text_model_is_compared),
      TEST(what_no_layer_uses_is_no_difference), TEST(one_change_of_kind_is_one_notice),
      TEST(long_lists_are_shown_from_the_item_that_differs),
      TEST(texts_are_compared_where_both_state_a_key), TEST(every_field_is_tried_or_has_a_reason))
