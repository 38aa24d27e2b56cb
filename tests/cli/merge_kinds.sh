# Recipes of all kinds of models: what mix makes of them with the same weights, and slices where there
# is one stack of layers.
exec 2>&1
cat >other.py <<'P'
"""other.py FROM TO: a copy with its floats in F32, F16 or BF16 the other way around within each tensor."""
import json, os, shutil, struct, sys
shutil.copytree(sys.argv[1], sys.argv[2])
for folder, _, names in os.walk(sys.argv[2]):
    for name in names:
        if name != "model.safetensors":
            continue
        path = os.path.join(folder, name)
        data = bytearray(open(path, "rb").read())
        n, = struct.unpack("<Q", data[:8])
        for entry in json.loads(data[8:8 + n]).values():
            size = {"F32": 4, "F16": 2, "BF16": 2}.get(entry.get("dtype"))
            if size:
                a, b = (8 + n + at for at in entry["data_offsets"])
                items = [data[i:i + size] for i in range(a, b, size)]
                data[a:b] = b"".join(reversed(items))
        open(path, "wb").write(data)
P

both() # MODEL, OTHER, OPTION...
{
    cat >recipe.yml <<R
merge_method: linear
models:
  - {model: $1, parameters: {weight: 0.713}}
  - {model: $2, parameters: {weight: 0.287}}
R
    rm -rf merged mixed
    echo "--- $1"
    cocktail merge -q recipe.yml -o merged "${@:3}" || echo "exit $?"
    cocktail mix -q -w 0.713,0.287 "$1" "$2" -o mixed "${@:3}" >/dev/null || echo "exit $?"
    diff -r merged mixed | grep -v '^[<>-]\|^diff\|^[0-9,acd]*$'
}

for name in models/sentence-dense models/bert-mlm-bf16 models/t5 models/mixtral models/qwen2-score-3-bf16; do
    python3 other.py fixtures/$name "other-$(basename $name)"
    both fixtures/$name "other-$(basename $name)" | sed 's/ in [0-9.]* s$/ in TIME/'
done
both fixtures/encoder-base fixtures/encoder-parts --pooling mean | sed 's/ in [0-9.]* s$/ in TIME/'
grep -o '"pooling_mode_mean_tokens": true' merged/1_Pooling/config.json
both fixtures/reranker-base fixtures/reranker-routes | sed 's/ in [0-9.]* s$/ in TIME/'

stack() # MODEL, FIRST, END, FIRST, END
{
    cat >recipe.yml <<R
merge_method: passthrough
slices:
  - sources: [{model: $1, layer_range: [$2, $3]}]
  - sources: [{model: $1, layer_range: [$4, $5]}]
R
    rm -rf stacked
    echo "--- layers of $1"
    cocktail merge -q recipe.yml -o stacked | tail -n 1 | sed 's/ in [0-9.]* s$/ in TIME/'
    echo "exit ${PIPESTATUS[0]}"
    [[ -e stacked ]] || return
    grep -ho '"\(n_layer\|num_layers\|num_hidden_layers\)": [0-9]*' stacked/config.json
    tr -d ' \n' <stacked/config.json |
        grep -o '"[a-z_]*layer[a-z_]*":\[[^]]*\]\|"first_k[a-z_]*":[0-9]*\|"decoder_sparse_step":[0-9]*'
}
stack fixtures/encoder-base 0 3 1 3
echo 'a text' | cocktail embed --pooling mean stacked - | grep -c '^\['
stack fixtures/reranker-base 0 1 0 2
stack fixtures/models/sentence-dense 0 1 0 1
ls stacked | grep -c '^[123]_'
stack fixtures/models/gemma2-f16 1 3 1 2
cocktail generate stacked --prompt 't1 t2' --max-tokens 2 | wc -l
stack fixtures/models/gpt2 0 2 1 2
stack fixtures/models/qwen2-moe-step-bf16 1 3 1 2
stack fixtures/models/deepseek-v3-bf16 0 2 1 2
stack fixtures/models/deepseek-v3-bf16 1 2 1 2
cocktail generate stacked --prompt 't1 t2' --max-tokens 2 | wc -l
stack fixtures/models/deepseek-v3-bf16 0 2 0 1
stack fixtures/models/mixtral 0 2 1 2
stack fixtures/models/t5 0 1 0 1
stack fixtures/encoder-base/model.safetensors 0 1 0 1

echo '--- without a dtype: one that holds those of all'
for name in f32 bf16; do
    cocktail mix -q -w 1 fixtures/decoder-base -o in-$name --dtype $name >/dev/null
done
cocktail mix -q -w 1 fixtures/decoder-tense -o in-f16 --dtype f16 >/dev/null
for pair in 'bf16 bf16' 'bf16 f16' 'f16 bf16' 'f32 f16'; do
    read -r one other <<<"$pair"
    cat >recipe.yml <<R
merge_method: linear
models: [{model: in-$one}, {model: ./in-$other}]
parameters: {weight: 1}
R
    cocktail merge -qf recipe.yml -o promoted >/dev/null
    echo "$pair: $(cocktail inspect promoted | grep dtypes) $(grep -o '"\(torch_\)\?dtype": "[a-z0-9]*"' promoted/config.json)"
done

echo '--- into a GGUF file'
cocktail merge -q fixtures/recipes/layers.yml -o layers >/dev/null
cocktail merge -q fixtures/recipes/layers.yml -o layers.gguf >/dev/null
cocktail diff --json layers layers.gguf | grep -o '"max_abs":[0-9.e-]*' | head -n 1
