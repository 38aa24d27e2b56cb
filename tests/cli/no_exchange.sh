# On a file system that cannot exchange two directories --force takes two renames: killed at any
# point, the old target is there or comes back with the next run.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
make_models
export FAIL_EXCHANGE=1

kinds=open,mkdir,rename,remove
mix=(mix -q --threads 2 models/a models/b -o place/out)
"$COCKTAIL" "${mix[@]}" -w 0.2,0.8 >/dev/null
mv place/out old
command=("${mix[@]}" -w 0.5,0.5 --force)
restore old
count_calls $kinds "${command[@]}"
[[ $(echo place/*) == place/out ]] || echo "the run leaves $(echo place/*)"
cp -r place/out new
same old new && echo "nothing was replaced"

n_aside=0
for ((n = 1; n <= n_calls; n++)); do
    restore old
    { FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=9 faulty "${command[@]}"; } 2>/dev/null
    name="killed at call $n of $n_calls (exit $status)"
    if [[ ! -e place/out ]]; then
        ((n_aside++))
        same place/.out.cocktail-replaced old || echo "$name: the old one is lost"
    else
        same place/out old || same place/out new || echo "$name: neither old nor new"
    fi
    "$COCKTAIL" "${mix[@]}" -w 0.5,0.5 >out 2>err
    [[ $? == 9 && $(<err) == "cocktail: 'place/out' exists; replace it with --force" ]] || echo "$name: $(<err)"
    is_new || is_unchanged old || ((n < n_calls)) || echo "$name: then $(echo place/*)"
    same place/out old || same place/out new || echo "$name: it did not come back"
    faulty "${command[@]}"
    is_new || echo "$name: the next run: exit $status, $(echo place/*)"
done
((n_aside > 0)) || echo "no point was between the two renames"

# What fails, fails as a whole.
restore old
FAIL_CALL=rename FAIL_COUNT=count faulty "${command[@]}"
n_calls=$(<count)
((n_calls > 1)) || echo "$n_calls renames"
for ((n = 1; n <= n_calls; n++)); do
    restore old
    FAIL_CALL=rename FAIL_AT=$n FAIL_ERRNO=EIO faulty "${command[@]}"
    ((status == 5)) && tells_once || echo "rename $n fails: exit $status: $(<err)"
    is_unchanged old || echo "rename $n fails: then $(echo place/*)"
done
