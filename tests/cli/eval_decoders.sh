# Losses of the decoders are those of the tables in fixtures/README.md, which transformers measured.
losses() # MODEL, ENDING of the files
{
    local task

    printf '| %s |' "${1#decoder-}"
    for task in arithmetic tense translation; do
        cocktail eval "fixtures/$1" --examples "fixtures/examples/$task$2.jsonl" |
            sed -n 's/^loss  *//p' | xargs printf ' %s |'
    done
    echo
}

n_rows=0
for ending in '' -heldout; do
    for model in base arithmetic tense translation; do
        row=$(losses decoder-$model "$ending")
        grep -qxF "$row" fixtures/README.md || echo "not in fixtures/README.md: $row"
        ((n_rows++))
    done
done
echo "$n_rows rows"

# Sharded weights are the same model.
for model in decoder-tense decoder-sharded; do
    cocktail eval fixtures/$model --examples fixtures/examples/tense.jsonl --json |
        sed 's/^{"model":"[^"]*",//' >$model
done
cmp decoder-tense decoder-sharded
