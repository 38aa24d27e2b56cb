# Texts that are too long are cut; what a decoder cannot take is refused, and where it stands is said.
try()
{
    echo "\$ logits $*"
    "$COCKTAIL" logits "$@" 2>&1 >out | grep -v '^usage: '
    echo "exit ${PIPESTATUS[0]}, $(wc -l <out) rows"
}
model=fixtures/decoder-base

for ((i = 0; i < 300; i++)); do printf '5 '; done >long
echo '1 2 3' >short
try $model --from-ids long
try $model --from-ids --max-input-length 2 short long
try $model --from-ids short --max-input-length 2
printf '1 2\n3 x\n' | try $model --from-ids
printf '1 2\n\n' | try $model --from-ids
printf '1 827\n' | try $model --from-ids
try $model /dev/null
try $model short --whole --lines
try $model short --from-ids --jsonl
try $model short --json --format npy
try $model absent
try fixtures/encoder-base short
try fixtures/reranker-base short
try fixtures/models/t5 short
try fixtures/encoder-base short --type decoder
mkdir without-tokenizer
cp $model/config.json $model/model.safetensors without-tokenizer
try without-tokenizer short
