# The card names models on the Hub, tells nothing of this machine, and keeps licence and language
# where all agree.
set -e
here=$(pwd -P)
mkdir -p local hub/models--{acme--base,acme--other,old}/snapshots/0123
cp fixtures/encoder-base/* local
for snapshot in hub/*/snapshots/0123; do
    cp fixtures/encoder-base/* $snapshot
done
ln -s "$here/hub/models--acme--base/snapshots/0123" link
card() # NAME: as it should be for a stranger
{
    cat "$1/README.md"
    ! grep -F "$here" "$1/README.md" || echo "a path of this machine is told"
}
terms()
{
    sed -n '/^base_model/,/^library/p' "$1/README.md"
}

echo '--- local models only'
cocktail mix -q --weights 0.5,0.5 --pooling cls "$here/local" ./local/../local -o "$here/deep/er/out" >/dev/null
card deep/er/out
echo '--- in the cache, by a link, through a link, with a name alone'
cocktail mix -q -f -w 0.25,0.25,0.25,0.25 --pooling=cls hub/models--acme--base/snapshots/0123 link \
    "$here/hub/models--old/snapshots/0123/" local --output="$here/out" >/dev/null
card out
echo '--- forms of options, and of a path'
(cd local && cocktail mix -w 1 --pooling cls . -qt2 -fo"$here/forms" -o ../other >/dev/null)
tail -n 2 other/README.md
cocktail mix -q -w 1 local/model.safetensors -o "$here/file" >/dev/null
tail -n 2 file/README.md
echo '--- as it was typed when that names it'
HF_HUB_CACHE=$here/hub
export HF_HUB_CACHE
mkdir hub/models--acme--base/refs
printf 0123456789012345678901234567890123456789 >hub/models--acme--base/refs/v1
mv hub/models--acme--base/snapshots/0123{,456789012345678901234567890123456789}
cocktail mix -q -w 0.5,0.5 --pooling cls acme/base@v1 local -o named >/dev/null
grep acme named/README.md
mkdir hub/models--old/refs
printf 0123456789012345678901234567890123456789 >hub/models--old/refs/v2
mv hub/models--old/snapshots/0123{,456789012345678901234567890123456789}
cocktail mix -q -w 0.5,0.5 --pooling cls old@v2 local -o bare >/dev/null
grep old bare/README.md
echo '--- examples'
cp fixtures/examples/arithmetic.jsonl mine.jsonl
cocktail mix-data -q --examples "$here/mine.jsonl" --max-input-length 16 "$here/fixtures/decoder-base" \
    --target "$here/fixtures/decoder-tense" -o "$here/data" >/dev/null
sed -n '/^```sh/,$p' data/README.md
! grep -F "$here" data/README.md || echo "a path of this machine is told"

front() # FOLDER LINES...: gives it a card
{
    printf -- '---\n%s\n---\n# Card\n' "$(printf '%s\n' "${@:2}")" >"$1/README.md"
}
cp -r local second
echo '--- all agree'
front local 'license: other' 'license_name: own' 'license_link: LICENSE' 'language:' '- en' '- zh'
front second 'language: [zh, "en"]' 'license_link: "LICENSE"' "license: 'other'" 'license_name: own # x'
cocktail mix -w 0.5,0.5 --pooling cls local second -o agree >/dev/null
terms agree
echo '--- they differ'
front second 'license: mit' 'language: en'
cocktail mix -w 0.5,0.5 --pooling cls local second -o differ >/dev/null
terms differ
echo '--- one says nothing, one what is not read'
front local 'license: mit'
rm second/README.md
cocktail mix -w 0.5,0.5 --pooling cls local second -o silent >/dev/null
terms silent
front local 'license: |' '  mit' 'language: en'
cocktail mix -w 1 --pooling cls local -o unclear >/dev/null
terms unclear
echo '--- nobody says something'
echo '# Card' >local/README.md
cocktail mix -w 0.5,0.5 --pooling cls local second -o nothing >/dev/null
terms nothing
echo '--- a card that leads out of the folder'
ln -s /etc/passwd second/README.md
cocktail mix -w 0.5,0.5 --pooling cls local second -o outside >/dev/null
terms outside
