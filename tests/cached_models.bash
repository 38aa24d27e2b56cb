# cached_models.bash - models of fixtures/ in the cache of the Hub, for scripts that use names without
# a Hub to ask (the runner sets HF_HUB_OFFLINE).
# shellcheck shell=bash

cache_model() # ID, NAME in fixtures/
{
    local commit=0123456789abcdef0123456789abcdef01234567 place
    place=$HOME/.cache/huggingface/hub/models--${1/\//--}

    mkdir -p "$place/refs" "$place/snapshots/$commit"
    cp -r "$FIXTURES/$2/." "$place/snapshots/$commit"
    printf %s $commit >"$place/refs/main"
}
