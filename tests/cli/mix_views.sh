# One model in several spellings: what is the same part is mixed, in both orders, whatever it is called and
# however it is stored. The second of each pair has the negative values, so that 0.75 of the one and
# 0.25 of the other are exactly half of the first, in the spelling of the first.
set -e
exec 2>&1
rewrite() { python3 "$FIXTURES/../tests/rewrite_model.py" "$@"; }
names() { cocktail inspect "$1" --tensors | sed -n 's/  *[A-Z0-9]*  *\[.*//p' | sort; }
identical() { cocktail diff --exit-code "$@" >/dev/null && echo "${1##*/} is ${2##*/}"; }
half() # A B NAMES-OF-A: a mix of A with the negative B is half of A, and has its names
{
    rm -rf out minus expected
    rewrite "$2" minus 'scale=.*(?<!masked_bias)(?<!inv_freq)=-1' "${@:4}"
    rewrite "$1" expected 'scale=.*(?<!masked_bias)(?<!inv_freq)=0.5' ${3:+"rename=$3"}
    if ! cocktail mix -q --ignore-tokenizer --weights 0.75,0.25 "$1" minus -o out >/dev/null; then
        echo "$1 with $2: exit $?"
        return
    fi
    if cmp <(names out) <(names expected) && cocktail diff --exit-code out expected >/dev/null; then
        echo "${1##*/} with ${2##*/}: half"
    else
        echo "${1##*/} with ${2##*/}: not half"
    fi
}
notes() # but those on files and pooling
{
    cocktail mix --ignore-tokenizer --weights 0.5,0.5 "$1" "$2" -o noted --force 2>&1 >/dev/null |
        grep -Ev 'not taken over|how it pools' || true
}
refused()
{
    echo "\$ $*"
    "$@" >/dev/null || echo "exit $?"
}
models=$FIXTURES/models

echo '--- experts one by one, and all of a layer in one tensor'
for name in mixtral qwen3-moe-f16 deepseek-v3-bf16; do
    rewrite "$models/$name" "$name-fused" fuse=model.layers
    half "$models/$name" "$name-fused" ''
    half "$name-fused" "$models/$name" ''
done
for name in consolidated first-release; do
    cocktail mix -q -w 0.5,0.25,0.25 "$models/mixtral-$name" "$models"/mixtral-{consolidated,first-release} \
        -o "$name" >/dev/null
    identical "$name" "$models/mixtral-$name"
done

echo '--- the names that transformers 5 has in memory'
rewrite "$models/granitemoe-bf16" granite-memory 'rename=input_linear.weight=experts.gate_up_proj' \
    'rename=output_linear.weight=experts.down_proj' 'rename=router.layer=router'
half "$models/granitemoe-bf16" granite-memory ''
half granite-memory "$models/granitemoe-bf16" ''
rewrite "$models/phimoe-bf16" phimoe-memory fuse=model.layers rename=mlp.gate.=mlp.router.
half "$models/phimoe-bf16" phimoe-memory ''
half phimoe-memory "$models/phimoe-bf16" ''
rewrite "$models/gpt-neox-f16" neox-memory rename=^embed_out=lm_head
half "$models/gpt-neox-f16" neox-memory ''
half neox-memory "$models/gpt-neox-f16" ''
for pair in granite-memory:granitemoe-bf16 phimoe-memory:phimoe-bf16 neox-memory:gpt-neox-f16; do
    cmp <(cocktail logits -q "${pair%:*}" --from-ids --format npy <<<'5 6 7') \
        <(cocktail logits -q "$models/${pair#*:}" --from-ids --format npy <<<'5 6 7') &&
        echo "${pair%:*} runs as ${pair#*:}"
done

echo "--- T5's embedding under each of its three names"
for name in encoder decoder; do
    rewrite "$models/t5" "t5-$name" "rename=^shared=$name.embed_tokens"
    half "$models/t5" "t5-$name" ''
    half "t5-$name" "$models/t5" "^$name.embed_tokens=shared"
done
half t5-encoder t5-decoder '^encoder.embed_tokens=shared'

