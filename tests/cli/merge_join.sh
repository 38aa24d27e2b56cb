# Models whose tokenizers differ: which row each token gets in each model, by recipes and by mix.
exec 2>&1
models="${FIXTURES%/*}/tests/token_models.py"
python3 "$models" make
# What each model has before it is merged: all weight on one.
seen() # BASE OTHER WEIGHT-OF-OTHER, LINE...
{
    echo "--- ${*}"
    {
        printf 'merge_method: linear\nbase_model: %s\nmodels:\n' "$1"
        printf '  - {model: %s, parameters: {weight: %s}}\n' "$1" $((1 - $3)) "$2" "$3"
        printf '%s\n' "${@:4}"
    } | cocktail merge -f -o out >/dev/null && python3 "$models" rows out
}
seen a b 0 'tokenizer: {source: union}'
seen a b 1 'tokenizer_source: union'
seen a b 1 'tokenizer: {source: base, pad_to_multiple_of: 4}'
seen a b 0 'tokenizer_source: b'
seen a b 1 'tokenizer: {source: c}'

echo '--- three models, two of which have what the third lacks'
three() # LINE...
{
    printf '%s\n' 'merge_method: linear' "$@" | cocktail merge -f -o out >/dev/null &&
        python3 "$models" rows out
}
weights=('models:' '  - {model: a, parameters: {weight: 1}}' '  - {model: b, parameters: {weight: 0}}'
    '  - {model: c, parameters: {weight: 0}}')
three 'base_model: a' "${weights[@]}" 'tokenizer: {source: union}'
echo '--- without a base tokens come from all that have them'
three 'models:' '  - {model: a, parameters: {weight: 0}}' '  - {model: b, parameters: {weight: 0}}' \
    '  - {model: c, parameters: {weight: 1}}' 'tokenizer: {source: union}'
echo '--- tokens by name'
three 'base_model: a' "${weights[@]}" 'tokenizer:' '  source: base' '  pad_to_multiple_of: 6' '  tokens:' \
    '    w: {source: c}' '    x: {source: b, force: true}' '    y: {source: b_has_no_y}'
three 'base_model: a' "${weights[@]}" 'tokenizer:' '  source: base' '  pad_to_multiple_of: 6' '  tokens:' \
    '    w: {source: c}' '    x: {source: b, force: true}' '    y: {source: c}' \
    '    copy: {source: {kind: model_token, model: b, token: "<|im|>"}}' \
    '    "5th": {source: {kind: model_token, model: {model: {path: c}}, token_id: 5}}' \
    '    zero: {source: {kind: zero}}' '    "<unk>": {source: {kind: zero}, force: yes}' '    nothing:'

echo '--- mix'
mixed() # OPTION...
{
    echo "--- $*"
    cocktail mix "$@" -f -o out >/dev/null && python3 "$models" rows out
}
mixed -w 1,0 --tokenizer union padded b
mixed -w 0,1 --tokenizer union padded b
mixed -w 0,1 --tokenizer union padded c
mixed -w 0,1 --tokenizer union padded short
mixed -w 0,1 --tokenizer base padded b
mixed -w 1,0 --tokenizer c a padded
mixed -w 0,1 --tokenizer union a short
mixed -w 1,0 --tokenizer union short a
mixed -w 0.5,0.5 --tokenizer union tied a
mixed -w 0.5,0.5 --tokenizer union a tied
mixed -w 0.5,0.5 --tokenizer union a a
cmp a/tokenizer.json out/tokenizer.json
mixed -w 0.5,0.5 a b

echo '--- files'
cp fixtures/decoder-base/tokenizer.json a/added_tokens.json # any of the files that list tokens once more
touch a/{vocab.json,merges.txt}
printf '{"eos_token_id": [1, 4], "pad_token_id": 0, "bos_token_id": 3, "suppress_tokens": [2, 1], "top_k": 4}' \
    >a/generation_config.json
mixed -w 0.5,0.5 --tokenizer union a b 2>&1 | grep note
ls out
cmp a/generation_config.json out/generation_config.json
cocktail tokenize out --tokens <<<'xw<|im|>z two words w'
mixed -w 0.5,0.5 --tokenizer b a b 2>&1 | grep note
cat out/generation_config.json && echo
cmp b/tokenizer.json out/tokenizer.json
mixed -w 0.5,0.5 --tokenizer c a b 2>&1 | grep 'generation_config\|vocab'
cat out/generation_config.json && echo
mixed -w 0.5,0.5 --tokenizer no/such a b 2>&1 | grep -o "cocktail: 'no/such': no such directory"
mixed -w 0.5,0.5 --tokenizer union --ignore-tokenizer a b 2>&1 | grep exclude

echo '--- means are rounded once: of 200 to 205, which are BF16 as 202.5 is not'
cocktail convert -q b --dtype bf16 -o b16 >/dev/null
printf '%s\n' 'merge_method: linear' 'models: [{model: b16, parameters: {weight: 1}}]' 'dtype: float32' \
    'tokenizer: {source: base, pad_to_multiple_of: 8}' | cocktail merge -q -f -o out >/dev/null
python3 - <<'P'
import json, struct
with open("out/model.safetensors", "rb") as file:
    (size,) = struct.unpack("<Q", file.read(8))
    at = json.loads(file.read(size))["model.embed_tokens.weight"]
    print(at["shape"], struct.unpack("<f", file.read()[at["data_offsets"][1] - 16:][:4]))
P

echo '--- a document that is not the last, and slices'
{
    printf '%s\n' 'name: first' 'merge_method: linear' 'base_model: a' 'models:' \
        '  - {model: a, parameters: {weight: 0}}' '  - {model: b, parameters: {weight: 1}}' \
        'tokenizer: {source: union}' 'chat_template: "a template {{ messages }}"' '---' \
        'merge_method: passthrough' 'slices:' '  - sources: [{model: first, layer_range: [0, 1]}]' \
        '  - sources: [{model: c, layer_range: [0, 1]}]' 'tokenizer: {source: union}'
} >stages.yml
cocktail merge stages.yml -f -o out >/dev/null && python3 "$models" rows out
cat out/chat_template.jinja && echo
