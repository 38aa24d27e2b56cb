# Llama's own files, whose matrices are cut into slices over numbered files: they are put together by
# their names, run and mix, and what does not fit is told.
models=$FIXTURES/models
second=$models/llama-2-ranks-f16 third=$models/llama-3-ranks-bf16
complain() # COMMAND…: its message and exit status
{
    local status=0

    cocktail "$@" >/dev/null 2>message || status=$?
    sed "s|$FIXTURES/||g" message
    echo "exit $status"
}
logits() # MODEL
{
    echo 1 5 9 60 7 | cocktail logits "$1" --from-ids
}
changed() # NAME PYTHON: a copy of $third whose rank 1 has header h and bytes d changed
{
    mkdir "$1"
    cp "$third"/{params.json,tokenizer.json,tokenizer_config.json,consolidated.*} "$1"
    python3 - "$1/consolidated.01.safetensors" "$2" <<'PY'
import json, struct, sys
path, change = sys.argv[1:]
data = open(path, "rb").read()
n, = struct.unpack("<Q", data[:8])
h, d = json.loads(data[8:8 + n]), bytearray(data[8 + n:])
def cut(name, shape):
    """A smaller tensor at the place of the old one; what follows stays where it is."""
    h["unused"] = dict(h[name])
    begin, end = h[name]["data_offsets"]
    size = 2 * shape[0] * shape[1]
    h[name].update(shape=shape, data_offsets=[begin, begin + size])
    h["unused"].update(shape=[(end - begin - size) // 2], data_offsets=[begin + size, end])
exec(change)
head = json.dumps(h).encode()
open(path, "wb").write(struct.pack("<Q", len(head)) + head + d)
PY
}

echo "what it is:"
for model in "$second" "$third"; do
    cocktail inspect "$model" --tensors | grep -E "^(architecture|size|output|tok_emb|norm|layers.0.*w[2k])" |
        sed 's/ *$//'
done

echo "mixed into one file:"
for model in "$second" "$third"; do
    cocktail mix -q --weights 0.5,0.5 "$model" "$model" -o out --force >/dev/null
    ls out
    cmp "$model/params.json" out/params.json
    cmp <(logits "$model") <(logits out) && echo "the same"
    cocktail diff "$model" out --json | grep -o '^{"identical":[a-z]*'
    cocktail mix -q --weights 0.3,0.7 "$model" out -o again --force >/dev/null
    cmp out/consolidated.safetensors again/consolidated.safetensors
done

echo "the other ending:"
mkdir pt
cp "$second"/{params.json,tokenizer*} pt
for i in 00 01; do cp "$second/consolidated.$i.pth" "pt/consolidated.$i.pt"; done
printf 'digest consolidated.00.pt\n' >pt/checklist.chk
cmp <(logits "$second") <(logits pt) && echo "the same"
cocktail mix -q --weights 0.5,0.5 pt pt -o out --force >/dev/null
ls out

echo "with a tiktoken file:"
mkdir own
cp "$third"/{params.json,consolidated.*} own
printf 'YQ== 0\nYg== 1\nYWI= 2\nIA== 3\n' >own/tokenizer.model
printf '{"input": "ab", "output": "a b"}\n' >ex.jsonl
cocktail eval own --examples ex.jsonl --json | grep -o '"n_examples":1,"n_tokens":[0-9]*'

echo "files that are not there:"
cp -r "$third" first
rm first/consolidated.00.safetensors
cp -r "$third" last
rm last/consolidated.01.safetensors
cp -r "$third" middle
mv middle/consolidated.01.safetensors middle/consolidated.02.safetensors
for model in first last middle; do
    complain logits "$model" --from-ids
done
complain mix --weights 0.5,0.5 "$third" last -o none

echo "slices that do not fit:"
changed shape 'cut("layers.1.attention.wo.weight", [63, 32])'
changed dtype 'h["layers.0.attention.wq.weight"]["dtype"] = "F16"'
changed norm 'b = h["layers.1.ffn_norm.weight"]["data_offsets"][0]; d[b] ^= 1'
for model in shape dtype norm; do
    complain inspect "$model"
done
changed strange 'h["x.weight"] = h.pop("layers.0.attention.wk.weight")'
complain inspect strange
python3 - <<'PY'
import pathlib, shutil
for i in ("00", "01"):
    path = pathlib.Path("strange") / f"consolidated.{i}.safetensors"
    shutil.copy(pathlib.Path("dtype") / f"consolidated.{i}.safetensors", path)
    path.write_bytes(path.read_bytes().replace(b"layers.0.attention.wq.weight", b"layers.0.attention.wx.weight"))
PY
complain inspect strange

echo "params.json that says something else:"
params() # NAME SED-SCRIPT
{
    rm -rf "$1"
    cp -r "$third" "$1"
    sed -i "$2" "$1/params.json"
}
params wide 's/"multiple_of": 16/"multiple_of": 32/; s/1.3/1.5/'
params heads 's/"n_kv_heads": 2/"n_kv_heads": 1/'
params tokens 's/"vocab_size": 64/"vocab_size": 65/'
params vision 's/"dim": 64/"vision_chunk_size": 448, "dim": 64/'
params zero 's/"multiple_of": 16/"multiple_of": 0/'
params scaled 's/"use_scaled_rope": true/"use_scaled_rope": 1/'
params lost 's/"dim": 64,//'
for model in wide heads tokens vision zero scaled lost; do
    complain logits "$model" --from-ids
done
