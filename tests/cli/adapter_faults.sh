# adapter extract and adapter mix on a disk that fails, and killed: the target is absent or complete, one sentence
# says why, and the next run clears away what a killed one has left.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
mkdir place

try() # ARGUMENT...: of a command that writes place/out
{
    command=(adapter -q -t 2 "$@" -o place/out)
    rm -rf new place/out
    "$COCKTAIL" "${command[@]}" >/dev/null
    mv place/out new
    fail_calls 1 'write:ENOSPC write:EIO fsync:EIO rename:ENOSPC mkdir:ENOSPC'
    kill_calls
}

try extract fixtures/encoder-parts fixtures/encoder-base --rank 2
adapters=fixtures/mixed-adapters
try mix --weights 1,1 $adapters/plain $adapters/rslora --method ties_svd --density 0.5
