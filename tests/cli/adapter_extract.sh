# adapter extract: what the folder says and holds, and what is refused.
set -e
cat >check.py <<'EOF'
"""Puts base and adapter together again: the fine-tuned model's tensors must come out."""
import json, struct, sys
from array import array

def load(path):
    with open(path, 'rb') as f:
        size = struct.unpack('<Q', f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    tensors = {}
    for name, entry in header.items():
        if name == '__metadata__':
            continue
        first, end = entry['data_offsets']
        if entry['dtype'] == 'BF16':
            values = array('f', b''.join(b'\0\0' + data[i:i + 2] for i in range(first, end, 2)))
        else:
            values = array('f', data[first:end])
        tensors[name] = (entry['shape'], values)
    return tensors

tuned, base = load(sys.argv[1] + '/model.safetensors'), load(sys.argv[2] + '/model.safetensors')
adapter = load(sys.argv[3] + '/adapter_model.safetensors')
config = json.load(open(sys.argv[3] + '/adapter_config.json'))
assert config['lora_alpha'] == config['r'] and config['alpha_pattern'] == config['rank_pattern']
used, n_factors = set(), 0
for name, (shape, values) in tuned.items():
    module, leaf = name.rsplit('.', 1)
    start = 'base_model.model.' + module
    whole = [key for key in (start + '.' + leaf, start + '.base_layer.' + leaf) if key in adapter]
    if whole:
        assert adapter[whole[0]] == (shape, values), name
        assert module in config['modules_to_save'] or '.base_layer.bias' in whole[0], name
        used.add(whole[0])
    elif start + '.lora_A.weight' in adapter and leaf == 'weight':
        (rank, n_in), a = adapter[start + '.lora_A.weight']
        (n_out, _), b = adapter[start + '.lora_B.weight']
        assert module in config['target_modules'] and rank == config['rank_pattern'].get(module, config['r'])
        turned = config['fan_in_fan_out']
        assert ([n_in, n_out] if turned else [n_out, n_in]) == shape
        for row in range(0, n_out, 7):
            for column in range(0, n_in, 11):
                delta = sum(b[row * rank + r] * a[r * n_in + column] for r in range(rank))
                at = column * n_out + row if turned else row * n_in + column
                assert abs(base[name][1][at] + delta - values[at]) < 2e-5, (name, row, column)
        used.update((start + '.lora_A.weight', start + '.lora_B.weight'))
        n_factors += 1
    else:
        assert base[name] == (shape, values), name
extra = set(adapter) - used - {'base_model.model.lm_head.weight'}
assert not extra, extra
print(config['task_type'], config['bias'], config['fan_in_fan_out'], n_factors, 'matrices')
EOF
for pair in decoder-arithmetic:decoder-base encoder-parts:encoder-base reranker-routes:reranker-base; do
    tuned=fixtures/${pair%:*} base=fixtures/${pair#*:}
    cocktail adapter extract $tuned $base -o full -f --rank 999 >table
    python3 check.py $tuned $base full
done
cp -r fixtures/models/gpt2 conv
chmod -R u+w conv
python3 - <<'EOF'
import struct
with open('conv/model.safetensors', 'r+b') as f:
    size = 8 + struct.unpack('<Q', f.read(8))[0]
    f.seek(0, 2)
    n = (f.tell() - size) // 4
    f.seek(size)
    values = struct.unpack(f'<{n}f', f.read())
    f.seek(size)
    f.write(struct.pack(f'<{n}f', *(x + ((i * 2654435761) % 4096 / 4096 - 0.5) / 8 for i, x in enumerate(values))))
EOF
cocktail adapter extract conv fixtures/models/gpt2 -o conv-lora --rank 999 >table
python3 check.py conv fixtures/models/gpt2 conv-lora
cocktail adapter extract fixtures/decoder-arithmetic fixtures/decoder-base -o some --rank 3 \
    --modules q_proj,up_proj --exclude 'layers\.[12]\.' --include 'self_attn|mlp' | sed '/^$/,$d' | awk '{print $1, $2}'
grep -o 'lm_head' some/adapter_config.json
cocktail adapter --json extract fixtures/decoder-arithmetic fixtures/decoder-base -o by-energy --energy 0.9 >json
python3 -c '
import json
found = json.load(open("json"))
for m in found["modules"]:
    assert 0.9 - 1e-6 <= m["kept_energy"] <= 1, m
    assert abs(m["kept_energy"] + m["relative_error"] ** 2 - 1) < 1e-9, m
ranks = {m["rank"] for m in found["modules"]}
assert len(ranks) > 3 and max(ranks) < 40, ranks
config = json.load(open("by-energy/adapter_config.json"))
assert config["rank_pattern"] == {m["name"]: m["rank"] for m in found["modules"]}'
cocktail adapter extract -t 1 fixtures/decoder-arithmetic fixtures/decoder-base -o one --rank 4 >table
cocktail adapter extract -t 5 fixtures/decoder-arithmetic fixtures/decoder-base -o five --rank 4 >table
cmp one/adapter_model.safetensors five/adapter_model.safetensors
cocktail adapter extract --dry-run fixtures/decoder-arithmetic fixtures/decoder-base -o none --rank 4 | tail -n 1
[[ ! -e none ]]

refuse() # STATUS, ARGUMENT...
{
    local wanted=$1 status=0

    shift
    cocktail adapter extract -q "$@" -o refused >out || status=$?
    [[ $status == "$wanted" && ! -e refused ]] || echo "exit $status for $*"
}
refuse 8 fixtures/decoder-base fixtures/decoder-base --rank 4
refuse 8 fixtures/decoder-base fixtures/encoder-base --rank 4
cp -r fixtures/moe-base unknown
chmod -R u+w unknown
sed -i 's/MixtralForCausalLM/OtherForCausalLM/; s/"mixtral"/"other"/' unknown/config.json
refuse 10 unknown unknown --rank 4
refuse 2 fixtures/decoder-arithmetic fixtures/decoder-base
refuse 2 fixtures/decoder-arithmetic fixtures/decoder-base --energy 0
refuse 2 fixtures/decoder-arithmetic fixtures/decoder-base --rank 4 --exclude '('
mkdir taken
touch taken/mine
cocktail adapter extract fixtures/decoder-arithmetic fixtures/decoder-base -o taken -f --rank 4 || echo "exit $?"
dense=fixtures/models/sentence-dense
cocktail adapter extract $dense $dense -o dense --rank 4 || echo "exit $?"
cp -r fixtures/decoder-arithmetic wild
chmod -R u+w wild
python3 - <<'EOF'
import json, struct
with open('wild/model.safetensors', 'r+b') as f:
    size = struct.unpack('<Q', f.read(8))[0]
    entry = json.loads(f.read(size))['model.layers.1.mlp.up_proj.weight']
    f.seek(8 + size + entry['data_offsets'][1] - (2 if entry['dtype'] == 'BF16' else 4))
    f.write(b'\x80\x7f' if entry['dtype'] == 'BF16' else b'\0\0\x80\x7f')
EOF
refuse 3 wild fixtures/decoder-base --rank 4
