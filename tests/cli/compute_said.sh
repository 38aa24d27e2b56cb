# Every command that runs a model says what --compute fast means here, and none says it otherwise.
model=fixtures/decoder-base
echo 'What is 29 plus 7?' >text
runs() # COMMAND...
{
    local compute

    for compute in fast exact; do
        COCKTAIL_ISA=plain "$COCKTAIL" "$@" --compute $compute >out 2>err <text || cat err
        echo "$1, $compute: said $(grep -c -- 'needs AVX2, which is not in use' err) times"
    done
}

runs generate $model --prompt 'What is' --max-tokens 1
runs chat $model --template chatml --max-tokens 1
runs eval $model --examples fixtures/examples/arithmetic.jsonl
runs mix-data $model $model --examples fixtures/examples/arithmetic.jsonl --weights-only
runs embed fixtures/encoder-base text
runs rerank fixtures/reranker-base text --query 'what is it'
runs logits $model text
