# Every method, and matrices that are stored quantised: the same bytes whatever instructions the
# processor has, and on any number of threads.
base=fixtures/decoder-base one=fixtures/decoder-arithmetic two=fixtures/decoder-tense
isas=(plain)
for isa in avx2 avx512; do
    COCKTAIL_ISA=$isa cocktail --version >/dev/null 2>&1 && isas+=("$isa")
done
few=(1 3) many=(1 2 3 8 16)
[[ -z ${SAN-} ]] || many=(1 3)

recipe() # METHOD, DTYPE, BASE, PARAMETERS, MODELS WITH PARAMETERS...
{
    echo "merge_method: $1"
    [[ -z $3 ]] || echo "base_model: $3"
    echo "parameters: {$4}"
    echo "dtype: $2"
    echo "models:"
    printf '  - {model: %s}\n' "${@:5}"
}
both=("$one, parameters: {weight: 0.6, density: 0.4}" "$two, parameters: {weight: [0.3, 0.9], density: 0.7}")
recipe linear bfloat16 '' '' "$base, parameters: {weight: -0.2}" "${both[@]}" >linear.yml
recipe linear float16 '' 'normalize: false' "${both[@]}" >linear_f16.yml
recipe linear float32 '' '' "${both[@]}" >linear_f32.yml
recipe slerp bfloat16 $one 't: [0.2, 0.8]' $one $two >slerp.yml
recipe nuslerp float32 $base 'nuslerp_flatten: false' "${both[@]}" >nuslerp.yml
recipe nuslerp bfloat16 '' 'nuslerp_flatten: false, nuslerp_row_wise: true' "${both[@]}" >nuslerp_rows.yml
recipe multislerp bfloat16 $base '' "${both[@]}" >multislerp.yml
recipe karcher float32 '' 'max_iter: 5' $base $one $two >karcher.yml
recipe task_arithmetic bfloat16 $base 'lambda: 0.7' "${both[@]}" >task_arithmetic.yml
recipe ties bfloat16 $base '' "${both[@]}" >ties.yml
recipe ties float32 $base 'rescale: true, lambda: 1.1' "${both[@]}" >ties_f32.yml
recipe dare_linear float32 $base '' "${both[@]}" >dare_linear.yml
recipe dare_ties bfloat16 $base '' "${both[@]}" >dare_ties.yml
recipe della bfloat16 $base 'epsilon: 0.1' "${both[@]}" >della.yml
recipe della_linear float32 $base 'epsilon: 0.2' "${both[@]}" >della_linear.yml
recipe breadcrumbs float32 $base 'gamma: 0.05' "${both[@]}" >breadcrumbs.yml
recipe breadcrumbs_ties bfloat16 $base 'gamma: 0.05' "${both[@]}" >breadcrumbs_ties.yml
recipe model_stock bfloat16 $base '' $one $two >model_stock.yml
recipe model_stock float32 $base 'filter_wise: true' $one $two >model_stock_rows.yml
recipe sce bfloat16 $base 'select_topk: 0.6' $one $two >sce.yml
recipe ram float32 $base 'epsilon: 0.002' $one $two >ram.yml
recipe ramplus_tl bfloat16 $base 'epsilon: 0.002' $one $two >ramplus_tl.yml
recipe nearswap float32 $base 't: 0.003' $one >nearswap.yml
recipe arcee_fusion bfloat16 $base '' $one >arcee_fusion.yml
recipe passthrough bfloat16 '' 'scale: 0.7' $one >passthrough.yml

n=0
for recipe in *.yml; do
    rm -f first
    for isa in "${isas[@]}"; do
        threads=("${few[@]}")
        [[ $isa != "${isas[-1]}" ]] || threads=("${many[@]}")
        for t in "${threads[@]}"; do
            COCKTAIL_ISA=$isa cocktail merge -qf -t "$t" --seed 5 "$recipe" -o out >/dev/null || echo "$recipe: exit $?"
            [[ -e first ]] || cp out/model.safetensors first
            cmp out/model.safetensors first || echo "$recipe: $isa, $t threads"
        done
    done
    n=$((n + 1))
done 2>err
grep -v ' has no effect\|does not know' err
for model in fixtures/quantised/*; do
    rm -f first
    for isa in "${isas[@]}"; do
        COCKTAIL_ISA=$isa cocktail convert -qf --dtype f32 "$model" -o out >/dev/null || echo "$model: exit $?"
        [[ -e first ]] || cp out/model.safetensors first
        cmp out/model.safetensors first || echo "$model: $isa"
    done
    n=$((n + 1))
done
echo "$n times the same"
