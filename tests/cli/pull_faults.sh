# What can go wrong on the way: a fault that passes is recovered, one that lasts ends in 6 with one
# sentence after few requests, and the cache is never poisoned: what has a final name is right, and
# the next run, without the fault, brings the rest.
. "$FIXTURES/../tests/server/hub.bash"
mkdir small
cp "$FIXTURES/encoder-base/config.json" small
head -c 300000 "$FIXTURES/encoder-base/model.safetensors" >small/model.safetensors
start_hub --faulty small --repo acme/small=small
export HF_TOKEN=$TOKEN HF_HUB_ETAG_TIMEOUT=2 HF_HUB_DOWNLOAD_TIMEOUT=2
ulimit -f 20000 # kB a file: a bomb that goes off ends the run with a signal

# FAULT[.PLACE], exit status when it passes (-: not tried, it is as when it lasts) and when it lasts,
# and how often one thing may be asked for at most when it lasts; 2 where once is enough, because on a
# busy machine an answer may come too late.
table='
truncated           0 6  6
reset               0 6  6
stall               0 6  6
no-length-cut       0 6  6
chunked-cut         0 6  6
no-length           - 0  2
chunked             - 0  2
flaky               - 0  9
longer              0 6  6
shorter             0 6  6
corrupt             0 6  6
changing            0 6 12
html                0 6  6
gzip-bomb           0 6  6
endless             0 6  6
whole-for-range     0 6  8
wrong-content-range 0 6 12
no-content-range    0 6 12
416                 0 6 12
500.file            0 6  5
503.file            0 6  5
429-after.file      0 6  5
403.file            - 6  6
expired             - 0  4
404.file            - 6  2
huge-header.file    - 6  5
redirect-loop.file  - 6  8
redirect-file.file  - 6  2
redirect-host.file  - 0  2
silent.file         0 6  6

silent              0 6  5
400                 - 6  2
401                 - 6  2
403                 - 6  2
404                 - 6  2
408                 0 6  5
410                 - 6  2
451                 - 6  2
429                 0 6  5
429-after           0 6  5
429-long            - 6  2
429-date            - 6  2
429-odd             0 6  5
500                 0 6  5
502                 0 6  5
503                 0 6  5
503-after           0 6  5
504                 0 6  5
redirect-loop       - 6  8
redirect-file       - 6  2
redirect-host       - 0  2
redirect-slashes    - 0  2
redirect-user       - @(0|6) 2
wrong-etag          @(0|6) 6 5
wrong-size          @(0|6) 6 5
hostile-etag        - 6  5
hostile-commit      - 6  5
no-etag             @(0|6) 6 5
no-commit           @(0|6) 6 5
huge-header         - 6  5
many-headers        - 6  5

silent.info         0 6  5
401.info            - 6  2
403.info            - 6  2
404.info            - 6  2
429.info            0 6  5
429-long.info       - 6  2
500.info            0 6  5
503.info            0 6  5
redirect-loop.info  - 6  8
redirect-file.info  - 6  2
redirect-host.info  - 6  2
html.info           0 6  5
gzip-bomb.info      0 6  5
endless.info        0 6  5
nested.info         0 6  5
not-json.info       0 6  5
wrong-types.info    - 6  5
hostile-commit.info - 6  5
huge-header.info    - 6  5
truncated.info      0 6  5
reset.info          0 6  5
stall.info          0 6  5

500.tree            0 6  5
404.tree            - 6  2
html.tree           0 6  5
nested.tree         0 6  5
wrong-types.tree    - 6  5
reset.tree          0 6  5
link-elsewhere      - @(0|6) 2
link-loop           - @(3|6)  3
'

# One fault in one mode, with a cache of its own; what is wrong is said on stdout.
try() # MODE, FAULT, EXIT, REQUESTS
{
    local id=$1/$2 n_most

    mkdir -p "tries/$1-$2"
    cd "tries/$1-$2" || return
    ln -s ../../hub ../../small .
    HF_HUB_CACHE=$PWD/cache run pull "$id"
    expect "$id" "$3"
    if ((status != 0)); then
        expect_failure "$id" "$status"
    else
        holds "$id" cache/models--*/snapshots/* small
    fi
    [[ ! -e cache ]] || check_cache "$id" cache
    n_most=$(requests "/$id/" | sed 's/,"range.*//; s/[?&]signature=[0-9]*//' | sort | uniq -c | sort -rn |
        awk '{ print $1; exit }')
    [[ $1 == passing ]] || ((${n_most:-0} <= $4)) || echo "$id: $n_most requests for one thing"
    cd ../.. || exit
}

