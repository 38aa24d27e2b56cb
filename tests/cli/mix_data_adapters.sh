# mix-data over adapters of one base: the weights of merged models, an adapter that is their average or, with
# --merged, the model that `mix` writes. The base is opened once.
set -e
base=fixtures/decoder-base examples=fixtures/examples/tense.jsonl
for task in tense arithmetic translation; do
    cocktail adapter extract -q fixtures/decoder-$task $base -o $task --rank 8 --modules q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj \
        >/dev/null
    cocktail mix -q --weights 1 $base+$task -o merged-$task >/dev/null
done
# The same of matrices alone.
python3 - <<'END'
import json, struct
for task in 'tense', 'arithmetic', 'translation':
    path = f'{task}/adapter_model.safetensors'
    with open(path, 'rb') as file:
        header = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))
        data = file.read()
    parts, out, offset = [], {}, 0
    for name, entry in header.items():
        if '.lora_' in name:
            begin, end = entry['data_offsets']
            parts.append(data[begin:end])
            out[name] = entry | {'data_offsets': [offset, offset + end - begin]}
            offset += end - begin
    text = json.dumps(out).encode()
    text += b' ' * (-len(text) % 8)
    with open(f'{task}.safetensors', 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(parts))
    config = json.load(open(f'{task}/adapter_config.json'))
    json.dump(config | {'modules_to_save': None}, open(f'{task}.json', 'w'))
END
for task in tense arithmetic translation; do
    cp -r $task bare-$task
    mv $task.safetensors bare-$task/adapter_model.safetensors
    mv $task.json bare-$task/adapter_config.json
    cocktail mix -q --weights 1 $base+bare-$task -o model-$task >/dev/null
done
adapted="$base+bare-tense $base+bare-arithmetic $base+bare-translation"
models='model-tense model-arithmetic model-translation'

# Weights as of merged models, the adapter as `adapter mix` makes it, the model as `mix` does.
cocktail mix-data -q --json --examples $examples $adapted -o lora >lora.json
cocktail mix-data -q --json --examples $examples $models --weights-only >models.json
cocktail mix-data -q --json --examples $examples $adapted --merged -o merged >merged.json
cocktail mix-data -q --json --examples $examples $adapted --weights-only >weights.json
python3 - >weights <<'END'
import json
lora, models, merged, only = (json.load(open(f'{name}.json')) for name in ('lora', 'models', 'merged', 'weights'))
for run in lora, merged, only:
    for one, other in zip(run['models'], models['models'], strict=True):
        assert abs(one['weight'] - other['weight']) <= 1e-6 and abs(one['loss'] - other['loss']) <= 1e-6, (one, other)
assert lora['method'] == 'cat' and lora['type'] == 'decoder' and lora['files'] == ['adapter_model.safetensors'], lora
assert lora['n_examples'] == models['n_examples'] and merged['method'] == 'linear' and only['output'] is None
assert lora['models'][0]['weight'] > 0.34, lora
print(','.join(repr(model['weight']) for model in lora['models']))
END
cocktail adapter mix -q --method cat --weights $(<weights) bare-tense bare-arithmetic bare-translation -o by-hand >/dev/null
cmp lora/adapter_model.safetensors by-hand/adapter_model.safetensors
cmp lora/adapter_config.json by-hand/adapter_config.json
cocktail mix -q --weights $(<weights) $adapted -o mixed >/dev/null
cmp merged/model.safetensors mixed/model.safetensors
cmp merged/tokenizer.json $base/tokenizer.json
[[ ! -e lora/tokenizer.json ]]
near() # MODEL+ADAPTER, MODEL, HOW FAR: as it is written
{
    cocktail mix -q -f --weights 1 $1 -o written >/dev/null
    cocktail diff --json written $2 | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["relative_l2"] <= float(sys.argv[1]), d' $3
}
near $base+lora merged 1e-4 # but for single items that are rounded the other way

# The base among the models, or as the target: the adapters weigh the less.
cocktail mix-data -q --json --examples $examples $base $base+bare-tense -o half >half.json
cocktail mix-data -q --json --examples $examples --target $base --alpha 0.25 $base+bare-tense -o quarter >quarter.json
cocktail mix-data -q --examples $examples $base $base+bare-tense --merged -o half-merged >/dev/null
near $base+half half-merged 1e-4
cocktail adapter mix -q --method cat --weights 0.75 bare-tense -o three >/dev/null
cmp quarter/adapter_model.safetensors three/adapter_model.safetensors
python3 -c 'import json
half, quarter = (json.load(open(name)) for name in ("half.json", "quarter.json"))
assert half["models"][0]["path"] == "fixtures/decoder-base" and half["models"][0]["weight"] < 0.5, half
assert quarter["alpha"] == 0.25 and quarter["models"][0]["loss"] is None, quarter'

# What is stored whole is averaged, with the base's where an adapter has nothing.
for models in "$base+tense $base+arithmetic" "$base+tense $base+bare-arithmetic" "$base $base+tense" \
    "--target $base --alpha 0.3 $base+bare-tense $base+arithmetic"; do
    cocktail mix-data -q --examples $examples $models -f -o whole >/dev/null
    cocktail mix-data -q --examples $examples $models --merged -f -o whole-merged >/dev/null
    near $base+whole whole-merged 1e-4
