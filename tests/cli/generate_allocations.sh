# A token that follows takes no memory of its own: what grows with the text doubles.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
count() # TOKENS, COMMAND...
{
    count_calls memory "${@:2}" --max-tokens "$1"
    grep -q "\"n_tokens\":$1," out || echo "not $1 tokens: $(<out)"
}
for model in decoder-base moe-base; do
    for more in "--temperature 1 --seed 3 --top-k 40 --top-p 0.9" "--repetition-penalty 1.1" "--compute fast"; do
        bias=$(python3 -c "import json; print(json.load(open('fixtures/$model/config.json'))['eos_token_id'])")
        for n in 40 200; do
            # shellcheck disable=SC2086
            count $n generate "fixtures/$model" --json -q --prompt 'the old' -t 1 --logit-bias "$bias=-100" $more
            calls[n]=$n_calls
        done
        ((calls[200] - calls[40] <= 16)) ||
            echo "$model $more: $((calls[200] - calls[40])) allocations for 160 tokens more"
    done
done
