# Into a directory: the same tensors, byte for byte, whatever file they stood in; the other files go
# along; what is written depends neither on threads nor on what the output is called.
set -e
same() # FILE MODEL
{
    rm -rf out
    cocktail convert -q "$2" -o out >/dev/null
    cmp "$1" out/model.safetensors
    [[ $(find out -name '*.safetensors*' -o -name '*.bin' -o -name '*.pt') == out/model.safetensors ]]
    echo "$2: ${1#fixtures/}"
}

echo '--- one file of safetensors, from whatever stores it'
same fixtures/encoder-parts/model.safetensors fixtures/encoder-bin
same fixtures/reranker-routes/model.safetensors fixtures/reranker-legacy
same fixtures/decoder-tense/model.safetensors fixtures/decoder-sharded
same fixtures/moe-base/model.safetensors fixtures/moe-base
same fixtures/models/t5-gated-untied-f16/model.safetensors fixtures/models/t5-gated-untied-f16
same fixtures/encoder-base/model.safetensors fixtures/encoder-base/model.safetensors

echo '--- what stands beside the weights'
cocktail convert fixtures/encoder-bin -o bin | sed 's/ in [0-9.]* s$//'
diff -r fixtures/encoder-bin bin || true
cat bin/README.md

echo '--- shards of 50 KB and one thread are one file and eight'
for model in fixtures/decoder-base fixtures/moe-base; do
    rm -rf whole cut again
    cocktail convert -q -t 8 $model -o whole --dtype f16 >/dev/null
    cocktail convert -q -t 1 $model -o cut --dtype f16 --shard-size 50KB >/dev/null
    [[ $(find cut -name 'model-*.safetensors' | wc -l) -gt 10 ]]
    cocktail diff --exit-code whole cut
    cocktail convert -q cut -o again >/dev/null
    diff -r whole again | sed 's/ in .*//'
done

echo '--- a name that says nothing'
cocktail convert -q -t 1 fixtures/models/sentence-dense -o first >/dev/null
cocktail convert -q -t 5 -o deep/second fixtures/models/sentence-dense >/dev/null
diff -r first deep/second
diff -r -x '*.safetensors' fixtures/models/sentence-dense first || true
cocktail diff --exit-code fixtures/models/sentence-dense first

echo '--- heads in files of their own'
mkdir heads
cp fixtures/encoder-base/* heads
cp fixtures/heads/one/* heads
cocktail convert -q heads -o headed >/dev/null
for head in heads/*.pt; do
    cocktail diff --exit-code "$head" "headed/$(basename "$head")"
done
