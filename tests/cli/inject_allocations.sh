# Every allocation fails once: exit 4, one line that says so, nothing changed, nothing left behind.
# Where the C library lives with it (a stream without a buffer), so do we, with the right result.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
make_models

# What was printed, but for how long it took.
told()
{
    sed 's/"seconds":[^,}]*//' out
}

# Runs with the n-th allocation failing; `problem` says what is wrong with exit and text, if any.
fail_allocation() # N, ARGUMENT...
{
    FAIL_CALL=memory FAIL_AT=$1 FAIL_ERRNO=ENOMEM faulty "${@:2}" 2>>crashes
    problem=
    case $status in
    0) [[ $(told) == "$expected" ]] || problem="succeeds with other output" ;;
    4) tells_once || problem="exit 4, but not with one line" ;;
    1 | 134 | 139) # what OpenBLAS brings along prints its own line when it starts, and ends us
        grep -q '^Operating system error: Cannot allocate memory' err || problem="exit $status" ;;
    *) problem="exit $status" ;;
    esac
}

report() # WHAT, N
{
    [[ -z $problem ]] || echo "$1: allocation $2 of $n_calls: $problem: $(<err)"
}

# One that only looks.
try_reading() # NAME, ARGUMENT...
{
    local n

    count_calls memory "${@:2}"
    expected=$(told)
    for ((n = 1; n <= n_calls; n++)); do
        fail_allocation "$n" "${@:2}"
        report "$1" "$n"
    done
}

# A mix over a target that is absent, or `old`.
try_mix() # NAME, OLD or "", ARGUMENT...
{
    local n name=$1 old=$2
    shift 2

    restore "$old"
    count_calls memory "$@"
    expected=$(told)
    rm -rf new
    cp -r place/out new
    restore "$old"
    for ((n = 1; n <= n_calls; n++)); do
        fail_allocation "$n" "$@"
        if ((status == 0)) || ! is_unchanged "$old"; then
            # The result stands when memory ends while it is being told about.
            is_new || problem+=" the target is neither old nor new, or not alone: $(echo place/*)"
            restore "$old"
        fi
        report "$name" "$n"
    done
}

try_reading "inspect" inspect --tensors models/a
try_reading "inspect --json" inspect --json models/b
try_reading "diff --json" diff --json --threads 2 models/a models/c

# Models that run.
models=$FIXTURES/models
echo '{"input": "t5 t6", "output": "t7"}' >examples.jsonl
echo 't5 t6 t7' >lines
try_reading "generate" generate -t 1 --prompt "t5 t6" --max-tokens 3 "$models/gpt2-inverse-bf16"
try_reading "embed" embed -t 1 "$models/sentence-dense" lines
try_reading "rerank" rerank -t 1 --query t5 "$models/bert-score-1" lines
try_reading "eval" eval -q -t 1 --examples examples.jsonl "$models/t5-gated-untied-new-bf16"

mix=(mix -q --json --threads 2 --shard-size 32B models/a models/b -o place/out)
"$COCKTAIL" "${mix[@]}" -w 0.2,0.8 >/dev/null
mv place/out old
try_mix "mix" "" "${mix[@]}" -w 0.5,0.5
try_mix "mix --force" old "${mix[@]}" -w 0.5,0.5 --force

make_recipe
try_mix "merge" "" merge -q --json --threads 2 --shard-size 32B recipe.yml -o place/out

# What is never replaced is not, whatever fails on the way to seeing that it is the home directory.
HOME=$PWD/place/out
restore old
for ((n = 1; n <= 500; n++)); do
    FAIL_CALL=memory FAIL_AT=$n FAIL_ERRNO=ENOMEM faulty "${mix[@]}" -w 0.5,0.5 --force
    ((status == 4 || status == 9)) && tells_once && is_unchanged old ||
        echo "mix --force over HOME: allocation $n: exit $status: $(<err)"
done
[[ $(<err) == *"the home directory"* ]] || echo "mix --force over HOME: more than 500 allocations"
