# The models of $COCKTAIL_TEST_DATA/golden/gguf, written by llama.cpp's converter and its quantiser.
data=${COCKTAIL_TEST_DATA-}
[[ -n $data && -d $data/golden/gguf ]] || { echo 'SKIP: COCKTAIL_TEST_DATA does not name the GGUF models' >&3; exit; }

python3 "$FIXTURES/../tests/gguf_golden.py" "$data/golden/gguf"
