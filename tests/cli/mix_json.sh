# --json prints one object and nothing else. The program itself judges whether it is JSON: as a
# config.json, malformed text is refused with 3.
set -e
is_one_object()
{
    [[ $(wc -l <"$1") == 1 ]]
    mkdir -p "judge-$1"
    cp "$1" "judge-$1/config.json"
    cp fixtures/encoder-base/model.safetensors "judge-$1"
    cocktail inspect "judge-$1" >/dev/null
}

cocktail mix --json --weights 0.75,0.25 fixtures/reranker-base fixtures/reranker-routes \
    -o 'out "1"' >one
is_one_object one
sed 's/"seconds":[0-9.e+-]*/"seconds":TIME/' one

echo '--- weights at full precision, several files, no type'
cocktail mix --json --normalize --shard-size 800KB --weights 1,2 \
    fixtures/encoder-base/model.safetensors fixtures/encoder-parts/model.safetensors -o two >two-json
is_one_object two-json
sed 's/"seconds":[0-9.e+-]*/"seconds":TIME/' two-json

echo '--- dry run'
cocktail mix --json --dry-run -t 3 --weights 0.5,0.5 fixtures/reranker-base \
    fixtures/reranker-routes -o three >three-json
is_one_object three-json
sed 's/"seconds":[0-9.e+-]*/"seconds":TIME/' three-json
[[ ! -e three ]]

echo '--- an error leaves stdout empty'
cocktail mix --json --weights 0.5,0.2 fixtures/reranker-base fixtures/reranker-routes -o four >none 2>err ||
    echo "exit $?"
head -n 1 err
[[ ! -s none && ! -e four ]]
