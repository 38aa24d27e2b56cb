# A model mixed with itself is itself, byte for byte, and so is a model of weight 1; however its
# weights are stored, they come out as the reference writer stores them.
set -e
same() # FILE MODEL...
{
    local file=$1 weights

    shift
    for weights in 1 0.5,0.5 0.3,0.7 0.2,0.3,0.5 1.5,-0.5; do
        local models=() i

        for ((i = 0; i <= $(tr -cd , <<<"$weights" | wc -c); i++)); do
            models+=("${@:i % $# + 1:1}")
        done
        rm -rf out
        cocktail mix -q -w"$weights" "${models[@]}" -o out >/dev/null
        cmp "$file" out/model.safetensors
        [[ $(find out -name '*.safetensors*' -o -name '*.bin') == out/model.safetensors ]]
    done
    echo "$*: ${file#fixtures/}"
}

same fixtures/encoder-parts/model.safetensors fixtures/encoder-parts
same fixtures/encoder-repairs/model.safetensors fixtures/encoder-repairs
same fixtures/reranker-base/model.safetensors fixtures/reranker-base
same fixtures/decoder-base/model.safetensors fixtures/decoder-base
same fixtures/encoder-parts/model.safetensors fixtures/encoder-bin
same fixtures/encoder-parts/model.safetensors fixtures/encoder-bin fixtures/encoder-parts
same fixtures/reranker-routes/model.safetensors fixtures/reranker-legacy
same fixtures/decoder-tense/model.safetensors fixtures/decoder-sharded
same fixtures/decoder-tense/model.safetensors fixtures/decoder-tense fixtures/decoder-sharded

cocktail mix -q -w 1,0 fixtures/encoder-base fixtures/encoder-parts -o first >/dev/null
cocktail mix -q -w 0,1 fixtures/encoder-base fixtures/encoder-parts -o second >/dev/null
cmp fixtures/encoder-base/model.safetensors first/model.safetensors
cmp fixtures/encoder-parts/model.safetensors second/model.safetensors
