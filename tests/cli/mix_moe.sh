# Models with experts of their own kind: mixed with themselves they are what they were, buffers that
# are no parameters go along, and what does not fit is refused.
set -e
models=fixtures/models
echo '1 2 3 4 5 6 7 8 9 1 1 1 1' >ids
for model in molm molm-gmm-f16 openmoe openmoe-k1-f16 jetmoe-bf16; do
    "$COCKTAIL" mix --weights 0.25,0.75 $models/$model $models/$model -o out-$model -q >said
    "$COCKTAIL" diff $models/$model out-$model
    "$COCKTAIL" logits $models/$model --from-ids ids >before
    "$COCKTAIL" logits out-$model --from-ids ids | cmp before
done
"$COCKTAIL" inspect --tensors out-molm | grep -c -e attn.mask -e attn.cum_weight
status=0
"$COCKTAIL" mix --weights 0.5,0.5 $models/openmoe $models/openmoe-k1-f16 -o none 2>&1 || status=$?
echo "exit $status"
