# --tensors lists name, dtype, shape and file of each.
set -e
cocktail inspect --tensors fixtures/reranker-base | sed -n '/^$/,$p' | sed '/encoder.layer/d'
echo '--- as JSON'
cocktail inspect --json --tensors fixtures/reranker-base >json
[[ $(wc -l <json) == 1 ]]
grep -o '{"name":"classifier[^}]*}' json
grep -o '"name"' json | wc -l
echo '--- without'
cocktail inspect --json fixtures/reranker-base
cocktail inspect --json fixtures/encoder-repairs
# It is JSON: as a config.json it is taken.
mkdir judge
cp fixtures/reranker-base/model.safetensors judge
cp json judge/config.json
cocktail inspect judge >/dev/null

# A model of two tensors, N bytes together.
make_named() # N
{
    local n=$(($1 - 1)) header

    header='{"\u00e9\u00e9\u00e9":{"dtype":"U8","shape":['$n'],"data_offsets":[0,'$n']},'
    header+='"abcd":{"dtype":"U8","shape":[1],"data_offsets":['$n,$1']}}'
    mkdir -p named
    printf '{"model_type":"bert"}' >named/config.json
    printf "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header" >named/model.safetensors
    truncate -s +"$1" named/model.safetensors
}
echo '--- names that are not ASCII'
make_named 100
cocktail inspect --tensors named | tail -n 2
echo '--- sizes where the unit or the number of digits changes'
for n in 999 1000 9994 9996 99940 99960 999400 999600; do
    make_named $n
    cocktail inspect named | grep '^size'
done
