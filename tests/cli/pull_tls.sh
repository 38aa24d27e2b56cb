# TLS: only to a server that proves who it is, and from there no way back to plain HTTP.
. "$FIXTURES/../tests/server/hub.bash"
command -v openssl >/dev/null || skip "openssl is not installed, which makes the certificates"
mkdir texts weights
cp "$FIXTURES/encoder-base/"{config,tokenizer}.json texts
cp texts/* weights
head -c 100000 "$FIXTURES/encoder-base/model.safetensors" >weights/model.safetensors
certificate() # NAME, SUBJECT
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3 -subj /CN=hub \
        -addext "subjectAltName=$2" -keyout "$1.key" -out "$1.pem" 2>openssl.err || cat openssl.err
}
certificate hub IP:127.0.0.1
certificate other IP:127.0.0.1
start_hub --tls hub.pem hub.key --repo acme/texts=texts --repo acme/weights=weights
export HF_TOKEN=$TOKEN
[[ $HUB == https://127.0.0.1:* ]] || echo "the server speaks no TLS: $HUB"

begin=$SECONDS
run pull acme/texts
expect_failure "self-signed" 6
[[ $(<err) == *certificate* ]] || echo "self-signed: $(<err)"
((SECONDS - begin < 5)) || echo "self-signed: was tried again"
SSL_CERT_FILE=$PWD/other.pem run pull acme/texts
expect_failure "another one's certificate" 6
SSL_CERT_FILE=$PWD/hub.pem HF_ENDPOINT=https://localhost:${HUB##*:} run pull acme/texts
expect_failure "another host's certificate" 6
SSL_CERT_FILE=$PWD/none.pem run pull acme/texts
expect_failure "no such file" 6
[[ $(count .) == 0 ]] || echo "asked all the same: $(requests .)"

export SSL_CERT_FILE=$PWD/hub.pem
run pull --json acme/texts
expect "with its certificate" 0
holds "with its certificate" cache/models--acme--texts/snapshots/* texts
[[ $(count '"authorization":"token"') -gt 0 ]] || echo "no token came"

# The test's CDN is plain HTTP.
run pull acme/weights
expect_failure "a redirect to http" 6
[[ $(count '"cdn"') == 0 ]] || echo "a redirect to http: $(requests '"cdn"')"
[[ -z $(find cache -name model.safetensors) ]] || echo "a redirect to http: fetched"
