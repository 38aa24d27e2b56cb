# Each of three ranks is killed at 20 moments of a mix: the result is not there, or it is whole, and the
# next run clears away what was left.
. "$FIXTURES/../tests/ranks.bash"
[[ -z ${SAN-} ]] || { echo "SKIP: the sanitizers want to be loaded before fail_nth.so" >&3; exit; }

mix=(mix -q -t 1 -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o made)
cocktail "${mix[@]}" >/dev/null
mv made whole

# Everything that changes the disk, of the rank KILLED, whose N-th call does not come back.
together() # KILLED, N
{
    rm -f count
    mpirun_once -n 3 bash -c 'if [[ $OMPI_COMM_WORLD_RANK == "$1" ]]; then
            export FAIL_CALL=mkdir,write,fsync,rename,remove FAIL_AT=$2 FAIL_SIGNAL=9 FAIL_COUNT=$PWD/count
            export LD_PRELOAD=$INJECT/fail_nth.so
        fi
        exec "$COCKTAIL" "${@:3}"' - "$1" "$2" "${mix[@]}" >said 2>&1
}

for rank in 0 1 2; do
    rm -rf made
    together $rank 0 || echo "exit $?"
    n_calls=$(<count)
    n_without=0
    for ((i = 0; i < 20; i++)); do
        rm -rf made
        n=$((1 + i * (n_calls - 1) / 19))
        together $rank $n
        status=$?
        name="rank $rank, killed at call $n of $n_calls, exit $status"
        if [[ -e made ]]; then
            cmp made/model.safetensors whole/model.safetensors || echo "$name: a broken result"
        else
            ((n_without++))
            ((status != 0)) || echo "$name: no result"
        fi
        cocktail "${mix[@]}" -f >/dev/null 2>said || echo "$name: the next run: $(<said)"
        cmp made/model.safetensors whole/model.safetensors || echo "$name: the next result is broken"
        [[ $(ls -d .made* 2>/dev/null) == '' ]] || echo "$name: the next run leaves $(ls -d .made*)"
    done
    ((n_without > 3)) || echo "rank $rank: only $n_without runs without a result"
done
