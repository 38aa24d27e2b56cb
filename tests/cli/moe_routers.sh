# Rows of routers as mergekit-moe computes them (fixtures/make_moe_golden.py), within 1e-4 of a float32 run; and that all
# else is the models' own, bit for bit.
for name in hidden hidden_last hidden_avg cheap_embed shared; do
    cocktail moe -q "$FIXTURES/moe-golden/$name.yml" -o $name >/dev/null
    python3 - $name "$FIXTURES" <<'P'
import array, json, struct, sys
name, fixtures = sys.argv[1:]
def load(path):
    data = open(f"{path}/model.safetensors", "rb").read()
    n, = struct.unpack("<Q", data[:8])
    return {key: (e["dtype"], data[8 + n:][slice(*e["data_offsets"])]) for key, e in json.loads(data[8:8 + n]).items() if key != "__metadata__"}
def floats(tensor):
    data = tensor[1]
    if tensor[0] == "BF16":
        data = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
    return array.array("f", data)
got = load(name)
expected = json.load(open(f"{fixtures}/moe-golden/{name}.json"))
for key, rows in expected.items():
    ours, theirs = floats(got[key]), [x for row in rows for x in row]
    off = max(abs(a - b) for a, b in zip(ours, theirs)) if len(ours) == len(theirs) else 9
    if not off < 1e-4:
        print(name, key, "is off by", off)
if {key for key in got if key.endswith("gate.weight") and "expert" not in key} > expected.keys():
    print(name, "more routers")
models = [load(f"{fixtures}/decoder-{x}") for x in ("base", "arithmetic", "tense")]
at = "model.layers.2.mlp."
for part in ("gate_proj", "up_proj", "down_proj"):
    wanted = [floats(m[f"{at}{part}.weight"]) for m in models]
    if name == "shared":
        found = [floats(got[f"{at}{where}.{part}.weight"]) for where in ("experts.0", "experts.1", "shared_expert")]
        wanted = wanted[1:] + [array.array("f", [x * (0.25 if part == "down_proj" else 1) for x in wanted[1]])]
    else:
        all_of = floats(got[f"{at}experts.{'down_proj' if part == 'down_proj' else 'gate_up_proj'}"])
        n = len(all_of) // 2
        half = 0 if part != "up_proj" else n // 2
        found = [all_of[e * n + half:][:len(wanted[0])] for e in (0, 1)]
        wanted = wanted[1:]
    if found != wanted:
        print(name, part, "differs")
for key in ("model.embed_tokens.weight", "model.layers.3.self_attn.k_proj.weight", "model.norm.weight"):
    if floats(got[key]) != floats(models[0][key]):
        print(name, key, "differs")
if name == "shared" and any(floats(got["model.layers.0.self_attn.q_proj.bias"])):
    print("a bias is not 0")
P
done
