# Killed at 50 points of a run, the target is absent, old or complete, and the next run works and
# clears away what the killed one has left. SIGINT and SIGTERM leave nothing to be cleared away.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
make_models

# What changes anything on the disk, and opening, where things are about to change.
kinds=open,mkdir,write,fsync,rename,remove,close
mix=(mix -q --threads 2 --shard-size 32B models/a models/b -o place/out)
"$COCKTAIL" "${mix[@]}" -w 0.2,0.8 >/dev/null
mv place/out old

prepare() # OLD or "": takes $command; makes `new`, sets n_calls
{
    restore "$1"
    count_calls $kinds "${command[@]}"
    rm -rf new
    cp -r place/out new
    restore "$1"
}

try_kill() # NAME, OLD or ""
{
    local name n n_points=50 i partial=0 n_old=0 n_complete=0

    prepare "$2"
    for ((i = 0; i < n_points; i++)); do
        n=$((1 + i * (n_calls - 1) / (n_points - 1)))
        name="$1: killed at call $n of $n_calls"
        { FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=9 faulty "${command[@]}"; } 2>/dev/null
        ((status == 137)) || echo "$name: exit $status"
        if same place/out new; then
            ((n_complete++))
        elif same place/out "${2:-nothing}" || [[ -z $2 && ! -e place/out ]]; then
            ((n_old++))
        else
            echo "$name: the target is neither old nor new"
        fi
        [[ -e place/.out.cocktail-partial ]] && ((partial++))
        faulty "${mix[@]}" -w 0.5,0.5 --force # no faults, but no waiting for the disk either
        ((status == 0)) || echo "$name: the next run: exit $status: $(<err)"
        [[ $(echo place/*) == place/out ]] || echo "$name: the next run leaves $(echo place/*)"
        same place/out again || echo "$name: the next run writes something else"
        restore "$2"
    done
    # Otherwise the points were not where it hurts.
    ((n_old > 0 && n_complete > 0 && partial > 10)) ||
        echo "$1: $n_old old, $n_complete complete, $partial left something"
}

# What the run after a killed one writes (its command line is in the model card).
"$COCKTAIL" "${mix[@]}" -w 0.5,0.5 --force >/dev/null
mv place/out again

command=("${mix[@]}" -w 0.5,0.5)
try_kill "mix" ""
command+=(--force)
try_kill "mix --force" old

make_recipe
merge=(merge -q --threads 2 --shard-size 32B recipe.yml -o place/out)
command=("${merge[@]}")
try_kill "merge" ""
command+=(--force)
try_kill "merge --force" old

# Up to the rename a signal ends the run, from there on the result stands.
try_signal() # NAME, OLD or "", SIGNAL, EXIT
{
    local name n i n_points=15 n_ended=0

    prepare "$2"
    for ((i = 0; i < n_points; i++)); do
        n=$((1 + i * (n_calls - 1) / (n_points - 1)))
        name="$1: signal $3 at call $n of $n_calls"
        FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=$3 faulty "${command[@]}"
        if ((status == 0)); then
            is_new || echo "$name: success without the right result, or not alone: $(echo place/*)"
        else
            ((status == $4)) || echo "$name: exit $status"
            tells_once && [[ $(<err) == *interrupted ]] || echo "$name: $(<err)"
            is_unchanged "$2" || echo "$name: the target is changed or not alone: $(echo place/*)"
            ((n_ended++))
        fi
        restore "$2"
    done
    ((n_ended >= n_points * 4 / 5)) || echo "$1: signal $3 ended $n_ended of $n_points runs only"
}

command=("${mix[@]}" -w 0.5,0.5)
try_signal "mix" "" 2 130
try_signal "mix" "" 15 143
command+=(--force)
try_signal "mix --force" old 2 130
try_signal "mix --force" old 15 143

command=("${merge[@]}")
try_signal "merge" "" 2 130
command+=(--force)
try_signal "merge --force" old 15 143
