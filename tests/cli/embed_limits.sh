# Texts that are too long are cut, which is told once; what cannot be is refused.
try()
{
    echo "\$ embed $*"
    "$COCKTAIL" embed "$@" 2>&1 >out | grep -v '^usage: '
    echo "exit ${PIPESTATUS[0]}, $(wc -l <out) vectors"
}

words()
{
    for ((i = 0; i < $1; i++)); do printf 'gate '; done
    echo
}
{ words 3; words 126; words 127; words 5000; } >texts
try fixtures/encoder-repairs texts
try fixtures/encoder-repairs texts --max-input-length 5
try fixtures/encoder-repairs texts --max-input-length 500000
try fixtures/encoder-repairs texts -q
"$COCKTAIL" embed -q fixtures/encoder-repairs texts | tail -n 2 | uniq | wc -l

try fixtures/encoder-repairs texts --prompt passage
try fixtures/encoder-base texts --prompt query
try fixtures/encoder-repairs texts --pooling max
try fixtures/encoder-repairs texts --pooling min
try fixtures/encoder-repairs texts --whole --lines
try fixtures/encoder-repairs texts --json --format npy
try fixtures/encoder-repairs texts texts
try fixtures/encoder-repairs absent
try fixtures/reranker-base texts
try fixtures/decoder-base texts
echo '"a"
{"pair": "b"}' >bad.jsonl
try fixtures/encoder-repairs bad.jsonl --jsonl

# a module that is not known, and a dense one without weights
mkdir model
cp -r fixtures/encoder-repairs/* model
sed -i 's/modules.normalize.Normalize/modules.lstm.LSTM/' model/modules.json
try model texts
sed -i 's/modules.lstm.LSTM/Dense/' model/modules.json
echo '{"in_features": 96, "out_features": 8}' >model/2_Normalize/config.json
try model texts

# a tokenizer that adds nothing: the empty text has no tokens
cp fixtures/encoder-repairs/modules.json model
rm model/2_Normalize/config.json
sed -i '/"post_processor": {/,/^  },/{/"post_processor": {/!d; s/{/null,/}' model/tokenizer.json
printf 'gate\n\n' | try model
