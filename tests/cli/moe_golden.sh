# The mixtures of experts that mergekit-moe has made.
golden=${COCKTAIL_TEST_DATA-}/golden/mergekit
if [[ ! -e $golden/moe/cases.json ]]; then
    echo "SKIP: COCKTAIL_TEST_DATA has no golden/mergekit/moe" >&3
    exit
fi
python3 "${FIXTURES%/*}/tests/moe_golden.py" "$COCKTAIL" "$golden" "$PWD/out" >said
grep -v ' as mergekit has it$' said
[[ $(wc -l <said) == 3 ]] || echo "$(wc -l <said) cases"
