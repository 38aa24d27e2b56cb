# --json of diff: one object; figures that hang on the training are left out.
set -e
strip()
{
    sed -E 's/("(max_abs|relative_l2|cosine)":)[-0-9.e+]+/\1N/g'
}

cocktail diff --json fixtures/encoder-bin fixtures/encoder-parts >same
grep -o '^{"identical":true,"max_abs":0,"relative_l2":0,"cosine":1,"only_in_a":\[\],"only_in_b":\[\]' same
cocktail diff --json fixtures/reranker-base fixtures/encoder-base >other
strip <other | grep -o '^.*"only_in_b":\[[^]]*\]'
cocktail diff --json --tensors fixtures/encoder-base fixtures/encoder-parts >tensors
strip <tensors | grep -o '{"name":"embeddings.LayerNorm.bias"[^}]*}' | tail -n 1
grep -o '"tensors":.*' tensors | grep -o '"name"' | wc -l
cocktail diff --json --exit-code fixtures/encoder-base fixtures/encoder-parts >json || echo "exit $?"
for json in same other tensors json; do
    [[ $(wc -l <$json) == 1 ]]
    mkdir judge-$json
    cp $json judge-$json/config.json
    cp fixtures/encoder-base/model.safetensors judge-$json
    cocktail inspect judge-$json >/dev/null
done
cocktail diff --json -t 1 fixtures/encoder-base fixtures/encoder-parts >one
cocktail diff --json -t 7 fixtures/encoder-base fixtures/encoder-parts >seven
cmp one seven
