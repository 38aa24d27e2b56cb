# The same bytes with 1, 2, 3, 8 and 16 threads, in one file and in shards.
set -e
models="fixtures/encoder-base fixtures/encoder-parts fixtures/encoder-repairs"
for options in '' '--dtype bf16' '--dtype f16 --shard-size 300KB' '--compat lm-cocktail'; do
    for threads in 1 2 3 8 16; do
        rm -rf out
        # shellcheck disable=SC2086
        cocktail mix -q -t $threads $options --weights 0.5,0.3,0.2 $models -o out >/dev/null
        (cd out && cat *.safetensors *.json) | cksum >"$threads.sum"
        cmp 1.sum "$threads.sum"
    done
    echo "${options:-as stored}: 5 times the same"
done
