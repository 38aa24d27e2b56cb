# What may be asked for, what is said, and what is refused.
set -e
run() # ARGUMENT...
{
    echo "\$ convert $*"
    cocktail convert "$@" 2>&1 | sed 's/"seconds":[0-9.e+-]*/"seconds":TIME/; s/ in [0-9.]* s$//'
    echo "exit ${PIPESTATUS[0]}"
}

run fixtures/decoder-base
run -o out
run fixtures/decoder-base fixtures/decoder-tense -o out
run fixtures/decoder-base -o out --dtype f64
run missing -o out
run fixtures/decoder-base -o out --dry-run -t 2
run fixtures/decoder-base -o out --dry-run -t 2 --json
run fixtures/decoder-base -o out --dtype f32 --json --shard-size 3MB
run fixtures/decoder-base -o out
run fixtures/decoder-base -o out --force --dtype f16
run fixtures/models/mistral-consolidated-f16 -o other
run fixtures/encoder-base -o other --type decoder
ls
