# The token: where it comes from, that it goes to the Hub alone, and that nobody gets to see it.
. "$FIXTURES/../tests/server/hub.bash"
mkdir small
cp "$FIXTURES/encoder-base/config.json" small
head -c 100000 "$FIXTURES/encoder-base/model.safetensors" >small/model.safetensors
start_hub --repo acme/open=small --repo acme/secret=small --private acme/secret --repo acme/gated=small \
    --gated acme/gated --faulty small
export HOME=$PWD/home
mkdir home files
printf ' \n%s\r\n\n' "$TOKEN" >files/token
echo hf_wrong >files/wrong
: >files/empty

# With a cache of its own each time; whatever it says, it does not say the token.
attempt() # NAME, EXIT, TEXT, ID, ASSIGNMENT...
{
    rm -rf cache
    status=0
    env "${@:5}" timeout 60 "$COCKTAIL" pull -v --json "$4" >out 2>err || status=$?
    expect "$1" "$2"
    if ((status == 0)); then
        holds "$1" cache/models--*/snapshots/* small
    else
        [[ $(<err) == *"$3"* ]] || echo "$1: '$3': $(<err)"
        [[ -z $(find cache -path '*/blobs/*' -size +0 2>/dev/null) ]] || echo "$1: left $(find cache -path '*/blobs/*')"
    fi
    ! grep -rqF -e "$TOKEN" -e hf_wrong out err cache 2>/dev/null || echo "$1: shows the token"
}

attempt "no token" 6 HF_TOKEN acme/secret A=b
attempt "no token, gated" 6 HF_TOKEN acme/gated A=b
attempt "no token, open" 0 "" acme/open A=b
[[ $(count '"authorization":"') == 0 ]] || echo "no token: $(requests '"authorization":"')"

for id in acme/secret acme/gated acme/open; do
    attempt "HF_TOKEN, $id" 0 "" $id HF_TOKEN="$TOKEN"
done
attempt "HF_TOKEN with white space" 0 "" acme/secret HF_TOKEN=$' \t'"$TOKEN"$'\n'
attempt "HUGGING_FACE_HUB_TOKEN" 0 "" acme/secret HUGGING_FACE_HUB_TOKEN="$TOKEN"
attempt "HF_TOKEN_PATH" 0 "" acme/secret HF_TOKEN_PATH="$PWD/files/token"
mkdir -p home/.cache/huggingface files/home
cp files/token home/.cache/huggingface/token
cp files/token files/home/token
attempt "the file of HOME" 0 "" acme/secret A=b
rm -r home/.cache
attempt "the file of HF_HOME" 0 "" acme/secret HF_HOME="$PWD/files/home"
attempt "HF_TOKEN before the others" 0 "" acme/secret HF_TOKEN="$TOKEN" HUGGING_FACE_HUB_TOKEN=hf_wrong \
    HF_TOKEN_PATH="$PWD/files/wrong"
attempt "HF_TOKEN_PATH before HF_HOME" 6 "" acme/secret HF_TOKEN_PATH="$PWD/files/wrong" HF_HOME="$PWD/files/home"
attempt "an empty HF_TOKEN is none" 0 "" acme/secret HF_TOKEN= HF_TOKEN_PATH="$PWD/files/token"
attempt "an empty file is none" 0 "" acme/open HF_TOKEN_PATH="$PWD/files/empty"
attempt "a file that is not there" 0 "" acme/open HF_TOKEN_PATH="$PWD/files/none"

attempt "a wrong token" 6 "" acme/secret HF_TOKEN=hf_wrong
attempt "HF_HUB_DISABLE_IMPLICIT_TOKEN, open" 0 "" acme/open HF_TOKEN=hf_wrong HF_HUB_DISABLE_IMPLICIT_TOKEN=1
attempt "HF_HUB_DISABLE_IMPLICIT_TOKEN" 6 "" acme/secret HF_TOKEN="$TOKEN" HF_HUB_DISABLE_IMPLICIT_TOKEN=yes

# What would become a header of its own is no token.
attempt "a token with a newline" '@(0|2|6)' "" acme/open HF_TOKEN="$TOKEN"$'\r\nx-evil: 1'
[[ $(count x-evil) == 0 ]] || echo "a token with a newline: $(requests x-evil)"

# Off the Hub goes no token: to the CDN, to where a redirect leads, to where the next page lies.
for fault in redirect-host redirect-slashes redirect-user redirect-host.file redirect-host.info redirect-host.tree \
    link-elsewhere; do
    attempt "$fault" '@(0|6)' "" lasting/$fault HF_TOKEN="$TOKEN"
done
attempt "an endpoint with another host" 0 "" acme/open HF_TOKEN="$TOKEN" HF_ENDPOINT="$ELSEWHERE"
[[ $(count '"origin":"elsewhere"' '"authorization":"token"') -gt 0 ]] || echo "the endpoint did not get the token"
[[ $(count '"origin":"elsewhere"' '"authorization":"token"' /lasting/) == 0 ]] ||
    echo "the token went elsewhere: $(requests '"origin":"elsewhere"' '"authorization":"token"' /lasting/)"
[[ $(count '"origin":"cdn"') -gt 10 && $(count '"origin":"cdn"' '"authorization":"') == 0 ]] ||
    echo "the token went to the CDN: $(requests '"origin":"cdn"' '"authorization":"')"
grep -qF "$TOKEN" hub/log && echo "the token went into a URL"
! grep -a -q -e "$TOKEN" hub/output || cat hub/output
