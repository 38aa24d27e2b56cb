# Small tokenizers of every kind: the ids and texts that the package tokenizers gives, exactly.
# fixtures/tokenizers/ is made by tests/parity/make_tokenizer_golden.py.
golden=$FIXTURES/tokenizers

compare() # WHAT EXPECTED GOT
{
    cmp -s "$2" "$3" || { echo "$1:"; diff -a "$2" "$3" | head -n 6; }
}

n_tokenizers=0
for expected in "$golden"/*/expected; do
    name=$(basename "$(dirname "$expected")")
    model=$golden/$name
    [[ -e $model/tokenizer.json ]] || model=$FIXTURES/$name
    for options in "" --no-special "--max-length 6"; do
        # shellcheck disable=SC2086
        cocktail tokenize "$model" --jsonl $options "$golden/texts.jsonl" >"ids$options"
    done
    paste -d '\n' ids ids--no-special "ids--max-length 6" >got
    compare "$name: ids" "$expected" got
    {
        cocktail tokenize "$model" --decode --json ids
        cocktail tokenize "$model" --decode --json --skip-special ids
    } >got
    compare "$name: texts" "$golden/$name/decoded.jsonl" got
    ((n_tokenizers++))
done
((n_tokenizers >= 20)) || echo "only $n_tokenizers tokenizers"
