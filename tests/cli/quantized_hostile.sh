# Quantised checkpoints with one defect each, as tests/make_quantised_hostile.py makes them: each is refused
# with its exit code and one line that holds its message, and nothing is written. Whole ones are read. Random
# ones end with 0, 3 or 10.
export COCKTAIL_THREADS=2
python3 "$FIXTURES/../tests/make_quantised_hostile.py" made || exit
n_cases=0
while IFS=$'\t' read -r name code message; do
    timeout 20 cocktail mix --type decoder --weights 1 "made/$name" -o out >stdout 2>stderr
    status=$?
    text=$(grep -v 'cocktail: note: ' stderr)
    [[ $code == any ]] && case $status in 0 | 3 | 10) code=$status ;; *) code='0, 3 or 10' ;; esac
    [[ $status == "$code" ]] || echo "$name: exit $status, expected $code: $text"
    if ((status)); then
        [[ $text == 'cocktail: '*"$message"* && $text != *$'\n'* ]] || echo "$name: '$message': $text"
        [[ ! -e out && ! -s stdout ]] || echo "$name: fails, but writes"
    fi
    timeout 20 cocktail inspect --tensors "made/$name" >stdout 2>stderr
    [[ $? == @(0|3|10) ]] || echo "inspect $name: $(<stderr)"
    rm -rf out
    ((n_cases++))
done <made/EXPECTED.tsv
((n_cases >= 300)) || echo "only $n_cases cases"
