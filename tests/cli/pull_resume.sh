# An interrupted transfer leaves nothing under a final name, and the next run goes on from where it
# stopped.
. "$FIXTURES/../tests/server/hub.bash"
mkdir small
cp "$FIXTURES/encoder-base/config.json" small
head -c 400000 "$FIXTURES/encoder-base/model.safetensors" >small/model.safetensors
start_hub --faulty small --repo acme/small=small
sha256=$(sha256sum <small/model.safetensors)
sha256=${sha256%% *}
id=lasting/held
blobs=cache/models--lasting--held/blobs
incomplete=$blobs/$sha256.incomplete

# The first half of the file has come and is on the disk.
is_half()
{
    [[ -e $incomplete && $(stat -c %s "$incomplete") == 200000 ]]
}

start_held() # leaves the $pid of a pull that hangs in the middle
{
    touch hub/hold
    pull_aside held "$id" &
    pid=$!
    wait_until "half of the file" is_half
}

end() # NAME, SIGNAL, EXIT
{
    local begin=$SECONDS

    kill -s "$2" $pid
    wait_for $pid
    ((status == $3)) || echo "$1: exit $status, expected $3: $(<held.err)"
    ((SECONDS - begin < 5)) || echo "$1: took $((SECONDS - begin)) s"
    [[ ! -s held.out ]] || echo "$1: prints $(<held.out)"
    [[ ! -e $blobs/$sha256 ]] || echo "$1: the blob has its name"
    [[ -z $(find . -path './cache/*' -name model.safetensors) ]] || echo "$1: the file has its name"
    check_cache "$1" cache
    rm -f hub/hold
}

# The next run asks for the second half only, and all is right.
goes_on() # NAME, RANGE
{
    forget_requests
    run pull --json "$id"
    expect "$1, again" 0
    holds "$1, again" cache/models--lasting--held/snapshots/* small
    check_cache "$1, again" cache
    [[ $(requests '"cdn"' '"GET"' | sed 's/.*"range":\([^,]*\).*/\1/') == "$2" ]] ||
        echo "$1, again: $(requests '"cdn"')"
    [[ -z $(find cache -name '*.incomplete') ]] || echo "$1, again: left $(find cache -name '*.incomplete')"
    rm -rf cache
}

half='"bytes=200000-"'
start_held
end "killed" KILL 137
is_half || echo "killed: what came is not kept"
goes_on "killed" "$half"

for row in INT:130 TERM:143; do
    start_held
    end "SIG${row%:*}" "${row%:*}" "${row#*:}"
    [[ $(<held.err) == 'cocktail: '*interrupted* && $(<held.err) != *$'\n'* ]] || echo "${row%:*}: $(<held.err)"
    goes_on "SIG${row%:*}" "$half"
done

# Twice interrupted.
start_held
end "killed" KILL 137
touch hub/hold
pull_aside held "$id" &
pid=$!
sleep 0.5
end "killed again" KILL 137
goes_on "killed twice" "$half"

# ---- wherever it waits, a signal ends it ----

signal_while() # NAME, WHAT IS WAITED FOR (a pattern of the log), ID
{
    forget_requests
    pull_aside held "$3" &
    pid=$!
    wait_until "$1" is_asked "$2"
    sleep 0.3
    end "$1" INT 130
    rm -rf cache
}
signal_while "a server that is silent" lasting/silent lasting/silent
signal_while "a retry" lasting/503.info lasting/503.info
signal_while "Retry-After" lasting/429-after lasting/429-after
start_held
holder=$pid
pull_aside waiting "$id" &
pid=$!
sleep 1
kill -s INT $pid
wait_for $pid
((status == 130)) || echo "waiting for a lock: exit $status: $(<waiting.err)"
pid=$holder
end "the other one" INT 130
rm -rf cache

# ---- what is in the way as .incomplete ----

found() # NAME, SIZE, BYTES' SOURCE
{
    mkdir -p $blobs
    head -c "$2" "$3" >"$incomplete"
    run pull "$id"
    expect "$1" 0
    holds "$1" cache/models--lasting--held/snapshots/* small
    check_cache "$1" cache
    [[ -z $(find cache -name '*.incomplete') ]] || echo "$1: left $(find cache -name '*.incomplete')"
    rm -rf cache
}
found "empty" 0 /dev/zero
found "all but one byte" 399999 small/model.safetensors
found "the whole file" 400000 small/model.safetensors
found "something else" 1000 /dev/zero
found "something else, as long" 400000 /dev/zero
found "something longer" 400001 /dev/zero
mkdir -p $blobs
head -c 5000 /dev/zero >$blobs/"$sha256".01234567.incomplete # of another program, at work perhaps
run pull "$id"
expect "another program's" 0
holds "another program's" cache/models--lasting--held/snapshots/* small
[[ -e $blobs/$sha256.01234567.incomplete ]] || echo "another program's: is gone"
