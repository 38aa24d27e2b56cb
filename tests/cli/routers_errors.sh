# Models that have no routers, pairs that cannot be compared, and options that make no sense.
examples=fixtures/routers/examples.jsonl
try() # ARGUMENT...
{
    local status

    echo "\$ routers $*"
    cocktail routers "$@" 2>&1 >out | grep -v '^usage: '
    status=${PIPESTATUS[0]}
    ((status == 0)) || echo "exit $status$([[ -s out ]] && echo ', and something on stdout')"
}

mixtral=fixtures/models/mixtral
try $mixtral
try --examples $examples
try $mixtral $mixtral $mixtral --examples $examples
try $mixtral --examples $examples --csv --json
try $mixtral --examples $examples --force
try $mixtral --examples missing

echo '--- no routers'
try fixtures/decoder-base --examples $examples
try fixtures/models/t5 --examples $examples
try fixtures/encoder-base --examples $examples
try $mixtral fixtures/models/llama-gqa --examples $examples

echo '--- not to be compared'
try $mixtral fixtures/models/mixtral-fused-bf16 --examples $examples
try $mixtral fixtures/models/qwen2-moe --examples $examples
try $mixtral fixtures/models/jetmoe-bf16 --examples $examples
try fixtures/models/switch-transformers-bf16 $mixtral --examples $examples
cp -rL $mixtral renamed
sed -i 's/"t7"/"seven"/' renamed/tokenizer.json
try $mixtral renamed --examples $examples
rm renamed/tokenizer*
try $mixtral renamed --examples $examples
try renamed $mixtral --examples $examples

echo '--- damaged'
cp -rL $mixtral damaged
printf '\xff\x7f\xff\x7f' | dd of=damaged/model.safetensors bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s damaged/model.safetensors) - 4))
try damaged --examples $examples
try $mixtral missing --examples $examples
