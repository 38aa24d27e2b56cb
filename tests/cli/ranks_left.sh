# Ranks that write show that they are there, and do no harm to those that have taken their place over
# when they did not. A disk that is full for one of them ends all, and so does an MPI that hangs.
. "$FIXTURES/../tests/ranks.bash"
[[ -z ${SAN-} ]] || { echo "SKIP: the sanitizers want to be loaded before fail_nth.so" >&3; exit; }

mix=(mix -q -t 1 -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o made)
cocktail "${mix[@]}" >/dev/null
mv made whole

# Of three ranks, number STOPPED stops at its first call of this kind.
stop() # STOPPED, KIND
{
    rm -f pid-*
    mpirun_once -n 3 bash -c 'echo $$ >pid-$OMPI_COMM_WORLD_RANK
        if [[ $OMPI_COMM_WORLD_RANK == "$1" ]]; then
            export FAIL_CALL=$2 FAIL_AT=1 FAIL_SIGNAL=19 LD_PRELOAD=$INJECT/fail_nth.so
        fi
        exec "$COCKTAIL" "${@:3}"' - "$1" "$2" "${mix[@]}" >said 2>&1 &
    together=$!
    until [[ -s pid-$1 && $(<"/proc/$(<"pid-$1")/stat") == *') T '* ]]; do sleep 0.05; done
}

echo "--- fresh while another rank is waited for"
COCKTAIL_RANK_TIMEOUT=4 stop 1 pwrite
stat -c %y .made.cocktail-partial/*.ranks >times
sed "s/$(hostname)/HOST/" .made.cocktail-partial/*.ranks
until [[ $(sort -u times | wc -l) == 3 ]]; do
    stat -c %y .made.cocktail-partial/*.ranks >>times 2>/dev/null || { echo "only $(sort -u times)"; break; }
    sleep 0.1
done
wait $together
echo "exit $?"
ls -Ad made 2>/dev/null

echo "--- not taken over while they show that they are there"
rm -rf made .made*
COCKTAIL_RANK_TIMEOUT=20 stop 1 pwrite
cocktail "${mix[@]}" 2>&1 | sed "s/$(hostname)/HOST/"
echo "exit ${PIPESTATUS[0]}"
kill -CONT "$(<pid-1)"
wait $together
echo "exit $?"
cmp made/model.safetensors whole/model.safetensors
ls -Ad .made* 2>/dev/null

# While all write, and when rank 0 puts it in place, with another run that goes on.
for how in '1 pwrite' '0 fsync'; do
    echo "--- taken over: rank ${how/ /, at }"
    rm -rf made .made*
    COCKTAIL_RANK_TIMEOUT=0 stop $how
    sed -i 's/^0 /1 /' .made.cocktail-partial/*.ranks # as of ranks that do watch
    cocktail "${mix[@]}" >/dev/null || echo "exit $?"
    cmp made/model.safetensors whole/model.safetensors
    mkdir -p .made.cocktail-partial/another
    kill -CONT "$(<"pid-${how% *}")"
    wait $together
    echo "exit $?"
    grep -o "cannot .*: No such file or directory" said | sed -E "s,'[^ ]*/[0-9a-f]{16}','NUMBER'," | head -n 1
    cmp made/model.safetensors whole/model.safetensors
    ls -A .made.cocktail-partial
done

echo "--- a disk that is full for one of them"
rm -rf made .made*
ranks 3 bash -c '[[ $OMPI_COMM_WORLD_RANK == 2 ]] && export LD_PRELOAD=$INJECT/fail_nth.so FAIL_CALL=pwrite FAIL_AT=1 FAIL_ERRNO=ENOSPC
    exec "$COCKTAIL" "$@"' - "${mix[@]}"
ls -Ad made 2>/dev/null
ranks 2 env LD_PRELOAD="$INJECT/full_disk.so" "$COCKTAIL" "${mix[@]}"
cocktail "${mix[@]}" >/dev/null
cmp whole/model.safetensors made/model.safetensors
ls -Ad made .made* 2>/dev/null

echo "--- MPI hangs at the end"
COCKTAIL_RANK_TIMEOUT=2 ranks 2 bash -c '[[ $OMPI_COMM_WORLD_RANK == 1 ]] && export LD_PRELOAD=$INJECT/hang_mpi.so HANG=MPI_Finalize
    exec "$COCKTAIL" "$@"' - "${mix[@]}" -f | grep 'rank 0\|exit'
ranks 2 env LD_PRELOAD="$INJECT/hang_mpi.so" HANG=MPI_Abort "$COCKTAIL" eval nowhere --examples nothing 2>&1 | cut -c 1-60
