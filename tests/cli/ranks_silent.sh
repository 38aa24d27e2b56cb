# A rank that is not heard from any more ends all of them with 6, long before mpirun would notice: a
# process that is stopped, and a host, here a network namespace, that is cut off.
. "$FIXTURES/../tests/ranks.bash"

cat >recipe.yml <<'R'
merge_method: linear
models:
  - {model: fixtures/decoder-base, parameters: {weight: 1}}
R

# What a run says and its status; numbers of seconds are not told.
tell() # STATUS
{
    grep '^cocktail: ' said | sed -E "s/ on [a-z0-9-]+/ on HOST/g; s/for [0-9]+ s/for N s/" | sort -u
    echo "exit $1"
}

# Rank 0 waits for a recipe that does not come, the others wait for rank 0.
echo "--- stopped"
mkfifo recipe
sleep 60 >recipe &
COCKTAIL_RANK_TIMEOUT=3 mpirun_once -n 3 bash -c 'echo $$ >pid-$OMPI_COMM_WORLD_RANK
    exec cocktail merge -t 4096 -o out' <recipe >said 2>&1 &
wait_until '[[ $(grep -cs "threads share" said) == 3 ]]' # each says so when they have found one another
kill -STOP "$(<pid-1)"
wait $!
status=$?
grep -v 'threads share\|no recipe' said >heard # of rank 0, whose input ends with mpirun
mv heard said
tell $status
kill %1
ls out 2>/dev/null

echo "--- limits: rank 0 has the word"
for who in 0 1; do
    mpirun -n 2 bash -c '[[ $OMPI_COMM_WORLD_RANK != "$1" ]] || export COCKTAIL_RANK_TIMEOUT=0
        exec cocktail merge -q recipe.yml -f -o out' - $who </dev/null >said 2>&1
    tell $?
done
for limit in 0 1.5 -3 86401 soon; do
    COCKTAIL_RANK_TIMEOUT=$limit mpirun -n 2 cocktail merge -q recipe.yml -f -o out \
        </dev/null >said 2>&1
    tell $?
done
