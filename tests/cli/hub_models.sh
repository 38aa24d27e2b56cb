# Hub ids as models: every command does with them what it does with the same files in a directory.
. "$FIXTURES/../tests/server/hub.bash"
repositories=()
for name in encoder-base encoder-parts encoder-repairs reranker-base decoder-base decoder-arithmetic decoder-sharded encoder-bin; do
    repositories+=(--repo "acme/$name=$FIXTURES/$name")
done
for name in base-llama rslora-patterns; do
    repositories+=(--repo "acme/$name=$FIXTURES/adapters/$name")
done
repositories+=(--repo "acme/rslora-patterns@other=$FIXTURES/adapters/embedding")
mkdir words
echo words >words/notes.txt
start_hub "${repositories[@]}" --renamed decodertwo=acme/decoder-base --repo "acme/encoder-base@other=$FIXTURES/encoder-parts" --repo acme/words=words
examples=$FIXTURES/examples
export COCKTAIL_THREADS=2

# The command once with Hub ids and once with directories, for each argument @NAME: both do the same
# and, names and times apart, say the same.
same() # ARGUMENT...
{
    local normal='s/"seconds": *[0-9.e-]*/SECONDS/; s/"tokens_per_second": *[^,}]*/RATE/; s/ in [0-9.]* s$/ TIME/'

    run "${@/#@/acme/}"
    expect "$*" 0
    sed "s#acme/#MODEL/#g; s#$PWD/cache/models--acme--\([^/]*\)/snapshots/[0-9a-f]*#MODEL/\1#g; $normal" out >from_hub
    run "${@/#@/$FIXTURES/}"
    expect "$* (local)" 0
    sed "s#$FIXTURES/#MODEL/#g; $normal" out | diff - from_hub >difference || echo "$*: $(<difference)"
}

says() # NAME, EXIT, TEXT...
{
    local text

    expect_failure "$1" "$2"
    for text in "${@:3}"; do
        [[ $(<err) == *"$text"* ]] || echo "$1: '$text': $(<err)"
    done
}

# Takes its time, because it asks again.
no_server()
{
    mkdir aside
    cd aside || exit
    HF_ENDPOINT=http://127.0.0.1:1 run inspect acme/nothing
    says "no server" 6 acme/nothing "no such directory" 127.0.0.1
}
no_server &
slow=$!

# ---- the results are the same, and nothing is fetched twice ----

same inspect --json --tensors @encoder-base
same inspect @decoder-sharded
same diff --json @encoder-base @encoder-parts
echo 'the cat sat on the mat' >text
same tokenize @encoder-base text
same tokenize --json @decoder-base text
same embed @encoder-repairs text
same rerank @reranker-base --query cat text
same eval --json @decoder-base --examples "$examples/arithmetic.jsonl" --each
same eval --json @encoder-base --examples "$examples/retrieval-parts.jsonl"
same generate --json @decoder-arithmetic --prompt '1 + 2' --max-tokens 4
is_sent_once "one command after the other"

# ---- tokenize needs no weights ----

rm -rf cache
run tokenize acme/encoder-bin text
expect "tokenize" 0
[[ -z $(find cache -name '*.bin') ]] || echo "tokenize fetched the weights"

# ---- mix ----

rm -rf cache
run mix -q -w 0.5,0.5 acme/encoder-base acme/encoder-parts -o out-hub
expect "mix" 0
run mix -q -w 0.5,0.5 "$FIXTURES/encoder-base" "$FIXTURES/encoder-parts" -o out-local
diff -r -x README.md out-hub out-local || echo "mix: the results differ"
grep -q 'acme/encoder-base' out-hub/README.md || echo "mix: README.md does not name the model: $(<out-hub/README.md)"
! grep -q snapshots out-hub/README.md || echo "mix: README.md names the cache"
[[ -z $(find out-hub -type l) ]] || echo "mix: links in the output"

