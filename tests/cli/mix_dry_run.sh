# --dry-run checks everything, shows the plan with its needs, and writes nothing.
find_all()
{
    find . -path ./fixtures -prune -o -print | sort
}

mkdir -p parent full
cp fixtures/reranker-base/model.safetensors full
before=$(find_all)

cocktail mix --dry-run -t 4 --weights 0.7,0.3 fixtures/reranker-base fixtures/reranker-routes -o out
echo "exit $?"
cocktail mix --dry-run -v -t 4 --weights 0.7,0.3 fixtures/reranker-base fixtures/reranker-routes \
    -o parent/deep/out
echo "exit $?"
cocktail mix --dry-run --weights 0.7,0.3 fixtures/reranker-base fixtures/reranker-routes -o full
echo "exit $?"
cocktail mix --dry-run -t 4 --weights 0.7,0.3 fixtures/reranker-base fixtures/reranker-routes -o full -f
echo "exit $?"
cocktail mix --dry-run --weights 0.7,0.3 fixtures/reranker-base fixtures/encoder-base -o out
echo "exit $?"

[[ $before == "$(find_all)" ]] || find_all
