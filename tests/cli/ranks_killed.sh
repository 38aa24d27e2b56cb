# Each of three ranks is killed at some moments of a merge: the result is not there, or it is whole,
# and the next run clears away what was left.
exec 2>&1
[[ $(ldd "$COCKTAIL") == *libmpi* ]] || { echo "SKIP: built without MPI; 'make MPI=1 test' has it" >&3; exit; }
command -v mpirun >/dev/null || { echo "SKIP: mpirun is not there" >&3; exit; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

python3 - <<'P'
with open("many.yml", "w") as file:
    print("merge_method: linear\nparameters: {weight: 0.5}\nslices:", file=file)
    for i in range(120):
        at = f"layer_range: [{i % 4}, {i % 4 + 1}]"
        print(f"- sources: [{{model: fixtures/decoder-base, {at}}}, {{model: fixtures/decoder-tense, {at}}}]",
              file=file)
P
cocktail merge -q many.yml -o whole >/dev/null
for ((i = 0; i < 21; i++)); do
    TMPDIR=/tmp mpirun --oversubscribe -n 3 bash -c 'echo $$ >pid-$OMPI_COMM_WORLD_RANK
        exec cocktail merge -q -t 1 many.yml -o made' >said 2>&1 &
    until [[ -s pid-$((i % 3)) ]]; do sleep 0.01; done
    sleep "0.$(printf %03d $((i * 12)))"
    kill -KILL "$(<pid-$((i % 3)))" 2>/dev/null
    wait $!
    status=$?
    rm pid-*
    if [[ -e made ]]; then
        cmp made/model.safetensors whole/model.safetensors || echo "$i: a broken result"
        rm -r made
    elif ((status == 0)); then
        echo "$i: no result, and no error"
    fi
done
TMPDIR=/tmp mpirun --oversubscribe -n 3 cocktail merge -q many.yml -o made >/dev/null || echo "exit $?"
cmp made/model.safetensors whole/model.safetensors
ls -A
