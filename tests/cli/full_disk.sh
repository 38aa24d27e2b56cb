# A disk without room for the result: told before anything is written, and by mix-data before it
# judges the models. Where nothing is written nobody asks.
. "$FIXTURES/../tests/inject/common.bash"
[[ -z ${SAN-} ]] || skip "the sanitizers want to be loaded before full_disk.so"
[[ -e $INJECT/full_disk.so ]] || skip "full_disk.so is not built"
examples=fixtures/examples/arithmetic.jsonl
models=(fixtures/decoder-base fixtures/decoder-arithmetic)

full() # ARGUMENT...
{
    echo "\$ $*"
    LD_PRELOAD=$INJECT/full_disk.so "$COCKTAIL" "$@" 2>&1 >said | sed "s/needs [0-9]* bytes/needs N bytes/"
    echo "exit ${PIPESTATUS[0]}$([[ -e out ]] && echo ', written')"
}

full mix --weights 0.5,0.5 "${models[@]}" -o out
full mix-data --examples "$examples" "${models[@]}" -o out
echo '{"input": "a"}' >bad.jsonl # is not even read
full mix-data --examples bad.jsonl "${models[@]}" -o out
full merge fixtures/recipes/ties.yml -o out
full moe fixtures/recipes/moe/experts.yml -o out
full adapter extract fixtures/decoder-arithmetic fixtures/decoder-base --rank 8 -o out
full adapter extract fixtures/decoder-arithmetic fixtures/decoder-base --energy 0.5 -o out
export FREE_BYTES=1000000
full merge fixtures/recipes/layers.yml -o out
full merge fixtures/recipes/layers.yml -o out --dry-run
full mix-data --examples bad.jsonl "${models[@]}" -o out
full mix-data --examples "$examples" "${models[@]}" -o out --dry-run
full mix-data --examples "$examples" "${models[@]}" --weights-only
full mix --weights 0.5,0.5 "${models[@]}" -o out --dry-run
export FREE_BYTES=100000000
full mix-data --examples "$examples" "${models[@]}" -o out
