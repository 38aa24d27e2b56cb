# What holds of recipes whatever the numbers are: order, copies, ends, densities of 1, seeds.
cp -r fixtures/encoder-parts copy

merge() # OUT, METHOD, PARAMETERS, MODEL=PARAMETERS...
{
    local out=$1 entry

    {
        echo "merge_method: $2"
        [[ -z $base ]] || echo "base_model: $base"
        echo "parameters: {$3}"
        echo "dtype: float32"
        echo "models:"
        for entry in "${@:4}"; do
            echo "  - {model: ${entry%%=*}, parameters: {${entry#*=}}}"
        done
    } >"$out.yml"
    cocktail merge -qf "$out.yml" --pooling cls -o "$out" --seed "${seed-1}" >/dev/null || echo "$out: exit $?"
}
near() # ONE, OTHER: rounding at most
{
    cocktail diff --json "$1" "$2" >json
    python3 -c 'import json; d = json.load(open("json")); assert d["max_abs"] <= 2e-6, d["max_abs"]' ||
        echo "${3-$1}: is not $2"
}
same() # ONE, OTHER
{
    cmp "$1/model.safetensors" "$2/model.safetensors"
}
parts=fixtures/encoder-parts repairs=fixtures/encoder-repairs

weighed="linear nuslerp multislerp task_arithmetic ties dare_linear dare_ties della della_linear breadcrumbs breadcrumbs_ties"
for method in $weighed karcher model_stock sce ram ramplus_tl; do
    base=fixtures/encoder-base
    [[ $method != @(linear|karcher|nuslerp|multislerp) ]] || base=
    more='normalize: true'
    [[ $method != @(multislerp|nuslerp|karcher|model_stock|sce|ram*) ]] || more=
    merge one $method "$more" "$parts=weight: 0.7" "$repairs=weight: 0.3" 2>/dev/null
    merge two $method "$more" "$repairs=weight: 0.3" "$parts=weight: 0.7" 2>/dev/null
    near one two "$method of models in another order"
    merge two $method "$more" "$parts=weight: 0.7" "copy=weight: 0.3" 2>/dev/null
    # model_stock goes a part of the way; ram leaves out what differs by less than 1e-5.
    [[ $method == @(model_stock|ram*) ]] || near two $parts "$method of copies"
done

base=$parts
merge one slerp 't: 0' "$parts=" "$repairs="
same one $parts
merge one slerp 't: 1' "$parts=" "$repairs="
same one $repairs
merge one slerp 't: [0, 1]' "$parts=" "$repairs=" # the embedding and what is behind the layers: 0
cocktail diff --json --tensors one $parts >json
python3 - <<'P'
import json
for tensor in json.load(open("json"))["tensors"]:
    if tensor["identical"] != ("layer.2." not in tensor["name"] and "layer.1." not in tensor["name"]):
        print(tensor["name"], tensor["identical"])
P

base=fixtures/encoder-base
models=("$parts=weight: 0.6, density: 1" "$repairs=weight: 0.3, density: 1.0")
merge sum task_arithmetic 'lambda: 0.7' "${models[@]}" 2>/dev/null
for method in dare_linear della_linear breadcrumbs; do
    merge one $method 'lambda: 0.7, gamma: 0' "${models[@]}" 2>/dev/null
    same one sum
done
merge sum ties 'normalize: false' "${models[@]}" 2>/dev/null
for method in dare_ties della breadcrumbs_ties; do
    merge one $method 'normalize: false, gamma: 0' "${models[@]}" 2>/dev/null
    same one sum
done

models=("$parts=weight: 0.6" "$repairs=weight: 0.3")
for method in dare_ties della; do
    seed=1 merge one $method 'density: 0.4' "${models[@]}" 2>/dev/null
    seed=1 merge two $method 'density: 0.4' "${models[@]}" 2>/dev/null
    same one two
    seed=2 merge two $method 'density: 0.4' "${models[@]}" 2>/dev/null
    cmp -s {one,two}/model.safetensors && echo "$method: another seed draws the same"
done

# Two ways to write one path are two models; the same way twice is an error.
base= merge one linear '' "copy=weight: 0.5" "./copy=weight: 0.5" 2>/dev/null
near one $parts
base= merge two linear '' "copy=weight: 0.5" "copy=weight: 0.5"
