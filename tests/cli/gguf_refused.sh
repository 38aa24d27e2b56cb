# What a GGUF file says of its model is checked before it is believed: each with its own sentence.
exec 2>&1
try() # FIXTURE OPTION...
{
    echo "$ ${*/fixtures\/models\//}"
    rm -rf made
    python3 "$FIXTURES/../tests/gguf_from_model.py" "$FIXTURES/models/$1" made "${@:2}" || return
    if cocktail logits --from-ids made/*.gguf <<<'1 2 3' >lines; then
        echo "$(wc -l <lines) lines"
    else
        echo "exit $?"
    fi
}
llama() { try llama-gqa --add "llama.$1"; }
bare() { try llama-gqa --add "$1"; }

echo '--- settings'
bare general.architecture=null
bare general.architecture=1
bare 'general.architecture="clip"'
bare 'general.architecture="starcoder2"'
bare 'general.architecture="nomic-bert"'
bare 'general.architecture="lla\u0000ma"'
bare 'general.type="adapter"'
bare 'general.type="mmproj"'
for key in block_count context_length embedding_length feed_forward_length attention.head_count attention.layer_norm_rms_epsilon; do
    llama $key=null
done
llama block_count=0
llama block_count=2147483648
llama block_count=1
llama block_count=3
llama block_count='[2, 2]'
llama block_count='"two"'
llama block_count=2.5
llama attention.head_count=0
llama attention.head_count=3
llama attention.head_count_kv=0
llama attention.head_count_kv=3
llama attention.head_count_kv='[2, 1]'
llama attention.head_count_kv='[2, 2, 2]'
llama attention.head_count_kv='[2, 2]'
llama attention.key_length=0
llama attention.key_length=8
llama attention.value_length=8
llama attention.causal=1
llama attention.scale=0.5
llama attention.sliding_window=5
llama attention.sliding_window=0
llama embedding_length=0
llama embedding_length=4294967295
llama embedding_length=56
llama feed_forward_length=45
llama vocab_size=60
llama expert_count=4
llama expert_used_count=2
llama logit_scale=2.0
llama rope.dimension_count=4
llama rope.dimension_count=7
llama rope.dimension_count=12
llama rope.freq_base=0.0
llama 'rope.scaling.type="dynamic"'
try llama-linear-f16 --add 'llama.rope.scaling.type="dynamic"'
try llama-linear-f16 --add 'llama.rope.scaling.type=7'
llama nextn_predict_layers=1
llama some_new_setting=1
llama pooling_type=4
bare 'tokenizer.ggml.tokens=["a","b"]'
try qwen3-f16 --add qwen3.expert_count=2
try qwen3-moe-f16 --layers 0 mlp_only_layers='[]' --add qwen3moe.expert_count=null
try qwen3-moe-f16 --layers 0 mlp_only_layers='[]' --add qwen3moe.expert_count=7
try mixtral --add llama.expert_count=100000
try mixtral --add llama.expert_used_count=6
try mixtral --add llama.expert_gating_func=2
try mixtral --add llama.expert_feed_forward_length=3
try gemma3-f16 query_pre_attn_scalar=8 --add gemma3.attention.sliding_window_pattern='[true]'
try bert --add bert.attention.causal=true
try gpt2 --add gpt2.attention.key_length=9
try gpt2 --add gpt2.feed_forward_length=95
try deepseek-v2-bf16 --add deepseek2.rope.dimension_count=10

echo '--- tensors'
try llama-gqa --drop token_embd.weight
try llama-gqa --drop output_norm.weight
try llama-gqa --drop blk.1.attn_k.weight
try llama-gqa --drop output.weight
try llama-gqa --name blk.1.attn_k.weight=blk.1.attn_kk.weight
try llama-gqa --name blk.1.attn_k.weight=blk.2.attn_k.weight
try llama-gqa --name blk.1.attn_norm.weight=blk.1.attn_norm.bias
try llama-gqa --name blk.1.attn_norm.weight=blk.1.attn_norm
try llama-gqa --name output.weight=v.blk.0.attn_q.weight
try llama-gqa --cut blk.0.attn_q.weight=38
try llama-gqa --cut blk.0.attn_v.weight=10
try llama-gqa --cut blk.0.attn_norm.weight=5
try llama-gqa --cut token_embd.weight=60
try llama-gqa --fuse-qkv --cut blk.0.attn_qkv.weight=70
try llama-gqa --fuse-qkv --name blk.0.ffn_up.weight=blk.0.attn_q.weight
try llama-bias-f16 --drop blk.0.attn_output.bias
try llama-llama3-bf16 --cut rope_freqs.weight=7
try llama-llama3-bf16 --add llama.rope.scaling.factor=2.0
try llama-longrope-bf16 --drop rope_factors_long.weight
try llama-longrope-bf16 --cut rope_factors_short.weight=4
try mixtral --cut blk.0.ffn_up_exps.weight=4
try mixtral --drop blk.0.ffn_gate_inp.weight
try mixtral --old-experts --drop blk.0.ffn_gate.3.weight
try mixtral --old-experts --name blk.0.ffn_gate.3.weight=blk.0.ffn_gate.5.weight
try mixtral --old-experts --name blk.0.ffn_gate.3.weight=blk.0.ffn_gate.03.weight
try granitemoe-bf16 --drop blk.0.ffn_up_exps.weight
try granitemoe-bf16 --drop blk.0.ffn_gate_exps.weight
try granitemoe-bf16 --cut blk.0.ffn_up_exps.weight=8
try deepseek-v2-bf16 --latent --drop blk.0.attn_v_b.weight
try deepseek-v2-bf16 --latent --cut blk.0.attn_v_b.weight=2
try gemma-bf16 --cut output_norm.weight=5
try phi3-su-bf16 --drop rope_factors_short.weight
