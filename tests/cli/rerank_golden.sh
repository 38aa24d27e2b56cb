# The logits of transformers 5.23 (CPU, float32), to three digits:
#   tokenizer([[query, text]]) -> AutoModelForSequenceClassification, logits[0, 0] or their sigmoid
set -e
cat >passages <<'END'
This rubber cog is circular, 37 coins.
Shelf 31: cog, lengthy, rubber.
To the harbour: a coach picks you up at the bridge at dusk.
This rubber cog is circular, 37 coins.

END
query='do you sell a circular cog of rubber'
rounded()
{
    awk -F'\t' '{printf "%.3f\t%s\n", $1, $2}'
}
for model in reranker-base reranker-routes reranker-legacy; do
    echo "$model"
    "$COCKTAIL" rerank fixtures/$model --query "$query" passages | rounded
done
echo 'the best two, from 0 to 1'
"$COCKTAIL" rerank fixtures/reranker-base --query "$query" --top 2 --normalize <passages
"$COCKTAIL" rerank fixtures/reranker-base --query "$query" --top 99 --normalize passages | tail -n 2
echo 'as JSON'
"$COCKTAIL" rerank fixtures/reranker-base --query "$query" --json --top 3 passages |
    sed -E 's/("score":-?[0-9]+\.[0-9]{3})[0-9]*/\1/'

# nothing in, nothing out; batches and threads change nothing that can be seen
"$COCKTAIL" rerank fixtures/reranker-base --query "$query" /dev/null
"$COCKTAIL" rerank fixtures/reranker-base --query "$query" passages >expected
for options in --batch-size=1 '--batch-size 2 -t1' -t3; do
    # shellcheck disable=SC2086
    "$COCKTAIL" rerank fixtures/reranker-base --query "$query" passages $options | cmp expected -
done
