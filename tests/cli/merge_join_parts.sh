# What else than a Llama calls the parts over its tokens: their rows move as well, and where they are not
# known nothing is made.
exec 2>&1
models="${FIXTURES%/*}/tests/token_models.py"
python3 "$models" make
rewrite="${FIXTURES%/*}/tests/rewrite_model.py"
try() # NAME OF THE EMBEDDING, NAME OF THE HEAD
{
    echo "--- $*"
    rm -rf ./*-x out
    for name in a b; do
        python3 "$rewrite" $name $name-x "rename=model.embed_tokens.weight=$1" "rename=lm_head.weight=$2" \
            'set=architectures=["BloomForCausalLM"]' 'set=model_type="bloom"'
    done
    cocktail mix -q -w 0,1 --tokenizer union a-x b-x -o out >/dev/null && python3 "$models" rows out
    cocktail tokenizer -q move a-x b-x -f -o out --method zero >/dev/null && python3 "$models" rows out
}
try transformer.word_embeddings.weight lm_head.weight
try backbone.embeddings.weight lm_head.weight
try vocabulary.weight lm_head.weight
try transformer.word_embeddings.weight fourth.weight

echo '--- a bias of one row'
python3 - <<'P'
import json, struct
for name, number in (("a", 1), ("b", 2)):
    with open(f"{name}/model.safetensors", "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    n = header["lm_head.weight"]["shape"][0]
    header["final_logits_bias"] = {"dtype": "F32", "shape": [1, n], "data_offsets": [len(data), len(data) + 4 * n]}
    data += struct.pack(f"<{n}f", *(100 * number + i for i in range(n)))
    text = json.dumps(header).encode()
    with open(f"{name}/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
P
sed -i 's/LlamaForCausalLM/BloomForCausalLM/; s/"llama"/"bloom"/' [ab]/config.json
bias()
{
    python3 - <<'P'
import json, struct
with open("out/model.safetensors", "rb") as file:
    (size,) = struct.unpack("<Q", file.read(8))
    header, data = json.loads(file.read(size)), file.read()
at = header["final_logits_bias"]
print(at["shape"], *struct.unpack(f"<{at['shape'][1]}f", data[slice(*at["data_offsets"])]))
P
}
cocktail mix -q -w 0,1 --tokenizer union a b -f -o out >/dev/null && bias
cocktail mix -q -w 1,0 --tokenizer b a b -f -o out >/dev/null && bias
cocktail tokenizer -q move a b -f -o out --method zero >/dev/null && bias
