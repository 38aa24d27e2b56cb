# --expert-parallel: ranks hold a part of the experts each, and what they print is what one rank prints that
# holds them all, byte for byte.
. "$FIXTURES/../tests/ranks.bash"

routed=fixtures/routers/examples.jsonl
models=fixtures/models
printf '%s\n' '5 9 3 7 11 4 6 8' '7' '12 4 4 9 20 3 5' >three
head -n 1 three >single
printf '%s\n' 't3 t5' 't9 t1 t40 t2' t7 >texts

echo '--- every kind of experts'
try() # "RANKS/EP…" MODEL COMMAND ARGUMENT…
{
    local how model=$2

    [[ -e ${model%%+*} ]] || model=$models/$model
    cocktail "$3" "$model" "${@:4}" -q </dev/null >one || echo "exit $?: ${*:2}"
    [[ -s one ]] || echo "no output: ${*:2}"
    for how in $1; do
        ranks ${how%/*} cocktail "$3" "$model" "${@:4}" --expert-parallel ${how#*/} -q </dev/null >many
        cmp one many || echo "$how: ${*:2}"
    done
}
ids=(logits --from-ids three --format npy)
try '5/5' mixtral "${ids[@]}"
try '2/2 3/3 4/2' qwen2-moe "${ids[@]}"
try '2/2 4/4' deepseek-v3-bf16 "${ids[@]}"
try '2/2' deepseek-v2-bf16 "${ids[@]}"
try '4/4' gpt-oss "${ids[@]}"
try '2/2' molm "${ids[@]}"
try '5/5' jetmoe-bf16 "${ids[@]}"
try '2/2 3/3' openmoe "${ids[@]}"
try '2/2 4/4' fixtures/moe-base "${ids[@]}"
try '3/3' granitemoe-bias-f16 "${ids[@]}"
cocktail convert -q fixtures/moe-base -o moe.gguf --dtype q8_0 >/dev/null
try '4/4' moe.gguf "${ids[@]}"
try '4/4' moe.gguf "${ids[@]}" --compute fast
try '3/3 3/1' fixtures/adapters/base-qwen3-moe+fixtures/adapters/experts-both "${ids[@]}"
for quantised in ${COCKTAIL_TEST_DATA:+gptq-mixtral mxfp4-gpt-oss fp8-deepseek-v3}; do
    try '4/4 2/2' $COCKTAIL_TEST_DATA/golden/quantised/$quantised "${ids[@]}"
done
try '4/4' switch-transformers-bf16 eval --examples $routed --each --json
try '4/2' switch-transformers-bf16 routers --examples $routed --json

echo '--- experts that are full: on the rank of each text'
python3 -c 'for i in range(4): print(*[7 + i] * 24)' >alike
cocktail logits -q $models/openmoe --from-ids alike --capacity dropless --format npy >dropless
try '2/2 3/3' openmoe logits --from-ids alike --format npy
cmp -s one dropless && echo "no expert was full"

echo '--- one text, on another rank than the first'
try '4/4' deepseek-v3-bf16 logits --from-ids single

echo '--- more tokens than are on their way at a time, on one rank more than on others'
python3 "$FIXTURES/../tests/rewrite_model.py" $models/qwen2-moe roomy set=max_position_embeddings=2048
python3 -c 'print(*(i * 7 % 40 + 3 for i in range(1100))); print(5); print(*(i * 5 % 40 + 3 for i in range(530)))' >long
try '3/3' roomy logits --from-ids long --format npy

echo '--- every command'
try '3/3 4/2' qwen2-moe eval --examples $routed --routers --each --json
for family in openmoe molm; do # whose fixtures have no tokenizer
    cp -r $models/$family $family
    cp $models/mixtral/tokenizer* $family
    try '2/2' ./$family eval --examples $routed --each --json
    try '2/2' ./$family routers --examples $routed --json
    try '2/2' ./$family generate --prompt 't3 t5 t9' --max-tokens 6