# With the faults gone the cache that a failed run has left is made whole.
try_again() # MODE, FAULT
{
    local id=$1/$2

    [[ -s tries/$1-$2/err ]] || return
    cd "tries/$1-$2" || return
    HF_HUB_CACHE=$PWD/cache run pull --json "$id"
    expect "$id, repaired" 0
    holds "$id, repaired" cache/models--*/snapshots/* small
    check_cache "$id, repaired" cache
    [[ -z $(find cache -name '*.incomplete') ]] || echo "$id, repaired: $(find cache -name '*.incomplete')"
    cd ../.. || exit
}

# Of each row in both modes. They wait more than they work: all at once, but not started at once.
all() # FUNCTION
{
    local fault passing lasting requests pids=()

    while read -r fault passing lasting requests; do
        [[ -n $fault ]] || continue
        "$1" lasting "$fault" "$lasting" "$requests" &
        pids+=($!)
        sleep 0.05
        [[ $passing != - ]] || continue
        "$1" passing "$fault" "$passing" "$requests" &
        pids+=($!)
        sleep 0.05
    done <<<"$table"
    wait "${pids[@]}"
}

# ---- faults of the way there ----

endpoint() # NAME, EXIT, ASSIGNMENT...
{
    mkdir -p "tries/$1"
    cd "tries/$1" || return
    status=0
    env HF_HUB_CACHE="$PWD/cache" "${@:3}" timeout 60 "$COCKTAIL" pull acme/small >out 2>err || status=$?
    if [[ $2 == 0 ]]; then
        expect "$1" 0
    else
        expect_failure "$1" "$2"
        [[ -z $(find cache -path '*/blobs/*' -size +0 2>/dev/null) ]] || echo "$1: left $(find cache -path '*/blobs/*')"
    fi
    cd ../.. || exit
}

endpoints()
{
    local dead=1 port=${HUB##*:} # nothing listens on port 1

    endpoint "dead-port" 6 HF_ENDPOINT="http://127.0.0.1:$dead" &
    endpoint "dead-ipv6" 6 HF_ENDPOINT="http://[::1]:$dead" &
    endpoint "dead-ipv6-live-ipv4" 0 HF_ENDPOINT="http://localhost:$port" &
    endpoint "unknown-host" 6 HF_ENDPOINT="http://hub.invalid" &
    endpoint "no-tls" 6 HF_ENDPOINT="https://127.0.0.1:$port" &
    endpoint "proxy-407" 6 http_proxy="$PROXY" &
    endpoint "proxy-407-tls" 6 HF_ENDPOINT=https://hub.invalid https_proxy="$PROXY" &
    endpoint "no-proxy" 0 http_proxy="$PROXY" no_proxy=127.0.0.1 &
    endpoint "dead-proxy" 6 http_proxy="http://127.0.0.1:$dead" &
    endpoint "wrong-scheme" 2 HF_ENDPOINT="file://$PWD/small" &
    wait
}

endpoints &
endpoints_pid=$!
all try
wait $endpoints_pid
for name in "dead-port" "dead-ipv6" "unknown-host" "no-tls" "dead-proxy"; do
    [[ $(<"tries/$name/err") == *acme/small* ]] || echo "$name: $(<"tries/$name/err")"
done
[[ $(count '"origin":"proxy"' CONNECT) -gt 0 && $(count CONNECT '"authorization":"token"') == 0 ]] ||
    echo "the proxy that connects got the token: $(requests CONNECT)"
[[ $(count '"origin":"proxy"') -le 4 ]] || echo "the proxy's 407 was tried again: $(requests '"origin":"proxy"')"

# The token went to the Hub and nowhere else, and nobody printed it.
[[ $(count '"origin":"hub"' '"authorization":"token"') -gt 100 ]] || echo "the Hub did not get the token"
for origin in cdn elsewhere; do
    [[ $(count "\"origin\":\"$origin\"") -gt 0 ]] || echo "nobody came to $origin"
    [[ $(count "\"origin\":\"$origin\"" '"authorization":"token"') == 0 ]] ||
        echo "the token went out: $(requests "\"origin\":\"$origin\"" '"authorization":"token"')"
done
grep -rlF "$TOKEN" tries && echo "the token was printed or stored"

touch hub/repaired
all try_again
