# Recipes that move tokens, and what mergekit has made of them.
golden=${COCKTAIL_TEST_DATA-}/golden/mergekit
if [[ ! -e $golden/tokenizer/cases.json ]]; then
    echo "SKIP: COCKTAIL_TEST_DATA has no golden/mergekit" >&3
    exit
fi
python3 "${FIXTURES%/*}/tests/tokenizer_golden.py" "$COCKTAIL" "$golden" "$PWD/out"
