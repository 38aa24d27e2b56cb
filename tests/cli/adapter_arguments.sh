# Ways in which users write MODEL+ADAPTER, those that work and those that a sentence leads back from.
cp -r "$FIXTURES/decoder-base" base
cocktail adapter extract -q fixtures/decoder-tense base -o lora --rank 4 --modules q_proj >/dev/null
cocktail adapter extract -q fixtures/decoder-arithmetic base -o second --rank 4 --modules q_proj >/dev/null
mkdir -p run/checkpoint-{100,1000} 'a+b'
cp lora/* run/checkpoint-100
cp lora/* run/checkpoint-1000
cp -r base 'a+b/base+x'
cp -r lora 'a+b/lora+y'

cocktail mix -q --weights 1 base+lora -o one >/dev/null
same() # MODEL...: each is base+lora
{
    local model

    for model; do
        cocktail mix -q -f --weights 1 "$model" -o other >/dev/null
        cmp one/model.safetensors other/model.safetensors
    done
}
same base+lora/ base+lora/adapter_model.safetensors base+lora/adapter_config.json base+./lora base/model.safetensors+lora \
    base+run/checkpoint-1000 'a+b/base+x+a+b/lora+y' 'base+a+b/lora+y' 'a+b/base+x+lora'
cocktail mix -q -f --weights 0.5,0.5 base+lora base+lora -o other >/dev/null # the same one twice
cmp one/model.safetensors other/model.safetensors

# More of an adapter than it says: weights that sum to 1 with the base's. `adapter mix` scales one, too.
python3 - <<'EOF'
import json, shutil, struct
shutil.copytree('lora', 'matrices')
with open('lora/adapter_model.safetensors', 'rb') as f:
    header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
    data = f.read()
kept, out = {}, b''
for name, entry in header.items():
    if '.lora_' in name:
        part = data[slice(*entry['data_offsets'])]
        kept[name] = {**entry, 'data_offsets': [len(out), len(out) + len(part)]}
        out += part
text = json.dumps(kept).encode()
with open('matrices/adapter_model.safetensors', 'wb') as f:
    f.write(struct.pack('<Q', len(text)) + text + out)
config = json.load(open('lora/adapter_config.json')) | {'modules_to_save': None, 'bias': 'none'}
json.dump(config, open('matrices/adapter_config.json', 'w'))
EOF
cocktail mix -q --weights=-0.5,1.5 base base+matrices -o more --dtype f32 >/dev/null
cocktail adapter mix -q --weights 1.5 matrices -o stronger >/dev/null
cocktail mix -q --weights 1 base+stronger -o also --dtype f32 >/dev/null
cocktail diff --json more also | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["relative_l2"] < 1e-6, d'
cocktail diff --json more one | python3 -c '
import json, sys
assert json.load(sys.stdin)["relative_l2"] > 1e-3'

# In recipes, where a text is parted at its "+", a map says which part is a path.
cat >plus.yml <<'EOF'
merge_method: linear
models:
  - model: {model: {path: "a+b/base+x"}, lora: {path: "a+b/lora+y"}}
    parameters: {weight: 1}
EOF
cocktail merge -q -f plus.yml -o other >/dev/null
cmp one/model.safetensors other/model.safetensors
sed -i 's,{model: .*,a+b/base+x,' plus.yml

try() # ARGUMENT...
{
    cocktail "$@" -q -o out 2>&1 | sed '/^usage: /d'
    echo "exit ${PIPESTATUS[0]}"
    [[ ! -e out ]] || echo written
}
try mix --weights 1.5 base+lora
try mix --weights 1 base+lora+second
try mix --weights 1 lora+base
try mix --weights 1 base+base
try mix --weights 1 base+run
try mix --weights 1 base+base/model.safetensors
try mix --weights 1 base+lor
try mix --weights 1 bas+lora
try mix --weights 1 base+
try mix --weights 1 +lora
try mix --weights 0.5,0.5 lora second
try adapter mix --weights 0.5,0.5 base+lora base+second
try adapter mix --weights 0.5,0.5 lora base
try merge plus.yml
