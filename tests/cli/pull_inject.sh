# Every call of pull that has to do with files fails once, or is where it is killed: one sentence and
# 5 (4 without descriptors or memory; 6 where the way to the Hub needs the file), what has a final
# name is right, and the next run brings the rest.
. "$FIXTURES/../tests/server/hub.bash"
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
mkdir -p small/1_Pooling
cp "$FIXTURES/encoder-base/config.json" small
cp "$FIXTURES/encoder-repairs/1_Pooling/config.json" small/1_Pooling
head -c 400000 "$FIXTURES/encoder-base/model.safetensors" >small/model.safetensors
start_hub --repo acme/small=small

is_complete()
{
    same cache/models--acme--small/snapshots/* small
}

# After a run that has failed or was killed.
examine() # NAME
{
    check_cache "$1" cache
    run pull acme/small
    expect "$1: the next run" 0
    is_complete || echo "$1: the next run leaves $(find cache -type l)"
    check_cache "$1: the next run" cache
    [[ -z $(find cache -name '*.incomplete') ]] ||
        echo "$1: the next run leaves $(find cache -name '*.incomplete')"
}

# At some of the calls of a kind.
try_kind() # KIND, EXIT (a pattern), ERRNO
{
    local kind=$1 cause=$3 n n_points=10 i n_failed=0

    rm -rf cache
    count_calls "$kind" pull -q acme/small
    ((n_points <= n_calls)) || n_points=$n_calls
    for ((i = 0; i < n_points; i++)); do
        n=$((n_points > 1 ? 1 + i * (n_calls - 1) / (n_points - 1) : 1))
        rm -rf cache
        FAIL_CALL=$kind FAIL_AT=$n FAIL_ERRNO=$cause faulty pull -q acme/small
        if ((status == 0)); then
            is_complete || echo "$kind $n of $n_calls: $cause: success without the files"
            continue
        fi
        # shellcheck disable=SC2053
        [[ $status == $2 ]] && tells_once || echo "$kind $n of $n_calls: $cause: exit $status: $(<err)"
        examine "$kind $n: $cause"
        ((n_failed++))
    done
    ((n_failed > 0)) || echo "no $kind made the run fail"
}

try_kill() # SIGNAL, EXIT
{
    local kinds=open,mkdir,write,fsync,rename,remove,close n i n_points=15 n_ended=0

    rm -rf cache
    count_calls $kinds pull -q acme/small
    for ((i = 0; i < n_points; i++)); do
        n=$((1 + i * (n_calls - 1) / (n_points - 1)))
        rm -rf cache
        { FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=$1 faulty pull -q acme/small; } 2>/dev/null
        if ((status == 0)); then
            is_complete || echo "signal $1 at $n of $n_calls: success without the files"
            continue
        fi
        ((status == $2)) || echo "signal $1 at $n of $n_calls: exit $status: $(<err)"
        examine "signal $1 at $n of $n_calls"
        ((n_ended++))
    done
    ((n_ended > n_points / 2)) || echo "signal $1 ended $n_ended of $n_points runs only"
}

try_kind open '@(4|5|6)' EMFILE
try_kind open '@(5|6)' EACCES
try_kind mkdir 5 ENOSPC
try_kind write 5 ENOSPC
try_kind fsync 5 EIO
try_kind rename 5 EIO
try_kind memory '@(4|6)' ENOMEM
try_kill 9 137
try_kill 2 130
