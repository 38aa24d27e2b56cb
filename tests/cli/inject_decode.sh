# A token that is like the one before allocates nothing, whatever the kind of model.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection

# Allocations of texts of 16 and of 56 tokens: prompt, loading and the first tokens are in both, and
# lists grow a few times more.
for model in moe-base models/t5 models/gemma3-f16 models/jetmoe-bf16 models/deepseek-v3-f16; do
    rm -rf model
    cp -r "$FIXTURES/$model" model
    echo '{"eos_token_id": [1000000]}' >model/generation_config.json
    calls=()
    for n in 16 56; do
        count_calls memory generate model --prompt 't1 t2' --max-tokens "$n" --threads 1 \
            --temperature 1 --json
        grep -q "\"n_tokens\":$n," out || echo "$model: $(<out)"
        calls+=("$n_calls")
    done
    ((calls[1] - calls[0] <= 8)) || echo "$model: ${calls[*]} allocations"
done
