# Quantised models are read by all commands as the models that were quantised: logits of the originals,
# exact means, the dtype that config.json says, nothing left of what said that they were quantised. Ways
# that are not read end with 10 wherever values are read.
export COCKTAIL_THREADS=2

try() # ARGUMENT...
{
    echo "\$ $*"
    cocktail "$@" 2>&1 </dev/null
    echo "exit $?$([[ -e out ]] && echo ', written')"
}

cat >tools.py <<'END'
import json, os, struct, subprocess, sys
def read(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:8 + n])
    head.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + n:][slice(*v["data_offsets"])]) for k, v in head.items()}
def write(path, tensors):
    head, at = {}, 0
    for k, (dtype, shape, content) in tensors.items():
        head[k] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values()))
END

echo '--- logits of the originals'
cat >logits.py <<'END'
import json, subprocess, sys
for case in json.load(open(sys.argv[1] + "/cases.json")):
    ids = " ".join(map(str, case["ids"])) + "\n"
    out = subprocess.run(["cocktail", "logits", sys.argv[1], "--from-ids"], input=ids, capture_output=True, text=True)
    got, want = [json.loads(line) for line in out.stdout.splitlines()], case["logits"]
    most = max(abs(x) for row in want for x in row)
    worst = max(abs(a - b) for g, w in zip(got, want) for a, b in zip(g, w)) / most if got else 1
    print("equal" if len(got) == len(want) and worst < 5e-6 else f"differ by {worst}: {out.stderr}")
END
for model in fixtures/quantised/*; do
    echo "${model##*/}: $(python3 logits.py "$model")"
done
shopt -s nullglob
for model in ${COCKTAIL_TEST_DATA:+$COCKTAIL_TEST_DATA/golden/quantised/*/}; do
    result=$(python3 logits.py "${model%/}")
    [[ $result == equal ]] || echo "$model: $result"
done

echo '--- what they are'
gptq=fixtures/quantised/gptq-4bit-actorder
mlx=fixtures/quantised/mlx-4bit
for model in fixtures/quantised/*; do
    cocktail inspect "$model" | grep -E '^(parameters|dtypes|quantization)'
done
cocktail inspect $gptq --json | grep -o '"dtypes":{[^}]*}'
cocktail inspect $mlx --tensors | grep 'layers.0.*_proj'

echo '--- mixed'
try mix --weights 0.5,0.5 $gptq $mlx -o out | grep exit
grep -c quant out/config.json
grep torch_dtype out/config.json
ls out
cat >mean.py <<'END'
from tools import *
models = [read(path + "/model.safetensors") for path in sys.argv[1:]]
result = models.pop(0)
floats = lambda t: struct.unpack("<%df" % (len(t[2]) // 4), t[2])
for name, (dtype, shape, content) in result.items():
    means = [.5 * a + .5 * b for a, b in zip(floats(models[0][name]), floats(models[1][name]))]
    if dtype != "F16" or struct.pack("<%de" % len(means), *means) != content:
        print(name, "differs")
print(len(result), "tensors compared")
END
cocktail mix -q --weights 1 --dtype f32 $gptq -o gptq >/dev/null
cocktail mix -q --weights 1 --dtype f32 $mlx -o mlx >/dev/null
python3 mean.py out gptq mlx
cocktail mix -q --weights 1 $mlx -o mlx-bf16 >/dev/null
cocktail mix -q --weights 1 --dtype bf16 mlx -o twice >/dev/null
cmp mlx-bf16/model.safetensors twice/model.safetensors && echo 'config.json says bfloat16'
cocktail mix -q --weights 1 $gptq -o 1 --threads 1 >/dev/null
cocktail mix -q --weights 1 $gptq -o 3 --threads 3 >/dev/null
cmp 1/model.safetensors 3/model.safetensors && echo 'the same on any number of threads'
try diff $gptq gptq
rm -r out

echo '--- FP8 with scales, also where no file says so'
cat >fp8.py <<'END'
from tools import *
import shutil
source, target, scale = sys.argv[1:4]
shutil.copytree(source, target)
out = {}
for name, (dtype, shape, content) in sorted(read(source + "/model.safetensors").items()):
    if len(shape) == 2 and "embed" not in name:
        out[name] = "F8_E4M3", shape, bytes(i * 37 % 64 for i in range(shape[0] * shape[1]))
        if scale != "-":
            out[name.replace(".weight", scale)] = "F32", [], struct.pack("<f", .25)
    else:
        out[name] = dtype, shape, content
write(target + "/model.safetensors", out)
END
for kind in decoder encoder reranker; do
    python3 fp8.py fixtures/$kind-base $kind .weight_scale
done
python3 fp8.py fixtures/decoder-base blocks .weight_scale_inv
python3 fp8.py fixtures/decoder-base unknown .scale_weight
python3 fp8.py fixtures/decoder-base plain -
python3 fp8.py fixtures/decoder-base lacking -
sed -i '0,/{/s//{"quantization_config": {"quant_method": "fp8"},/' lacking/config.json
cp -r fixtures/decoder-base only-said
sed -i '0,/{/s//{"quantization_config": {"quant_method": "fp8"},/' only-said/config.json
cp -r fixtures/decoder-base aqlm
sed -i '0,/{/s//{"quantization_config": {"quant_method": "aqlm"},/' aqlm/config.json
cocktail mix -q --weights 1 --dtype f32 decoder -o floats >/dev/null
echo 1 2 3 >ids
for model in decoder blocks floats; do
    cocktail logits $model --from-ids ids | cksum
done
try diff decoder blocks
try embed encoder --format npy <<<a | grep -a exit
try rerank reranker --query a | grep exit
try eval only-said --examples fixtures/examples/arithmetic.jsonl | grep exit
try mix --weights 1 decoder/model.safetensors -o out | grep exit
rm -r out

echo '--- settings beside config.json; biases of zeros, and another'
cp -r $gptq beside
python3 -c 'import json, sys
config = json.load(open("beside/config.json"))
del config["quantization_config"]
json.dump(config, open("beside/config.json", "w"))'
grep -c quant beside/config.json
python3 logits.py beside
cp -r $gptq biased
cat >bias.py <<'END'
from tools import *
tensors = read("biased/model.safetensors")
dtype, shape, content = tensors["model.layers.1.mlp.down_proj.bias"]
tensors["model.layers.1.mlp.down_proj.bias"] = dtype, shape, content[:-1] + b"\x3c"
write("biased/model.safetensors", tensors)
END
python3 bias.py
try inspect biased

echo '--- what cannot be read'
examples=fixtures/examples
try mix --weights 0.5,0.5 fixtures/decoder-base unknown -o out
try mix --weights 1 $gptq/model.safetensors -o out
try mix --weights 0.5,0.5 fixtures/decoder-base aqlm -o out --dry-run
try mix-data --examples $examples/arithmetic.jsonl aqlm aqlm -o out
try mix-data --examples $examples/arithmetic.jsonl unknown unknown --weights-only
try eval aqlm --examples $examples/arithmetic.jsonl
try generate unknown --prompt a
try logits aqlm
try diff aqlm aqlm
try generate lacking --prompt a
try inspect lacking
for model in unknown aqlm; do
    try inspect $model | grep -E '^(dtypes|quantization|exit)'
done
echo 'one two' >text
try tokenize aqlm text

echo '--- plain FP8'
try mix --weights 0.5,0.5 plain plain -o out | grep exit
try diff plain out
rm -r out
try inspect plain | grep -E '^(dtypes|quantization|exit)'
try eval plain --examples $examples/arithmetic.jsonl | grep exit
