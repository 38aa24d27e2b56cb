# The recipes of fixtures/recipes/: exact results, as they are computed once more by a script, with the
# files beside them.
mkdir made
for recipe in fixtures/recipes/*.yml; do
    name=$(basename "$recipe" .yml)
    cocktail merge -q "$recipe" -o "made/$name" >/dev/null || echo "$name: exit $?"
    cmp "$recipe" "made/$name/mergekit_config.yml"
    (cd made && cksum "$name/model.safetensors")
done
python3 "${FIXTURES%/*}/tests/recipe_expected.py" made

echo '--- config.json'
for name in layers slices windows; do
    echo "$name: $(grep -o '"num_hidden_layers": [0-9]*\|"layer_types": .*' made/$name/config.json | paste -sd ' ')"
done
for name in gradient slices; do
    echo "$name: $(grep -o '"\(torch_\)\?dtype": "[a-z0-9]*"' made/$name/config.json)"
done
diff -r made/slerp fixtures/decoder-base | grep -v '^diff\|^[<>0-9-]' | sort
cat made/slerp/chat_template.jinja

echo '--- any number of threads'
for n in 1 2 3 8 16; do
    for name in ties slerp encoder slices stages; do
        cocktail merge -qf -t $n fixtures/recipes/$name.yml -o again >/dev/null
        cmp again/model.safetensors made/$name/model.safetensors
    done
done

echo "--- override_architecture: the class in config.json"
cat >recipe.yml <<'R'
merge_method: linear
models:
  - model: {model: fixtures/decoder-base, override_architecture: MistralForCausalLM}
    parameters: {weight: 0.5}
  - {model: fixtures/decoder-tense, parameters: {weight: 0.5}}
R
rm -rf classed
cocktail merge -q recipe.yml -o classed >/dev/null || echo "exit $?"
grep -A 2 architectures classed/config.json
cocktail merge -q --explain recipe.yml | sed -n 1,6p