done
cocktail diff -q --exit-code $base whole-merged >/dev/null && echo 'nothing was mixed'

# Other methods; what a dry run says.
cocktail mix-data -q --examples $examples $adapted --method svd --rank 5 -o low >/dev/null
cocktail adapter mix -q --method svd --rank 5 --weights $(<weights) bare-tense bare-arithmetic bare-translation -o low-by-hand >/dev/null
cmp low/adapter_model.safetensors low-by-hand/adapter_model.safetensors
cocktail mix-data -q --examples $examples $adapted --method linear --dry-run -o none | tr -s ' ' |
    sed 's/\([0-9]\.[0-9]\{3\}\)[0-9]*/\1/g' # LAPACK's last digits are the processor's
[[ ! -e none ]]
cocktail mix-data -q --examples $examples $adapted -o lora -f >/dev/null
cocktail mix-data -q --examples $examples $adapted -o low -f -t 1 >/dev/null
cmp lora/adapter_model.safetensors low/adapter_model.safetensors

# Encoders, and models that are not all of one base.
cocktail adapter extract -q fixtures/encoder-parts fixtures/encoder-base -o parts --rank 4 >/dev/null
cocktail adapter extract -q fixtures/encoder-repairs fixtures/encoder-base -o repairs --rank 4 >/dev/null
cocktail mix-data -q --json --examples fixtures/examples/retrieval-parts.jsonl fixtures/encoder-base+parts fixtures/encoder-base+repairs \
    -o encoder | grep -o '"type":"encoder","method":"cat"'
cocktail mix-data -q --examples $examples $base+bare-tense model-arithmetic -o two >/dev/null
[[ -e two/model.safetensors && ! -e two/adapter_config.json ]]

try() # ARGUMENT...
{
    echo "\$ mix-data $*"
    cocktail mix-data -q --examples missing "$@" 2>&1 | sed '/^usage: /d' # refused before examples are read
    echo "exit ${PIPESTATUS[0]}"
    [[ ! -e out ]] || echo written
}
set +e
two="$base+bare-tense $base+bare-arithmetic"
try $two -o out --dtype f32
try $two -o out --shard-size 1MB
try $two -o out --compat lm-cocktail
try $two -o out.gguf
try $two -o out --method ties
try $two -o out --rank 4
try $two -o out --merged --method svd
try $two --weights-only --merged
try $base -o out --merged
try $base model-tense -o out --method cat
try $two -o $base --force
try $two -o bare-tense/.. --force
cocktail adapter extract -q fixtures/decoder-tense $base -o other --rank 7 --modules q_proj >/dev/null
try $base+bare-tense $base+other -o out --method linear
cp -r bare-tense dora
sed -i 's/"use_dora": false/"use_dora": true/' dora/adapter_config.json
try $base+dora $base+bare-tense -o out
python3 - <<'END'
import json, struct
with open('dora/adapter_model.safetensors', 'rb') as f:
    header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
    data = f.read()
for name in [name for name in header if name.endswith('.lora_B.weight')]:
    n = header[name]['shape'][0]
    header[name.replace('.lora_B.weight', '.lora_magnitude_vector')] = {'dtype': 'F32', 'shape': [n], 'data_offsets': [len(data), len(data) + 4 * n]}
    data += struct.pack(f'<{n}f', *(0.5 + i % 3 / 4 for i in range(n)))
text = json.dumps(header).encode()
with open('dora/adapter_model.safetensors', 'wb') as f:
    f.write(struct.pack('<Q', len(text)) + text + data)
END
try $base+dora $base+bare-tense -o out
cocktail mix-data -q --json --examples $examples $base+dora $base+bare-tense --merged -o dora-merged >dora.json
cocktail mix -q --weights "$(python3 -c 'import json; print(*(m["weight"] for m in json.load(open("dora.json"))["models"]), sep=",")')" \
    $base+dora $base+bare-tense -o dora-mixed >/dev/null
cmp dora-merged/model.safetensors dora-mixed/model.safetensors
cp -r bare-tense pissa
sed -i 's/"init_lora_weights": true/"init_lora_weights": "pissa"/' pissa/adapter_config.json
try $base+pissa $base+bare-tense -o out

[[ -z ${SAN-} ]] || exit 0 # the sanitizers want to be loaded first, and do not work under strace
FREE_BYTES=1000 LD_PRELOAD=$INJECT/full_disk.so "$COCKTAIL" mix-data -q --examples missing $two -o out 2>full
(($? == 5)) && grep -q 'the adapter needs [0-9]* bytes, [0-9]* are left' full || cat full
strace -o probe -e trace=execve true 2>/dev/null || exit 0 # not installed, or not permitted
for what in -o\ traced '--merged -o traced-model' --weights-only; do
    strace -f -o trace -e trace=open,openat,openat2 "$COCKTAIL" mix-data -q --examples $examples $base $adapted $what >/dev/null
    opened=$(grep -c 'decoder-base/model\.safetensors", O_RDONLY' trace)
    ((opened == 1)) || echo "the weights of one base were opened $opened times ($what)"
done
