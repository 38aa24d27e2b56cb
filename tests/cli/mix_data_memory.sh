# Models are judged one after another: what was read of one is given back before the next, so that
# four take the memory of the largest. And each model's weights are opened once, to be judged and
# to be mixed.
. "$FIXTURES/../tests/inject/common.bash"
[[ -z ${SAN-} ]] || skip "a sanitizer keeps what was freed"

# A model of 51 MB: random weights of one size, positive or negative.
python3 - <<'END'
import json, random, shutil, struct

shutil.copytree("fixtures/decoder-base", "large", copy_function=shutil.copy)
with open("large/config.json") as file:
    config = json.load(file)
config.update(hidden_size=512, intermediate_size=1408, num_hidden_layers=8,
              num_attention_heads=8, num_key_value_heads=8, head_dim=64)
with open("large/config.json", "w") as file:
    json.dump(config, file)

shapes = {"model.embed_tokens.weight": [config["vocab_size"], 512], "model.norm.weight": [512]}
for layer in range(8):
    at = f"model.layers.{layer}."
    for name in "qkvo":
        shapes[f"{at}self_attn.{name}_proj.weight"] = [512, 512]
    for name, shape in ("gate", [1408, 512]), ("up", [1408, 512]), ("down", [512, 1408]):
        shapes[f"{at}mlp.{name}_proj.weight"] = shape
    for name in "input", "post_attention":
        shapes[f"{at}{name}_layernorm.weight"] = [512]

header, offset = {}, 0
for name, shape in shapes.items():
    n_bytes = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + n_bytes]}
    offset += n_bytes
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
signed = bytes(0x3C | byte & 0x80 for byte in range(256))  # of about 0.01
data = bytearray(random.Random(1).randbytes(offset))
data[1::2] = data[1::2].translate(signed)
with open("large/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
END

peak_mb() # ARGUMENT...: of a run of mix-data
{
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000)' \
        cocktail mix-data -q -t 2 --examples few "$@"
}

# With each further model 51 MB more would be held, were they not given back.
head -n 3 fixtures/examples/arithmetic.jsonl >few
one=$(peak_mb large --weights-only)
((one > 50)) || echo "one model: no more than $one MB, are its weights not used where they lie?"
four=$(peak_mb large large large large --weights-only)
((four < one + 25)) || echo "four models: $four MB, one: $one MB"
mixed=$(peak_mb large large large large -o out)
((mixed < one + 40)) || echo "four models and their mix: $mixed MB, one: $one MB"

strace -o probe -e trace=execve true 2>/dev/null || exit 0 # not installed, or not permitted
strace -f -o trace -e trace=open,openat,openat2 cocktail mix-data -q --examples few \
    large large -o traced >/dev/null 2>&1
opened=$(grep -c 'large/model\.safetensors", O_RDONLY' trace)
((opened == 2)) || echo "the weights of two models were opened $opened times"
