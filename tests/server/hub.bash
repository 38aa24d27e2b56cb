# hub.bash - what the scripts of tests/cli/ share that fetch from the server beside this file; they
# source it.
#
# They run in an empty directory. ./hub is the server's, ./cache the cache (HF_HUB_CACHE).
# shellcheck shell=bash disable=SC2034
set -u

skip() # REASON
{
    echo "SKIP: $1" >&3
    exit 77
}
command -v python3 >/dev/null || skip "python3 is not installed, which runs the server"

server=$FIXTURES/../tests/server/hub_server.py
TOKEN=hf_tokenOfTheTests
export PYTHONDONTWRITEBYTECODE=1
unset ${!HF_*} ${!HUGGING*} TRANSFORMERS_OFFLINE XDG_CACHE_HOME XDG_CONFIG_HOME
unset http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY
unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE
export HF_HUB_CACHE=$PWD/cache

# Leaves HUB, CDN, ELSEWHERE, PROXY; HF_ENDPOINT is the first.
start_hub() # ARGUMENT...
{
    local i

    mkdir -p hub
    rm -f hub/ports
    python3 "$server" hub --token "$TOKEN" "$@" >hub/output 2>&1 3>&- &
    hub_pid=$!
    trap stop_hub EXIT
    for ((i = 0; i < 600; i++)); do
        [[ -e hub/ports ]] && break
        kill -0 $hub_pid 2>/dev/null || break
        sleep 0.05
    done
    [[ -e hub/ports ]] || { echo "the server does not start: $(<hub/output)"; exit 1; }
    # shellcheck disable=SC1091
    . hub/ports
    export HF_ENDPOINT=$HUB
}

stop_hub()
{
    kill "$hub_pid" 2>/dev/null
    wait "$hub_pid" 2>/dev/null
}

# Leaves ./out, ./err and $status.
run() # ARGUMENT...
{
    timeout 60 "$COCKTAIL" "$@" >out 2>err
    status=$?
}

expect() # NAME, EXIT (a pattern)
{
    # shellcheck disable=SC2053
    [[ $status == $2 ]] || echo "$1: exit $status, expected $2: $(<err)"
}

# A failure is one sentence, besides notices, remarks of a sanitizer and what a wrong command line is
# told; and no result.
expect_failure() # NAME, EXIT (a pattern)
{
    local text

    expect "$1" "$2"
    text=$(grep -a -v -e '^cocktail: note: ' -e '^usage: ' -e '^==.*WARNING:' err)
    [[ $text == 'cocktail: '?* && $text != *$'\n'* ]] || echo "$1: says '$text'"
    [[ ! -s out ]] || echo "$1: fails, but prints $(<out)"
}

# The requests of the log that match all patterns.
requests() # PATTERN...
{
    local pattern rows

    rows=$(cat hub/log)
    for pattern; do
        rows=$(grep -a -e "$pattern" <<<"$rows")
    done
    [[ -z $rows ]] || echo "$rows"
}

forget_requests()
{
    : >hub/log
}

count() # PATTERN...
{
    requests "$@" | wc -l
}

is_asked() # PATTERN...
{
    (($(count "$@") > 0))
}

# Requests for what is in files, and of these the ones that are answered with it.
bodies='"method":"GET".*\(/resolve-cache/\|/resolve/\|signature=\)'
sent='"method":"GET".*\(/resolve-cache/\|signature=\)'

# No file was sent twice, but for those that say which others are wanted.
is_sent_once() # NAME
{
    local twice

    twice=$(requests "$sent" | sed 's/.*"path":"\([^"]*\)".*/\1/; s/[?&]\(signature\|etag\).*//' | sort | uniq -d |
        grep -v -e '\.index\.json$' -e 'modules\.json$')
    [[ -z $twice ]] || echo "$1: fetched twice: $twice"
}

# A member that is a string in the JSON of ./out.
member() # NAME
{
    sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" out | head -n 1
}

# Whether a snapshot holds just the files of a directory.
holds() # NAME, SNAPSHOT, DIRECTORY
{
    diff -r "$2" "$3" >difference 2>&1 || echo "$1: $(head -n 3 difference)"
}

# Whatever has a final name in a cache must be whole: its name is its hash.
check_cache() # NAME, CACHE
{
    local blob name hash

    for blob in "$2"/models--*/blobs/*; do
        name=${blob##*/}
        case $name in
        '*') continue ;;
        *.incomplete) continue ;;
        ????????????????????????????????????????)
            hash=$({ printf 'blob %d\0' "$(stat -c %s "$blob")"; cat "$blob"; } | sha1sum)
            ;;
        *) hash=$(sha256sum <"$blob") ;;
        esac
        [[ $name == "${hash%% *}" ]] || echo "$1: the blob $name is not what its name says"
    done
    find "$2" -xtype l 2>/dev/null | sed "s|^|$1: a link to nothing: |"
}

git_sha1() # FILE
{
    { printf 'blob %d\0' "$(stat -L -c %s "$1")"; cat "$1"; } | sha1sum | cut -d' ' -f1
}

# To be put into the background, where it is the process $!: a pull that signals reach as they do
# from a terminal.
pull_aside() # NAME, ARGUMENT...: leaves NAME.out, NAME.err
{
    exec env --default-signal=INT,TERM "$COCKTAIL" pull "${@:2}" >"$1.out" 2>"$1.err" 3>&-
}

# Leaves $status; says nothing of a kill.
wait_for() # PROCESS
{
    { wait "$1"; } 2>/dev/null
    status=$?
}

wait_until() # WHAT, COMMAND...
{
    local i

    for ((i = 0; i < 400; i++)); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep 0.05
    done
    echo "waited in vain: $1"
}