done
try 5/5 mixtral routers fixtures/routers/mixtral-noisy --examples $routed --json
try '2/2 3/3' qwen2-moe generate --prompt 't3 t5 t9' --max-tokens 12
try '3/3' qwen2-moe generate --prompt 't3 t5 t9' --max-tokens 12 --temperature 1 --seed 7
try '3/3 4/2' qwen2-moe embed --type encoder texts
try '5/5' jetmoe-bf16 embed --type encoder texts --format npy
python3 "$FIXTURES/../tests/rewrite_model.py" $models/qwen2-moe scored 'drop=lm_head.*' \
    copy=model.layers.1.mlp.shared_expert_gate.weight=score.weight \
    'set=architectures=["Qwen2MoeForSequenceClassification"]' 'set=id2label={"0":"LABEL_0"}'
try '3/3' scored rerank texts --query 't3 t7' --json
for n in 1 3; do
    rm -rf made
    ranks $n cocktail mix-data -q --json --expert-parallel $n --examples $routed $models/qwen2-moe $models/qwen2-moe -o made --each \
        </dev/null | sed 's/"[a-z_]*seconds":[0-9.e-]*,\?//g' >said-$n
    cat made/model.safetensors >model-$n
done
cmp said-1 said-3
cmp model-1 model-3

echo '--- each rank touches the experts that are its own: all others of its copy are not numbers'
for ((r = 0; r < 3; r++)); do
    python3 "$FIXTURES/../tests/rewrite_model.py" $models/qwen2-moe poisoned-$r \
        "scale=.*experts\\.[^$((2 * r))$((2 * r + 1))]\\..*=nan"
done
cocktail logits -q poisoned-0 --from-ids three | grep -c 'null\|nan'
cocktail logits -q $models/qwen2-moe --from-ids three >one
ranks 3 bash -c 'exec cocktail logits -q poisoned-$OMPI_COMM_WORLD_RANK --from-ids three --expert-parallel 3' </dev/null >many
cmp one many

echo '--- each is told of the pages that come next, of the experts that tokens chose'
if [[ -z ${SAN-} ]] && strace -o probe -e trace=execve true 2>/dev/null; then
    for model in qwen2-moe:3 deepseek-v3-bf16:2; do
        n=${model#*:} model=${model%:*}
        strace -f -o trace-all -e trace=mincore "$COCKTAIL" logits -q $models/$model --from-ids single >/dev/null
        ranks $n bash -c 'exec strace -f -o trace-$OMPI_COMM_WORLD_RANK -e trace=mincore "$COCKTAIL" logits -q "$@" --from-ids single' - \
            $models/$model --expert-parallel $n >/dev/null
        one=$(grep -c 'mincore(' trace-all) all=$(cat trace-[0-9] | grep -c 'mincore(')
        rm trace-*
        ((one > 0 && one == all)) || echo "$model: told of $all parts, not of $one"
    done
fi

echo '--- what is sent'
ranks 3 cocktail eval $models/qwen2-moe --examples $routed --expert-parallel 3 </dev/null | grep '^cocktail'
ranks 4 cocktail logits $models/qwen2-moe --from-ids three --expert-parallel 2 </dev/null | grep '^cocktail'
ranks 3 cocktail generate $models/qwen2-moe --prompt 't3 t5 t9' --max-tokens 3 --expert-parallel 3 </dev/null

echo '--- what cannot be divided'
ranks 4 cocktail logits $models/qwen2-moe --from-ids three --expert-parallel 3 </dev/null | grep -v ^usage
ranks 4 cocktail logits $models/qwen2-moe --from-ids three --expert-parallel 4 </dev/null
ranks 2 cocktail logits $models/jetmoe-bf16 --from-ids three --expert-parallel 2 </dev/null
ranks 12 cocktail logits $models/molm --from-ids three --expert-parallel 4 </dev/null
ranks 12 cocktail logits $models/molm --from-ids three --expert-parallel 3 </dev/null
ranks 2 cocktail eval $models/llama-gqa --examples $routed --expert-parallel 2 </dev/null
cocktail logits $models/qwen2-moe --from-ids three --expert-parallel 2 2>&1 | grep -v ^usage
