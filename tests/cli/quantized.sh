# FP8 numbers that need the scales beside them: whoever reads values refuses, with the
# tensor or file named, whether or not a file says that they are quantised; what reads no values
# goes on. Plain FP8 is numbers like any other.
cat >fp8.py <<'END'
import json, os, shutil, struct, sys
source, target, scale = sys.argv[1:4]
shutil.copytree(source, target)
path = os.path.join(target, "model.safetensors")
data = open(path, "rb").read()
n = struct.unpack("<Q", data[:8])[0]
head, body, out, offset = json.loads(data[8:8 + n]), data[8 + n:], {}, 0
parts = []
def add(name, dtype, shape, content):
    global offset
    out[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(content)]}
    offset += len(content)
    parts.append(content)
for name, row in sorted(head.items()):
    if name == "__metadata__":
        continue
    first, last = row["data_offsets"]
    if len(row["shape"]) == 2 and "embed" not in name:
        n_items = row["shape"][0] * row["shape"][1]
        add(name, "F8_E4M3", row["shape"], bytes(i * 37 % 64 for i in range(n_items)))
        if scale != "-":
            add(name.replace(".weight", scale), "F32", [], struct.pack("<f", 0.01))
    else:
        add(name, row["dtype"], row["shape"], body[first:last])
text = json.dumps(out).encode()
text += b" " * (-len(text) % 8)
open(path, "wb").write(struct.pack("<Q", len(text)) + text + b"".join(parts))
END
for kind in decoder encoder reranker; do
    python3 fp8.py fixtures/$kind-base $kind .weight_scale
done
python3 fp8.py fixtures/decoder-base blocks .weight_scale_inv
python3 fp8.py fixtures/decoder-base named .weight_scale
echo '{"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}' >named/hf_quant_config.json
python3 fp8.py fixtures/decoder-base plain -
python3 fp8.py fixtures/moe-base moe .weight_scale
cp -r fixtures/decoder-base config
sed -i '0,/{/s//{"quantization_config": {"quant_method": "fp8"},/' config/config.json
export COCKTAIL_THREADS=2

try() # ARGUMENT...
{
    echo "\$ $*"
    cocktail "$@" 2>&1 </dev/null
    echo "exit $?$([[ -e out ]] && echo ', written')"
}

examples=fixtures/examples
echo '--- what reads values'
try mix --weights 0.5,0.5 decoder decoder -o out
try mix --weights 0.5,0.5 fixtures/decoder-base blocks -o out
try mix --weights 0.5,0.5 fixtures/decoder-base named -o out --dry-run
try mix --weights 0.5,0.5 config config -o out
try mix --weights 1 decoder/model.safetensors -o out
try mix-data --examples $examples/arithmetic.jsonl named named -o out
try mix-data --examples $examples/arithmetic.jsonl blocks blocks --weights-only
try eval decoder --examples $examples/arithmetic.jsonl
try eval named --examples $examples/arithmetic.jsonl
try embed encoder
try rerank reranker --query a
try generate blocks --prompt a
try logits named
try logits config
try routers moe --examples $examples/arithmetic.jsonl
try diff decoder decoder
try diff fixtures/decoder-base blocks

echo '--- what does not'
echo 'one two' >text
try tokenize named text
for model in decoder blocks named config plain; do
    try inspect $model | grep -E '^(dtypes|quantization|exit)'
done
try inspect blocks --json | grep -o '"quantization":[^,]*'

echo '--- plain numbers'
try mix --weights 0.5,0.5 plain plain -o out | grep exit
try diff plain out
rm -r out
try eval plain --examples $examples/arithmetic.jsonl | grep exit
