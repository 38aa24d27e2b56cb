# A GGUF file of floats and back: the same tensors, bit for bit, and so the same logits; the file as it is
# gives them, too. Of Gemma the norms come back by way of w + 1: exactly from BF16, else within 1.2e-7.
set -e
logits()
{
    seq 5 28 | tr '\n' ' ' | cocktail logits -q --from-ids --format npy "$1" >"$2"
}

for model in gpt2 granitemoe-bf16 granitemoe-bias-f16 llama-bias-f16 llama-gqa llama-linear-f16 llama-llama3-bf16 \
    llama-longrope-bf16 llama-tied-bf16 llama-yarn-factor-f16 mixtral phi3-partial-f16 phi3-su-bf16 qwen2-window-off-f16 \
    qwen3-f16 gemma-bf16 mixtral-fused-bf16; do
    rm -rf model whole back
    cp -r fixtures/models/$model model
    rm -f model/tokenizer* # of a kind that GGUF has not
    cocktail convert -q model -o whole --dtype f32 >/dev/null
    cocktail convert -q model -o $model.gguf --dtype f32 >/dev/null
    cocktail convert -q $model.gguf -o back >/dev/null
    if [[ $model == *fused* ]]; then # which has its experts apart
        echo "$model: $(cocktail inspect back --tensors | grep -c 'experts\.3\.w1')"
    else
        echo "$model: $(cocktail diff --exit-code whole back)"
    fi
    for what in whole back $model.gguf; do
        logits $what "${what%.gguf}.npy"
    done
    cmp whole.npy back.npy
    cmp whole.npy $model.npy
done

echo '--- Gemma in f32: norms within 1.2e-7, the rest equal'
cocktail convert -q fixtures/models/gemma-bf16 -o wide --dtype f32 --force >/dev/null
rm wide/tokenizer*
python3 - <<'END'
import json, struct
path = "wide/model.safetensors"
data = bytearray(open(path, "rb").read())
n = struct.unpack("<Q", data[:8])[0]
for name, about in json.loads(data[8:8 + n]).items():
    if name.endswith("norm.weight"):
        begin, end = (8 + n + x for x in about["data_offsets"])
        values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
        data[begin:end] = struct.pack(f"<{len(values)}f", *(v * 1.0009765 + 0.1 for v in values))
open(path, "wb").write(data)
END
cocktail convert -q wide -o wide.gguf >/dev/null
cocktail convert -q wide.gguf -o again >/dev/null
cocktail diff --json --tensors wide again | python3 -c '
import json, sys
for t in json.load(sys.stdin)["tensors"]:
    assert t["identical"] or ("norm" in t["name"] and t["max_abs"] <= 1.2e-7), t
print("as it should be")'

echo '--- tokens of a whole model'
cocktail convert -q fixtures/decoder-base -o decoder.gguf >/dev/null
cocktail convert -q decoder.gguf -o decoder >/dev/null
for text in 'a b' '12+7=' 'The lighthouse keeper, 1999.'; do
    cmp <(cocktail tokenize fixtures/decoder-base <<<"$text") <(cocktail tokenize decoder.gguf <<<"$text")
    cmp <(cocktail tokenize fixtures/decoder-base <<<"$text") <(cocktail tokenize decoder <<<"$text")
done
cocktail generate -q --prompt '12+7=' --max-tokens 8 fixtures/decoder-base
cocktail generate -q --prompt '12+7=' --max-tokens 8 decoder.gguf

golden=${COCKTAIL_TEST_DATA:+$COCKTAIL_TEST_DATA/golden/gguf}
[[ -n $golden && -d $golden ]] || exit 0
tensors()
{
    python3 "$FIXTURES/../tests/gguf_show.py" "$1" tensors | LC_ALL=C sort
}
for name in qwen2-f16 phi3-f16 bert-f16 gemma-bf16 llama-spm-q8_0 gpt2-q8_0; do # as llama.cpp wrote them
    cocktail convert -q "$golden/$name.gguf" -o "again-$name.gguf" --dtype "${name##*-}" >/dev/null
    cmp <(tensors "$golden/$name.gguf") <(tensors "again-$name.gguf")
    [[ $(cocktail inspect --json "again-$name.gguf") == *'"M2'* ]] || echo "$name: has lost its name"
done
for file in "$golden"/*.json; do # what each tensor holds, in f32
    name=$(basename "$file" .json)
    [[ $name == metadata ]] && continue
    cocktail convert -q "$golden/$name.gguf" -o "golden-$name" --dtype f32 >/dev/null
    python3 - "$file" "golden-$name/model.safetensors" <<'END'
import hashlib, json, struct, sys
data = open(sys.argv[2], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
found = {k: (v["shape"], hashlib.sha256(data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]).hexdigest())
         for k, v in json.loads(data[8:8 + n]).items() if k != "__metadata__"}
for name, t in json.load(open(sys.argv[1]))["tensors"].items():
    if found.get(name) != (t["shape"], t["sha256"]):
        print(sys.argv[1], name, found.get(name))
END
done
