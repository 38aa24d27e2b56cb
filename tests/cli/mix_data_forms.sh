# What goes in and comes out: the table, the JSON object, the model card, what is written, and
# forms of example files. Losses and weights are shown to four digits: what another order of sums
# does not change.
cut='s/\([0-9]\.[0-9]\{4\}\)[0-9]*/\1/g; s/in [0-9.]* s$/in N s/'
cut+='; s/"seconds":[0-9.e-]*/"seconds":N/'

try() # ARGUMENT...
{
    local status

    echo "\$ mix-data $*"
    cocktail mix-data "$@" >shown 2>&1
    status=$?
    sed "$cut" shown
    ((status == 0)) || echo "exit $status"
}

arithmetic=fixtures/examples/arithmetic.jsonl
decoders=$(echo fixtures/decoder-{base,arithmetic})
encoders=$(echo fixtures/encoder-{base,parts})
t5=fixtures/models/t5
printf '%s\n' '{"input": "the sun was seen", "output": "a moon"}' \
    '{"input": "b", "output": "the old sun"}' >two

echo '--- forms of output'
try --examples $arithmetic $decoders -o mixed
sed -n "$cut; /^| model/,\$p" mixed/README.md
try --examples $arithmetic $decoders -o json --json
try --examples $arithmetic $decoders -o json --json --each -f
try --examples $arithmetic $decoders --weights-only
try --examples $arithmetic $decoders --weights-only --json
try --examples $arithmetic $decoders -o dry --dry-run -t 2
try --examples $arithmetic $decoders -o dry --dry-run --json -t 2
[[ -e dry ]] && echo 'dry was written'

echo '--- a target'
try --examples $arithmetic --target fixtures/decoder-tense $decoders -o half
grep '^| ' half/README.md | sed "$cut"
try --examples $arithmetic --target fixtures/decoder-tense --alpha 0.8 $decoders --weights-only \
    --json
for alpha in 0 1; do
    cocktail mix-data -q --examples $arithmetic --target fixtures/decoder-tense --alpha $alpha \
        $decoders -o alpha-$alpha >shown
done
cocktail diff alpha-1 fixtures/decoder-tense --json | grep -o '"identical":[a-z]*' | head -n 1
cocktail diff alpha-0 mixed --json | grep -o '"identical":[a-z]*' | head -n 1

echo '--- other types'
try --examples fixtures/examples/retrieval-parts.jsonl $encoders -o encoder --pooling mean
grep '"pooling_mode_' encoder/1_Pooling/config.json | grep true
try --examples fixtures/examples/rerank-routes.jsonl fixtures/reranker-{base,routes} -o reranker
try --examples two $t5 $t5 --weights-only

echo '--- the bytes are those of mix with these weights'
weights_of() # JSON FILE
{
    grep -o '"weight":[0-9.e-]*' "$1" | cut -d : -f 2 | paste -sd,
}
for options in '' '--dtype f16 --shard-size 500KB' '--compat lm-cocktail'; do
    rm -rf ours theirs
    cocktail mix-data -q --json --examples $arithmetic $decoders fixtures/decoder-tense -o ours \
        $options >shown
    cocktail mix -q --weights "$(weights_of shown)" $decoders fixtures/decoder-tense -o theirs \
        $options >/dev/null
    diff -rq -x README.md ours theirs
done
rm -rf theirs
cocktail mix-data -q --json --examples $arithmetic $decoders --target fixtures/decoder-tense -f \
    -o half >shown
cocktail mix -q --weights "$(weights_of shown)" fixtures/decoder-tense $decoders \
    -o theirs >/dev/null
diff -rq -x README.md half theirs

echo '--- neither threads nor batches show'
for n in 1 2 5; do
    rm -rf out
    cocktail mix-data --examples $arithmetic $decoders -o out -t $n --json --each |
        sed 's/"seconds":[^,]*//' >"threads-$n"
    cmp out/model.safetensors mixed/model.safetensors
done
cmp threads-1 threads-2
cmp threads-1 threads-5
for n in 1 3 100; do
    for arguments in "$arithmetic $decoders" "fixtures/examples/retrieval-parts.jsonl $encoders" \
        "two $t5"; do
        cocktail mix-data -q --weights-only --batch-size $n --examples $arguments | sed "$cut"
    done >"batches-$n"
done
cmp batches-1 batches-3
cmp batches-1 batches-100

echo '--- --compat depends on batches'
for n in 1 2 3 8; do
    cocktail mix-data -q --weights-only --compat lm-cocktail --batch-size $n $encoders \
        --examples fixtures/examples/retrieval-parts.jsonl | sed "$cut" |
        awk 'NR > 1 {print $2}' | xargs
done

echo '--- options'
weights() # ARGUMENT...
{
    cocktail mix-data -q --weights-only "$@" | sed "$cut" | awk 'NR > 1 {print $3}' | xargs
}
weights --examples $arithmetic $decoders -T 0.1
weights --examples $arithmetic $decoders --temperature 1e-6
weights --examples $arithmetic $decoders --temperature=1e6
try --examples $arithmetic $decoders --weights-only --max-input-length 12
weights --examples fixtures/examples/retrieval-parts.jsonl $encoders --similarity-temperature 1
weights --examples fixtures/examples/retrieval-parts.jsonl $encoders --neg-number 7 --seed 3
weights --examples fixtures/examples/retrieval-parts.jsonl $encoders --neg-number 2 >thinned
weights --examples fixtures/examples/retrieval-parts.jsonl $encoders --neg-number 2 --seed 1 |
    cmp thinned -
weights --examples fixtures/examples/retrieval-parts.jsonl $encoders --neg-number 2 --seed 2 |
    cmp -s thinned && echo 'the same negatives for another seed'

echo '--- forms of input'
sed 's/^/\n/; s/$/\r/' $arithmetic >crlf
sed -i '1s/^/\xef\xbb\xbf/' crlf
gzip -c crlf >crlf.gz
head -c -2 crlf >unended
printf '[%s]' "$(paste -sd, $arithmetic)" >list
printf '{"other": 1,\n "arithmetic": %s}' "$(cat list)" >tasks
gzip -c tasks >tasks.gz
for file in crlf crlf.gz unended list; do
    weights --examples $file $decoders
done
weights --examples tasks --task arithmetic $decoders
weights --examples tasks.gz --task arithmetic $decoders
weights --examples - $decoders <list
weights --examples <(cat $arithmetic) $decoders
