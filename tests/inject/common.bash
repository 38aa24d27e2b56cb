# common.bash - what the scripts of tests/cli/ share that let things go wrong; they source it.
#
# They run in an empty directory. `models/` gets the inputs, `place/` is where the output goes and
# holds nothing else, `old` and `new` are copies to compare with.
# shellcheck shell=bash
set -u
shopt -s dotglob nullglob

skip() # REASON
{
    echo "SKIP: $1" >&3
    exit 77
}

needs_injection()
{
    [[ -z ${SAN-} ]] || skip "the sanitizers want to be loaded before fail_nth.so"
    [[ -e $INJECT/fail_nth.so ]] || skip "fail_nth.so is not built"
}

# The program with fail_nth.so before it, as the FAIL_… variables say.
# Leaves ./out, ./err and $status.
faulty() # ARGUMENT...
{
    LD_PRELOAD=$INJECT/fail_nth.so "$COCKTAIL" "$@" >out 2>err
    status=$?
}

# How many calls of these kinds a run makes that succeeds.
count_calls() # KINDS, ARGUMENT...
{
    FAIL_CALL=$1 FAIL_COUNT=count faulty "${@:2}"
    ((status == 0)) || echo "the run without faults: exit $status: $(<err)"
    n_calls=$(<count)
    ((n_calls > 0)) || echo "no calls of $1 were counted"
}

same() # DIRECTORY, DIRECTORY
{
    diff -r "$1" "$2" >/dev/null 2>&1
}

# Three models that fit, a few hundred bytes each: shards with an index, a zip and a legacy file;
# with a tokenizer, a sentence-transformers folder, a module with weights and files to be copied.
make_models()
{
    local name hostile=$FIXTURES/hostile

    mkdir models place
    cp -r "$hostile/valid-sharded" models/a
    cp -r "$hostile/valid-zip" models/b
    cp -r "$hostile/valid-legacy" models/c
    for name in a b c; do
        mkdir models/$name/{1_Pooling,2_Dense,more}
        echo '{"architectures": ["MPNetModel"], "model_type": "mpnet", "hidden_size": 2,
"max_position_embeddings": 8, "_name_or_path": "x"}' >models/$name/config.json
        echo '[{"idx": 0, "name": "0", "path": "", "type": "x.models.Transformer"},
{"idx": 1, "name": "1", "path": "1_Pooling", "type": "x.models.Pooling"},
{"idx": 2, "name": "2", "path": "2_Dense", "type": "x.models.Dense"}]' >models/$name/modules.json
        echo '{"word_embedding_dimension": 2, "pooling_mode_mean_tokens": true}' \
            >models/$name/1_Pooling/config.json
        echo '{"in_features": 2, "out_features": 4}' >models/$name/2_Dense/config.json
        cp "$hostile/valid-safetensors/model.safetensors" models/$name/2_Dense/
        echo '{"version": "1.0", "added_tokens": [{"id": 0, "content": "[PAD]",
"single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
"model": {"type": "WordPiece", "unk_token": "[PAD]", "continuing_subword_prefix": "##",
"max_input_chars_per_word": 100, "vocab": {"[PAD]": 0, "a": 1, "b": 2, "\u00e9": 3}}}' \
            >models/$name/tokenizer.json
        echo 'a note' >models/$name/more/note.txt
    done
}

# A recipe over them, of two documents, the second of which needs several passes.
make_recipe()
{
    cat >recipe.yml <<'RECIPE'
name: both
merge_method: linear
models:
  - {model: models/b, parameters: {weight: 0.75}}
  - {model: models/c, parameters: {weight: 0.25}}
---
merge_method: ties
base_model: models/a
models:
  - {model: both, parameters: {weight: 0.5, density: 0.5}}
  - {model: models/c, parameters: {weight: 0.5, density: [0.25, 0.75]}}
RECIPE
}

# Puts `place` back: with a copy of this directory as its `out`, or with nothing.
restore() # OLD or ""
{
    rm -rf place
    mkdir place
    [[ -z $1 ]] || cp -r "$1" place/out
}

# Whether `place` is as restore left it.
is_unchanged() # OLD or ""
{
    local entries=(place/*)

    if [[ -n $1 ]]; then
        [[ "${entries[*]}" == place/out ]] && same "$1" place/out
    else
        ((${#entries[@]} == 0))
    fi
}

# Whether `place` holds the output ($target) and nothing else, and that is like `new`.
is_new()
{
    local entries=(place/*)

    ((${#entries[@]} == 1)) && same "$target" new
}
target=place/out

# ./err is one line of ours.
tells_once()
{
    [[ $(<err) == 'cocktail: '?* && $(<err) != *$'\n'* ]]
}
