# What goes in and comes out: options, texts, files, and what is complained about.
model=$FIXTURES/encoder-base
bytes=$FIXTURES/decoder-base

try() # ARGUMENT...
{
    local status

    echo "\$ tokenize ${*/#$FIXTURES\//}"
    cocktail tokenize "$@" >out 2>&1
    status=$?
    sed "s|$FIXTURES|fixtures|g; /^usage: /d" out
    ((status == 0)) || echo "exit $status"
}

unknown() # JSON: a tokenizer.json that is refused
{
    mkdir -p broken
    printf '%s' "$1" >broken/tokenizer.json
    try broken one
}

printf 'the sun\nthe moon' >two
printf '\xef\xbb\xbfthe sun\r\nthe moon\r\n' >crlf
printf '"the sun"\n\n{"text": "the", "pair": "sun", "more": [1]}\r\n  \n"a\\u0000b"' >json
gzip -c two >two.gz
: >empty

echo '--- forms of output'
try "$model" two
try "$model" --ids two
try "$model" --tokens two
try "$model" --json two
try "$model" --no-special two
try "$model" --max-length 4 two
try "$model" --max-length 2 --no-special --tokens two

echo '--- forms of input'
try "$model" --lines two
try "$model" --whole two
try "$model" --lines two.gz two
try "$model" two.gz empty
try "$model" --lines empty
try "$model" --lines crlf
try "$model" --tokens --jsonl json
cocktail tokenize "$model" <two
cocktail tokenize "$model" - <two
cocktail tokenize "$model" --lines - two <two.gz
mkfifo pipe
cat two >pipe &
cocktail tokenize "$model" --lines pipe
cocktail tokenize "$model" --lines <(cat two.gz)
printf 'a\x80b\xe6\x97' | cocktail tokenize "$bytes" | cocktail tokenize "$bytes" --decode --skip-special

echo '--- back to text'
cocktail tokenize "$bytes" --lines two >ids
try "$bytes" --decode ids
try "$bytes" --decode --skip-special ids
try "$bytes" --decode --skip-special --json ids
cocktail tokenize "$bytes" --decode --skip-special <ids
printf '1 2\n\n \t3\r\n99999999\n' | cocktail tokenize "$bytes" --decode
printf 'two\n lines\ttab \n' | cocktail tokenize "$bytes" --no-special | cocktail tokenize "$bytes" --decode

echo '--- complaints'
printf '"a"\n"b\n' >bad
try "$model" --jsonl bad
printf '"a"\n\n[1]\n' >bad
try "$model" --jsonl bad
printf '{"pair": "a"}\n' >bad
try "$model" --jsonl bad
printf '"a" "b"\n' >bad
try "$model" --jsonl - <bad
printf '1 2\n3 x\n' >bad
try "$bytes" --decode bad
printf '1\n4294967296\n' >bad
try "$bytes" --decode bad
try "$model" missing
try "$model" .
try "$model" --max-length 1 two
try "$model" --max-length 0 two
try "$model" --lines --jsonl two
try "$model" --whole --lines two
try "$model" --ids --tokens two
try "$model" --tokens --json two
try "$model" --skip-special two
try
try missing
mkdir none
try none two

echo '--- tokenizers'
tiny='"model":{"type":"WordLevel","unk_token":"a","vocab":{"a":0}}'
echo one >one
unknown "{\"pre_tokenizer\":{\"type\":\"Whitespace\"},$tiny}"
unknown "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Fancy\"}]},$tiny}"
unknown "{\"pre_tokenizer\":{\"type\":\"Fancy\"},$tiny}"
unknown "{\"post_processor\":{\"type\":\"Fancy\"},$tiny}"
unknown "{\"decoder\":{\"type\":\"Fancy\"},$tiny}"
unknown '{"model":{"type":"Fancy"}}'
unknown "{\"fancy\":null,$tiny}"
unknown "{\"version\":\"2.0\",$tiny}"
unknown "{${tiny/:0/:5},\"decoder\":{\"type\":\"Fancy\"},\"decoder\":null,$tiny}" # the last counts
unknown "{$tiny"
unknown '[]'
echo '[1' >broken/tokenizer_config.json
unknown "{$tiny}"
