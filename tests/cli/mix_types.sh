# What config.json says a model is, and what --type makes of it.
set -e
type_of()
{
    cocktail mix -q --json --dry-run --weights 1 "$@" -o out | grep -o '"type":[^,]*'
}

type_of fixtures/encoder-base
type_of fixtures/reranker-base
type_of fixtures/decoder-base
type_of fixtures/encoder-base/model.safetensors
type_of --type encoder fixtures/reranker-base
type_of --type encoder fixtures/encoder-base/model.safetensors

echo '--- a reranker used as an encoder keeps its head when all have it'
cocktail mix --type encoder --weights 0.5,0.5 fixtures/reranker-base fixtures/reranker-routes \
    -o with --pooling mean >/dev/null
cocktail inspect with --tensors | grep -c classifier
echo '--- else it is left out, and prefixes do not matter'
cocktail mix --weights 0.5,0.5 fixtures/encoder-base fixtures/reranker-base -o without \
    --pooling mean >/dev/null
cocktail inspect without --tensors | grep -c classifier || true
cocktail diff fixtures/encoder-base without | tail -n 1 | wc -l

echo '--- neither architectures nor model_type'
mkdir silent
cp fixtures/encoder-base/* silent
printf '{"hidden_size": 96}' >silent/config.json
cocktail mix --weights 1 silent -o out || echo "exit $?"
cocktail mix -q --weights 1 --type encoder silent -o out >/dev/null
ls out
