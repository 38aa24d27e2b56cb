# Every command takes a GGUF file where it takes a model: tokenizer, settings and weights are in it.
exec 2>&1
base=fixtures/decoder-base
make() { rm -rf "$1" && python3 "$FIXTURES/../tests/gguf_from_model.py" "$base" "$@"; }
try()
{
    echo "$ $*"
    cocktail "$@"
    local status=$?
    ((status == 0)) || echo "exit $status"
}
alike() # COMMAND…: with `@` for the model, gives the same of both
{
    local ours theirs varies='s/"tokens_per_second":[^,}]*//; s/"model":[^,]*//'

    ours=$(cocktail "${@/@/made/model.gguf}" | sed "$varies")
    theirs=$(cocktail "${@/@/$base}" | sed "$varies")
    if [[ $ours == "$theirs" && -n $ours ]]; then echo "$1: alike"; else echo "$1: $ours, not $theirs"; fi
}

make made --tokenizer
echo 'What is 29 plus 7? The sailor cleans the empty island.' >text
alike tokenize @ text
alike tokenize @ --tokens text
alike generate @ --prompt 'What is 29 plus 7?' --max-tokens 8 --json
alike logits @ text
alike embed -q @ text --type encoder
alike eval @ --examples fixtures/examples/arithmetic.jsonl --json
try diff made/model.gguf "$base" | grep '^all'
try inspect made/model.gguf

echo '--- quantised'
make quantised --tokenizer --q8_0
try inspect quantised/model.gguf | grep -E 'param|quant|size '
cocktail logits quantised/model.gguf text >ours
cp "$base"/tokenizer*.json quantised/hf
cocktail logits quantised/hf text >theirs
python3 "$FIXTURES/../tests/same_numbers.py" ours theirs 1e-5 && echo 'logits: alike'
cmp <(cocktail generate quantised/model.gguf --prompt 'Past tense: the boy' --max-tokens 8) \
    <(cocktail generate quantised/hf --prompt 'Past tense: the boy' --max-tokens 8) && echo 'generate: alike'

echo '--- mixed with others'
try mix -q --weights 0.5,0.5 --dtype bf16 made/model.gguf fixtures/decoder-tense -o mixed | sed 's/ in .*//'
try mix -q --weights 0.5,0.5 "$base" fixtures/decoder-tense -o expected | sed 's/ in .*//'
ls mixed
cat mixed/config.json mixed/generation_config.json
try diff mixed expected
grep -F '| model |' -A3 mixed/README.md
try mix -q --weights 0.5,0.5 --dtype f32 quantised/model.gguf made/model.gguf -o mixed --force | sed 's/ in .*//'
try inspect mixed | grep -E 'dtypes|quantization|tokenizer'

echo '--- where it is'
mkdir only parts two
cp made/model.gguf only/any-name.gguf
try inspect only | head -3
try tokenize only text
cp made/model.gguf blob
try inspect blob | head -3
make split --split 3 --tokenizer
mv split/*.gguf parts
for i in 1 2 3; do
    try inspect "parts/model-0000$i-of-00003.gguf" | grep -E 'parameters|size '
done
try inspect parts | grep size
rm parts/model-00002-of-00003.gguf
try inspect parts
cp made/model.gguf two/a.gguf
cp made/model.gguf two/b.gguf
try inspect two
try inspect two/b.gguf | head -3
mkdir -p hub/models--acme--tiny/{blobs,snapshots/1}
cp made/model.gguf hub/models--acme--tiny/blobs/1234
ln -s ../../blobs/1234 hub/models--acme--tiny/snapshots/1/tiny.gguf
try inspect hub/models--acme--tiny/snapshots/1/tiny.gguf | head -3
ln -s ../made/model.gguf two/link.gguf
try inspect two/link.gguf
try inspect two/link.gguf --follow-symlinks | head -3

echo '--- an embedding model'
make pooled --tokenizer --add llama.pooling_type=3
try inspect pooled/model.gguf | grep -E 'type  |pooling'
cocktail embed pooled/model.gguf text >ours
cocktail embed "$base" text --type encoder --pooling lasttoken --no-normalize >theirs 2>/dev/null ||
    cocktail embed "$base" text --type encoder --pooling lasttoken >theirs
python3 "$FIXTURES/../tests/same_numbers.py" ours theirs 1e-5 && echo 'embed: alike'
