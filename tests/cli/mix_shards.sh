# --shard-size cuts the weights into files with an index; the values stay.
set -e
cocktail mix -q --weights 0.6,0.4 fixtures/encoder-base fixtures/encoder-parts -o whole >/dev/null
cocktail mix -q --weights 0.6,0.4 fixtures/encoder-base fixtures/encoder-parts -o cut \
    --shard-size 500KB >/dev/null
(cd cut && ls model*)
head -n 5 cut/model.safetensors.index.json
grep -c '"model-0000[1-9]-of-0000[1-9].safetensors"' cut/model.safetensors.index.json
tail -n 3 cut/model.safetensors.index.json
# No file is larger than the limit and a header, and each tensor lies where the index says.
find cut -name '*.safetensors' -size +520000c
cocktail diff --exit-code whole cut

echo '--- from shards back to one file'
cocktail mix -q --weights 1 cut -o again >/dev/null
cmp whole/model.safetensors again/model.safetensors
ls again/model*

echo '--- a tensor larger than the limit has a file of its own'
cocktail mix -q --weights 1 cut -o fine --shard-size 200KB >/dev/null
cocktail diff --exit-code whole fine
grep -h 'word_embeddings' fine/model.safetensors.index.json
cocktail inspect fine --tensors |
    awk '/word_embeddings/ {file = $NF} /safetensors$/ {n[$NF]++} END {print n[file], "in its file"}'

echo '--- units'
for size in 500000 500KB 0.5MB 500kb 488KiB 1TB 0; do
    rm -rf out
    cocktail mix -q --weights 1 fixtures/encoder-base -o out --shard-size $size >/dev/null 2>&1 ||
        echo "exit $?"
    echo "$size: $(find out -name '*.safetensors' 2>/dev/null | wc -l)"
done
for size in 1424KB 1424KiB; do
    rm -rf out
    cocktail mix -q --weights 1 fixtures/encoder-base -o out --shard-size $size >/dev/null
    echo "$size: $(find out -name '*.safetensors' | sort | xargs stat -c %s | paste -sd ' ')"
done
