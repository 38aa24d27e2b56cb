# Every other file of the base goes along, but for what the merge has made stale.
set -e
mkdir -p base/{onnx,original,checkpoint-5,.git,.cache,extra/deep}
cp fixtures/reranker-base/* base
for name in modeling_own.py LICENSE extra/deep/notes.txt .hidden pytorch_model.bin tf_model.h5 \
    optimizer.pt training_args.bin adapter_config.json .gitattributes onnx/model.onnx \
    original/params.json checkpoint-5/config.json .git/HEAD .cache/x model.gguf README.md \
    extra/other.safetensors; do
    echo "$name" >base/$name
done
cocktail mix --weights 0.5,0.5 base fixtures/reranker-routes -o out >/dev/null
(cd out && find . -type f | sort)
for name in modeling_own.py LICENSE extra/deep/notes.txt .hidden; do
    cmp base/$name out/$name
done
grep -c '^base_model' out/README.md

echo '--- -q says nothing of it'
cocktail mix -q --weights 1 base -o quiet >/dev/null

echo '--- the base is not touched'
cmp fixtures/reranker-base/config.json base/config.json
cat base/README.md
