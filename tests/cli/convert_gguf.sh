# A GGUF file: what it says, tensors as llama.cpp wants them, the same bytes whatever it is called and
# however many threads write it.
set -e
show()
{
    python3 "$FIXTURES/../tests/gguf_show.py" "$@"
}
bare() # MODEL: a copy without its tokenizer, which is of a kind that GGUF has not
{
    cp -r "fixtures/models/$1" .
    rm -f "$1"/tokenizer*
}

echo '--- a model as it is stored'
cocktail convert -q fixtures/decoder-base -o a.gguf >/dev/null
show a.gguf

echo '--- without a tokenizer, in each dtype that there is'
bare llama-llama3-bf16
cocktail convert -q llama-llama3-bf16 -o b.gguf >/dev/null
show b.gguf

echo '--- experts, stacked or from one tensor; norms of Gemma; matrices of GPT-2'
for name in mixtral mixtral-fused-bf16 granitemoe-bf16 gemma-bf16 gpt2 bert phi3-su-bf16; do
    echo "$name"
    bare $name
    cocktail convert -q $name -o $name.gguf >/dev/null
    show $name.gguf | grep -v '^tokenizer\.ggml\.\|^blk\.1\|^version'
done

echo '--- each dtype'
for dtype in f32 f16 bf16 q8_0; do
    cocktail convert -q fixtures/decoder-base -o $dtype.gguf --dtype $dtype | sed 's/ in [0-9.]* s$//'
    show $dtype.gguf | grep '^general.file_type\|^blk.0.attn_[qn]\|^token_embd'
done

echo '--- whatever it is called, with any number of threads, from shards'
mkdir -p other/decoder-base
cocktail convert -q fixtures/decoder-base -o other/decoder-base --force --shard-size 50KB >/dev/null
for threads in 1 2 3 8; do
    cocktail convert -q -t $threads fixtures/decoder-base -o name$threads.gguf --dtype q8_0 >/dev/null
    cmp q8_0.gguf name$threads.gguf
done
cocktail convert -q -t 1 other/decoder-base -o cut.gguf --dtype q8_0 >/dev/null
cmp q8_0.gguf cut.gguf

echo '--- a mix is that of the mixed folder'
models='fixtures/moe-base fixtures/moe-tense'
for dtype in f32 q8_0; do
    cocktail mix -q -w 0.75,0.25 $models -o mixed.gguf --force --dtype $dtype >/dev/null
    cocktail mix -q -w 0.75,0.25 $models -o mixed --force --dtype f32 >/dev/null
    cocktail convert -q mixed -o again.gguf --force --dtype $dtype >/dev/null
    cmp <(show mixed.gguf tensors) <(show again.gguf tensors)
done
for threads in 1 8; do # a method that measures first
    ties="--method ties --base fixtures/decoder-base -w 0.5,0.5 fixtures/decoder-arithmetic fixtures/decoder-tense"
    rm -rf ties*
    cocktail mix -q -t $threads $ties -o ties --dtype f32 >/dev/null
    cocktail mix -q -t $threads $ties -o ties.gguf --dtype f32 >/dev/null
    cocktail convert -q ties -o ties-again.gguf >/dev/null
    cmp <(show ties.gguf tensors) <(show ties-again.gguf tensors)
done
cocktail mix -q -t 1 -w 0.75,0.25 $models -o one.gguf --dtype q8_0 >/dev/null
cmp mixed.gguf one.gguf

echo '--- weights from examples'
cocktail mix-data -q --json --examples fixtures/examples/tense.jsonl fixtures/decoder-{base,tense} -o data.gguf --dtype q8_0 |
    sed 's/.*"tensors"/"tensors"/; s/,"seconds.*//'
show data.gguf | grep '^general'

echo '--- models of the Hub are named'
mkdir -p hub/models--acme--{base,other}/snapshots/0123
cp fixtures/decoder-base/* hub/models--acme--base/snapshots/0123
cp fixtures/decoder-tense/* hub/models--acme--other/snapshots/0123
cocktail mix -q -w 0.5,0.5 hub/models--acme--{base,other}/snapshots/0123 -o hub.gguf >/dev/null
show hub.gguf | grep '^general.\(name\|base\)'
