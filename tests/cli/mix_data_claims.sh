# What LM-Cocktail promises, on the fixtures: the specialist of the task gets the largest weight,
# and the mix is better than the base on the task, and better than the specialist on each other
# task. Held-out examples; the figures are those of fixtures/README.md.
loss() # MODEL, TASK
{
    cocktail eval -q "$1" --examples "fixtures/examples/$2-heldout.jsonl" --json |
        sed 's/.*"loss":\([0-9.e-]*\),"perpl.*/\1/'
}

expect() # WHAT is told when A is not less than B
{
    awk -v a="$2" -v b="$3" 'BEGIN {exit !(a < b)}' || echo "not so: $1 ($2, $3)"
    ((n_claims++))
}

check() # TASK, BASE, SPECIALIST, "OTHER TASKS", "OTHER MODELS"
{
    local task=$1 base=$2 specialist=$3 other

    cocktail mix-data -q --json --examples "fixtures/examples/$task.jsonl" -o "$task" \
        "$base" "$specialist" $5 >shown || exit
    mapfile -t weights < <(grep -o '"weight":[0-9.e-]*' shown | cut -d : -f 2)
    for ((i = 0; i < ${#weights[@]}; i++)); do
        ((i == 1)) || expect "$specialist has the largest weight" "${weights[i]}" "${weights[1]}"
    done
    expect "the mix beats $base on $task" "$(loss "$task" "$task")" "$(loss "$base" "$task")"
    for other in $4; do
        expect "the mix beats $specialist on $other" "$(loss "$task" "$other")" \
            "$(loss "$specialist" "$other")"
    done
}

n_claims=0
for task in arithmetic tense translation; do
    others=$(echo arithmetic tense translation | sed "s/$task//")
    check $task fixtures/decoder-base fixtures/decoder-$task "$others" \
        "$(printf ' fixtures/decoder-%s' $others)"
    row="| mix for $task |"
    for other in arithmetic tense translation; do
        row+=$(printf ' %.4f |' "$(loss $task $other)")
    done
    grep -qxF -- "$row" fixtures/README.md || echo "not in fixtures/README.md: $row"
done
for task in parts repairs; do
    other=$(echo parts repairs | sed "s/$task//; s/ //")
    check retrieval-$task fixtures/encoder-base fixtures/encoder-$task retrieval-$other \
        fixtures/encoder-$other
done
check rerank-routes fixtures/reranker-base fixtures/reranker-routes rerank-parts ''
echo "$n_claims claims"