run mix -q --json -w 0.5,0.5 acme/encoder-base@other "$FIXTURES/encoder-base" -o out-other
expect "mix of a revision and a directory" 0
cmp out-other/model.safetensors out-local/model.safetensors
[[ $(<out) == *'"acme/encoder-base@other"'* ]] || echo "mix --json: $(<out)"
run mix -q -w 0.5,0.5 acme/decoder-base acme/decoder-sharded -o out-shards
expect "mix of shards" 0
run mix-data -q --examples "$examples/retrieval-parts.jsonl" acme/encoder-base acme/encoder-parts -o out-data-hub
expect "mix-data" 0
run mix-data -q --examples "$examples/retrieval-parts.jsonl" "$FIXTURES"/encoder-{base,parts} -o out-data-local
cmp out-data-hub/model.safetensors out-data-local/model.safetensors
run mix -q -w 0.5,0.5 acme/encoder-base acme/nothing -o out-none
expect_failure "mix of what is not there" 6
[[ ! -e out-none ]] || echo "mix of what is not there: wrote"

# ---- a model with an adapter, each from the Hub or from a directory, of any revision ----

rm -rf cache
forget_requests
adapters=$FIXTURES/adapters
for name in rslora-patterns rslora-patterns@other; do
    local_name=$name
    [[ $name == *@other ]] && local_name=embedding
    run mix -q -f -w 1 "$adapters/base-llama+$adapters/$local_name" -o out-local
    for model in "acme/base-llama+acme/$name" "acme/base-llama@main+acme/$name" "$adapters/base-llama+acme/$name" \
        "acme/base-llama+$adapters/$local_name"; do
        run mix -q -f -w 1 "$model" -o out-hub
        expect "$model" 0
        cmp out-hub/model.safetensors out-local/model.safetensors
    done
done
is_sent_once "adapters"
grep -q 'acme/base-llama' out-hub/README.md || echo "adapter: README.md does not name the model: $(<out-hub/README.md)"
! grep -q snapshots out-hub/README.md || echo "adapter: README.md names the cache"
printf 'merge_method: passthrough\nmodels: [{model: acme/base-llama+acme/rslora-patterns@other}]\n' >recipe.yml
run merge -q -f recipe.yml -o out-hub
expect "a recipe with an adapter" 0
cmp out-hub/model.safetensors out-local/model.safetensors
HF_HUB_OFFLINE=1 run inspect --json acme/base-llama+acme/rslora-patterns
expect "an adapter in the cache" 0
[[ $(member path) == acme/base-llama+acme/rslora-patterns ]] || echo "adapter: $(<out)"
run mix -q -w 1 acme/base-llama+acme/nothing -o out-none
says "an unknown adapter" 6 acme/nothing
run mix -q -w 1 acme/base-llama+acme/rslora-patterns@nothing -o out-none
says "an unknown revision of an adapter" 6 acme/rslora-patterns@nothing revision
run mix -q -w 1 acme/base-llama+acme/words -o out-none
says "a repository without an adapter" 3 "acme/words"
[[ ! -e out-none ]] || echo "a mix that failed wrote"

# ---- links of a snapshot ----

# Newer clients share blobs between the repositories of a cache: those of one are links, too.
run pull --json acme/decoder-base
snapshot=$(member path)
blob=$(readlink -f "$snapshot/model.safetensors")
mkdir -p cache/blobs/ab
mv "$blob" cache/blobs/ab/"${blob##*/}"
ln -s ../../blobs/ab/"${blob##*/}" "$blob"
forget_requests
same eval @decoder-base --examples "$examples/arithmetic.jsonl"
run inspect "$snapshot"
expect "a snapshot by its path" 0
[[ $(count "$bodies") == 0 ]] || echo "a shared blob was fetched: $(requests "$bodies")"
run pull acme/decoder-arithmetic
ln -sf "$(readlink -f cache/models--acme--decoder-arithmetic/snapshots/*/model.safetensors)" "$snapshot/model.safetensors"
HF_HUB_OFFLINE=1 run inspect acme/decoder-base
expect_failure "a link into another repository" 3
rm -rf cache

