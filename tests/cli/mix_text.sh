# What a mix says: the weights that were used and what was written; the time is left out.
set -e
cocktail mix --weights 0.7,0.3 fixtures/reranker-base fixtures/reranker-routes -o out |
    sed 's/ in [0-9.]* s$/ in TIME/'
ls -A out
cat out/README.md
cmp fixtures/reranker-base/config.json out/config.json
cmp fixtures/reranker-base/tokenizer.json out/tokenizer.json

echo '--- -v says more'
cocktail mix -v -t 2 --weights 0.7,0.3 fixtures/reranker-base fixtures/reranker-routes -o more |
    sed 's/ [0-9.]* s\>/ TIME/g'
cmp out/model.safetensors more/model.safetensors

echo '--- a single model is copied'
cocktail mix --weights 1 fixtures/reranker-routes -o one | sed 's/ in [0-9.]* s$/ in TIME/'
cmp fixtures/reranker-routes/model.safetensors one/model.safetensors
