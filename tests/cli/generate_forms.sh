# Where a text ends, what is drawn, and what is refused.
set -e
model=fixtures/decoder-tense
prompt='Past tense: the sailor cleans the empty island and the pencil'
shown()
{
    "$COCKTAIL" generate $model --prompt "$prompt" "$@"
}
json()
{
    shown --json "$@" | sed -E 's/"tokens_per_second":([0-9.]+|null)/"tokens_per_second":N/'
}

echo '--- lengths'
shown
json --max-tokens 10
json --max-tokens 9
json --max-tokens 1
echo '--- stop'
json --stop ' island'
json --stop isl
json --stop 'empty island'
json --stop 'the empty ' # all but its last character ends a token
json --stop 'the sailor cleaned the empty island and the pencil of'
shown --stop ' island' | od -An -c
shown --stop ' the sailor'

echo '--- draws'
shown --temperature 1 --seed 1 >one
shown --temperature 1 --seed 1 | cmp one -
shown --temperature 1 | cmp one -
shown --temperature 1 --seed 1 -t1 | cmp one -
for ((seed = 1; seed <= 8; seed++)); do
    "$COCKTAIL" generate fixtures/decoder-base --prompt 'the old' --temperature 1.5 --seed $seed
done | sort -u | wc -l
shown --temperature 2 --top-k 1
shown --temperature 2.5e0 --top-p .001

echo '--- the end of the context'
"$COCKTAIL" generate fixtures/decoder-base --prompt "$(printf ' the%.0s' {1..254})" --json \
    --temperature 3 --seed 5 | grep -o '"n_prompt_tokens".*"stop":"length"'

echo '--- where eos is looked for'
cp -r $model copy
model=copy
json --max-tokens 12 | grep -o '"stop.*'
echo '{"eos_token_id": [17, 276]}' >copy/generation_config.json
json --max-tokens 12
echo '{}' >copy/generation_config.json
json --max-tokens 12 | grep -o '"stop.*'
sed -i 's/"eos_token_id": 2/"eos_token_id": 262/' copy/config.json
json --max-tokens 12
rm copy/generation_config.json
json --max-tokens 12

echo '--- encoder-decoders'
"$COCKTAIL" generate fixtures/models/t5 --prompt 't1 t2 t3' --max-tokens 3 --json |
    grep -o '"n_prompt_tokens":[0-9]*,"n_tokens":[0-9]*'
