# Pairs that are too long lose from the longer text; what cannot be ranked is refused.
try()
{
    echo "\$ rerank $*" | sed 's/\(gate \)*gate  /gate... /'
    "$COCKTAIL" rerank "$@" 2>&1 >out | grep -v '^usage: '
    echo "exit ${PIPESTATUS[0]}, $(wc -l <out) passages"
}

words()
{
    for ((i = 0; i < $1; i++)); do printf 'gate '; done
    echo
}
{ words 3; words 300; words 301; } >passages
try fixtures/reranker-base --query 'a gate' passages
try fixtures/reranker-base --query 'a gate' passages --max-input-length 9
try fixtures/reranker-base --query "$(words 400)" passages -q
# what was cut makes no difference
"$COCKTAIL" rerank -q fixtures/reranker-base --query 'a gate' passages | cut -f 1 | uniq -c |
    awk '{print $1}'

try fixtures/reranker-base passages
try fixtures/encoder-base --query x passages
try fixtures/reranker-base --query x passages passages
try fixtures/reranker-base --query x --jsonl --lines passages
echo '{"text": "a", "pair": "b"}' >pairs
try fixtures/reranker-base --query x --jsonl pairs
try fixtures/models/bert-score-3-bf16 --query x passages
