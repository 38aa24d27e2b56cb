# Mixtures of experts keep what LM-Cocktail promises: the specialist of the task gets the largest
# weight, and the mix is better than the base on the task, and better than the specialist on the
# other. Weights and losses are those of fixtures/README.md, where transformers measured them.
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

expect_row() # ROW
{
    grep -qxF -- "$1" fixtures/README.md || echo "not in fixtures/README.md: $1"
}

check() # TASK, OTHER, number of the specialist
{
    local own=fixtures/moe-$1 n

    cocktail mix-data -q --json --examples "fixtures/examples/$1.jsonl" -o "$1" \
        fixtures/moe-{base,arithmetic,tense} >shown || exit
    mapfile -t weights < <(grep -o '"weight":[0-9.e-]*' shown | cut -d : -f 2)
    expect_row "| $1 |$(printf ' %.4f |' "${weights[@]}")"
    for n in 0 1 2; do
        ((n == $3)) || expect "$1 has the largest weight" "${weights[n]}" "${weights[$3]}"
    done
    expect "the mix beats the base on $1" "$(loss "$1" "$1")" "$(loss fixtures/moe-base "$1")"
    expect "the mix beats $1 on $2" "$(loss "$1" "$2")" "$(loss "$own" "$2")"
    expect_row "| mix for $1 |$(printf ' %.4f |' "$(loss "$1" arithmetic)" "$(loss "$1" tense)")"
}

n_claims=0
check arithmetic tense 1
check tense arithmetic 2
echo "$n_claims claims"
