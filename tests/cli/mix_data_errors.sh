# What is complained about: examples by FILE:LINE, models by name; and nothing is written.
try() # ARGUMENT...
{
    echo "\$ mix-data $*"
    cocktail mix-data "$@" 2>&1 | sed '/^usage: /d'
    echo "exit ${PIPESTATUS[0]}$([[ -e out ]] && echo ', written')"
}

# The second line of a file is wrong.
bad() # LINE, ARGUMENT...
{
    echo "# $1"
    { head -n 1 "$file"; printf '%b\n' "$1"; } >ex.jsonl
    cocktail mix-data --examples ex.jsonl $models -o out "${@:2}" 2>&1
    echo "exit $?$([[ -e out ]] && echo ', written')"
}

tense=fixtures/examples/tense.jsonl
parts=fixtures/examples/retrieval-parts.jsonl
decoders=$(echo fixtures/decoder-{base,tense})
encoders=$(echo fixtures/encoder-{base,parts})

echo '--- examples of decoders'
file=$tense models=$decoders
bad '{"input": "a"}'
bad '{"output": "a"}'
bad '{"input": "a", "output": ""}'
bad '{"input": "a", "output": 7}'
bad '{"input": ["a"], "output": "b"}'
bad '{"input": "a", "output": null}'
bad '"a"'
bad '{"input": "a", "output": "b"'
bad '{"input": "a", "output": "b"} {}'
bad '{"input": "a", "output": "\xff"}'
bad '{"query": "a", "pos": ["b"], "neg": ["c"]}'
file=fixtures/examples/arithmetic.jsonl
bad '{"input": "the the the the the the the the the the the", "output": "a"}' --max-input-length 12

echo '--- examples of encoders'
file=$parts models=$encoders
bad '{"query": "a", "pos": ["b"]}'
bad '{"query": "a", "pos": [], "neg": ["c"]}'
bad '{"query": "a", "pos": ["b"], "neg": []}'
bad '{"query": "a", "pos": ["b"], "neg": ["c", 7]}'
bad '{"query": {}, "pos": ["b"], "neg": ["c"]}'
bad '{"query": "a", "pos": ["b\xc3"], "neg": ["c"]}'
bad '{"input": "a", "output": "b"}'
bad '{"query": "a", "pos": ["b"], "neg": ["c", "d"]}' --compat lm-cocktail
bad '{"query": "a", "pos": ["b"], "neg": ["c", "d"]}' --compat lm-cocktail --neg-number 3
cocktail mix-data -q --examples ex.jsonl $encoders --weights-only --compat lm-cocktail \
    --neg-number 2 >/dev/null || echo 'two are enough'
cocktail mix-data -q --examples ex.jsonl $encoders --weights-only >/dev/null ||
    echo 'without --compat any number is enough'

echo '--- files of examples'
: >empty
printf '[%s,\n{"input": "a"}]' "$(head -n 1 $tense)" >list
printf '{"tense": [%s]}' "$(head -n 1 $tense)" >tasks
try --examples missing $decoders -o out
try --examples empty $decoders -o out
try --examples list $decoders -o out
try --examples tasks $decoders -o out
try --examples tasks --task tence $decoders -o out
try --examples list --task tense $decoders -o out
head -c 100 <(gzip -c $parts) >broken.gz
try --examples broken.gz $encoders -o out

echo '--- models'
# The last number of the file is one of the norm before the output head.
cp -rL fixtures/decoder-tense damaged
printf '\xff\x7f' | dd of=damaged/model.safetensors bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s damaged/model.safetensors) - 2))
try --examples $tense fixtures/decoder-base damaged -o out
try --examples $tense fixtures/decoder-base damaged --weights-only
cp -rL fixtures/decoder-tense other
sed -i 's/"Ġthe": [0-9]*/"Ġthe": 100000/' other/tokenizer.json
try --examples $tense fixtures/decoder-base other -o out
try --examples $tense fixtures/decoder-base other --weights-only
# The base's tokenizer is used for all, so that the other's does not show.
cocktail mix-data -q --examples $tense fixtures/decoder-base other --weights-only \
    --ignore-tokenizer | sed 's/^other/fixtures\/decoder-tense/' | tr -s ' ' >ours
cocktail mix-data --examples $tense $decoders --weights-only | tr -s ' ' | diff - ours
try --examples $tense fixtures/decoder-base fixtures/decoder-tense/model.safetensors -o out
try --examples $tense fixtures/decoder-base/model.safetensors -o out
try --examples $tense --target fixtures/decoder-base/model.safetensors $decoders -o out
try --examples $tense fixtures/decoder-base fixtures/encoder-base -o out
try --examples $tense fixtures/encoder-base --type decoder -o out
try --examples fixtures/examples/rerank-parts.jsonl fixtures/reranker-base -o out \
    --compat lm-cocktail
try --examples fixtures/examples/rerank-parts.jsonl fixtures/models/bert-score-3-bf16 -o out
mkdir bare
cp fixtures/decoder-base/{config.json,model.safetensors} bare
try --examples $tense bare -o out
mkdir full
: >full/file
# before any model is run
try --examples missing $decoders -o full

echo '--- usage'
try $decoders -o out
try --examples $tense -o out
try --examples $tense $decoders
try --examples $tense $decoders --weights-only -o out
try --examples $tense $decoders --weights-only --dry-run
for temperature in 0 -1 nan inf 1e999 0x10 5s ''; do
    try --examples $tense $decoders -o out --temperature "$temperature"
done
try --examples $tense $decoders -o out --similarity-temperature 0
try --examples $tense $decoders -o out --alpha 0.5
try --examples $tense $decoders -o out --target fixtures/decoder-base --alpha 1.1
try --examples $tense $decoders -o out --target fixtures/decoder-base --alpha -0.1
try --examples $tense --target fixtures/decoder-base -o out
try --examples $tense $decoders -o out --compat mergekit
try --examples $tense $decoders -o out --batch-size 0
try --examples $tense $decoders -o out --neg-number 0
try --examples $tense $decoders -o out --seed -1
try --examples $tense $decoders -o out --weights 0.5,0.5
