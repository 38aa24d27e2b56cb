# Recipes with a module for the encoder and one for the decoder: each from models, weights and slices
# of its own, its layers counted by themselves.
exec 2>&1
cp -r fixtures/models/t5 double
cat >double.py <<'P'
import json, struct
data = bytearray(open("double/model.safetensors", "rb").read())
n, = struct.unpack("<Q", data[:8])
for entry in json.loads(data[8:8 + n]).values():
    if entry.get("dtype") == "F32":
        a, b = (8 + n + at for at in entry["data_offsets"])
        data[a:b] = struct.pack(f"<{(b - a) // 4}f", *(2 * x for x in struct.unpack(f"<{(b - a) // 4}f", data[a:b])))
open("double/model.safetensors", "wb").write(data)
P
python3 double.py

# Of each tensor of the result: which tensor of t5 it is a multiple of, and what multiple.
multiples() # FOLDER
{
    PYTHONPATH=${FIXTURES%/*}/tests python3 - "$1" <<'P'
import struct, sys
from golden_compare import read_model

old, new = read_model("fixtures/models/t5"), read_model(sys.argv[1])
rows = {}
for name, (_, data, _) in new.items():
    a = struct.unpack(f"<{len(data) // 4}f", data)
    for other in old:
        b = struct.unpack(f"<{len(old[other][1]) // 4}f", old[other][1])
        if len(a) == len(b) and any(b) and name.split(".")[0] == other.split(".")[0]:
            i = max(range(len(b)), key=lambda i: abs(b[i]))
            ratio = a[i] / b[i]
            if all(abs(x - ratio * y) <= 1e-6 * abs(b[i]) for x, y in zip(a, b)):
                part = lambda text: ".".join(text.split(".")[:3]) if "block" in text else text
                bias = " bias" if "relative" in name else ""
                rows.setdefault((part(name) + bias, part(other) + bias, round(ratio, 5)), []).append(name)
for (name, other, ratio), names in sorted(rows.items()):
    print(f"{name}: {ratio:g} x {other} ({len(names)})")
P
    grep -h -o '"num[a-z_]*layers": [0-9]*' "$1/config.json"
}

echo "--- one list of models: gradients run through each stack"
cat >recipe.yml <<'R'
merge_method: linear
models:
  - {model: fixtures/models/t5, parameters: {weight: [1, 0]}}
  - {model: double, parameters: {weight: [0, 1]}}
R
cocktail merge -q recipe.yml -o whole >/dev/null || echo "exit $?"
multiples whole

echo "--- modules"
cat >recipe.yml <<'R'
merge_method: linear
modules:
  encoder:
    models:
      - {model: fixtures/models/t5, parameters: {weight: [1, 0]}}
      - {model: double, parameters: {weight: [0, 1]}}
  decoder:
    slices:
      - sources: [{model: double, layer_range: [1, 3], parameters: {weight: 1}}]
      - sources:
          - {model: fixtures/models/t5, layer_range: [0, 2], parameters: {weight: 0.75}}
          - {model: double, layer_range: [0, 2], parameters: {weight: 0.25}}
  shared:
    parameters: {weight: 0.5}
    models: [{model: fixtures/models/t5}, {model: double}]
R
cocktail merge -q recipe.yml -o parts >/dev/null || echo "exit $?"
multiples parts
cocktail inspect parts | grep -E '^(type|parameters)'
cocktail merge -q --explain recipe.yml | grep -c '^[a-z].*: linear$'
cocktail merge -q --explain recipe.yml | grep '^encoder.*bias' -A 5
cocktail merge -q --explain recipe.yml | grep '^decoder.*relative.*bias' -A 2

echo "--- under the names that mergekit finds by itself"
cat >recipe.yml <<'R'
merge_method: passthrough
modules:
  default: {models: [{model: fixtures/models/t5}]}
  decoder.block: {models: [{model: double}]}
  encoder.block: {slices: [{sources: [{model: fixtures/models/t5, layer_range: [1, 2]}]}]}
R
cocktail merge -q recipe.yml -o prefixes >/dev/null || echo "exit $?"
multiples prefixes
