# All configs that mergekit has made something of, and those that are to be refused.
golden=${COCKTAIL_TEST_DATA-}/golden/mergekit
if [[ ! -e $golden/cases.json ]]; then
    echo "SKIP: COCKTAIL_TEST_DATA has no golden/mergekit" >&3
    exit
fi
python3 "${FIXTURES%/*}/tests/recipe_golden.py" "$COCKTAIL" "$golden" "$PWD/out"
