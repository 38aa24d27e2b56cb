# MODEL+ADAPTER wherever a MODEL stands: an adapter of full rank makes one model of the other.
base=$FIXTURES/decoder-base tuned=$FIXTURES/decoder-arithmetic
held=$FIXTURES/examples/arithmetic-heldout.jsonl
set -e

cocktail adapter extract $tuned $base -o lora --rank 128 >/dev/null
both=$base+lora

# Equal but for the rounding of A and B, and of what was not yet rounded.
cocktail diff --json $both $tuned >diff.json
python3 - diff.json <<'EOF'
import json, sys
d = json.load(open(sys.argv[1]))
assert d["max_abs"] < 2e-3 and d["relative_l2"] < 2e-3 and d["cosine"] > 0.99999, d
assert not d["only_in_a"] and not d["only_in_b"], d
EOF

# Written: the base's dtypes, files and tensors. Recipes, mixes and conversions write the same bytes.
cocktail mix -q --weights 1 $both -o mixed >/dev/null
cocktail inspect mixed | sed 's/mixed/MODEL/' >mixed.txt
cocktail inspect $base | sed "s|$base|MODEL|" >base.txt
cmp mixed.txt base.txt
cmp mixed/tokenizer.json $base/tokenizer.json
[[ ! -e mixed/adapter_config.json ]]
printf 'merge_method: passthrough\nmodels: [{model: %s+lora}]\n' $base >text.yml
printf 'merge_method: linear\nmodels: [{model: {model: {path: %s}, lora: {path: lora}}, parameters: {weight: 1}}]\n' $base >map.yml
printf 'name: first\nmerge_method: passthrough\nmodels: [{model: %s}]\n---\nmerge_method: passthrough\nmodels: [{model: first+lora}]\n' $base >stage.yml
for recipe in text map stage; do
    cocktail merge -q $recipe.yml -o $recipe >/dev/null
    cmp $recipe/model.safetensors mixed/model.safetensors
done
cocktail convert -q $both -o converted >/dev/null
cmp converted/model.safetensors mixed/model.safetensors
cocktail mix -q -t 1 --weights 1 $both -o again >/dev/null
cmp again/model.safetensors mixed/model.safetensors
cocktail merge --explain text.yml | grep -F "$base+lora: model.layers.0.mlp.up_proj.weight" >/dev/null
grep -F 'decoder-base+lora' mixed/README.md >/dev/null
cocktail inspect $both | grep parameters

# Run: as the model that was written.
cocktail eval --json $both --examples $held >a.json
cocktail eval --json mixed --examples $held >b.json
python3 - a.json b.json <<'EOF'
import json, sys
a, b = (json.load(open(name)) for name in sys.argv[1:])
assert a["loss"] == b["loss"] and 0.2 < a["loss"] < 0.3, (a, b)
EOF
cocktail generate $both --prompt 'What is 29 plus 7?'
cocktail generate $tuned --prompt 'What is 29 plus 7?'
cocktail logits $both <<<'What is 2 plus 7?' | cmp - <(cocktail logits mixed <<<'What is 2 plus 7?')
cocktail tokenize $both <<<'the lamp'
cocktail tokenize $base <<<'the lamp'

# Two adapters of one base, half each; and a weight of nothing leaves the base.
cocktail adapter extract $FIXTURES/decoder-tense $base -o tense --rank 4 >/dev/null
cocktail mix -q --weights 0.5,0.5 $both $base+tense -o halves | grep -c +
cocktail mix -q --weights 0,1 $both $base -o nothing >/dev/null
cocktail diff --exit-code $base nothing | tail -n 1

# An existing path of that name is one model.
cp -r $base a+b
cocktail inspect a+b | head -n 1
cocktail eval -q --json a+b+lora --examples $held | cmp - <(sed "s|$both|a+b+lora|" a.json)

# Encoders, rerankers, weights from examples, GGUF.
cocktail adapter extract $FIXTURES/encoder-parts $FIXTURES/encoder-base -o parts --rank 96 >/dev/null
cocktail adapter extract $FIXTURES/reranker-routes $FIXTURES/reranker-base -o routes --rank 96 >/dev/null
echo 'a lamp' | cocktail embed --pooling cls $FIXTURES/encoder-base+parts >a.json
echo 'a lamp' | cocktail embed --pooling cls $FIXTURES/encoder-parts >b.json
python3 - <<'EOF'
import json
a, b = (json.load(open(name)) for name in ("a.json", "b.json"))
assert len(a) == len(b) and max(abs(x - y) for x, y in zip(a, b)) < 1e-4
EOF
for model in base+routes routes; do
    [[ $model == routes ]] && name=$FIXTURES/reranker-routes || name=$FIXTURES/reranker-base+routes
    printf 'the north route\nthe lamp\n' | cocktail rerank $name --query 'which route' | cut -c1-5
done
cocktail mix-data -q --json --examples $held $base $both -o data | python3 -c '
import json, sys
base, adapted = json.load(sys.stdin)["models"]
assert adapted["weight"] > base["weight"] and adapted["path"].endswith("+lora"), (base, adapted)'
cocktail convert -q $both -o both.gguf >/dev/null
cocktail convert -q mixed -o mixed.gguf >/dev/null
cocktail diff --exit-code both.gguf mixed.gguf | tail -n 1
