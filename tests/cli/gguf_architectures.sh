# A GGUF file gives the numbers of the folder that it says the same as. The files are made by
# tests/gguf_from_model.py, which knows what llama.cpp's converter writes, and nothing of our tables.
exec 2>&1
ids='1 5 9 30 2 44 7 7 12 50 3 8 20 21 22 60 1 4'
llama3='rope_parameters={"factor":8.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_theta":10000.0,"rope_type":"llama3"}'
yarn='rope_scaling={"type":"yarn","beta_fast":4.0,"beta_slow":0.5,"factor":8.0,"mscale":0.9,"mscale_all_dim":0.9,"original_max_position_embeddings":16}'
make() { rm -rf made && python3 "$FIXTURES/../tests/gguf_from_model.py" "$FIXTURES/models/$1" made "${@:2}"; }
run() # MODEL OUT
{
    cocktail logits -q --from-ids "$1" <<<"$ids" >"$2" || echo "exit $?"
}
same() # FIXTURE [OPTION]...
{
    local said=${*/"$llama3"/llama3}

    make "$@" || return
    run "$(echo made/*.gguf | cut -d' ' -f1)" ours
    run made/hf expected
    python3 "$FIXTURES/../tests/same_numbers.py" ours expected 1e-5 && echo "${said/"$yarn"/yarn}: the same"
}

same llama-gqa
same llama-gqa --fuse-qkv
same llama-gqa --split 3
same llama-bias-f16
same llama-bias-f16 --fuse-qkv
same llama-tied-bf16
same llama-linear-f16
same llama-yarn-f16
same llama-longrope-bf16
same llama-llama3-bf16
same llama-llama3-bf16 "$llama3"
grep -c '"rope_type": "llama3"' <(cocktail convert -q made/model.gguf -o out >/dev/null && cat out/config.json)
same mistral-window-bf16 sliding_window=null
same mixtral
same mixtral --fuse-experts
same mixtral --old-experts
same mixtral-k1-bf16 sliding_window=null
same qwen2-window-off-f16
same qwen2-window-off-f16 --fuse-qkv
same qwen2-moe --layers 1 mlp_only_layers='[]'
same qwen3-f16
same qwen3-moe-f16 --layers 0,2 mlp_only_layers='[]'
same qwen3-moe-f16 --layers 0,2 mlp_only_layers='[]' --fuse-experts
same gemma-bf16
same gemma2-f16 query_pre_attn_scalar=8
same gemma3-f16 query_pre_attn_scalar=8
same gemma3-f16 query_pre_attn_scalar=8 --add gemma3.attention.sliding_window_pattern=3
# The models of 27B have 46 and 62 layers.
times() { printf '0,1,%.0s' $(seq "$1") | sed 's/,$//'; }
same gemma2-f16 query_pre_attn_scalar=6 --layers "$(times 23)"
same gemma3-f16 query_pre_attn_scalar=6 --layers "$(times 31)"
same phi3-su-bf16
same phi3-partial-f16
same phi3-window-bf16
same gpt2
same gpt2 --add gpt2.feed_forward_length=96
same granitemoe-bf16
same granitemoe-bf16 --fuse-experts
same granitemoe-bias-f16
same olmoe-bf16
same deepseek-v2-bf16
same deepseek-v2-bf16 --latent
same deepseek-v2-groups-bf16 "$yarn"
same deepseek-v3-bf16 "$yarn" --layers 0,1 num_nextn_predict_layers=0
same deepseek-v3-bf16 "$yarn" --layers 0,1 num_nextn_predict_layers=0 --latent

echo '--- what a setting means, and what its absence does'
same llama-tied-bf16 --add llama.attention.head_count_kv=null --add llama.attention.key_length=null \
    --add llama.attention.value_length=null --add llama.rope.dimension_count=null --add llama.rope.freq_base=null
same mixtral rope_theta=10000.0 --add llama.rope.freq_base=null
same llama-linear-f16 --add llama.rope.scaling.type=null
same llama-linear-f16 --add llama.rope.scaling.factor=null --add llama.rope.scale_linear=3.0
same llama-linear-f16 rope_parameters=null --add 'llama.rope.scaling.type="none"' --add llama.rope.scaling.factor=3.0
same llama-yarn-f16 rope_scaling='{"type":"yarn","beta_fast":8,"beta_slow":0.5,"factor":4.0,"original_max_position_embeddings":64,"attention_factor":0.5}' \
    --add llama.rope.scaling.attn_factor=0.43912345
same llama-yarn-f16 rope_scaling='{"type":"yarn","beta_fast":32,"beta_slow":1,"factor":4.0,"original_max_position_embeddings":256}' \
    --add llama.rope.scaling.original_context_length=null --add llama.rope.scaling.yarn_beta_fast=null --add llama.rope.scaling.yarn_beta_slow=null
same llama-longrope-bf16 rope_parameters='{"long_factor":[1.0,2.0,3.5,6.0,8.0],"original_max_position_embeddings":20,"rope_theta":10000.0,"rope_type":"longrope","short_factor":[1.0,1.1,1.3,1.7,2.2],"attention_factor":0.7}' \
    --add llama.rope.scaling.attn_factor=0.7
same gemma2-f16 query_pre_attn_scalar=8 attn_logit_softcapping=50.0 final_logit_softcapping=30.0 \
    --add gemma2.attn_logit_softcapping=null --add gemma2.final_logit_softcapping=null
same gemma2-f16 query_pre_attn_scalar=8 sliding_window=4096 --add gemma2.attention.sliding_window=null
same gemma3-f16 query_pre_attn_scalar=8 layer_types='["sliding_attention","sliding_attention","sliding_attention","sliding_attention"]' \
    --add gemma3.attention.sliding_window_pattern=null
same gemma3-f16 query_pre_attn_scalar=8 layer_types='["full_attention","full_attention","full_attention","full_attention"]' \
    --add gemma3.attention.sliding_window=0 --add gemma3.attention.sliding_window_pattern=null
same gemma3-f16 query_pre_attn_scalar=8 final_logit_softcapping=2.0
same granitemoe-bf16 attention_multiplier=0.408248290463863 --add granitemoe.attention.scale=null
same granitemoe-bf16 embedding_multiplier=1 residual_multiplier=1 logits_scaling=1 --add granitemoe.embedding_scale=null \
    --add granitemoe.residual_scale=null --add granitemoe.logit_scale=null
same olmoe-clip-f16 --add olmoe.expert_weights_norm=true
same olmoe-bf16 norm_topk_prob=true --add olmoe.expert_weights_norm=true
same qwen2-moe --layers 1 mlp_only_layers='[]' norm_topk_prob=true --add qwen2moe.expert_weights_norm=true
same deepseek-v3-bf16 "$yarn" --layers 0,1 num_nextn_predict_layers=0 norm_topk_prob=false

echo '--- others'
# An encoder has no logits: its tensors.
make bert
cocktail diff made/model.gguf made/hf
make llama-gqa --add llama.attention.causal=false
cocktail logits --from-ids made/model.gguf <<<"$ids"
make bert --add bert.pooling_type=2
cocktail inspect made/model.gguf | grep pooling
