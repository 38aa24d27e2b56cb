# What inspect says of models in every form, and of single files.
set -e
for model in encoder-base encoder-bin encoder-repairs reranker-legacy; do
    cocktail inspect fixtures/$model
    echo
done
cocktail inspect fixtures/reranker-base/model.safetensors
echo
cocktail inspect -q -t 1 fixtures/reranker-legacy/pytorch_model.bin
echo
for model in mixtral mixtral-fused-bf16 qwen2-moe granitemoe-bf16 jetmoe-bf16 molm openmoe switch-transformers-bf16; do
    cocktail inspect fixtures/models/$model | sed -n '/^parameters/p; /^experts/p'
    cocktail inspect --json fixtures/models/$model | grep -o '"parameters.*active_parameters":[0-9]*'
done
