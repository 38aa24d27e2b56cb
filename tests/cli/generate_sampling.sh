# What changes the logits before a token is drawn, and what is said of them. With penalties the texts
# are those of transformers 5.24: m.generate(**tokenizer(prompt, return_tensors="pt"),
# max_new_tokens=24, do_sample=False, repetition_penalty=R).
model=fixtures/decoder-base
json()
{
    "$COCKTAIL" generate $model --prompt 'the old' --json --max-tokens 24 "$@" 2>&1 |
        sed -E 's/,"n_prompt.*"stop":"([a-z]*)".*/ \1/; /^usage/d'
}

echo '--- penalties'
for penalty in 1.2 2; do
    json --repetition-penalty $penalty
done
json --presence-penalty 2
json --frequency-penalty 0.9 --max-tokens 6
echo '--- biases'
json --max-tokens 2 --logit-bias 17=100
json --max-tokens 2 --logit-bias 17=100 --logit-bias 18=100
json --max-tokens 2 --logit-bias 17=99.5 --logit-bias 18=100
echo '--- stops: the first that comes'
json --stop zzz
json --stop the --stop old --stop zzz
echo '--- min-p'
json --temperature 3 --min-p 1
echo '--- log probabilities'
json --max-tokens 2 --logprobs 2 | sed -E 's/(-[0-9]+\.[0-9]{3})[0-9]*/\1/g'
json --max-tokens 1 --logprobs 2 --temperature 9 --logit-bias 17=100 |
    sed -E 's/(-[0-9]+\.[0-9]{3})[0-9]*/\1/g'
json --max-tokens 1 --logprobs 99999 | grep -o '"id"' | wc -l
echo '--- refused'
for bias in 17 17= =1 17=x 17=101 -1=1 1.5=1 '17= 1' 17=nan 99999999=1 99999999999999999999999=1; do
    json --logit-bias "$bias"
done
json --repetition-penalty 0
json --frequency-penalty 2.1
json --presence-penalty -2.1
json --min-p 1.1 --temperature 1
json --min-p 0.5
"$COCKTAIL" generate $model --prompt x --logprobs 2 2>&1 | head -n 1
