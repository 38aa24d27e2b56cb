# Models whose tokenizers differ do not fit, unless the user says so; without one nothing is compared.
try()
{
    rm -rf out
    cocktail mix "$@" -o out >/dev/null
    echo "exit $?$([[ -e out ]] && echo ', written')"
}

mkdir other added none
cp fixtures/reranker-routes/* other
cp fixtures/reranker-routes/* added
cp fixtures/reranker-routes/{config.json,model.safetensors} none
sed -i 's/^      "the": [0-9]*/      "the": 100000/' other/tokenizer.json
rm added/tokenizer.json
printf 'extra-token\n' >>added/vocab.txt

try --weights 0.5,0.5 fixtures/reranker-base other
try --weights 0.5,0.5 fixtures/reranker-base added
try --weights 0.5,0.5 added fixtures/reranker-base
try --weights 0.5,0.5 --ignore-tokenizer fixtures/reranker-base other
cmp fixtures/reranker-base/tokenizer.json out/tokenizer.json
try --weights 0.5,0.5 fixtures/reranker-base none
try --weights 0.5,0.5 none fixtures/reranker-base
[[ ! -e out/tokenizer.json ]] || echo "a tokenizer from nowhere"
# Two others that differ are told although the base has none.
try --weights 0.5,0.3,0.2 none fixtures/reranker-base other
# vocab.txt alone holds the same map as tokenizer.json.
rm none/*
cp fixtures/reranker-routes/{config.json,model.safetensors,vocab.txt} none
try --weights 0.5,0.5 fixtures/reranker-base none
