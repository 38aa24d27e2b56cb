# Losses, accuracy and MRR of encoders and rerankers are those of the tables in fixtures/README.md,
# which transformers measured.
figures() # MODEL, FILE, OPTION...: "loss | accuracy | MRR", rounded as there
{
    cocktail eval -q "fixtures/$1" --examples "fixtures/examples/$2.jsonl" --json "${@:3}" |
        sed 's/.*"loss":\([^,]*\),.*"accuracy":\([^,]*\),"mrr":\([^}]*\)}.*/\1 \2 \3/' |
        xargs printf '%.3f | %.3f | %.3f'
}

check() # MODEL, TASK, OTHER TASK, OPTION...
{
    local first row

    first=$(figures "$1" "$2" "${@:4}")
    row="| $1 | ${first%% *} | [0-9.]* | $(figures "$1" "$2-heldout" "${@:4}")"
    row+=" | $(figures "$1" "$3-heldout" "${@:4}") |"
    grep -qx "$row" fixtures/README.md || echo "not in fixtures/README.md: $row"
    ((n_rows++))
}

n_rows=0
for model in encoder-base encoder-parts; do
    for pooling in cls mean; do
        check $model retrieval-parts retrieval-repairs --pooling $pooling
        check $model retrieval-repairs retrieval-parts --pooling $pooling
    done
done
# what a model says itself goes before --pooling
check encoder-repairs retrieval-parts retrieval-repairs
check encoder-repairs retrieval-repairs retrieval-parts --pooling cls
for model in reranker-base reranker-routes; do
    check $model rerank-routes rerank-parts
done
echo "$n_rows rows"

# The same weights in other files.
for model in encoder-parts encoder-bin reranker-routes reranker-legacy; do
    [[ $model == encoder* ]] && task=retrieval-parts || task=rerank-parts
    cocktail eval -q fixtures/$model --examples fixtures/examples/$task.jsonl --json |
        sed 's/^{"model":"[^"]*",//' >$model
done
cmp encoder-parts encoder-bin
cmp reranker-routes reranker-legacy
