# Experts of OpenMoE and Switch that are full turn tokens away, unless --capacity dropless; in every
# command that runs a model. Numbers: the goldens of tests/unit/test_moe_models.c.
set -e
models=fixtures/models
mkdir moe
cp $models/openmoe-k1-f16/{config.json,model.safetensors} $models/mixtral/tokenizer{,_config}.json moe
for i in {1..30}; do printf '%s ' $((i * i % 59)); done >ids
words() # of the vocabulary
{
    for i in {1..24}; do printf 't%s ' $((i * $1 * $1 % 53)); done
}
words 17 >texts
echo 't1 t2 t3' >>texts
for n in 17 13 5; do
    printf '{"input": "%s", "output": "t1 t2"}\n' "$(words $n)"
done >examples

differs() # command and options without, then with dropless; default is drop
{
    "$COCKTAIL" "$@" >default
    "$COCKTAIL" "$@" --capacity drop | cmp default
    "$COCKTAIL" "$@" --capacity dropless >dropless
    cmp -s default dropless && echo "$1: no difference" || echo "$1: another result"
}
differs logits moe --from-ids ids
differs logits $models/mixtral --from-ids ids
differs embed moe --type encoder --pooling mean -q texts
differs eval moe --examples examples --each
differs generate moe --prompt "$(words 17)" --max-tokens 9
differs generate $models/switch-transformers-bf16 --prompt "$(words 13)" --max-tokens 9
differs rerank fixtures/reranker-base --query a texts
differs routers -q moe --examples examples
differs mix-data --examples examples moe moe --weights-only

echo 'a text loses what it loses alone'
for n in 1 2 8; do
    "$COCKTAIL" eval moe --examples examples --each --batch-size $n >$n
    cmp 1 $n
done
status=0
"$COCKTAIL" logits moe --from-ids ids --capacity none 2>&1 >/dev/null || status=$?
echo "exit $status"
