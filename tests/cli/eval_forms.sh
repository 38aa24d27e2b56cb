# What goes in and comes out: forms of output and of example files, options, and what is complained
# about.
try() # ARGUMENT...
{
    local status

    echo "\$ eval $*"
    cocktail eval "$@" >out 2>&1
    status=$?
    sed '/^usage: /d' out
    ((status == 0)) || echo "exit $status"
}

# The loss alone, to four digits: what another order of sums does not change.
loss() # ARGUMENT...
{
    cocktail eval -q --json "$@" | sed 's/.*"loss":\([^,]*\),"perplexity.*/\1/' |
        xargs -r printf '%.4f\n'
}

decoder=fixtures/decoder-base
encoder=fixtures/encoder-base
reranker=fixtures/reranker-base
t5=fixtures/models/t5
arithmetic=fixtures/examples/arithmetic.jsonl
retrieval=fixtures/examples/retrieval-parts.jsonl

echo '--- forms of output'
try $decoder --examples $arithmetic --each
try $encoder --examples $retrieval
try $reranker --examples fixtures/examples/rerank-parts.jsonl --each
# as transformers 5.23 gives it for these pairs of ids
printf '%s\n' '{"input": "the sun was seen", "output": "a moon"}' \
    '{"input": "b", "output": "the old sun"}' >two
try $t5 --examples two --each
for arguments in "$decoder --examples $arithmetic" "$encoder --examples $retrieval"; do
    cocktail eval -q $arguments --json --each | sed 's/\(":[0-9]*\.[0-9]\{3\}\)[0-9]*/\1/g'
done

echo '--- forms of input'
sed 's/^/\n/; s/$/\r/' $arithmetic >crlf
sed -i '1s/^/\xef\xbb\xbf/' crlf
gzip -c crlf >crlf.gz
printf '[%s]' "$(paste -sd, $arithmetic)" >list
printf '{"other": 1, "arithmetic": %s}' "$(cat list)" >tasks
for file in $arithmetic crlf crlf.gz list; do
    loss $decoder --examples $file
done
loss $decoder --examples tasks --task arithmetic
loss $decoder --examples - <list
loss $decoder --examples <(cat $arithmetic)
cocktail eval $decoder --examples crlf --json --each | grep -o '"line":[0-9]*' | xargs
cocktail eval $decoder --examples list --json --each | grep -o '"line":[0-9]*' | xargs

echo '--- results depend neither on threads nor on batches'
for n in 1 2 5; do
    cocktail eval $decoder --examples $arithmetic --json --each -t $n | md5sum
done | sort -u | wc -l
for n in 1 3 100; do
    loss $decoder --examples $arithmetic --batch-size $n
    loss $encoder --examples $retrieval --batch-size $n
    loss $t5 --examples two --batch-size $n
done | sort | uniq -c

echo '--- options'
try $decoder --examples $arithmetic --max-input-length 12
try $encoder --examples $retrieval --max-input-length 9
loss $encoder --examples $retrieval --similarity-temperature 1
loss $encoder --examples $retrieval --neg-number 7
loss $encoder --examples $retrieval --neg-number 2 >thinned
loss $encoder --examples $retrieval --neg-number 2 --seed 1 | cmp thinned -
loss $encoder --examples $retrieval --neg-number 2 --seed 2 | cmp -s thinned && echo 'same seed?'
cocktail eval $decoder --examples $arithmetic --max-input-length 12 -q | head -n 1

echo '--- complaints'
try $decoder
try $decoder --examples missing
try $decoder --examples fixtures
try $decoder --examples $retrieval
try $encoder --examples $arithmetic
try $decoder --examples tasks
try $decoder --examples tasks --task other
try $decoder --examples tasks --task arithmetc
try $decoder --examples $arithmetic --max-input-length 5
try $encoder --examples $retrieval --max-input-length 1
try $encoder --examples $retrieval --similarity-temperature 0
try $encoder --examples $retrieval --type decoder
try fixtures/models/bert-score-3-bf16 --examples $retrieval
try $decoder/model.safetensors --examples $arithmetic

# The last number of the file is one of the norm before the output head.
cp -rL $decoder damaged
printf '\xff\x7f' | dd of=damaged/model.safetensors bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s damaged/model.safetensors) - 2))
try damaged --examples $arithmetic
