# adapter extract: what PEFT wants of a module that is stored whole: all its tensors, and those tied to them.
set -e
cat >change.py <<'EOF'
"""change.py MODEL COPY [NAME...]: a copy whose matrices, and what else is named, differ; NAME+2: with two more rows."""
import json, os, shutil, struct, sys
model, copy, names = sys.argv[1], sys.argv[2], sys.argv[3:]
shutil.copytree(model, copy)
os.chmod(copy, 0o755)
path = copy + '/model.safetensors'
os.chmod(path, 0o644)
with open(path, 'rb') as f:
    header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
    data = f.read()
whole = ('embed', 'shared', 'lm_head', 'relative', 'cls', 'score')
out, new = b'', {}
for name, entry in sorted(header.items()):
    if name == '__metadata__':
        continue
    values = bytearray(data[slice(*entry['data_offsets'])])
    if name in names or (len(entry['shape']) == 2 and not any(word in name for word in whole)):
        for i in range(0, len(values), 14):
            values[i] ^= 0x40  # a low bit
    if name + '+2' in names:
        values += values[:2 * len(values) // entry['shape'][0]]
        entry['shape'][0] += 2
    new[name] = {**entry, 'data_offsets': [len(out), len(out) + len(values)]}
    out += values
text = json.dumps(new).encode()
with open(path, 'wb') as f:
    f.write(struct.pack('<Q', len(text)) + text + out)
EOF
extract() # TUNED BASE OPTION...; shows what is stored whole
{
    cocktail adapter extract "$@" -o lora --force --rank 2 | grep '^stored'
    python3 - <<'EOF'
import json, struct
config = json.load(open('lora/adapter_config.json'))
with open('lora/adapter_model.safetensors', 'rb') as f:
    header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
print(*config['modules_to_save'] or ['nothing'])
for name in sorted(header):
    if '.lora_' not in name and name != '__metadata__':
        print('  ' + name.removeprefix('base_model.model.'), header[name]['shape'])
EOF
}

bert=fixtures/models/bert-mlm-bf16
echo "- a norm of which one tensor differs"
python3 change.py $bert norm bert.encoder.layer.0.output.LayerNorm.weight
extract norm $bert
echo "- the embeddings, to which the head is tied"
python3 change.py $bert words bert.embeddings.word_embeddings.weight
extract words $bert
echo "- a bias in the head"
python3 change.py $bert bias cls.predictions.bias
extract bias $bert

t5=fixtures/models/t5-gated-untied-new-bf16
echo "- T5's embeddings, which both stacks have"
python3 change.py $t5 shared shared.weight
extract shared $t5 --embeddings

echo "- more tokens; the head of a classifier, which does not differ"
base=fixtures/models/llama-score-bf16
python3 change.py $base tokens model.embed_tokens.weight+2
extract tokens $base

# Put on the base again, it is the fine-tuned model.
for pair in words:$bert bias:$bert shared:$t5; do
    cocktail adapter extract -q ${pair%%:*} ${pair#*:} -o full --force --rank 99 >table
    cocktail diff --json ${pair%%:*} ${pair#*:}+full >json
    python3 -c 'import json; assert json.load(open("json"))["relative_l2"] < 1e-6'
done
