# tokenizer, tokenizer_source and chat_template of a recipe: which files the result gets. Rows that move:
# merge_join.
exec 2>&1
recipe() # OTHER MODEL, LINE...
{
    cat <<R
merge_method: linear
models:
  - {model: fixtures/decoder-base, parameters: {weight: 0.5}}
  - {model: $1, parameters: {weight: 0.5}}
R
    printf '%s\n' "${@:2}"
}
try() # NAME, OTHER MODEL, LINE...
{
    echo "--- $1: ${*:2}"
    recipe "${@:2}" | cocktail merge -o "$1" >/dev/null
    echo "exit ${PIPESTATUS[1]}$([[ -e $1 ]] || echo ', nothing written')"
}

cp -r fixtures/decoder-tense other
rm other/special_tokens_map.json
echo '#version: 0.2' >other/merges.txt
sed -i '1s/{/{"chat_template": "  {{ messages[0].content }}!\\n", /' other/tokenizer_config.json
cp -r fixtures/decoder-tense moved # two tokens in each other's place
python3 - <<'P'
import json
content = json.load(open("moved/tokenizer.json"))
vocab = content["model"]["vocab"]
first, second = sorted(vocab, key=vocab.get)[100:102]
vocab[first], vocab[second] = vocab[second], vocab[first]
json.dump(content, open("moved/tokenizer.json", "w"))
P

try plain other
diff plain fixtures/decoder-base | grep '^Only'
try base other 'tokenizer_source: base'
diff base fixtures/decoder-base | grep '^Only'
try source other 'tokenizer_source: other'
diff source other | grep '^Only'
cmp source/tokenizer_config.json other/tokenizer_config.json
try block other 'tokenizer: {source: other, pad_to_multiple_of: 1}'
diff -r block source | grep -v '^[<>-]\|^diff\|^[0-9,acd]*$'
for name in plain base source block; do
    cmp $name/model.safetensors plain/model.safetensors
done

# The same rows in either order, and the tokenizer that goes with it.
try first moved 'tokenizer_source: base'
try second moved 'tokenizer: {source: moved}'
for name in first second; do
    echo 'x£¤' | cocktail logits $name | head -n 8 | tail -n 3 | cut -c 1-60
    cmp $name/tokenizer.json $([[ $name = first ]] && echo plain || echo moved)/tokenizer.json
done
try union other 'tokenizer_source: union'
try standard other 'tokenizer: {}'
try tokens other 'tokenizer: {source: base, tokens: {a: {source: other}}}'
try no-tokens other 'tokenizer: {source: base, tokens: {}}'
try padded other 'tokenizer: {source: base, pad_to_multiple_of: 64}'
try elsewhere other 'tokenizer_source: fixtures/decoder-arithmetic'
try absent other 'tokenizer_source: no/such/model'

echo '--- chat templates'
try auto other 'chat_template: auto'
od -c auto/chat_template.jinja | head -n 1
try taken other 'tokenizer_source: other' 'chat_template: llama3'
grep -c chat_template taken/tokenizer_config.json
grep -o 'eot_id' taken/chat_template.jinja | head -n 1
try text other 'chat_template: "{% for m in messages %}{{ m.content }}{% endfor %}"'
cat text/chat_template.jinja
