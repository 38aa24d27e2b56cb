# A weights file is a model without config and tokenizer: as the base it gives weights and a card.
set -e
cocktail mix --weights 0.5,0.5 fixtures/reranker-base fixtures/reranker-routes -o folders >/dev/null
cocktail mix --weights 0.5,0.5 fixtures/reranker-base fixtures/reranker-routes/model.safetensors \
    -o second >/dev/null
cmp folders/model.safetensors second/model.safetensors
cmp folders/config.json second/config.json
cocktail mix --weights 0.5,0.5 fixtures/reranker-base/model.safetensors \
    fixtures/reranker-legacy/pytorch_model.bin -o both >/dev/null
cmp folders/model.safetensors both/model.safetensors
ls both