echo '--- a tied pair of which only the head is stored'
rewrite "$models/llama-tied-bf16" tied scale=.*=1
rewrite tied head 'rename=^model.embed_tokens=lm_head'
rewrite tied both copy=model.embed_tokens.weight=lm_head.weight
half tied head ''
half head tied '^lm_head=model.embed_tokens'
half head both '^lm_head=model.embed_tokens'
rewrite head noted-head set=tie_word_embeddings=false metadata=model.embed_tokens.weight=lm_head.weight
half noted-head head '^lm_head=model.embed_tokens'
grep tie_word_embeddings out/config.json
for model in tied head both noted-head; do
    cocktail eval -q "$model" --examples "$FIXTURES/examples/tense.jsonl" --json 2>&1 | grep -o '"loss":[0-9.]*' ||
        cocktail logits -q "$model" --from-ids <<<'5 6 7' | cksum
done

rewrite "$models/bert-mlm-bf16" masked scale=.*=1
rewrite masked masked-head 'rename=^bert.embeddings.word_embeddings=cls.predictions.decoder'
half masked masked-head ''
half masked-head masked '^cls.predictions.decoder.weight=bert.embeddings.word_embeddings.weight'

echo '--- wrappers'
for prefix in _orig_mod. module. base_model.model. language_model. _fsdp_wrapped_module.; do
    rewrite tied wrapped "rename=^=$prefix"
    half tied wrapped ''
    half wrapped tied "^$prefix="
    rm -rf wrapped
done
rewrite tied inner 'rename=layers\.(\d+)\.=layers.\1._checkpoint_wrapped_module.'
half inner tied '_checkpoint_wrapped_module.='
rewrite "$models/distilbert-f16" distilbert scale=.*=1
rewrite distilbert distilbert-wrapped 'rename=^=module.'
half distilbert-wrapped distilbert '^module.='
half distilbert distilbert-wrapped ''
rewrite "$models/bert" bert scale=.*=1
rewrite bert bert-wrapped 'rename=^=model.'
half bert-wrapped bert '^model.='
notes bert-wrapped bert

echo '--- a pooler, a head and layers that only one has'
rewrite bert poolerless 'drop=(bert.)?pooler.*'
notes bert poolerless
cocktail inspect noted --tensors | grep -c pooler || true
notes poolerless bert
rewrite tied with-value-head copy=model.norm.weight=v_head.summary.weight
notes tied with-value-head
notes with-value-head tied
cocktail inspect noted --tensors | grep -c v_head || true
rewrite "$models/deepseek-v3-bf16" published scale=.*=1
rewrite "$models/deepseek-v3-bf16" fine-tuned 'drop=model.layers.2.*'
notes published fine-tuned
identical noted fine-tuned
notes fine-tuned published
identical noted fine-tuned
half published published ''
rewrite tied further copy=model.norm.weight=mtp.norm.weight copy=model.norm.weight=model.mtp_block.norm.weight
notes tied further
identical noted tied

echo '--- one weights file, which has no config'
half "$models/mixtral" "$models/mixtral" '' fuse=model.layers
cocktail mix -q --weights 0.75,0.25 "$models/mixtral" minus/model.safetensors -o lone >/dev/null
identical lone expected

echo '--- more rows than tokens are fine, in all alike'
rewrite tied padded pad=model.embed_tokens.weight=5
half padded padded ''
cocktail logits -q padded --from-ids --format npy <<<'5 6 7' | cksum
cocktail logits -q tied --from-ids --format npy <<<'5 6 7' | cksum
refused cocktail mix -w 0.5,0.5 padded tied -o no

echo '--- not what config.json says'
rewrite tied fewer-rows cut=model.embed_tokens.weight=66
rewrite tied empty 'empty=.*q_proj.weight'
rewrite tied fewer-layers 'drop=model.layers.1.*'
rewrite tied more-layers copy=model.norm.weight=model.layers.2.input_layernorm.weight
rewrite "$models/mixtral" more-experts \
    copy=model.layers.0.block_sparse_moe.experts.0.w3.weight=model.layers.0.block_sparse_moe.experts.5.w3.weight
for name in fewer-rows empty fewer-layers more-layers more-experts; do
    refused cocktail mix -w 0.5,0.5 $name $name -o no
    refused cocktail logits $name --from-ids <<<'5'
    cocktail inspect $name 2>&1 >/dev/null
done
rewrite tied elsewhere 'rename=^model.embed=student.model.embed'
cocktail inspect elsewhere 2>&1 >/dev/null
rewrite tied twice copy=model.norm.weight=norm.weight
cocktail inspect twice 2>&1 >/dev/null
rewrite tied heads set=num_key_value_heads=3
cocktail inspect heads 2>&1 >/dev/null
ls no 2>/dev/null || true
