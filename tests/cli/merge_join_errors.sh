# Tokenizers and rules for tokens that cannot be joined: refused in one sentence, and nothing is written.
exec 2>&1
models="${FIXTURES%/*}/tests/token_models.py"
python3 "$models" make
recipe() # LINE...
{
    echo "--- $*"
    printf '%s\n' 'merge_method: linear' 'base_model: a' 'models:' '  - {model: a, parameters: {weight: 0.5}}' \
        '  - {model: b, parameters: {weight: 0.5}}' "$@" | cocktail merge -q -o out >/dev/null
    echo "exit ${PIPESTATUS[1]}$([[ ! -e out ]] || echo ', written')"
}
token() # SOURCE AND FORCE OF A TOKEN
{
    recipe 'tokenizer:' '  source: union' "  tokens: {$1}"
}
token 'x: {source: c}'
token 'x: {source: {kind: model_token, model: b, token: nowhere}}'
token 'x: {source: {kind: model_token, model: b, token_id: 6}}'
token 'x: {source: {kind: model_token, model: b, token_id: -1}}'
token 'x: {source: {kind: model_token, model: b, token_id: 1.5}}'
token 'x: {source: {kind: model_token, model: b, token: x, token_id: 1}}'
token 'x: {source: {kind: model_token, token: x}}'
token 'x: {source: {kind: zero, model: b}}'
token 'x: {source: {kind: mean}}'
token 'x: {source: {model: b}}'
token 'y: {source: b}'
token 'new: {source: b}'
token 'x: {force: true}'
token 'x: {force: maybe, source: b}'
token 'x: {sauce: b}'
token 'x: b'
token '"": {source: b}'
recipe 'tokenizer: {tokens: [x]}'
recipe 'tokenizer: {pad_to_multiple_of: -4}'
recipe 'tokenizer: {pad_to_multiple_of: 0}'
recipe 'tokenizer: {pad_to_multiple_of: 4000000000}'
recipe 'tokenizer: {source: no/such/model}'

try() # WHAT, EDIT OF tokenizer.json OF a OR b (python), OPTION...
{
    echo "--- $1"
    rm -r a b
    python3 "$models" make 2>/dev/null
    python3 - "$2" <<'P'
import json, os, sys
def edit(name, change):
    with open(f"{name}/tokenizer.json") as file:
        tokenizer = json.load(file)
    change(tokenizer)
    with open(f"{name}/tokenizer.json", "w") as file:
        json.dump(tokenizer, file)
exec(sys.argv[1])
P
    cocktail mix -q -w 0.5,0.5 --tokenizer "${3-union}" a b -o out >/dev/null
    echo "exit $?$([[ ! -e out ]] || echo ', written')"
    rm -rf out
}
rm -r c padded short tied
try 'ids with a hole that new ones would fall into' 'edit("a", lambda t: t["model"]["vocab"].update(far=6))'
try 'ids with a hole of thousands' 'edit("a", lambda t: t["model"]["vocab"].update(far=90000))'
try 'ids with holes in another' 'edit("b", lambda t: t["model"]["vocab"].update(far=2000000000))'
try 'no tokenizer in the first' 'os.remove("a/tokenizer.json")'
try 'no tokenizer in another' 'os.remove("b/tokenizer.json"); os.remove("b/tokenizer_config.json")'
try 'one that cannot be run' 'edit("b", lambda t: t.update(normalizer={"type": "Magic"}))'
try 'one that is malformed' 'open("b/tokenizer.json", "w").write("{")'
try 'an added token without flags' 'edit("b", lambda t: t["added_tokens"][0].pop("lstrip"))'
try 'a token that another one hides' 'edit("b", lambda t: t["added_tokens"][0].update(content="a\0b"))'
try 'the other without a tokenizer' 'os.remove("b/tokenizer.json"); os.remove("b/tokenizer_config.json")' b
try 'tokens in vocab.txt alone' 'os.remove("a/tokenizer.json"); open("a/vocab.txt", "w").write("[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\n"); open("a/tokenizer_config.json", "w").write("{\"tokenizer_class\": \"BertTokenizer\"}")'
echo '--- rows of another width'
rm -r a b
python3 "$models" make 2>/dev/null
sed 's/^HIDDEN = 4/HIDDEN = 2/' "$models" >narrow.py
mkdir narrow && (cd narrow && python3 ../narrow.py make)
cocktail mix -q -w 0.5,0.5 --tokenizer union a narrow/b -o out >/dev/null
echo "exit $?"
