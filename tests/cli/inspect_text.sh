# What inspect says of models in every form, and of single files.
set -e
for model in encoder-base encoder-bin encoder-repairs reranker-legacy; do
    cocktail inspect fixtures/$model
    echo
done
cocktail inspect fixtures/reranker-base/model.safetensors
echo
cocktail inspect -q -t 1 fixtures/reranker-legacy/pytorch_model.bin
