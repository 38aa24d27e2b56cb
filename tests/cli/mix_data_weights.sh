# Losses and weights are those of the tables in fixtures/README.md, which transformers measured.
figures() # FORMAT MEMBER ARGUMENT...: that member of all models, one behind the other
{
    cocktail mix-data -q --weights-only --json "${@:3}" | grep -o "\"$2\":[0-9.e-]*" |
        cut -d : -f 2 | xargs printf " $1 |"
}

expect() # ROW
{
    grep -qF -- "$1" fixtures/README.md || echo "not in fixtures/README.md: $1"
    ((n_rows++))
}

n_rows=0
decoders=$(echo fixtures/decoder-{base,arithmetic,tense,translation})
for task in arithmetic tense translation; do
    expect "| $task |$(figures %.4f weight --examples fixtures/examples/$task.jsonl $decoders)"
done

# "| NAME | few-shot loss | weight |" of a table whose models are all scored alike
expect_rows() # ARGUMENT...
{
    local losses weights model

    losses=($(figures %.3f loss "$@" | tr -d '|'))
    weights=($(figures %.3f weight "$@" | tr -d '|'))
    for model in "$@"; do
        [[ $model == fixtures/*-* && -d $model ]] || continue
        expect "| ${model#fixtures/} | ${losses[0]} | ${weights[0]} |"
        losses=("${losses[@]:1}") weights=("${weights[@]:1}")
    done
}

encoders=$(echo fixtures/encoder-{base,parts,repairs})
for task in parts repairs; do
    file=fixtures/examples/retrieval-$task.jsonl
    # each with its own pooling: cls, cls, mean; then all with mean
    expect "| retrieval-$task |$(figures %.3f weight --examples $file $encoders)"
    expect_rows --examples $file --pooling mean $encoders
    # --compat takes the first token of all; a batch of one query has no passages of others
    expect_rows --examples $file --compat lm-cocktail --batch-size 1 $encoders
done
expect_rows --examples fixtures/examples/rerank-routes.jsonl fixtures/reranker-{base,routes}
echo "$n_rows rows"
