# The ids of llama.cpp, in whole models that it wrote: $COCKTAIL_TEST_DATA/golden/gguf/.
data=${COCKTAIL_TEST_DATA-}
[[ -n $data && -d $data/golden/gguf ]] ||
    { echo 'SKIP: COCKTAIL_TEST_DATA does not name the golden files' >&3; exit; }

for golden in "$data"/golden/gguf/*.json; do
    python3 -c '
import json, sys
items = json.load(open(sys.argv[1])).get("tokenize", [])
open("texts", "w").writelines(json.dumps(item["text"]) + "\n" for item in items)
open("ids", "w").writelines(" ".join(map(str, item["ids"])) + "\n" for item in items)' "$golden"
    [[ -s texts ]] || continue
    cocktail tokenize -q --jsonl "${golden%.json}.gguf" texts | cmp - ids &&
        echo "$(basename "$golden" .json): $(wc -l <ids) texts"
done
