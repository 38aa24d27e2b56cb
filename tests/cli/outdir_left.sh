# What several ranks have left whose host is cut off, with the lock: the next run waits as long as they
# themselves would for a sign of life, and then takes the place over.
command -v flock >/dev/null || { echo "SKIP: flock is not there" >&3; exit; }
exec 2>&1
mix=("$COCKTAIL" mix -q -w 0.5,0.5 fixtures/decoder-base fixtures/decoder-tense -o made)
partial=.made.cocktail-partial

# As rank 0 leaves it; $! has the lock.
leave() # TEXT of its mark
{
    mkdir -p $partial/0123456789abcdef
    echo part >$partial/0123456789abcdef/model.safetensors
    [[ -z $1 ]] || echo "$1" >$partial/0123456789abcdef.ranks
    (exec 9<$partial && flock 9 && exec sleep 60) &
    holder=$!
    until ! flock -n $partial true; do sleep 0.05; done
}
release()
{
    kill $holder
    wait $holder
} 2>/dev/null
try() # WHAT
{
    echo "--- $1"
    "${mix[@]}" | tail -n 1 | sed 's/ in .* s$//'
    echo "exit ${PIPESTATUS[0]}"
    ls -Ad made .made* 2>/dev/null
}

begin=$SECONDS
leave '2 elsewhere'
try 'given up'
((SECONDS - begin > 1)) || echo "too early"
release
rm -rf made $partial

leave '4 elsewhere'
while sleep 0.3; do touch $partial/*.ranks; done &
alive=$!
try 'alive'
kill $alive
wait $alive 2>/dev/null
release
rm -rf $partial

leave '60 elsewhere'
(sleep 1; kill $holder) &
try 'ended meanwhile'
release
rm -rf made $partial

for mark in '' '0 elsewhere' '-1 elsewhere' 'nothing' '99999999999999999999 elsewhere'; do
    leave "$mark"
    try "not to be given up: '$mark'"
    release
    rm -rf $partial
done

leave ''
mkfifo $partial/0123456789abcdef.ranks
mix=(timeout 20 "${mix[@]}")
try 'a pipe for a mark'
release
rm -rf $partial
