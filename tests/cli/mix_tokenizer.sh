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
# Files of Mistral's and Meta's own are read as `tokenize` reads them.
rm -rf none
like() # DIRECTORY: weights and config alone
{
    mkdir "$1"
    cp fixtures/reranker-routes/{config.json,model.safetensors} "$1"
}
tekken() # BASE64
{
    printf '{"config":{"pattern":"a","default_vocab_size":4,"default_num_special_tokens":2},"vocab":[
        {"rank":0,"token_bytes":"YQ=="},{"rank":1,"token_bytes":"%s"}]}' "$1"
}
for i in tekken-{b,c} tiktoken{,-b} bpe spm; do like $i; done
tekken Yg== >tekken-b/tekken.json
tekken Yw== >tekken-c/tekken.json
try --weights 0.5,0.5 tekken-b tekken-c
printf 'YQ== 0\nYg== 1\nYWI= 2\n' | tee tiktoken/tokenizer.model >tiktoken-b/tokenizer.model
try --weights 0.5,0.5 tiktoken tiktoken-b
cmp tiktoken/tokenizer.model out/tokenizer.model
# The same tokens under other rules: said; and so is what keeps a tokenizer from being run.
cp fixtures/decoder-base/tokenizer*.json bpe
rm -r other
like other
cp fixtures/decoder-base/tokenizer*.json other
sed -i 's/"normalizer": null/"normalizer": {"type": "Lowercase"}/' other/tokenizer.json
try --weights 0.5,0.5 bpe other
sed -i 's/"Lowercase"/"Magic"/' other/tokenizer.json
try --weights 0.5,0.5 bpe other
# XLM-RoBERTa's sentencepiece file numbers its pieces in another way than the model does.
printf '%b' '\x0a\x07\x0a\x05<unk>\x0a\x05\x0a\x03<s>\x0a\x06\x0a\x04</s>\x0a\x03\x0a\x01,' \
    >spm/sentencepiece.bpe.model
cp spm/* bpe && rm bpe/sentencepiece.bpe.model bpe/tokenizer_config.json
printf '{"model":{"type":"Unigram","unk_id":3,"vocab":[["<s>",0],["<pad>",0],["</s>",0],["<unk>",0],
    [",",0],["<mask>",0]]}}' >bpe/tokenizer.json
try --weights 0.5,0.5 spm bpe
