# moe publishes as mix does: killed, failing or out of memory at any call, the target is absent or old, or complete.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
mkdir models place
cp -r "$FIXTURES/models/llama-gqa" models/a
cp -r "$FIXTURES/models/llama-gqa" models/b
rm models/*/golden.safetensors
cat >recipe.yml <<'R'
base_model: models/a
gate_mode: hidden_avg
experts:
  - {source_model: models/a, positive_prompts: [t5 t6, t7], noise_scale: 0.5}
  - {source_model: models/b, positive_prompts: [t8], residual_scale: 0.5}
R
moe=(moe -q --threads 2 --shard-size 20KB recipe.yml -o place/out)
"$COCKTAIL" "${moe[@]}" --seed 2 >/dev/null
mv place/out old
kinds=open,mkdir,write,fsync,rename,remove,close

prepare() # KINDS, OLD or "": takes $command; makes `new`, sets n_calls
{
    restore "$2"
    count_calls "$1" "${command[@]}"
    rm -rf new
    cp -r place/out new
    restore "$2"
}

kill_at_some() # NAME, OLD or ""
{
    local n n_points=16 i n_old=0 n_complete=0

    prepare $kinds "$2"
    for ((i = 0; i < n_points; i++)); do
        n=$((1 + i * (n_calls - 1) / (n_points - 1)))
        { FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=9 faulty "${command[@]}"; } 2>/dev/null
        ((status == 137)) || echo "$1: killed at $n of $n_calls: exit $status"
        if same place/out new; then
            ((n_complete++))
        elif same place/out "${2:-nothing}" || [[ -z $2 && ! -e place/out ]]; then
            ((n_old++))
        else
            echo "$1: killed at $n of $n_calls: the target is neither old nor new"
        fi
        faulty "${moe[@]}" --force
        ((status == 0)) && [[ $(echo place/*) == place/out ]] || echo "$1: the next run: exit $status: $(<err)"
        restore "$2"
    done
    ((n_old > 0 && n_complete > 0)) || echo "$1: $n_old old, $n_complete complete"
}

fail_each() # NAME, KIND, ERRNO, EXIT, OLD or "", STEP
{
    local n n_failed=0

    prepare "$2" "$5"
    for ((n = 1; n <= n_calls; n += $6)); do
        FAIL_CALL=$2 FAIL_AT=$n FAIL_ERRNO=$3 faulty "${command[@]}" 2>/dev/null
        if ((status == 0)); then
            is_new || echo "$1: $2 $n of $n_calls: success without the right result: $(echo place/*)"
        elif [[ $2 == memory ]] && grep -q '^Operating system error' err; then
            : # what OpenBLAS brings along prints its own line
        else
            ((status == $4)) && tells_once || echo "$1: $2 $n of $n_calls: exit $status: $(<err)"
            # The result stands when memory ends while it is being told about.
            is_unchanged "$5" || { [[ $2 == memory ]] && is_new; } ||
                echo "$1: $2 $n of $n_calls: changed or not alone: $(echo place/*)"
            ((n_failed++))
        fi
        restore "$5"
    done
    ((n_failed > 0)) || echo "$1: no $2 made the run fail"
}

command=("${moe[@]}")
kill_at_some "new" ""
fail_each "new" write ENOSPC 5 "" 1
fail_each "new" read EIO 5 "" 1
fail_each "new" rename ENOSPC 5 "" 1
fail_each "new" memory ENOMEM 4 "" 17
command+=(--force)
kill_at_some "force" old
fail_each "force" write ENOSPC 5 old 3
fail_each "force" fsync EIO 5 old 1
