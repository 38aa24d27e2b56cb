# moe: experts whose tokens are others than the base's are made all the same, as mergekit-moe makes them, but not in
# silence; a model that is not there is a mistake of the file, whatever its name looks like.
cp -r fixtures/decoder-base same
cp -r fixtures/decoder-tense other
rm -rf other/tokenizer.json
python3 - <<'EOF'
import json
tokenizer = json.load(open("fixtures/decoder-base/tokenizer.json"))
vocab = tokenizer["model"]["vocab"]
a, b = list(vocab)[40:42]
vocab[a], vocab[b] = vocab[b], vocab[a]
json.dump(tokenizer, open("other/tokenizer.json", "w"))
EOF
recipe() # MODEL
{
    printf '%s\n' 'base_model: fixtures/decoder-base' 'gate_mode: cheap_embed' experts: \
        '- {source_model: same, positive_prompts: [one]}' "- {source_model: $1, positive_prompts: [two]}" >recipe.yml
}
for name in fixtures/decoder-tense other; do
    recipe $name
    cocktail moe recipe.yml -o out -f 2>&1 >/dev/null | grep -F tokenizer
    cmp out/tokenizer.json fixtures/decoder-base/tokenizer.json
done
for name in nosuch ./nosuch; do
    recipe $name
    cocktail moe recipe.yml -o none
    echo "exit $?"
done 2>&1
[[ ! -e none ]]
