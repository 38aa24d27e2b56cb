# All of fixtures/hostile-adapters/: each is refused by mix with its exit code and one line that holds its
# message, and nothing is written; so are a million modules, and names that nobody can compare in time.
set -e
base=$FIXTURES/adapters/base-llama
mkdir place

try() # ADAPTER, EXIT, MESSAGE
{
    local status=0 errors

    timeout 60 "$COCKTAIL" mix --weights 1 "$base+$1" -o place/out >out 2>err || status=$?
    errors=$(grep -v '^==.*WARNING:' err || true)
    ((status == $2)) || echo "${1##*/}: exit $status, expected $2: $errors"
    [[ $errors == *"$3"* ]] || echo "${1##*/}: '$3' is not in: $errors"
    if ((status)); then
        errors=$(grep -v '^cocktail: note: ' <<<"$errors" || true)
        [[ $errors == 'cocktail: '* && $errors != *$'\n'* && ! -s out ]] || echo "${1##*/}: $errors"
        [[ $(echo place/*) == 'place/*' ]] || echo "${1##*/}: left $(echo place/*)"
    fi
    rm -rf place/out
}

n=0
while IFS=$'\t' read -r name code message; do
    try "$FIXTURES/hostile-adapters/$name" "$code" "$message"
    n=$((n + 1))
done <"$FIXTURES/hostile-adapters/EXPECTED.tsv"
((n >= 130 && n == $(find "$FIXTURES/hostile-adapters" -mindepth 1 -type d | wc -l))) || echo "$n cases"

# A million modules are more than a header may hold; with half of them, each against a thousand
# patterns, comparing ends.
cat >make.py <<'EOF'
import json, struct, sys
folder, n, n_patterns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
text = ",".join(f'"base_model.model.m.{i}.q_proj.lora_{m}.weight":{{"dtype":"F32","shape":[1,1],"data_offsets":[{8*i+4*k},{8*i+4*k+4}]}}'
                for i in range(n) for k, m in enumerate("AB"))
text = ("{" + text + "}").encode()
text += b" " * (-len(text) % 8)
with open(f"{folder}/adapter_model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + bytes(8 * n))
config = {"peft_type": "LORA", "r": 1, "target_modules": ["q_proj"],
          "rank_pattern": {f"nothing.{i}.a": 1 for i in range(n_patterns)}}
json.dump(config, open(f"{folder}/adapter_config.json", "w"))
EOF
mkdir million many
python3 make.py million 1000000 0
try million 3 'header'
rm -r million
python3 make.py many 100000 20000
try many 3 'too long to compare'
