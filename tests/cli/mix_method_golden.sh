# What mergekit has made of those of its configs that are a list of models with plain values.
golden=${COCKTAIL_TEST_DATA-}/golden/mergekit
if [[ ! -e $golden/cases.json ]]; then
    echo "SKIP: COCKTAIL_TEST_DATA has no golden/mergekit" >&3
    exit
fi
python3 "${FIXTURES%/*}/tests/merge_golden.py" "$COCKTAIL" "$golden" "$PWD/out"
