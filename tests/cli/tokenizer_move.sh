# tokenizer move: rows against the rules computed once more, files that follow, and what is refused.
set -e
expected="$FIXTURES/../tests/move_expected.py"
python3 "$expected" make .

move() # METHOD, K, VARIANT, OPTION...
{
    cocktail tokenizer move own donor -q -f -o moved --method "$1" "${@:4}" >table
    python3 "$expected" check . moved "$1" "$2" "$3"
}
move omp 6 "" --k 6
cat table | head -n 4
move omp 12 "" --k 14 # more than there are dimensions
move mean 0 ""
move zero 0 ""
move zero 0 byte=both,prefix=head --byte-match both --prefix-match head
move zero 0 byte=embedding,prefix=both --byte-match embedding --prefix-match both
for variant in mean sum weighted_mean first_last; do
    move subword 0 $variant --subword-method $variant
done
for variant in distance_proportional barycentric least_squares; do
    move common_interpolation 5 $variant --k 5 --weight-scheme $variant
    move common_interpolation 4 $variant,cosine --k 4 --weight-scheme $variant --cosine-similarity
done

echo "files:"
ls -A moved
cat moved/config.json moved/generation_config.json moved/tokenizer_config.json
echo
cmp moved/tokenizer.json donor/tokenizer.json
sed -n '/^# /,$p' moved/README.md
printf '"the cat  xyz<|end|>\\n"\n' >text
cmp <(cocktail tokenize moved --jsonl text) <(cocktail tokenize donor --jsonl text)
cocktail inspect moved >inspected

echo "the same bytes for any number of threads:"
cocktail tokenizer move own donor -q -o one -t 1 --k 6 >table
cocktail tokenizer move own donor -q -o five -t 5 --k 6 >table
cmp one/model.safetensors five/model.safetensors

echo "the class that the donor's model type implies:"
cp -r own classy
cp -r donor other
sed -i 's/"vocab_size"/"tokenizer_class": "GPT2Tokenizer", &/' classy/config.json
for type in mistral llama roberta; do
    sed "s/\"model_type\": \"llama\"/\"model_type\": \"$type\"/" donor/config.json >other/config.json
    for class in '"tokenizer_class": "LlamaTokenizer", ' ''; do
        echo "{$class\"bos_token\": \"<|end|>\"}" >other/tokenizer_config.json
        cocktail tokenizer move classy other -q -f -o of-class --method zero >table
        echo "$type: $(<of-class/tokenizer_config.json)"
        ! grep tokenizer_class of-class/config.json
    done
done
sed -i 's/"model_type": "llama"/"model_type": "qwen2"/' classy/config.json
cocktail tokenizer move classy other -f -o of-class --method zero 2>&1 | grep Qwen2Tokenizer
rm other/tokenizer_config.json # its classes are those of its config.json
sed -i 's/"vocab_size"/"tokenizer_class": "BloomTokenizerFast", &/' other/config.json
cocktail tokenizer move own other -q -f -o of-class --method zero >table
cat of-class/tokenizer_config.json
echo

echo "tied, and shards, and JSON:"
cocktail tokenizer move own-tied donor -q -o tied --k 6 --shard-size 2000B | sed 's, in .*,,'
python3 "$expected" check-tied . tied
cocktail tokenizer move own donor-tied -q -o untied --method mean --json | sed 's/"seconds":[^,}]*/"seconds":N/'

echo "refused:"
refuse() # STATUS, ARGUMENT...
{
    local wanted=$1 status=0

    shift
    cocktail tokenizer move -q "$@" -o refused >out || status=$?
    [[ $status == "$wanted" && ! -e refused ]] || echo "exit $status for $*"
}
refuse 8 own donor # k is 64
refuse 2 own donor --method mean --k 3
refuse 2 own donor --subword-method sum
refuse 2 own donor --method nearest
refuse 2 own
refuse 2 own nowhere/at-all/x
cocktail tokenizer swap own donor -o refused || echo "exit $?"
cp -r donor no-tokenizer
rm no-tokenizer/tokenizer*
refuse 3 own no-tokenizer
cp -r donor no-config
rm no-config/config.json
refuse 3 own no-config
cp -r own nested
sed -i 's/"vocab_size": [0-9]*, //' nested/config.json
refuse 10 nested donor --method zero
sed 's/"!": 9/"!": 400000000/' donor/tokenizer.json >far.json
cp -r donor far
cp far.json far/tokenizer.json
refuse 3 own far --method zero
mkdir deep
cp -r donor deep/donor
cocktail tokenizer move own deep/donor -q -o deep -f --method zero || echo "exit $?"
cocktail tokenizer move own donor -q -o donor -f --method zero | tail -n 1 | sed 's/ in .*//'
