# fixtures/adapters: MODEL+ADAPTER has the bits of PEFT's merge_and_unload; where that divides by norms, its
# values within 1e-6. Then, an adapter of a model whose file has one layer more than its class, which predicts
# a further token.
set -e
cp -r "$FIXTURES/adapters" .
cat >check.py <<'EOF'
import hashlib, json, subprocess, sys
sys.path.insert(0, sys.argv[1] + "/../tests")
from golden_compare import read_tensors
expected = json.load(open("adapters/EXPECTED.json"))
assert len(expected) >= 21
for name, case in expected.items():
    model = f"adapters/{case['base']}+adapters/{name}"
    done = subprocess.run([sys.argv[2], "mix", "--weights", "1", model, "-o", name],
                          capture_output=True, text=True)
    notices = [line for line in done.stderr.splitlines() if "it stays a tensor of its own" not in line]
    if done.returncode or notices:
        print(name, done.returncode, notices)
        continue
    if "sha256" not in case:
        subprocess.run([sys.executable, sys.argv[1] + "/../tests/adapter_compare.py",
                        f"adapters/{name}/merged.safetensors", f"{name}/model.safetensors", "1e-6"])
        continue
    found = {k: hashlib.sha256(data).hexdigest()[:16]
             for k, (_, data, _) in read_tensors(f"{name}/model.safetensors").items()}
    wrong = [k for k in sorted(set(found) | set(case["sha256"])) if found.get(k) != case["sha256"].get(k)]
    if wrong:
        print(name, len(wrong), "of", len(found), wrong[:3])
EOF
python3 check.py "$FIXTURES" "$COCKTAIL"

base=$FIXTURES/models/deepseek-v3-bf16
python3 "$FIXTURES/../tests/rewrite_model.py" "$base" scaled 'scale=model\.layers\.[01]\.self_attn\.o_proj\.weight=2'
cocktail adapter extract -q scaled "$base" -o further --rank 4 --modules o_proj --exclude 'layers\.2\.' >/dev/null
echo '{"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": ["o_proj"]}' >further/adapter_config.json
cocktail diff --json --tensors "$base+further" "$base" | python3 -c '
import json, sys
tensors = json.load(sys.stdin)["tensors"]
changed = sorted(t["name"] for t in tensors if t["max_abs"])
assert changed == [f"model.layers.{i}.self_attn.o_proj.weight" for i in range(2)], changed
assert any(t["name"] == "model.layers.2.self_attn.o_proj.weight" for t in tensors)'
