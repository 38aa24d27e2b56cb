# The table of README.md that compares base, specialist and mix, on the task and on the others.
loss() # MODEL, TASK
{
    cocktail eval -q "$1" --examples "fixtures/examples/$2-heldout.jsonl" --json |
        sed 's/.*"loss":\([0-9.e-]*\),"perpl.*/\1/'
}

mean_loss() # MODEL, TASK...
{
    for task in "${@:2}"; do
        loss "$1" "$task"
    done | awk '{sum += $1} END {print sum / NR}'
}

check() # TASK, "OTHER TASKS", BASE, SPECIALIST, OTHER MODEL...
{
    local row="| $1 |"

    cocktail mix-data -q --examples "fixtures/examples/$1.jsonl" "${@:3}" -o "$1" >/dev/null
    for tasks in "$1" "$2"; do
        for model in "$3" "$4" "$1"; do
            row+=$(printf ' %.3f |' "$(mean_loss "$model" $tasks)")
        done
    done
    grep -qxF -- "$row" "$FIXTURES/../README.md" || echo "not in README.md: $row"
}

check arithmetic 'tense translation' fixtures/decoder-{base,arithmetic,tense,translation}
check tense 'arithmetic translation' fixtures/decoder-{base,tense,arithmetic,translation}
check translation 'arithmetic tense' fixtures/decoder-{base,translation,arithmetic,tense}
check retrieval-parts retrieval-repairs fixtures/encoder-{base,parts,repairs}
check retrieval-repairs retrieval-parts fixtures/encoder-{base,repairs,parts}
check rerank-routes rerank-parts fixtures/reranker-{base,routes}
