# --tensors lists name, dtype, shape and file of each.
set -e
cocktail inspect --tensors fixtures/reranker-base | sed -n '/^$/,$p' | sed '/encoder.layer/d'
echo '--- as JSON'
cocktail inspect --json --tensors fixtures/reranker-base >json
[[ $(wc -l <json) == 1 ]]
grep -o '{"name":"classifier[^}]*}' json
grep -o '"name"' json | wc -l
echo '--- without'
cocktail inspect --json fixtures/reranker-base
cocktail inspect --json fixtures/encoder-repairs
# It is JSON: as a config.json it is taken.
mkdir judge
cp fixtures/reranker-base/model.safetensors judge
cp json judge/config.json
cocktail inspect judge >/dev/null
