# adapter extract and adapter mix on a disk that fails, and killed: the target is absent or complete, one sentence
# says why, and the next run clears away what a killed one has left.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
mkdir place

try() # ARGUMENT...: of a command that writes place/out
{
    local fault kind n_failed n n_complete n_absent

    command=(adapter -q -t 2 "$@" -o place/out)
    rm -rf new place/out
    "$COCKTAIL" "${command[@]}" >/dev/null
    mv place/out new
    for fault in write:ENOSPC write:EIO fsync:EIO rename:ENOSPC mkdir:ENOSPC; do
        kind=${fault%:*} n_failed=0
        count_calls "$kind" "${command[@]}"
        restore ""
        for ((n = 1; n <= n_calls; n++)); do
            FAIL_CALL=$kind FAIL_AT=$n FAIL_ERRNO=${fault#*:} faulty "${command[@]}"
            if ((status == 0)); then # behind the rename the parent is flushed
                [[ $kind == fsync && $n == "$n_calls" ]] && is_new || echo "$fault $n: success"
            else
                ((status == 5)) && tells_once && is_unchanged "" ||
                    echo "$fault $n: exit $status, $(<err), leaves $(echo place/*)"
                ((n_failed++))
            fi
            restore ""
        done
        ((n_failed > 0)) || echo "no $kind made the run fail"
    done

    kinds=mkdir,write,fsync,rename,remove
    count_calls $kinds "${command[@]}"
    restore ""
    for ((n = 1, n_complete = 0, n_absent = 0; n <= n_calls; n++)); do
        { FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=9 faulty "${command[@]}"; } 2>/dev/null
        ((status == 137)) || echo "killed at $n: exit $status"
        if [[ ! -e place/out ]]; then
            ((n_absent++))
        elif same place/out new; then
            ((n_complete++))
        else
            echo "killed at $n: neither absent nor complete"
        fi
        faulty "${command[@]}" --force
        ((status == 0)) && is_new || echo "killed at $n: the next run: exit $status: $(<err), $(echo place/*)"
        restore ""
    done
    ((n_absent > 2 && n_complete > 0)) || echo "$n_absent absent, $n_complete complete"
}

try extract fixtures/encoder-parts fixtures/encoder-base --rank 2
adapters=fixtures/mixed-adapters
try mix --weights 1,1 $adapters/plain $adapters/rslora --method ties_svd --density 0.5
