# Tensors that the model which is run has no place for are told, whatever command runs it; those that
# transformers passes over in silence are not.
rewrite()
{
    python3 "$FIXTURES/../tests/rewrite_model.py" "$@"
}
run() # ARGUMENT...
{
    cocktail "$@" 2>&1 >/dev/null | sed "s/^/$1: /"
}
export COCKTAIL_THREADS=2
head -n 2 fixtures/examples/arithmetic.jsonl >examples.jsonl
norm=model.norm.weight table=model.layers.0.mlp.gate_proj.weight
rewrite fixtures/decoder-base one copy=$norm=value_head.weight
rewrite fixtures/decoder-base three copy=$norm=model.layers.2.self_attn.extra.weight \
    copy=$table=visual.patches.weight copy=$norm=visual.norm.weight
run logits --from-ids one <<<'5 6'
run generate one --prompt a --max-tokens 1
run eval one --examples examples.jsonl
run generate three --prompt a --max-tokens 1
run generate -q three --prompt a --max-tokens 1
run embed --type encoder --pooling cls fixtures/models/llama-gqa <<<'a'
run embed --pooling cls fixtures/models/bert-mlm-bf16 <<<'a'
run rerank fixtures/reranker-base --query a <<<'b'
rewrite fixtures/reranker-base more copy=bert.pooler.dense.bias=cls.seq_relationship.bias
run rerank more --query a <<<'b'
rewrite fixtures/decoder-tense two copy=$norm=value_head.weight
run mix-data --examples examples.jsonl one two -o out

echo '--- in silence'
rewrite fixtures/decoder-base buffers copy=$norm=model.layers.0.self_attn.rotary_emb.inv_freq \
    copy=$norm=model.layers.3.self_attn.rotary_emb.inv_freq \
    copy=model.embed_tokens.weight=lm_head.weight copy=$norm=mtp.norm.weight
run generate buffers --prompt a --max-tokens 1
rewrite fixtures/encoder-base ids copy=embeddings.LayerNorm.bias=embeddings.position_ids \
    copy=embeddings.LayerNorm.bias=pooler.dense.bias
run embed --pooling cls ids <<<'a'
for model in fixtures/models/{t5,mt5-f16,switch-transformers-bf16,gpt2,gpt-neox-f16,deepseek-v3-bf16,llama-gqa,mixtral}; do
    run logits --from-ids "$model" <<<'5 6' | grep -F 'no part of'
done
exit 0
