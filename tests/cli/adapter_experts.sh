# Adapters of experts, for bases that have them one by one or all of a layer in one tensor: extracted, and added.
set -e
export PYTHONPATH=${FIXTURES%/*}/tests
base=$FIXTURES/moe-base tuned=$FIXTURES/moe-arithmetic
cat >tool.py <<'EOF'
"""fuse FROM TO: a Mixtral as transformers 5 holds it. old FOLDER: an adapter with a module for each expert. less FOLDER PART: without
what has PART in its name. same A B: tensors with the same bytes. fewer FOLDER: a fused base with half of the experts."""
import json, os, random, re, shutil, struct, sys
from golden_compare import read_model, read_tensors

def write(path, tensors):
    header, at = {}, 0
    for name, (dtype, data, shape) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(t[1] for t in tensors.values()))

def fuse(tensors):
    fused = {}
    for name, (dtype, data, shape) in tensors.items():
        at = re.match(r"(.*)block_sparse_moe\.(?:experts\.(\d+)\.(w[123])|gate)\.weight", name)
        if not at:
            fused[name] = (dtype, data, shape)
        elif not at[2]:
            fused[f"{at[1]}mlp.gate.weight"] = (dtype, data, shape)
        elif at[2] == "0" and at[3] != "w3":
            parts, n = ["w1", "w3"] if at[3] == "w1" else ["w2"], 0
            start, joined = f"{at[1]}block_sparse_moe.experts.", b""
            while f"{start}{n}.w1.weight" in tensors:
                joined += b"".join(tensors[f"{start}{n}.{part}.weight"][1] for part in parts)
                n += 1
            leaf = "gate_up_proj" if at[3] == "w1" else "down_proj"
            fused[f"{at[1]}mlp.experts.{leaf}"] = (dtype, joined, [n, len(parts) * shape[0], shape[1]])
    return fused

def make_old(folder):
    rng, tensors = random.Random(7), {}
    for layer in range(4):
        places = [(f"experts.{e}.{w}", 96, 96) for e in range(8) for w in ("w1", "w2", "w3")] + [("gate", 8, 96)]
        for place, n_out, n_in in places:
            start = f"base_model.model.model.layers.{layer}.block_sparse_moe.{place}.lora_"
            for letter, shape in (("A", [2, n_in]), ("B", [n_out, 2])):
                values = [rng.randrange(-8, 9) / 64 for _ in range(shape[0] * shape[1])]
                tensors[f"{start}{letter}.weight"] = ("F32", struct.pack(f"<{len(values)}f", *values), shape)
    os.makedirs(folder)
    write(f"{folder}/adapter_model.safetensors", tensors)
    with open(f"{folder}/adapter_config.json", "w") as file:
        json.dump({"peft_type": "LORA", "r": 2, "lora_alpha": 3, "target_modules": ["w1", "w2", "w3", "gate"]}, file)

def make_fewer(base, folder):
    kept = {k: v for k, v in read_model(base).items() if not any(f".experts.{e}." in k for e in range(4, 8))}
    os.makedirs(folder)
    write(f"{folder}/model.safetensors", fuse({k: (d, b[:len(b) // 2], [4, *s[1:]]) if k.endswith("gate.weight") else (d, b, s)
                                               for k, (d, b, s) in kept.items()}))
    with open(f"{base}/config.json") as file, open(f"{folder}/config.json", "w") as out:
        json.dump({**json.load(file), "num_local_experts": 4}, out)

what, *names = sys.argv[1:]
if what == "fuse":
    shutil.copytree(names[0], names[1])
    os.chmod(names[1], 0o755)
    os.chmod(f"{names[1]}/model.safetensors", 0o644)
    write(f"{names[1]}/model.safetensors", fuse(read_model(names[0])))
elif what == "old":
    make_old(names[0])
elif what == "less":
    path = f"{names[0]}/adapter_model.safetensors"
    write(path, {k: v for k, v in read_model(names[0]).items() if names[1] not in k})
elif what == "bare":
    path, (folder, word) = f"{names[0]}/adapter_model.safetensors", names
    write(path, {k: v for k, v in read_tensors(path).items() if ".experts.lora_" in k})
    with open(f"{folder}/adapter_config.json") as file:
        config = json.load(file)
    config.update(target_modules=[], target_parameters=[n for n in config["target_parameters"] if n.endswith(word)], modules_to_save=None, bias="none",
                  rank_pattern={}, alpha_pattern={})
    os.chmod(f"{folder}/adapter_config.json", 0o644)
    with open(f"{folder}/adapter_config.json", "w") as file:
        json.dump(config, file)
elif what == "halve":
    path = f"{names[0]}/adapter_model.safetensors"
    half = {}
    for k, (dtype, data, (n, m)) in read_tensors(path).items():
        if ".lora_A" in k:
            half[k] = (dtype, data[:len(data) // 2], [n // 2, m])
        else:
            rows = [data[4 * m * i:4 * m * (i + 1)] for i in range(n)]
            half[k] = (dtype, b"".join(row[:2 * m] for row in rows), [n, m // 2])
    write(path, half)
elif what == "same":
    a, b = (read_model(name) for name in names)
    a = a if a.keys() == b.keys() else fuse(a)
    wrong = [k for k in a.keys() | b.keys() if a.get(k) != b.get(k)]
    assert len(a) > 30 and not wrong, wrong[:3]
elif what == "fewer":
    make_fewer(*names)
EOF
refuse() # STATUS, MESSAGE, MODEL
{
    local status=0

    cocktail mix -q --weights 1 "$3" -o refused >out 2>err || status=$?
    [[ $status == "$1" && ! -e refused && $(<err) == *"$2"* ]] || echo "exit $status for $3: $(<err)"
}
python3 tool.py fuse "$base" base
python3 tool.py fuse "$tuned" tuned

# Extracted: the same adapter whatever the two are stored as; added to either base it gives what was learned.
cocktail adapter extract "$tuned" "$base" -o lora --rank 999 | awk '$1 ~ /layers.0.mlp/ {print $1, $2}'
for pair in "tuned base" "tuned $base" "$tuned base"; do
    cocktail adapter extract -qf $pair -o other --rank 999 >table
    cmp lora/adapter_model.safetensors other/adapter_model.safetensors
done
python3 - <<'EOF'
import json
config = json.load(open("lora/adapter_config.json"))
names = config["target_parameters"]
assert len(names) == 12 and all(n.endswith(("experts.gate_up_proj", "experts.down_proj", "mlp.gate.weight")) for n in names), names
assert len(config["target_modules"]) == 16 and all("self_attn" in n for n in config["target_modules"])
EOF
cocktail mix -q --weights 1 "$base+lora" -o apart >table
cocktail mix -q --weights 1 base+lora -o fused >table
python3 tool.py same apart fused
for pair in "$base+lora $tuned" "base+lora tuned"; do
    cocktail diff -q --json $pair >diff.json
    python3 -c '
import json
d = json.load(open("diff.json"))
assert d["max_abs"] < 4e-3 and d["relative_l2"] < 2e-3 and not d["only_in_a"] and not d["only_in_b"], d'
done

# Of a low rank: each expert its own, the energy that of all.
cocktail adapter --json extract "$tuned" "$base" -o low --energy 0.8 | python3 -c '
import json, sys
modules = {m["name"]: m for m in json.load(sys.stdin)["modules"]}
m = modules["model.layers.1.mlp.experts.gate_up_proj"]
assert 0.8 <= m["kept_energy"] < 0.95 and 5 < m["rank"] < 96, m
assert abs(m["kept_energy"] + m["relative_error"] ** 2 - 1) < 1e-6, m'
cocktail mix -q -f --weights 1 base+low -o fused >table
cocktail mix -q -f --weights 1 "$base+low" -o apart >table
python3 tool.py same apart fused

# What is not chosen is stored whole, and so is the other parameter of a module of which one is not.
cocktail adapter extract -q "$tuned" "$base" -o whole --rank 4 --exclude 'gate_up_proj|mlp.gate' >table
! grep -F experts table
grep -o '"model.layers.1.mlp[a-z._]*"' whole/adapter_config.json
for names in "$base $tuned" "base tuned"; do
    cocktail mix -q -f --weights 1 "${names% *}+whole" -o saved >table
    python3 - "${names#* }" <<'EOF'
import sys
from golden_compare import read_model
found, own = read_model("saved"), read_model(sys.argv[1])
names = [k for k in found if ".experts." in k or "gate.weight" in k]
assert len(names) in (4 * 3, 4 * 25) and all(found[k] == own[k] for k in names), len(names)
EOF
done

# A module for each expert, as transformers 4 had them.
python3 tool.py old old
cocktail mix -q -f --weights 1 "$base+old" -o apart >table
cocktail mix -q -f --weights 1 base+old -o fused >table
python3 tool.py same apart fused
cocktail diff "$base" apart --tensors --json | python3 -c '
import json, sys
changed = [t["name"] for t in json.load(sys.stdin)["tensors"] if not t["identical"]]
assert len(changed) == 4 * 25, changed'

# Not all there: an expert, a layer of experts.
cp -r old missing
python3 tool.py less missing layers.2.block_sparse_moe.experts.5.w2
for one in "$base" base; do refuse 3 "experts.5.w2': is one of target_modules" "$one+missing"; done
python3 tool.py less missing layers.2.block_sparse_moe.experts
for one in "$base" base; do refuse 3 "is one of target_modules" "$one+missing"; done
cp -r lora missing-layer
python3 tool.py less missing-layer layers.2.mlp.experts
sed -i 's/model\.layers\.[0-9]\.mlp\.experts/mlp.experts/' missing-layer/adapter_config.json
for one in "$base" base; do refuse 3 "is one of target_parameters" "$one+missing-layer"; done

# For another model: fewer experts, none.
python3 tool.py fewer "$base" fewer
python3 tool.py less old gate
sed -i 's/, "gate"//' old/adapter_config.json
refuse 8 "has fewer experts" fewer+old
refuse 8 "B A is" fewer+lora
refuse 8 "has no weight of that name" "$FIXTURES/models/llama-gqa+old"

# Mixed: as the models of which the adapters are, whatever the method that loses nothing; one with fewer parameters, too.
near() # HOW FAR, MODEL, MODEL
{
    cocktail diff -q --json "$2" "$3" | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["relative_l2"] < float(sys.argv[1]) and not d["only_in_a"] and not d["only_in_b"], d' "$1"
}
cocktail adapter extract -qf "$tuned" "$base" -o one --rank 3 >table
cocktail adapter extract -qf "$FIXTURES/moe-tense" "$base" -o two --rank 5 >table
cp -r two bare
python3 tool.py bare bare experts.down_proj # the outermost of the two parameters
cocktail mix -q -f --weights 0.75,0.25 "$base+one" "$base+two" -o average --dtype f32 >table
for method in "cat" "svd --rank 8" "svd --rank 99"; do
    cocktail adapter mix -q -f --weights 0.75,0.25 one two -o both --method $method >table
    cocktail mix -q -f --weights 1 "$base+both" -o mixed --dtype f32 >table
    near 1e-6 mixed average
    cocktail mix -q -f --weights 1 "base+both" -o mixed --dtype f32 >table
    python3 - <<'EOF'
import json
config = json.load(open("both/adapter_config.json"))
one = json.load(open("one/adapter_config.json"))
for key in "target_parameters", "target_modules", "modules_to_save":
    assert config[key] == one[key], (key, config[key])
EOF
done
cocktail adapter mix -q -f --weights 0.5,0.5 one two -o five --method svd -t 1 >table # to the rank of the larger
cocktail adapter mix -q -f --weights 0.5,0.5 one two -o also --method svd -t 3 >table
cmp five/adapter_model.safetensors also/adapter_model.safetensors
grep -c '"r": 5' five/adapter_config.json
cocktail adapter mix -q -f --weights 1 bare -o less --method cat >table
cocktail mix -q -f --weights 1 "$base+less" -o apart >table
cocktail mix -q -f --weights 1 "$base+bare" -o fused >table
python3 tool.py same apart fused
cocktail adapter mix -q -f --weights 1,-2 bare less -o more --method cat >table
cocktail mix -q -f --weights=2,-1 "$base" "$base+bare" -o turned --dtype f32 >table
cocktail mix -q -f --weights 1 "$base+more" -o minus --dtype f32 >table
near 1e-6 minus turned
for method in linear "ties --density 0.5" "dare_ties --density 0.5" "magnitude_prune_svd --density 0.5"; do
    cocktail adapter mix -q -f --weights 1,1 bare less -o other --method $method >table
    cocktail inspect "$base+other" >table
done

# A module for each expert, as any other module.
cocktail adapter mix -q -f --weights 0.5,0.5 old old -o half --method cat >table
cocktail mix -q -f --weights 1 base+half -o apart --dtype f32 >table
cocktail mix -q -f --weights 1 base+old -o fused --dtype f32 >table
near 1e-6 apart fused

# The weights of adapters of experts from examples.
cocktail mix-data -q --json --examples "$FIXTURES/examples/tense.jsonl" "$base+one" "$base+two" -o chosen >chosen.json
weights=$(python3 -c 'import json; print(*(m["weight"] for m in json.load(open("chosen.json"))["models"]), sep=",")')
cocktail mix -q -f --weights $weights "$base+one" "$base+two" -o average --dtype f32 >table
cocktail mix -q -f --weights 1 "$base+chosen" -o mixed --dtype f32 >table
near 1e-6 mixed average

# What does not go together.
refuse_mix() # STATUS, MESSAGE, ADAPTER...
{
    local status=0

    cocktail adapter mix -q --weights 0.5,0.5 "${@:3}" -o refused >out 2>err || status=$?
    [[ $status == "$1" && ! -e refused && $(<err) == *"$2"* ]] || echo "exit $status for ${*:3}: $(<err)"
}
cp -r bare of-four
python3 tool.py halve of-four
refuse_mix 8 "is of 4 experts, in 'bare' of 8" bare of-four
refuse_mix 8 "PEFT can do but one of the two" bare whole
