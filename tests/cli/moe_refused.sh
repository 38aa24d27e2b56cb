# Which mixture the models make, and what is refused: exit code, one sentence, nothing written.
. "$FIXTURES/../tests/inject/common.bash"
mkdir place models
copy() # NAME, FIXTURE, EDIT...: with members of config.json, "key=value"
{
    cp -r "$FIXTURES/$2" "models/$1"
    rm -f "models/$1/golden.safetensors"
    python3 - "models/$1/config.json" "${@:3}" <<'P'
import json, sys
config = json.load(open(sys.argv[1]))
for edit in sys.argv[2:]:
    key, value = edit.split("=", 1)
    config[key] = json.loads(value)
json.dump(config, open(sys.argv[1], "w"))
P
}
file() # BASE, EXPERT, EXPERT, LINE...
{
    printf '%s\n' "base_model: $1" "gate_mode: random" "experts:" "- {source_model: $2}" "- {source_model: $3}" "${@:4}" \
        >recipe.yml
}
makes() # CLASS, SAYS or "": recipe.yml
{
    "$COCKTAIL" moe -t 2 recipe.yml -o place/out >out 2>err
    status=$?
    class=$(python3 -c 'import json; print(json.load(open("place/out/config.json"))["architectures"][0])')
    [[ $status == 0 && $class == "$1" && $(<err) == *"$2"* ]] || echo "$1: exit $status, $class: $(<err)"
    [[ -n $2 || ! -s err ]] || echo "$1: says $(<err)"
    "$COCKTAIL" logits -q place/out --from-ids <ids >logits 2>err && [[ -s logits ]] || echo "$1: does not run: $(<err)"
    restore ""
}
refuses() # EXIT, MESSAGE: recipe.yml
{
    "$COCKTAIL" moe -t 2 recipe.yml -o place/out >out 2>err
    status=$?
    ((status == $1)) && [[ $(tail -n 1 err) == *"$2"* && ! -s out ]] || echo "$1, '$2': exit $status: $(<err)"
    is_unchanged "" || echo "$2: left behind: $(echo place/*)"
}
echo 5 6 7 8 >ids
copy llama models/llama-gqa
copy other models/llama-gqa
copy qwen2 models/qwen2-window-off-f16
copy qwen3 models/qwen3-f16
copy mistral models/mistral-window-bf16
copy gemma models/gemma-bf16
copy score models/llama-score-bf16
copy biased models/llama-bias-f16
copy relu models/llama-gqa 'hidden_act="relu"'
copy larger decoder-base
copy fine decoder-tense

file models/llama models/llama models/other
makes MixtralForCausalLM ""
file models/mistral models/mistral models/mistral
makes MixtralForCausalLM "the sliding window of"
file models/larger models/larger models/fine "shared_experts: [{source_model: models/fine}]"
makes DeepseekForCausalLM "several architectures could hold this mixture: it becomes a DeepSeek MoE"
file models/larger models/larger models/fine "architecture: deepseek"
makes DeepseekForCausalLM ""
file models/llama models/llama models/other "architecture: QWEN M" "shared_experts: [{source_model: models/llama}]"
makes Qwen2MoeForCausalLM ""
file models/qwen2 models/qwen2 models/qwen2 "shared_experts: [{source_model: models/qwen2, residual_scale: 0.1}]"
makes Qwen2MoeForCausalLM ""
file models/qwen3 models/qwen3 models/qwen3
makes Qwen3MoeForCausalLM ""

file models/llama models/llama models/other "architecture: phi"
refuses 3 "recipe.yml:6: architecture 'phi' is none of"
file models/llama models/llama models/other "architecture: qwen3"
refuses 8 "'models/llama' is a llama, of which no Qwen3 MoE can be made"
file models/llama models/llama models/other "architecture: mixtral" "shared_experts: [{source_model: models/other}]"
refuses 3 "recipe.yml:6: Mixtral takes no shared experts"
file models/llama models/llama models/other "shared_experts: [{source_model: models/other}, {source_model: models/other}]"
refuses 3 "takes no shared experts"
file models/qwen2 models/qwen2 models/qwen2
refuses 3 "Qwen MoE wants a shared expert"
file models/llama models/llama models/other "architecture: deep" \
    "shared_experts: [{source_model: models/other, negative_prompts: [a]}]"
refuses 3 "DeepSeek MoE has no gate for its shared expert"
file models/llama models/llama models/qwen2
refuses 8 "'models/qwen2' is a qwen2 and 'models/llama' a llama"
file models/gemma models/gemma models/gemma
refuses 10 "'models/gemma' is a gemma; experts are made of llama, mistral, qwen2 and qwen3"
file models/score models/llama models/other
refuses 8 "is used as a reranker"
file models/llama models/llama models/relu
refuses 8 "hidden_act is another one in 'models/relu'"
file models/llama models/llama models/larger
refuses 8 "'models/larger'"
file models/biased models/biased models/biased
refuses 8 "'models/biased': an expert has no place for biases (mlp_bias)"
file models/llama models/llama models/other "architecture: deepseek"
refuses 8 "'models/llama': a DeepSeek MoE has no place for heads of that width (head_dim)"
file models/llama models/llama "models/other+models/other"
refuses 3 "recipe.yml:5: "
file models/llama models/llama models/no-such
refuses 3 "recipe.yml:5: "
file models/llama models/llama models/other
sed -i 's/random/hidden/; s/llama}/llama, positive_prompts: ["t5"]}/; s/other}/other, positive_prompts: ["t6", ""]}/' recipe.yml
rm models/llama/tokenizer*
refuses 3 "models/llama"
"$COCKTAIL" merge "$FIXTURES/recipes/moe/experts.yml" -o place/out >out 2>err
(($? == 3)) && [[ $(<err) == *"experts.yml:2: 'gate_mode' is a key of a mixture of experts"*"use 'cocktail moe'" ]] ||
    echo "merge of a mixture: $(<err)"
mv models place/out
file place/out/llama place/out/llama place/out/other
"$COCKTAIL" moe recipe.yml -o place/out --force >out 2>err
(($? == 9)) && [[ $(<err) == *"lies in the output directory"* ]] || echo "models in the output: $(<err)"
