# adapter extract of models whose class is their own, with experts that no class of transformers has so: each tensor
# of all experts becomes a parameter, and added again it gives the fine-tuned model.
set -e
export PYTHONPATH=${FIXTURES%/*}/tests
cat >change.py <<'EOF'
"""change.py MODEL COPY [WORD]: every parameter, or those with WORD in their name, with a bit of some values turned."""
import os, shutil, sys
from golden_compare import read_tensors
import json, struct
model, copy, word = sys.argv[1], sys.argv[2], (sys.argv[3:] + [''])[0]
shutil.copytree(model, copy)
os.chmod(copy, 0o755)
path = copy + '/model.safetensors'
os.chmod(path, 0o644)
header, out = {}, b''
for name, (dtype, data, shape) in read_tensors(model + "/model.safetensors").items():
    data = bytearray(data)
    if word in name and not name.endswith(('.mask', '.cum_weight')):
        for i in range(2, len(data), 12): # of F32
            data[i] ^= 0x10
    header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(out), len(out) + len(data)]}
    out += data
text = json.dumps(header).encode()
with open(path, 'wb') as f:
    f.write(struct.pack('<Q', len(text)) + text + out)
EOF
for model in molm openmoe openmoe-experts; do # the whole of OpenMoE: its router is of the module around the experts
    base=$FIXTURES/models/${model%-*}
    python3 change.py "$base" $model $([[ $model != *-experts ]] || echo .experts.)
    cocktail adapter extract -q $model "$base" -o lora -f --rank 999 | awk '/experts/ {print $1, $2}'
    python3 -c 'import json; print(*json.load(open("lora/adapter_config.json"))["target_parameters"] or [], sep="\n")'
    cocktail diff --json $model "$base+lora" >json
    python3 -c '
import json
d = json.load(open("json"))
assert d["relative_l2"] < 1e-6 and not d["only_in_a"] and not d["only_in_b"], d'

    # Of a low rank, and stored whole where it is not chosen.
    cocktail adapter extract -q $model "$base" -o low -f --rank 1 >/dev/null
    cocktail diff --json $model "$base+low" >json
    python3 -c '
import json
assert json.load(open("json"))["relative_l2"] < 0.1'
    [[ $model != *-experts ]] || continue
    cocktail adapter extract -q $model "$base" -o whole -f --rank 999 --exclude 'experts' >table
    ! grep experts table
    cocktail diff --json $model "$base+whole" >json
    python3 -c '
import json
assert json.load(open("json"))["relative_l2"] < 1e-6'
done
