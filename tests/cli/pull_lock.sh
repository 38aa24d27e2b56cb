# Two processes that want the same blob: one fetches it, the other waits and finds it.
. "$FIXTURES/../tests/server/hub.bash"
mkdir small
cp "$FIXTURES/encoder-base/config.json" small
head -c 400000 "$FIXTURES/encoder-base/model.safetensors" >small/model.safetensors
start_hub --faulty small --repo "acme/base=$FIXTURES/encoder-base"

# The first half of the file is on the disk.
is_half()
{
    [[ -n $(find cache -name '*.incomplete' -size +190k) ]]
}

# One hangs in the middle of the transfer when the other comes.
touch hub/hold
pull_aside one --json lasting/held &
pids=($!)
wait_until "the first one's request" is_asked '"cdn"'
wait_until "the other file beside it" is_asked '"GET"' /resolve-cache/
pull_aside two --json lasting/held &
pids+=($!)
sleep 1
[[ ! -s two.out ]] || echo "the second one did not wait: $(<two.out)"
rm hub/hold
for pid in "${pids[@]}"; do
    wait "$pid" || echo "one of two: exit $?: $(cat ./*.err)"
done
cmp one.out two.out
is_sent_once "one of two"
[[ $(count '"cdn"') == 1 ]] || echo "one of two: $(requests '"cdn"')"
holds "one of two" cache/models--lasting--held/snapshots/* small

# The one that fetches is killed: the other takes over what has come.
rm -rf cache
forget_requests
touch hub/hold
pull_aside one --json lasting/held &
pid=$!
wait_until "the first one's request" is_asked '"cdn"'
wait_until "half of the file" is_half
pull_aside two --json lasting/held &
other=$!
sleep 0.5
rm hub/hold
{
    kill -s KILL $pid
    wait_for $pid
} 2>/dev/null # where the shell tells of the killed job
wait $other || echo "after a killed one: exit $?: $(<two.err)"
holds "after a killed one" cache/models--lasting--held/snapshots/* small

# Many at once.
rm -rf cache
forget_requests
pids=()
for i in 1 2 3 4; do
    pull_aside many$i --json acme/base &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || echo "many: exit $?: $(cat many*.err)"
done
for i in 2 3 4; do
    cmp many1.out many$i.out
done
is_sent_once "many"
holds "many" cache/models--acme--base/snapshots/* "$FIXTURES/encoder-base"
check_cache "many" cache
[[ -z $(find cache -name '*.incomplete') ]] || echo "many: left $(find cache -name '*.incomplete')"
