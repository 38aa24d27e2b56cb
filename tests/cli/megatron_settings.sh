# What Megatron-Core can build and what of it runs: made with seeded numbers, computed by formulas in
# fixtures/megatron_model.py, and again cut over two tensor and two expert parallel ranks.
model="python3 $FIXTURES/megatron_model.py"
logits() # MODEL
{
    echo 3 1 17 8 8 0 12 | cocktail logits "$1" --from-ids
}
try() # NAME SETTING=VALUE…
{
    local name=$1
    shift

    echo "$name: $($model try "$name" "$COCKTAIL" "$@") $(cocktail inspect "$name" | sed -n 's/^architecture *//p')"
    logits "$name" >first && logits cut >second && cmp first second || echo "differs when it is cut"
    cocktail inspect "$name" | sed -n 's/^no place for */  no place for /p'
}
try plain
try pre-softmax moe_router_pre_softmax=True
try norms-of-queries qk_layernorm=True
try with-dense-layers qk_layernorm=True moe_router_pre_softmax=True 'moe_layer_freq=[0,1]'
try biases-of-queries add_qkv_bias=True moe_shared_expert_intermediate_size=12 moe_shared_expert_gate=True
try sigmoid 'moe_router_score_function="sigmoid"' moe_router_enable_expert_bias=True moe_router_topk_scaling_factor=2.5
try sigmoid-of-one 'moe_router_score_function="sigmoid"' moe_router_topk=1
try softplus 'moe_router_score_function="sqrtsoftplus"' moe_router_enable_expert_bias=True
try groups num_experts=8 moe_router_topk=4 moe_router_num_groups=4 moe_router_group_topk=2 moe_router_pre_softmax=True
try groups-by-three num_experts=12 moe_router_topk=3 moe_router_num_groups=2 moe_router_group_topk=1
try groups-of-sigmoids num_experts=8 moe_router_topk=4 moe_router_num_groups=4 moe_router_group_topk=2 \
    'moe_router_score_function="sigmoid"' moe_router_enable_expert_bias=True
try shared moe_shared_expert_intermediate_size=12
try squared swiglu=False squared_relu=True moe_shared_expert_intermediate_size=12 moe_shared_expert_gate=True
try layer-norms 'normalization="LayerNorm"' add_bias_linear=True qk_layernorm=True layernorm_zero_centered_gamma=True
try offset-norms layernorm_zero_centered_gamma=True
try like-gpt2 'normalization="LayerNorm"' add_bias_linear=True swiglu=False bias_gelu_fusion=True \
    'position_embedding_type="learned_absolute"' untie_embeddings_and_output_weights=False
try exact-gelu swiglu=False bias_gelu_fusion=True
try rotary rotary_percent=0.5 kv_channels=8 rotary_interleaved=True rotary_base=500 \
    rotary_seq_len_interpolation_factor=2.0
try no-positions 'position_embedding_type="none"'
try sinkhorn 'moe_router_load_balancing_type="sinkhorn"'
try sinkhorn-of-one 'moe_router_load_balancing_type=["sinkhorn"]' moe_router_topk=1
try every-second moe_layer_freq=2
try dense num_experts=None
try dense-with-biases num_experts=None add_qkv_bias=True
try dense-with-norms num_experts=None qk_layernorm=True
try stretched rotary_seq_len_interpolation_factor=4.0
try all-heads group_query_attention=False
