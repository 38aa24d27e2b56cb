# tokenizer move of models in other forms: GGUF files as model, donor and result; a model with an adapter.
set -e
cp -r "$FIXTURES/decoder-base" base
cocktail convert base -o base.gguf >/dev/null
cocktail adapter extract -q "$FIXTURES/decoder-tense" base -o lora --rank 4 >/dev/null
cocktail mix -q --weights 1 base+lora -o merged >/dev/null

# The same tokens with other ids.
cp -r base donor
python3 - <<'EOF'
import json
tokenizer = json.load(open('donor/tokenizer.json'))
vocab = tokenizer['model']['vocab']
added = {token['id'] for token in tokenizer['added_tokens']}
names = [name for name, i in vocab.items() if i not in added]
ids = [vocab[name] for name in names]
vocab.update(zip(names, ids[100:] + ids[:100]))
json.dump(tokenizer, open('donor/tokenizer.json', 'w'))
EOF
donor=donor

move() # MODEL DONOR OUT: written as JSON
{
    cocktail tokenizer move "$1" "$2" -q -f -o "$3" --method mean --json >json
    python3 -c 'import json; print(json.load(open("json"))["tokens"])'
}
same() # A B: the same values, in whatever dtype, and ids
{
    cocktail diff --json "$1" "$2" | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["max_abs"] == 0 and not d["only_in_a"] and not d["only_in_b"], d'
    cmp <(cocktail tokenize "$1" text) <(cocktail tokenize "$2" text)
}
printf 'the green table, 12 + 30 = 42\n' >text

# As a folder, whatever the two are.
move base "$donor" plain
for pair in "base.gguf $donor gguf-model" "base base.gguf gguf-donor" "base.gguf base.gguf gguf-both" "base $donor result.gguf" \
    "base.gguf $donor both.gguf"; do
    read -r model of out <<<"$pair"
    move $model $of $out
done
! cmp -s <(cocktail tokenize plain text) <(cocktail tokenize base text) || echo 'the ids are the old ones'
! cmp -s plain/model.safetensors base/model.safetensors || echo 'no row has moved'
same plain gguf-model
same plain result.gguf
same plain both.gguf
same base gguf-donor
same base gguf-both

# With an adapter: as of the merged model, in the dtype that the base has. A donor's adapter changes no token.
move merged "$donor" of-merged
move base+lora "$donor" of-adapted
cmp of-merged/model.safetensors of-adapted/model.safetensors
cmp of-merged/tokenizer.json of-adapted/tokenizer.json
move base "$donor" plain
move merged base+lora back
cmp merged/model.safetensors back/model.safetensors

# So does a union of tokens.
cocktail mix -q --weights 0.5,0.5 --tokenizer union base+lora "$FIXTURES/decoder-tense" -o union >/dev/null
cocktail mix -q --weights 0.5,0.5 --tokenizer union merged "$FIXTURES/decoder-tense" -o union-of-merged >/dev/null
cocktail diff --json union union-of-merged | python3 -c '
import json, sys
assert json.load(sys.stdin)["relative_l2"] < 4e-3' # the adapter is not rounded before it is averaged
cocktail inspect --json union | python3 -c '
import json, sys
assert set(json.load(sys.stdin)["dtypes"]) == {"BF16"}'
