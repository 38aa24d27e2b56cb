# Batches are worked on beside the reading of the next ones: in their order, and what stands in front
# of an error is there.
set -e
seq 300 | awk '{print "gate number " $1 ($1 % 7 ? "" : " at the end of a rather long way")}' >texts
"$COCKTAIL" embed fixtures/encoder-repairs texts --batch-size 3 -t1 >expected
for n in 2 3 8; do
    "$COCKTAIL" embed fixtures/encoder-repairs texts --batch-size 3 -t$n | cmp expected -
done
wc -l <expected
"$COCKTAIL" rerank fixtures/reranker-base texts --query gate --batch-size 3 -t1 >ranked
"$COCKTAIL" rerank fixtures/reranker-base texts --query gate --batch-size 3 -t4 | cmp ranked -
wc -l <ranked
"$COCKTAIL" rerank fixtures/reranker-base texts --query gate --batch-size 3 -t4 --top 5 |
    cmp - <(head -n 5 ranked)
set +e
{ sed 's/.*/"&"/' texts; echo '{"pair": "b"}'; } >bad.jsonl
for n in 1 4; do
    "$COCKTAIL" embed fixtures/encoder-repairs bad.jsonl --jsonl --batch-size 3 -t$n 2>&1 >out |
        grep -v '^usage: '
    echo "exit ${PIPESTATUS[0]}"
    cmp out expected # what is wrong ends a batch
    "$COCKTAIL" embed fixtures/encoder-repairs texts --batch-size 3 -t$n >/dev/full
    echo "exit $?"
done
