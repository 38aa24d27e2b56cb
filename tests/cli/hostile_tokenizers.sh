# All of fixtures/hostile-tokenizers/: `tokenize` ends with the exit code of EXPECTED.tsv and, if that is
# not 0, one line that holds its message. Then what cannot be stored: special files, and megabytes
# of text that are hard for each kind of tokenizer. Time and memory are bounded.
seconds=10 kilobytes=1000000
if [[ -n $SAN ]]; then # slower, and it takes the address space
    seconds=100 kilobytes=unlimited
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1
fi
cases=$FIXTURES/hostile-tokenizers

errors()
{
    local line

    while IFS= read -r line; do
        [[ $line == *==WARNING:* ]] || printf '%s\n' "$line"
    done <err
}

try() # NAME, EXIT, MESSAGE, ARGUMENT...
{
    local text

    (ulimit -v "$kilobytes"; exec timeout "$seconds" "$COCKTAIL" tokenize "${@:4}") >out 2>err
    status=$?
    ((status == $2)) || { echo "$1: exit $status, expected $2: $(head -c 2000 err)"; return; }
    text=$(errors)
    if (($2 != 0)); then
        [[ $text == 'cocktail: '*"$3"* && $text != *$'\n'* ]] || echo "$1: '$3': ${text:0:2000}"
        [[ ! -s out ]] || echo "$1: fails, but prints $(head -c 200 out)"
    else
        [[ -z $text ]] || echo "$1: ${text:0:2000}"
        [[ -s out ]] || echo "$1: prints nothing"
    fi
}

printf 'hello a ab abc <x> A aaaa 12\n' >text
n_cases=0
declare -A is_listed
while IFS=$'\t' read -r name code message; do
    try "$name" "$code" "$message" "$cases/$name" text
    is_listed[$name]=1
    ((n_cases++))
done <"$cases/EXPECTED.tsv"
((n_cases >= 250)) || echo "only $n_cases cases"
for model in "$cases"/*/; do
    name=$(basename "$model")
    [[ -n ${is_listed[$name]-} ]] || echo "$name: not in EXPECTED.tsv"
done

# ---- back to text ----

printf '0 1 2 3 4 5 6 1 1 4294967295\n' >ids
for name in decoder-grows-without-end{,-regex}; do
    try "$name, decoded" 3 'ids:1: decoder Replace: makes more than' "$cases/$name" --decode ids
done
try "90 times ByteLevel, decoded" 0 "" "$cases/decoder-90-steps" --decode ids

# ---- special files ----

for file in tokenizer.json tokenizer.model tekken.json vocab.txt tokenizer_config.json; do
    mkdir fifo link folder
    for place in fifo link folder; do
        [[ $file == tokenizer_config.json ]] && cp "$cases/charsmap-ok/tokenizer.json" $place
    done
    mkfifo "fifo/$file"
    try "FIFO as $file" 3 "FIFO" fifo text
    ln -s "$cases/charsmap-ok/tokenizer.json" "link/$file"
    try "link out as $file" 3 "symbolic link" link text
    mkdir "folder/$file"
    try "directory as $file" 3 "directory" folder text
    rm -r fifo link folder
done

# ---- hard texts ----

model() # NAME, JSON: folder NAME with this tokenizer.json
{
    mkdir "$1"
    printf '%s\n' "$2" >"$1/tokenizer.json"
}

long() # TEXT: a megabyte of it
{
    local text=$1

    while ((${#text} < 1000000)); do
        text+=$text
    done
    printf '%s' "${text:0:1000000}"
}

LC_ALL=C
long a >long-a
long ' ' >long-spaces
long $'\n' >long-newlines
long aab >long-word
long 'a,b;' >long-punctuation
{ long a; printf '!'; } >long-a-end
long $'a\xcc\x81\xcc\xa3' >long-marks
long $'\xcc\xa3\xcc\x81' >long-marks-alone
long $'\xe2\x96\x81' >long-replacements
long '<s>' >long-added
long '<s' >long-added-almost

bpe='"model":{"type":"BPE","unk_token":"<unk>","vocab":{"<unk>":0,"a":1,"b":2,"aa":3,"aab":4,"aaaa":5,
  "▁":6,"▁▁":7,"▁a":8},"merges":["a a","aa b","aa aa","▁ ▁","▁ a"]}'
unigram='"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1],["aa",-1.5],["aaaaaaaa",-3],
  ["b",-2],["▁",-1],["▁▁",-2]]}'
wordpiece='"model":{"type":"WordPiece","unk_token":"<unk>","continuing_subword_prefix":"##",
  "max_input_chars_per_word":9007199254740992,"vocab":{"<unk>":0,"a":1,"##a":2,"##aaaaaaaa":3,"##b":4}}'
added='"added_tokens":[{"id":0,"content":"<s>","single_word":false,"lstrip":true,"rstrip":true,
  "normalized":false,"special":true},{"id":0,"content":" <s>","single_word":true,"lstrip":true,
  "rstrip":true,"normalized":true,"special":true}]'
spaces='"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace",
  "pattern":{"String":" "},"content":"▁"}]}'
model bpe "{$bpe}"
model bpe-spaces "{$added,$spaces,$bpe}"
model unigram "{$added,$unigram,\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"▁\"}}"
model unigram-runs "{$unigram,\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}}"
model wordpiece "{$wordpiece,\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"normalizer\":{\"type\":\"BertNormalizer\",
  \"clean_text\":true,\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true}}"
model forms "{$bpe,\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"NFKD\"},
  {\"type\":\"StripAccents\"},{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}]}}"
model gpt2 "{$bpe,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true}}"
for behavior in Removed MergedWithPrevious MergedWithNext Contiguous; do
    model "split-$behavior" "{$bpe,\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+$|[,;]\"},
      \"behavior\":\"$behavior\",\"invert\":false}}"
done
ln -s "$cases/charsmap-ok" charsmap
for model in bpe bpe-spaces unigram unigram-runs wordpiece forms gpt2 charsmap split-*; do
    for text in long-*; do
        (ulimit -v "$kilobytes"; exec timeout "$seconds" "$COCKTAIL" tokenize "$model" "$text") \
            >out 2>err
        status=$?
        [[ $status == 0 || ($status == 10 && $model == split-*) ]] ||
            echo "$model, $text: exit $status: $(head -c 300 err)"
    done
done

# Patterns that take exponential time: they give up, soon.
for name in regex-ok-catastrophic regex-ok-catastrophic-nested; do
    for text in long-a-end long-a long-word; do
        (ulimit -v "$kilobytes"; exec timeout "$seconds" "$COCKTAIL" tokenize "$cases/$name" "$text") \
            >out 2>err
        status=$?
        [[ $status == 0 || ($status == 10 && $(errors) == 'cocktail: '* && $(errors) != *$'\n'*) ]] ||
            echo "$name, $text: exit $status: $(head -c 300 err)"
    done
done
