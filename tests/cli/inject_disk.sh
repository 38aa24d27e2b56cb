# Every call that has to do with files fails once: exit 5, or 4 when memory or descriptors are
# short, one sentence, the target as it was, nothing left behind.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
make_models

# What can fail without harm: closing a file that was only read, and behind the rename, where the
# parent is flushed, opening it and doing so.
is_survivable() # KIND, N
{
    [[ $1 == close ]] || { [[ $1 == @(open|fsync) ]] && (($2 == n_calls)); }
}

# The n-th call of a kind fails in a mix over a target that is absent, or `old`.
try_one() # KIND, N, ERRNO, ARGUMENT...
{
    local kind=$1 n=$2 cause=$3 problem="" expected=5

    [[ $cause == EMFILE ]] && expected=4
    FAIL_CALL=$kind FAIL_AT=$n FAIL_ERRNO=$cause faulty "${@:4}"
    if ((status == 0)); then
        is_survivable "$kind" "$n" || problem+=" success,"
        is_new || problem+=" the result is wrong or not alone: $(echo place/*),"
        restore "$old"
    else
        ((status == expected)) || problem+=" exit $status,"
        tells_once || problem+=" not one line,"
        if ! is_unchanged "$old"; then
            problem+=" the target is changed or not alone: $(echo place/*),"
            restore "$old"
        fi
    fi
    [[ -z $problem ]] || echo "$name: $kind $n of $n_calls: $cause:$problem $(<err)"
    ((n_failed += status != 0))
}

# All calls of a kind in turn; $name, $old and $command say in what.
try_kind() # KIND, ERRNO...
{
    local kind=$1 cause n n_failed=0

    restore "$old"
    count_calls "$kind" "${command[@]}"
    rm -rf new
    cp -r "$target" new
    restore "$old"
    for cause in "${@:2}"; do
        for ((n = 1; n <= n_calls; n++)); do
            try_one "$kind" "$n" "$cause" "${command[@]}"
        done
    done
    ((n_failed > 0)) || echo "$name: no $kind made the run fail"
}

mix=(mix -q --threads 2 --shard-size 32B models/a models/b)
"$COCKTAIL" "${mix[@]}" -o place/out -w 0.2,0.8 >/dev/null
mv place/out old
mix+=(-w 0.5,0.5)

name="mix" old="" command=("${mix[@]}" -o place/out)
try_kind write ENOSPC EIO
try_kind fsync EIO
try_kind rename ENOSPC
try_kind mkdir ENOSPC
try_kind open EIO EMFILE
try_kind read EIO
try_kind close EIO

name="mix --force" old=old command+=(--force)
try_kind write ENOSPC
try_kind fsync EIO
try_kind rename ENOSPC EIO
try_kind mkdir EIO
try_kind open ENOSPC
try_kind close EIO

make_recipe
name="merge" old="" command=(merge -q --threads 2 --shard-size 32B recipe.yml -o place/out)
try_kind write ENOSPC EIO
try_kind fsync EIO
try_kind rename ENOSPC
try_kind mkdir ENOSPC
try_kind open EIO EMFILE
try_kind read EIO
try_kind close EIO

name="merge --force" old=old command+=(--force)
try_kind write ENOSPC
try_kind rename EIO

# The folders that are made for the output go, too.
name="mix into new folders" old="" target=place/in/side/out
command=("${mix[@]}" -o $target)
try_kind mkdir ENOSPC
try_kind rename EIO
target=place/out

# Half of a write or a read, or a signal in the middle of one, is no failure.
command=("${mix[@]}" -o place/out)
restore ""
"$COCKTAIL" "${command[@]}" >/dev/null
rm -rf new
mv place/out new
for kind in write read; do
    count_calls "$kind" "${command[@]}"
    restore ""
    for ((n = 1; n <= n_calls; n++)); do
        FAIL_CALL=$kind FAIL_AT=$n FAIL_SHORT=1 faulty "${command[@]}"
        ((status == 0)) && is_new || echo "short $kind $n: exit $status: $(<err)"
        restore ""
        FAIL_CALL=$kind FAIL_AT=$n FAIL_ERRNO=EINTR faulty "${command[@]}"
        ((status == 0)) && is_new || echo "interrupted $kind $n: exit $status: $(<err)"
        restore ""
    done
done
