# adapter mix of PEFT's own folders: what is read of them (scales by module, .bin, Conv1D, regular expressions), and DoRA.
data=${COCKTAIL_TEST_DATA:-}/golden/lora
if [[ ! -e $data/cases.json ]]; then
    echo "SKIP: COCKTAIL_TEST_DATA has no golden/lora" >&3
    exit 0
fi
set -e
ln -s "$data" golden
cocktail adapter mix -q --weights 0.5,0.5 $data/plain/adapter $data/rslora-patterns-bin/adapter -o pair --method cat >table
cocktail adapter mix -q --weights 1 $data/gpt2-conv1d/adapter -o conv --method linear >table
python3 - "$data" <<'EOF'
import json, struct, sys
from array import array

def load(path):
    with open(path, 'rb') as f:
        size = struct.unpack('<Q', f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    header.pop('__metadata__', None)
    return {name: (e['shape'], array('f', data[slice(*e['data_offsets'])])) for name, e in header.items()}

def product(tensors, module):
    middle = 'lora_A.weight' if f'base_model.model.{module}.lora_A.weight' in tensors else 'lora_embedding_A'
    (rank, n_in), a = tensors[f'base_model.model.{module}.{middle}']
    (n_out, _), b = tensors[f'base_model.model.{module}.{middle.replace("_A", "_B")}']
    return [[sum(b[i * rank + r] * a[r * n_in + k] for r in range(rank)) for k in range(n_in)] for i in range(n_out)]

def check(name, mixed, base, merged, weight, turned):
    """mixed [out, in] is the weighted sum of what the merged models differ by from the base."""
    base = base[name + '.weight']
    n_out, n_in = base[0][::-1] if turned else base[0]
    merged = [model[name + '.weight'][1] for model in merged]
    most = max(abs(x) for values in merged for x in values)
    for i in range(n_out):
        for k in range(n_in):
            at = k * n_out + i if turned else i * n_in + k
            wanted = sum(weight * (values[at] - base[1][at]) for values in merged)
            assert abs(mixed[i][k] - wanted) < 2e-6 * most, (name, i, k, mixed[i][k], wanted)

data = sys.argv[1]
base, mixed = load(data + '/base-llama/model.safetensors'), load('pair/adapter_model.safetensors')
merged = [load(f'{data}/{case}/merged.safetensors') for case in ('plain', 'rslora-patterns-bin')]
config = json.load(open('pair/adapter_config.json'))
for module in config['target_modules']:
    check(module, product(mixed, module), base, merged, 0.5, False)
print(len(config['target_modules']), 'modules')
config = json.load(open('conv/adapter_config.json'))
assert config['fan_in_fan_out']
models = [load(data + path) for path in ('/base-gpt2/model.safetensors', '/gpt2-conv1d/merged.safetensors')]
base, merged = ({'transformer.' + name.removeprefix('transformer.'): value for name, value in model.items()} for model in models)
mixed = load('conv/adapter_model.safetensors')
for module in config['target_modules']:
    check(module, product(mixed, module), base, [merged], 1, True)
print(len(config['target_modules']), 'modules')
EOF
cocktail adapter mix -q --weights 0.5,0.5 golden/plain/adapter golden/dora/adapter -o refused || echo "exit $?"
