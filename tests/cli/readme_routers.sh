# The tables of README.md about a merge of mixtures of experts; the numbers of fixtures/README.md for
# the agreement of routers, which transformers measured; and plots of them.
json_number() # NAME, of the last place where it stands
{
    grep -o "\"$1\":[0-9.e-]*" | tail -n 1 | cut -d : -f 2
}

agree() # DIGITS, TASK, ONE, OTHER: Jaccard, same first expert, KL of all layers
{
    cocktail routers -q "$3" "$4" --examples "fixtures/examples/$2-heldout.jsonl" --json >json
    for name in jaccard same_first kl; do
        printf " %.$1f |" "$(grep -o '"agreement":.*' json | sed 's/"layers".*//' | json_number $name)"
    done
}

losses() # TASK, MODEL...
{
    for model in "${@:2}"; do
        printf ' %.3f |' "$(cocktail eval -q "$model" --json \
            --examples "fixtures/examples/$1-heldout.jsonl" | json_number loss)"
    done
}

expect() # FILE, ROW
{
    grep -qxF -- "$2" "$1" || echo "not in $1: $2"
    ((n_rows++))
}

mix() # TASK: a folder of that name
{
    cocktail mix-data -q --examples "fixtures/examples/$1.jsonl" -o "$1" \
        fixtures/moe-{base,arithmetic,tense} >/dev/null
}

readme=$FIXTURES/../README.md n_rows=0
base=fixtures/moe-base own=fixtures/moe-arithmetic
mix arithmetic
expect "$readme" "| base, specialist |$(agree 3 arithmetic $base $own)"
expect "$readme" "| base, mix |$(agree 3 arithmetic $base arithmetic)"
expect "$readme" "| specialist, mix |$(agree 3 arithmetic $own arithmetic)"
for task in arithmetic tense; do
    expect "$readme" "| $task |$(losses $task $base $own arithmetic)"
done

row() # TASK, ONE, OTHER: as fixtures/README.md has it, layers first and KL before the first expert
{
    cocktail routers -q "$2" "$3" --examples "fixtures/examples/$1-heldout.jsonl" --json >json
    grep -o '"agreement":.*' json | grep -o '"layers":.*' | grep -o '"jaccard":[0-9.e-]*' |
        cut -d : -f 2 | head -n 4 | xargs printf ' %.4f |'
    read -r jaccard _ same _ kl _ <<<"$(agree 4 "$1" "$2" "$3")"
    echo " $jaccard | $kl | $same |"
}

expect fixtures/README.md "| base, arithmetic |$(row arithmetic $base $own)"
expect fixtures/README.md "| base, mix for arithmetic |$(row arithmetic $base arithmetic)"
expect fixtures/README.md "| arithmetic, mix for arithmetic |$(row arithmetic $own arithmetic)"
expect fixtures/README.md "| arithmetic, tense |$(row arithmetic $own fixtures/moe-tense)"
mix tense
expect fixtures/README.md "| base, tense |$(row tense $base fixtures/moe-tense)"
expect fixtures/README.md "| base, mix for tense |$(row tense $base tense)"
expect fixtures/README.md "| tense, mix for tense |$(row tense fixtures/moe-tense tense)"
expect fixtures/README.md "| arithmetic, tense |$(row tense $own fixtures/moe-tense)"
echo "$n_rows rows"

# Pairs of which one is never chosen: nothing of nothing.
cocktail routers -q $base arithmetic --examples fixtures/examples/arithmetic-heldout.jsonl \
    --svg plots | tail -n 1
cat plots/*.svg | grep -ci nan
true
