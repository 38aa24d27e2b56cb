# ranks.bash - for tests of several ranks: skips them where there are none.
exec 2>&1
[[ $(ldd "$COCKTAIL") == *libmpi* ]] || { echo "SKIP: built without MPI; 'make MPI=1 test' has it" >&3; exit; }
command -v mpirun >/dev/null || { echo "SKIP: mpirun is not there" >&3; exit; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PMIX_MCA_gds=hash # the other way shares memory under locks that mpirun crashes on now and then
# What ranks say themselves as MPI ends them, mpirun reads from memory that it has freed (Open MPI 4).
export OMPI_MCA_orte_execute_quiet=1

if [[ -n ${SAN-} ]]; then # Open MPI's plugins are unloaded before leaks are named: whole stacks lead to its libraries
    export LSAN_OPTIONS=suppressions=$FIXTURES/../tests/lsan_mpi.txt:print_suppressions=0
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}fast_unwind_on_malloc=0
    export COCKTAIL_RANK_TIMEOUT=60 # to look for leaks takes seconds, which count as the end of the process
fi

# Waits for what ranks do, at most half a minute.
wait_until() # CONDITION
{
    local i

    for ((i = 0; i < 300; i++)); do
        eval "$1" && return
        sleep 0.1
    done
    echo "in vain: $1"
}

# TMPDIR: the paths of its sockets must be short. Ranks that do not end are ended by mpirun.
mpirun_once() # ARGUMENT...
{
    TMPDIR=/tmp timeout --signal KILL 60 mpirun --timeout 50 --oversubscribe "$@"
}

# Now and then mpirun itself hangs when no rank is left, or crashes as it ends them (Open MPI 4): then
# once more, with the same file as input. What the last one says counts, and what ranks do always.
mpirun() # ARGUMENT...
{
    local i status

    for i in 1 2 3; do
        mpirun_once "$@" </dev/stdin >"$HOME/mpirun-out" 2>"$HOME/mpirun-err"
        status=$?
        grep -q 'ranks\.bash: line .* \(Killed\|Segmentation fault\|Aborted\) .*timeout' "$HOME/mpirun-err" || break
    done
    cat "$HOME/mpirun-out"
    cat "$HOME/mpirun-err" >&2
    return $status
}

# The output of N ranks, behind it what they complain about, without what mpirun has to say of a status
# other than 0, and this status.
ranks() # N COMMAND...
{
    local status

    mpirun -n "$1" "${@:2}" 2>"$HOME/said"
    status=$?
    grep '^cocktail: ' "$HOME/said" | sed "s/ on $(hostname)/ on HOST/g"
    ((status == 0)) || echo "exit $status"
}

# What N ranks print, that one prints too, of the same standard input.
same() # "N…" COMMAND…
{
    local n

    cat >given
    "${@:2}" -q <given >one || echo "exit $?: ${*:2}"
    [[ -s one ]] || echo "no output: ${*:2}"
    for n in $1; do
        ranks "$n" "${@:2}" -q <given >many
        cmp one many || echo "$n ranks: ${*:2}"
    done
}
