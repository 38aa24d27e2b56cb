# Without a server: what is in the cache is used, with a notice when that was not asked for; what is
# not ends in 6.
. "$FIXTURES/../tests/server/hub.bash"
mkdir small
cp "$FIXTURES/encoder-base/"{config,tokenizer}.json small
head -c 100000 "$FIXTURES/encoder-base/model.safetensors" >small/model.safetensors
start_hub --repo acme/small=small --repo "acme/shards=$FIXTURES/decoder-sharded" --faulty small
export HF_HUB_ETAG_TIMEOUT=1 HF_HUB_DOWNLOAD_TIMEOUT=1
dead=http://127.0.0.1:1 # nothing listens there

offline() # NAME, EXIT, NOTICE or "", ARGUMENT...
{
    run "${@:4}"
    if [[ $2 == 0 ]]; then
        expect "$1" 0
        cmp out online || echo "$1: $(<out)"
        if [[ -n $3 ]]; then
            [[ $(<err) == 'cocktail: note: '*"$3"* ]] || echo "$1: no notice: $(<err)"
        else
            [[ ! -s err ]] || echo "$1: says $(<err)"
        fi
    else
        expect_failure "$1" "$2"
        [[ $(<err) == *"$3"* ]] || echo "$1: '$3': $(<err)"
    fi
}

# ---- nothing is cached ----

HF_HUB_OFFLINE=1 offline "offline, not cached" 6 HF_HUB_OFFLINE pull acme/small
[[ $(count .) == 0 && ! -e cache ]] || echo "offline: $(requests .) $(find cache)"

# A server that does not answer is asked again, for some seconds.
aside() # NAME, EXIT, TEXT, ARGUMENT...: in the background
{
    mkdir "$1"
    cd "$1" || exit
    cp ../online . 2>/dev/null
    offline "$@"
}
HF_ENDPOINT=$dead aside "dead, not cached" 6 acme/small pull acme/small@never &
slow=($!)

# ---- cached ----

run pull --json acme/small
expect "online" 0
cp out online
cp out online-small
commit=$(member revision)
snapshot=cache/models--acme--small/snapshots/$commit
forget_requests
for value in 1 ON yes True; do
    HF_HUB_OFFLINE=$value offline "HF_HUB_OFFLINE=$value" 0 "" pull --json acme/small
done
TRANSFORMERS_OFFLINE=1 offline "TRANSFORMERS_OFFLINE" 0 "" pull --json acme/small
HF_HUB_OFFLINE=1 offline "offline, @main" 0 "" pull --json acme/small@main
HF_HUB_OFFLINE=1 offline "offline, by commit" 0 "" pull --json "acme/small@$commit"
[[ $(count .) == 0 ]] || echo "offline: $(requests .)"
HF_HUB_OFFLINE=0 offline "HF_HUB_OFFLINE=0" 0 "" pull --json acme/small
[[ $(count .) -gt 0 ]] || echo "HF_HUB_OFFLINE=0 did not ask"
HF_HUB_OFFLINE=1 offline "offline, another revision" 6 "the cache '$PWD/cache' lacks its revision 'other'; it has main, and HF_HUB_OFFLINE forbids" pull acme/small@other
HF_HUB_OFFLINE=1 offline "offline, another commit" 6 "lacks its revision '${commit//?/0}'; it has main" pull "acme/small@${commit//?/0}"
HF_HUB_OFFLINE=1 offline "offline, another repository" 6 "the cache '$PWD/cache' has nothing of it, and HF_HUB_OFFLINE forbids to ask the Hub; without it 'cocktail pull' fetches" pull acme/other
TRANSFORMERS_OFFLINE=1 offline "offline by the other variable" 6 "TRANSFORMERS_OFFLINE forbids" pull acme/other

HF_ENDPOINT=$dead offline "dead" 0 acme/small pull --json acme/small
HF_ENDPOINT=$dead offline "dead, by commit" 0 acme/small pull --json "acme/small@$commit"
HF_ENDPOINT=http://hub.invalid offline "unknown host" 0 acme/small pull --json acme/small
HF_ENDPOINT=$dead offline "dead, -q" 0 "" pull -q --json acme/small
HF_ENDPOINT=$dead aside "dead, another revision" 6 "lacks its revision 'other'; it has main" pull acme/small@other &
slow+=($!)

# ---- a server that answers, but not well ----

touch hub/repaired
for fault in 500.info 502.info 503.info 504.info silent.info 500.tree; do
    run pull --json "lasting/$fault"
    expect "$fault, repaired" 0
    cp out "online-$fault"
done
run pull --json lasting/404.info
rm hub/repaired
for fault in 500.info 502.info 503.info 504.info silent.info 500.tree; do
    cp "online-$fault" online
    aside "$fault" 0 "lasting/$fault" pull --json "lasting/$fault" &
    slow+=($!)
    sleep 0.2 # which has copied it
done
offline "404, cached" 6 "lasting/404.info" pull --json lasting/404.info
wait "${slow[@]}"
cp online-small online

# ---- cached in part ----

export HF_HUB_OFFLINE=1
cp -a cache whole
rm "$snapshot/model.safetensors"
offline "without the weights" 6 "lacks the weights (model.safetensors, say) of its commit $commit" pull acme/small
run pull acme/small --include config.json
expect "what is there of it" 0
rm -rf cache
cp -a whole cache
rm cache/models--acme--small/blobs/"$(sha256sum <small/model.safetensors | cut -d' ' -f1)"
offline "the link is there, the blob is not" 6 "lacks 'model.safetensors' of its commit $commit" pull acme/small
rm -rf cache
HF_HUB_OFFLINE=0 run pull acme/shards
expect "shards" 0
rm cache/models--acme--shards/snapshots/*/model-00003-of-00004.safetensors
offline "without a shard" 6 "shard 'model-00003-of-00004.safetensors' is not there" pull acme/shards
unset HF_HUB_OFFLINE
run pull acme/shards
expect "completed" 0
holds "completed" cache/models--acme--shards/snapshots/* "$FIXTURES/decoder-sharded"

# ---- a ref that is none ----

rm -rf cache
cp -a whole cache
for text in "" garbage "$commit$commit" ../../../small/././././././././././././.; do
    printf %s "$text" >cache/models--acme--small/refs/main
    HF_HUB_OFFLINE=1 offline "the ref '$text'" 6 acme/small pull acme/small
done
run pull --json acme/small
expect "the ref, online" 0
cmp out online
[[ $(<cache/models--acme--small/refs/main) == "$commit" ]] || echo "the ref was not set right"
