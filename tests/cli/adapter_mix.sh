# adapter mix: PEFT's own results, what the folder says, methods that draw, and what is refused.
set -e
cat >adapter.py <<'EOF'
"""Reads safetensors of F32: {name: (shape, values)}; products of an adapter's A and B, times its scale."""
import json, struct
from array import array

def load(path):
    with open(path, 'rb') as f:
        size = struct.unpack('<Q', f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    header.pop('__metadata__', None)
    return {name: (entry['shape'], array('f', data[slice(*entry['data_offsets'])])) for name, entry in header.items()}

def products(folder):
    tensors = load(folder + '/adapter_model.safetensors')
    config = json.load(open(folder + '/adapter_config.json'))
    out = {}
    for name, ((rank, n_in), a) in tensors.items():
        if '.lora_A' not in name and '.lora_embedding_A' not in name:
            continue
        (n_out, _), b = tensors[name.replace('_A', '_B')]
        module = name.removeprefix('base_model.model.').split('.lora_')[0]
        assert config['rank_pattern'].get(module, config['r']) == rank, module
        assert config['alpha_pattern'].get(module, config['lora_alpha']) == rank and not config['use_rslora']
        out[module] = [sum(b[i * rank + r] * a[r * n_in + k] for r in range(rank)) for i in range(n_out) for k in range(n_in)]
    assert sorted(out) == config['target_modules']
    return out
EOF
cat >check.py <<'EOF'
"""All cases of fixtures/mixed-adapters/cases.json."""
import json, subprocess
from adapter import load, products
facts = json.load(open('fixtures/mixed-adapters/cases.json'))
expected = load('fixtures/mixed-adapters/mixed.safetensors')
weights = ','.join(map(str, facts['weights']))
for case, (first, second, settings) in facts['cases'].items():
    command = ['cocktail', 'adapter', 'mix', '-q', '--weights', weights, 'fixtures/mixed-adapters/' + first, 'fixtures/mixed-adapters/' + second,
               '-o', 'mixed', '--force', '--method', settings['combination_type']]
    for key, option in (('density', 'density'), ('svd_rank', 'rank'), ('majority_sign_method', 'majority-sign-method')):
        if key in settings:
            command += ['--' + option, str(settings[key])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = products('mixed')
    wanted = {name.removeprefix(case + ' '): values for name, (_, values) in expected.items() if name.rsplit(' ', 1)[0] == case}
    assert set(found) == set(wanted), (case, set(found) ^ set(wanted))
    for name, values in wanted.items():
        most = max(abs(x) for x in values)
        error = max(abs(x - y) for x, y in zip(found[name], values))
        assert error <= 2e-6 * most, (case, name, error / most)
print(len(facts['cases']), 'cases')
EOF
python3 check.py

adapters=fixtures/mixed-adapters
cocktail adapter mix --weights 0.7,0.3 $adapters/plain $adapters/rslora -o mixed --force --method linear | sed 's/ in [0-9.]* s$//'
python3 - <<'EOF'
import json
config = json.load(open('mixed/adapter_config.json'))
assert config['base_model_name_or_path'] == 'some-org/some-base' and config['task_type'] == 'CAUSAL_LM'
assert config['r'] == config['lora_alpha'] == 4 and config['rank_pattern'] == config['alpha_pattern'] == {}
assert len(config['target_modules']) == 7, config
EOF
cocktail adapter mix --json --weights 0.7,0.3 $adapters/plain $adapters/rslora -o none --dry-run --method dare_ties --density 0.5 --seed 7 |
    sed 's/"seconds":[^,]*,//'

[[ ! -e none ]]

# The weight goes into A, the adapters stand side by side: bit for bit.
cocktail adapter mix --weights 2,-1.5 $adapters/plain $adapters/rslora -o both --method cat >table
python3 - <<'EOF'
from adapter import load
import math, struct
f32 = lambda x: struct.unpack('f', struct.pack('f', x))[0]
mixed, plain, rslora = (load(folder + '/adapter_model.safetensors') for folder in ('both', 'fixtures/mixed-adapters/plain', 'fixtures/mixed-adapters/rslora'))
name = 'base_model.model.model.layers.1.self_attn.q_proj.lora_%s.weight'
a = [f32(x * f32(2.0)) * 1.5 for x in plain[name % 'A'][1]] + [f32(x * -1.5) * 1.5 for x in rslora[name % 'A'][1]]
assert mixed[name % 'A'] == ([8, 12], type(mixed[name % 'A'][1])('f', a))
b, p, r = (t[name % 'B'][1] for t in (mixed, plain, rslora))
assert [list(b[8 * i:8 * i + 8]) for i in range(12)] == [list(p[4 * i:4 * i + 4]) + list(r[4 * i:4 * i + 4]) for i in range(12)]
EOF

# Methods that draw: a share stays, divided by it; the same for one seed and any number of threads.
for method in dare_linear dare_ties dare_linear_svd dare_ties_svd; do
    for run in 1:7 3:7 2:8; do
        cocktail adapter mix -t ${run%:*} --weights 1,0 $adapters/plain $adapters/plain -o drawn-${run%:*} -f --method $method \
            --density 0.25 --seed ${run#*:} >table
    done
    cmp drawn-1/adapter_model.safetensors drawn-3/adapter_model.safetensors
    ! cmp -s drawn-1/adapter_model.safetensors drawn-2/adapter_model.safetensors || echo "$method: no other seed"
done
cocktail adapter mix --weights 1 $adapters/plain -o drawn -f --method dare_linear --density 0.25 >table
cocktail adapter mix --weights 1 $adapters/plain -o drawn-svd -f --method dare_linear_svd --density 0.25 --rank 99 >table
python3 - <<'EOF'
from adapter import load, products
plain, drawn = (load(folder + '/adapter_model.safetensors') for folder in ('fixtures/mixed-adapters/plain', 'drawn'))
n = n_kept = 0
for name in plain:
    share = 1.5 ** 0.5 / 0.25
    for x, y in zip(plain[name][1], drawn[name][1]):
        n += 1
        n_kept += y != 0
        assert y == 0 or abs(y - share * x) < 1e-5 * abs(y), (name, x, y)
assert 0.2 < n_kept / n < 0.3, (n_kept, n)
after = products('drawn-svd')
whole = load('fixtures/mixed-adapters/plain/adapter_model.safetensors')
name = 'model.layers.0.mlp.down_proj'
(rank, n_in), a = whole[f'base_model.model.{name}.lora_A.weight']
b = whole[f'base_model.model.{name}.lora_B.weight'][1]
product = [6 * sum(b[i * rank + r] * a[r * n_in + k] for r in range(rank)) for i in range(12) for k in range(n_in)] # 1.5 / 0.25
stays = [abs(y) > 1e-5 for y in after[name]]
assert all(abs(y - x) < 1e-4 for x, y, stay in zip(product, after[name], stays) if stay)
assert 0.15 < sum(stays) / len(stays) < 0.35, sum(stays) / len(stays)
EOF

refuse() # STATUS, ARGUMENT...
{
    local wanted=$1 status=0

    shift
    cocktail adapter mix -q "$@" -o refused >out || status=$?
    [[ $status == "$wanted" && ! -e refused ]] || echo "exit $status for $*"
}
two="$adapters/plain $adapters/rslora"
refuse 2 $two
refuse 2 $two --weights 1
refuse 2 $two --weights 1,nan
refuse 2 $two --weights 1,1 --method tise
refuse 2 $two --weights 1,1 --method ties
refuse 2 $two --weights 1,1 --method ties --density 0
refuse 2 $two --weights 1,1 --density 0.5
refuse 2 $two --weights 1,1 --method linear --rank 3
refuse 2 $two --weights 1,1 --majority-sign-method total
refuse 2 $two --weights 1,1 --energy 0.5
refuse 8 $adapters/plain $adapters/wide --weights 1,1 --method linear
refuse 3 $adapters/plain fixtures/decoder-base --weights 1,1
mkdir taken
touch taken/mine
cocktail adapter mix --weights 1,1 $two -o taken --force || echo "exit $?"
cp -r $adapters/plain inner
mkdir outer
cp adapter.py outer/
cp -r inner outer/inner
cp inner/* outer/
cocktail adapter mix --weights 1,1 outer/inner $adapters/rslora -o outer --force || echo "exit $?"
cocktail adapter mix --weights 1,0 inner inner -o inner --force --method cat -q | sed 's/ in [0-9.]* s$//' # the target may be an input

# What is stored whole is averaged, where that can be said without the base.
for model in parts repairs; do
    cocktail adapter extract -q fixtures/encoder-$model fixtures/encoder-base -o $model --rank 3 >table
done
cocktail adapter mix -q --weights 0.75,0.25 parts repairs -o pair >table
python3 - <<'EOF'
from adapter import load
import json, struct
f32 = lambda x: struct.unpack('f', struct.pack('f', x))[0]
parts, repairs, pair = (load(folder + '/adapter_model.safetensors') for folder in ('parts', 'repairs', 'pair'))
assert set(pair) == set(parts) == set(repairs)
whole = [name for name in pair if '.lora_' not in name]
assert any('.base_layer.bias' in name for name in whole) and any('LayerNorm' in name for name in whole)
for name in whole:
    assert list(pair[name][1]) == [f32(0.75 * x + 0.25 * y) for x, y in zip(parts[name][1], repairs[name][1])], name
one, other = (json.load(open(folder + '/adapter_config.json')) for folder in ('parts', 'pair'))
assert one == other, (one, other)
assert other['bias'] == 'lora_only' and 'encoder.layer.0.output.LayerNorm' in other['modules_to_save']
EOF
refuse 8 parts repairs --weights 1,1
cocktail adapter extract -q fixtures/encoder-parts fixtures/encoder-base -o half --rank 3 --modules query,key >table
refuse 8 parts half --weights 0.5,0.5
cocktail adapter extract -q fixtures/decoder-tense fixtures/decoder-base -o decoder --rank 3 >table
refuse 8 decoder half --weights 0.5,0.5
refuse 8 decoder $adapters/plain --weights 0.5,0.5
python3 - <<'EOF'
import json, os, shutil
for name, change in (('dora', {'use_dora': True}), ('pissa', {'init_lora_weights': 'pissa'}), ('loha', {'peft_type': 'LOHA'}),
                     ('other', {'base_model_name_or_path': 'some-org/other', 'task_type': 'SEQ_CLS'})):
    shutil.copytree('fixtures/mixed-adapters/plain', name)
    path = name + '/adapter_config.json'
    os.chmod(path, 0o644)
    config = json.load(open(path)) | change
    json.dump(config, open(path, 'w'))
EOF
refuse 3 $adapters/plain dora --weights 0.5,0.5
refuse 10 $adapters/plain pissa --weights 0.5,0.5
refuse 10 $adapters/plain loha --weights 0.5,0.5
cocktail adapter mix --weights 1,1 other $adapters/plain -o noted >table
