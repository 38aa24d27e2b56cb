# 320 slices of two models, with few descriptors and little memory: each model is opened once.
python3 - <<'P'
layers = [("decoder-tense" if i % 3 else "decoder-translation", i % 4) for i in range(320)]
with open("many.yml", "w") as file:
    print("merge_method: passthrough\nslices:", file=file)
    for model, layer in layers:
        print(f"- sources: [{{model: fixtures/{model}, layer_range: [{layer}, {layer + 1}]}}]", file=file)
with open("both.yml", "w") as file:
    print("merge_method: slerp\nbase_model: fixtures/decoder-base\nparameters: {t: 0}\nslices:", file=file)
    for _, layer in layers:
        at = f"layer_range: [{layer}, {layer + 1}]"
        print(f"- sources: [{{model: fixtures/decoder-base, {at}}}, {{model: fixtures/decoder-tense, {at}}}]",
              file=file)
P
limits()
{
    ulimit -n 64
    [[ -n ${SAN-} ]] || ulimit -v 250000 # thousand bytes, most of them of the libraries
}
for name in many both; do
    (limits && exec "$COCKTAIL" merge -q -t 2 $name.yml -o $name >/dev/null) || echo "$name: exit $?"
    (limits && exec "$COCKTAIL" merge -q -t 2 $name.yml -o none --dry-run >/dev/null) || echo "$name: exit $?"
done
PYTHONPATH=${FIXTURES%/*}/tests python3 - <<'P'
import re
from golden_compare import read_model

models = {name: read_model(f"fixtures/decoder-{name}") for name in ("base", "tense", "translation")}
for recipe in ("many", "both"):
    made = read_model(recipe)
    n_wrong = 0
    for name, tensor in made.items():
        at = re.search(r"layers\.(\d+)\.", name)
        i = int(at[1]) if at else 0 if "embed" in name else 319
        model = "base" if recipe == "both" else "tense" if i % 3 else "translation"
        n_wrong += tensor != models[model][re.sub(r"layers\.\d+\.", f"layers.{i % 4}.", name)]
    print(recipe, len(made), "tensors,", n_wrong, "others")
P
grep -o '"num_hidden_layers": [0-9]*' many/config.json both/config.json
