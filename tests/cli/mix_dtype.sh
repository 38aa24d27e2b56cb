# --dtype stores every floating tensor so, and config.json says it; nothing else in it changes.
set -e
dtypes()
{
    cocktail inspect "$1" | grep '^dtypes'
}

for dtype in f32 f16 bf16; do
    cocktail mix -q --weights 0.5,0.5 fixtures/reranker-base fixtures/reranker-routes -o $dtype \
        --dtype $dtype >/dev/null
    dtypes $dtype
    diff fixtures/reranker-base/config.json $dtype/config.json || true
done

echo '--- as the base has it, whatever the others have'
cocktail mix -q --weights 0.5,0.5 bf16 fixtures/reranker-routes -o mixed >/dev/null
dtypes mixed
cmp bf16/config.json mixed/config.json

echo '--- to more bits and back'
cocktail mix -q --weights 1 bf16 -o wide --dtype f32 >/dev/null
cocktail diff bf16 wide | grep '^all' | awk '{print "max abs", $2, "relative L2", $3}'
cocktail mix -q --weights 1 wide -o back --dtype bf16 >/dev/null
cmp bf16/model.safetensors back/model.safetensors

echo '--- an old key stays an old key, a missing one is added'
mkdir old none
cp fixtures/reranker-base/* old
cp fixtures/reranker-base/* none
sed -i 's/"dtype": "float32"/"torch_dtype": "float32"/' old/config.json
sed -i '/"dtype": /d' none/config.json
cocktail mix -q --weights 1 old -o old-out --dtype f16 >/dev/null
cocktail mix -q --weights 1 none -o none-out --dtype f16 >/dev/null
diff old/config.json old-out/config.json || true
diff none/config.json none-out/config.json || true
