# tokenizer move on a disk that fails or is full, and killed: the target is absent or complete, one
# sentence says why, and the next run clears away what a killed one has left.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
mkdir place
python3 "$FIXTURES/../tests/move_expected.py" make .
command=(tokenizer -q -t 2 move own donor --k 6 --shard-size 2500B -o place/out)
"$COCKTAIL" "${command[@]}" >/dev/null
mv place/out new

for fault in write:ENOSPC write:EIO fsync:EIO rename:ENOSPC mkdir:ENOSPC read:EIO; do
    kind=${fault%:*} n_failed=0
    restore ""
    count_calls "$kind" "${command[@]}"
    restore ""
    step=1
    [[ $kind == read ]] && step=$((n_calls / 9 + 1))
    for ((n = 1; n <= n_calls; n += step)); do
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
n_complete=0 n_absent=0
for ((n = 1; n <= n_calls; n++)); do
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
    ((status == 0)) || echo "killed at $n: the next run: exit $status: $(<err)"
    [[ $(echo place/*) == place/out ]] || echo "killed at $n: the next run leaves $(echo place/*)"
    restore ""
done
((n_absent > 2 && n_complete > 0)) || echo "$n_absent absent, $n_complete complete"

export FREE_BYTES=1000
LD_PRELOAD=$INJECT/full_disk.so "$COCKTAIL" "${command[@]}" 2>&1 >/dev/null | sed 's/[0-9][0-9]* bytes/N bytes/g'
[[ ! -e place/out ]]
