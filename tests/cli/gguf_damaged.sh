# GGUF models, whole and in parts, cut off and with changed bytes: read or refused with one line,
# never a crash.
cat >damage.py <<'PYTHON'
import os
import random
import subprocess
import sys

cocktail, model, n_cuts, n_changes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
whole = open(model, "rb").read()
random.seed(1)


def try_model(what, data):
    with open(model, "wb") as file:
        file.write(data)
    for arguments, ids in (["inspect", "--tensors", model], b""), (["logits", "-q", "--from-ids", model], b"1 5 9\n"):
        run = subprocess.run([cocktail, *arguments], input=ids, capture_output=True, timeout=60)
        errors = [line for line in run.stderr.splitlines() if not line.startswith(b"cocktail: note: ")]
        if run.returncode not in (0, 3, 4, 8, 10) or len(errors) != (run.returncode != 0):
            print(f"{model}, {what}: {arguments[0]}: exit {run.returncode}: {run.stderr[:500]}")


for _ in range(n_cuts):
    n = random.randrange(len(whole))
    try_model(f"cut to {n} bytes", whole[:n])
head = min(len(whole), whole.rindex(b"weight") + 64)  # values and the table of tensors
for i in range(n_changes):
    data = bytearray(whole)
    place, value = random.randrange(head), random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    data[place] = value
    try_model(f"byte {place} set to {value}", data)
with open(model, "wb") as file:
    file.write(whole)
PYTHON
n_cuts=12 n_changes=60
[[ -z ${SAN-} ]] || n_cuts=4 n_changes=30
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1

python3 "$FIXTURES/../tests/gguf_from_model.py" "$FIXTURES/models/llama-gqa" made
python3 damage.py "$COCKTAIL" made/*.gguf $n_cuts $n_changes
python3 "$FIXTURES/../tests/gguf_from_model.py" "$FIXTURES/models/llama-gqa" parts --split 3
for part in parts/*-of-00003.gguf; do
    python3 damage.py "$COCKTAIL" "$part" $((n_cuts / 4)) $((n_changes / 5))
done
cocktail logits -q --from-ids "$(echo made/*.gguf)" <<<'1 5 9' >whole
cocktail logits -q --from-ids "$part" <<<'1 5 9' >in_parts
cmp whole in_parts
[[ -s whole ]] || echo "no numbers"
