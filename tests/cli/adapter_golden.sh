# MODEL+ADAPTER is what PEFT's merge_and_unload gives: bit for bit in float32, but for DoRA's norms.
data=${COCKTAIL_TEST_DATA:-}/golden/lora
if [[ ! -e $data/cases.json ]]; then
    echo "SKIP: COCKTAIL_TEST_DATA has no golden/lora" >&3
    exit 0
fi
set -e
cp -r $data/base-* .
for isa in plain avx2 avx512; do
    [[ $isa == plain ]] || grep -qw ${isa/avx512/avx512f} /proc/cpuinfo || continue
    for case in plain rslora-patterns-bin dora gpt2-conv1d; do
        base=base-llama
        [[ $case == gpt2-conv1d ]] && base=base-gpt2
        COCKTAIL_ISA=$isa cocktail mix -q --weights 1 $base+$data/$case/adapter -o $case --force >/dev/null
        python3 "$FIXTURES/../tests/adapter_compare.py" $data/$case/merged.safetensors \
            $case/model.safetensors $([[ $case == dora ]] && echo 1e-6 || echo 0)
    done
done
