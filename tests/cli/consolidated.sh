# Mistral's own files: they run, mix among themselves into such files, and with no others.
models=$FIXTURES/models
own=$models/mixtral-consolidated
complain() # COMMAND…: its message and exit status
{
    local status=0

    cocktail "$@" >/dev/null 2>message || status=$?
    sed "s|$FIXTURES/||g" message
    echo "exit $status"
}
changed() # NAME SED-SCRIPT: a copy of $own with other params
{
    mkdir "$1"
    cp "$own/consolidated.safetensors" "$own"/tokenizer* "$1"
    sed "$2" "$own/params.json" >"$1/params.json"
}

echo "same text as in the layout of transformers:"
cocktail generate "$models/mixtral" --prompt 'w3 w7 w12' --max-tokens 12 --json |
    grep -o '"ids":[^]]*]' >expected
for model in mixtral-consolidated mixtral-first-release; do
    cocktail generate "$models/$model" --prompt 'w3 w7 w12' --max-tokens 12 --json |
        grep -o '"ids":[^]]*]' | cmp - expected && echo "$model"
done

echo "a mix of two:"
changed other 's/zzz//'
cocktail mix -q --weights 0.5,0.5 "$own" other -o out >/dev/null
ls out
cmp out/params.json "$own/params.json"
cocktail diff "$own" out --json | grep -o '^{"identical":[a-z]*'
cocktail mix -q --shard-size 30KB --weights 0.5,0.5 "$own" other -o shards >/dev/null
ls shards
cocktail diff "$own" shards --json | grep -o '^{"identical":[a-z]*'
cocktail mix -q --weights 0.5,0.5 "$models/mixtral-first-release" \
    "$models/mixtral-first-release" -o first >/dev/null
cocktail diff "$models/mixtral-first-release" first --json | grep -o '^{"identical":[a-z]*'

echo "with another layout:"
complain mix --weights 0.5,0.5 "$own" "$models/mixtral" -o none
complain mix --weights 0.5,0.5 "$models/mixtral/model.safetensors" \
    "$own/consolidated.safetensors" -o none
complain mix --weights 0.5,0.5 "$own" "$models/mixtral-first-release" -o first-release

echo "params that contradict the tensors, or cannot be:"
changed dim 's/"dim": 20/"dim": 24/'
changed heads 's/"n_kv_heads": 2/"n_kv_heads": 4/'
changed fewer 's/"num_experts": 5/"num_experts": 4/'
changed more 's/"num_experts": 5/"num_experts": 6/'
changed none 's/"num_experts": 5/"num_experts": 0/'
changed million 's/"num_experts": 5/"num_experts": 1000000/'
changed chosen 's/"num_experts_per_tok": 2/"num_experts_per_tok": 7/'
changed layers 's/"n_layers": 2/"n_layers": 3/'
changed llama 's/"hidden_dim": 11,//'
changed scaled 's/"dim": 20/"yarn": {}, "dim": 20/'
changed packed 's/"dim": 20/"quantization": {"qformat_weight": "fp8_e4m3"}, "dim": 20/'
changed broken 's/}//'
for model in dim heads fewer more none million chosen layers llama scaled packed broken; do
    complain generate "$model" --prompt w3
done