# ---- a path wins ----

mkdir -p acme
cp -r "$FIXTURES/encoder-parts" acme/encoder-base
forget_requests
run inspect --json acme/encoder-base
expect "a path" 0
[[ $(count .) == 0 ]] || echo "a path: $(requests .)"
[[ $(member path) == acme/encoder-base ]] || echo "a path: $(<out)"
rm -r acme

# ---- a name without an organisation, which old models have ----

for name in decodertwo decodertwo@main; do
    run inspect "$name"
    says "$name, not in the cache" 2 "'$name': no such directory or file, nor is it in the cache of the Hub; a model on the Hub is named like org/name or org/name@revision ('cocktail pull $name' would"
done
[[ $(count decodertwo) == 0 ]] || echo "asked for a word that may be a mistyped path: $(requests decodertwo)"
run pull decodertwo
expect "pull of a name without an organisation" 0
[[ $(<out) == "$PWD"/cache/models--decodertwo/snapshots/* ]] || echo "pull decodertwo: $(<out)"
for offline in 0 1; do
    HF_HUB_OFFLINE=$offline run inspect --json decodertwo
    expect "in the cache, offline $offline" 0
    [[ $(member path) == decodertwo ]] || echo "decodertwo: $(<out)"
    HF_HUB_OFFLINE=$offline run eval decodertwo@main --examples "$examples/arithmetic.jsonl"
    expect "eval, offline $offline" 0
done
HF_HUB_OFFLINE=1 run tokenize decodertwo@other text
says "another revision, offline" 6 "lacks its revision 'other'; it has main"
HF_HUB_OFFLINE=1 run pull decoderthree
says "pull, offline" 6 "has nothing of it" HF_HUB_OFFLINE
run pull decoderthree
says "pull, unknown" 2 "the Hub answers 40" "a model on the Hub is named like org/name or org/name@revision"
mkdir decodertwo
run inspect decodertwo
says "a path wins" 3 "'decodertwo': no weights"
rmdir decodertwo

# ---- what is meant ----

run inspect https://huggingface.co/acme/encoder-base/tree/main
says "an address" 2 "the name of that model is 'acme/encoder-base@main'"
run pull https://huggingface.co/acme/encoder-base
says "pull of an address" 2 "the name of that model is 'acme/encoder-base'"
run pull ./words
says "pull of a path" 2 "'./words': is a path, and nothing to fetch"
mkdir encoder-best acme
mkdir acme/encoder-besst
HF_HUB_OFFLINE=1 run inspect acme/encoder-best
says "nearly a path" 6 "no such directory (did you mean 'acme/encoder-besst'?), and not fetched"
run inspect encoder-bestt
says "nearly a word" 2 "did you mean 'encoder-best'?"
run inspect ./encoder-bestt
says "nearly a path that is no id" 2 "did you mean './encoder-best'?"
rm -r encoder-best acme

# ---- what is neither ----

run inspect acme/nothing
says "an unknown repository" 6 acme/nothing "no such directory" HF_TOKEN
HF_TOKEN=$TOKEN run inspect acme/nothing
says "an unknown repository, with a token" 6 acme/nothing "no such directory" 404
run inspect acme/encoder-base@nothing
says "an unknown revision" 6 acme/encoder-base@nothing "no such directory" revision
HF_HUB_OFFLINE=1 run inspect acme/nothing
says "offline" 6 acme/nothing "no such directory" HF_HUB_OFFLINE
for name in nothing ./acme/nothing /acme/nothing acme/nothing/here acme/.nothing 'acme/no thing' ""; do
    run inspect "$name"
    says "'$name'" 2 "'$name'" "no such"
done
run inspect acme/words
says "a repository without a model" 3 "'acme/words': no weights"
run eval acme/words --examples "$examples/arithmetic.jsonl"
says "eval of a repository without a model" 3 config.json
wait $slow
