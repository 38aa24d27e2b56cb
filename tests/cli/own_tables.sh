# An encoder and a decoder whose tables of embeddings differ from the one that they share: each uses its own, and
# the tied head the shared one, as transformers 5 does.
set -e
cat >make.py <<'EOS'
import json, os, shutil, struct, sys
sys.path.insert(0, sys.argv[1] + "/../tests")
from golden_compare import read_tensors
base = sys.argv[1] + "/models/t5"
tensors = read_tensors(base + "/model.safetensors")
dtype, data, shape = tensors["shared.weight"]
assert dtype == "F32"
values = struct.unpack(f"<{len(data) // 4}f", data)

def moved(by):
    return dtype, struct.pack(f"<{len(values)}f", *(v + by for v in values)), shape

def write(path, tensors):
    header, at = {}, 0
    for name, (dtype, data, shape) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, data, _ in tensors.values():
            file.write(data)

ENCODER, DECODER = "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"
SHARED, HEAD = "shared.weight", "lm_head.weight"
for name, changes in {
    "own": {ENCODER: moved(1), DECODER: moved(2)},
    "copies": {ENCODER: moved(0), DECODER: moved(0)},
    "encoder": {ENCODER: moved(1)},
    "not-decoder": {SHARED: moved(1), DECODER: moved(0), HEAD: moved(0)},
    "decoder": {DECODER: moved(1)},
    "not-encoder": {SHARED: moved(1), ENCODER: moved(0), HEAD: moved(0)},
}.items():
    shutil.copytree(base, name)
    write(name + "/model.safetensors", {**tensors, **changes})
os.mkdir("saved")
write("saved/adapter_model.safetensors",
      {"base_model.model." + name: value for name, value in {ENCODER: moved(1), DECODER: moved(2)}.items()})
json.dump({"peft_type": "LORA", "r": 1, "target_modules": [], "modules_to_save": ["embed_tokens"]},
          open("saved/adapter_config.json", "w"))
EOS
python3 make.py "$FIXTURES"
echo '{"input": "the lamp", "output": "a lamp"}' >examples.jsonl

loss() # MODEL
{
    cocktail eval --json "$1" --examples examples.jsonl 2>notes | python3 -c 'import json, sys; print(json.load(sys.stdin)["loss"])'
}

# The losses of transformers 5.24: 3.4841363 and 4.9964366.
loss own | cut -c1-8
cat notes
loss copies | cut -c1-6
cat notes
cmp <(loss copies) <(loss "$FIXTURES/models/t5")
for stack in encoder decoder; do
    other=$([[ $stack == encoder ]] && echo decoder || echo encoder)
    cmp <(loss $stack) <(loss not-$other)
done
cmp -s <(loss encoder) <(loss decoder) && echo 'the same loss'

# An adapter that has saved both makes the same model; mixed, it stays one of three tables.
cmp <(loss "$FIXTURES/models/t5+saved") <(loss own)
cocktail mix -q --weights 1 "$FIXTURES/models/t5+saved" -o mixed >/dev/null
cocktail diff --exit-code mixed own | tail -n 1
