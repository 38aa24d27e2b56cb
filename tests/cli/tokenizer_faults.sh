# tokenizer move on a disk that fails or is full, and killed: the target is absent or complete, one
# sentence says why, and the next run clears away what a killed one has left.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
mkdir place
python3 "$FIXTURES/../tests/move_expected.py" make .
command=(tokenizer -q -t 2 move own donor --k 6 --shard-size 2500B -o place/out)
"$COCKTAIL" "${command[@]}" >/dev/null
mv place/out new

fail_calls 1 'write:ENOSPC write:EIO fsync:EIO rename:ENOSPC mkdir:ENOSPC'
fail_calls 0 read:EIO # one in nine
kill_calls

export FREE_BYTES=1000
LD_PRELOAD=$INJECT/full_disk.so "$COCKTAIL" "${command[@]}" 2>&1 >/dev/null | sed 's/[0-9][0-9]* bytes/N bytes/g'
[[ ! -e place/out ]]
