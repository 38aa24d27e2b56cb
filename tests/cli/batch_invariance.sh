# What an example, a text or a pair gives does not depend by a bit on how many run together, nor on
# the number of threads: the same bytes are printed.
set -e
same() # COMMAND...
{
    local size threads

    "$COCKTAIL" "$@" -q --batch-size 1 -t 1 >one
    [ -s one ]
    for size in 7 64; do
        for threads in 1 2 3; do
            "$COCKTAIL" "$@" -q --batch-size $size -t $threads >other
            cmp one other || echo "$*: --batch-size $size -t $threads"
        done
    done
}

for i in 1 2 3 4 5 6; do
    cat fixtures/examples/arithmetic-heldout.jsonl
done | head -n 70 >many
same eval fixtures/decoder-base --examples many --json --each
same eval fixtures/moe-base --examples many --json --each
same eval fixtures/encoder-base --examples fixtures/examples/retrieval-parts.jsonl --json --each
same eval fixtures/reranker-base --examples fixtures/examples/rerank-parts.jsonl --json --each
sed 's/.*"input": *"\([^"]*\)".*/\1/' many >texts
same embed fixtures/encoder-base texts
same embed fixtures/encoder-repairs texts
same rerank fixtures/reranker-base --query 'do you sell a circular cog of rubber' texts
