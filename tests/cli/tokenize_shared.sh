# Real tokenizers: all golden ids and texts of $COCKTAIL_TEST_DATA/golden/tokenizers/.
data=${COCKTAIL_TEST_DATA-}
[[ -n $data && -d $data/tokenizers && -d $data/golden/tokenizers ]] ||
    { echo 'SKIP: COCKTAIL_TEST_DATA does not name the real tokenizers' >&3; exit; }

unpack() # DIRECTORY TARGET
{
    local file

    mkdir "$2"
    for file in "$1"/*; do
        case $file in
        *.gz) zcat "$file" >"$2/$(basename "$file" .gz)" ;;
        *) cp "$file" "$2/" ;;
        esac
    done
}

# Lines {"ids":[…],"trim":[p,s],"raw":[…],"decoded":"…"}: the ids, the ids without special tokens, the
# texts as --decode --json writes them. The program escapes fewer characters than these lines: both
# pass through it as texts, to be compared as ids of a byte-level tokenizer.
split_expected() # FILE
{
    zcat "$1" | tee lines | sed 's/^{"ids":\[//; s/\].*//; s/,/ /g' >expected_ids
    awk '{
        ids = raw = $0
        sub(/^{"ids":\[/, "", ids); sub(/\].*/, "", ids)
        if (sub(/.*"raw":\[/, "", raw)) { sub(/\].*/, "", raw); gsub(/,/, " ", raw); print raw; next }
        trim = $0
        sub(/.*"trim":\[/, "", trim); sub(/\].*/, "", trim); split(trim, t, ",")
        n = split(ids, id, ","); line = ""
        for (i = 1 + t[1]; i <= n - t[2]; i++) line = line (i > 1 + t[1] ? " " : "") id[i]
        print line
    }' lines >expected_raw
    grep '"decoded":' lines | sed 's/^{"ids":\[\([0-9,]*\)\].*/\1/; s/,/ /g' >decoded_ids
    grep '"decoded":' lines | sed 's/.*"decoded":/{"text":/' >expected_texts
}

n_tokenizers=0
for packed in "$data"/golden/tokenizers/expected/*.jsonl.gz; do
    name=$(basename "$packed" .jsonl.gz)
    unpack "$data/tokenizers/$name" model
    split_expected "$packed"
    texts=$data/golden/tokenizers/texts.jsonl.gz
    cocktail tokenize model --jsonl "$texts" | cmp - expected_ids || echo "$name: ids"
    cocktail tokenize model --jsonl --no-special "$texts" | cmp - expected_raw || echo "$name: raw"
    cocktail tokenize model --decode --json decoded_ids >texts
    for file in texts expected_texts; do
        cocktail tokenize "$FIXTURES/decoder-base" --jsonl "$file" >"$file.ids"
    done
    cmp texts.ids expected_texts.ids || echo "$name: texts"
    [[ $(wc -l <texts) == $(wc -l <expected_texts) && -s texts ]] || echo "$name: number of texts"
    ((n_tokenizers++))
    rm -r model
done
((n_tokenizers > 0)) || echo "no tokenizers in '$data'"
