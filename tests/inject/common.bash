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

# A recipe that strangers wrote, given to `cocktail COMMAND`: the exit status, and one last line that begins with
# FILE:LINE (LINE -: it does not) and holds MESSAGE; what is refused leaves nothing behind.
try_recipe() # COMMAND, FILE, EXIT, LINE or -, MESSAGE
{
    local last where=$2:$4:

    [[ -e $2 ]] || echo "$2: no such file"
    timeout 20 "$COCKTAIL" "$1" --threads 2 "$2" -o place/out >out 2>err
    status=$?
    last=$(tail -n 1 err)
    ((status == $3)) || { echo "$2: exit $status, expected $3: $last"; }
    if (($3 == 0)); then
        [[ $(echo place/*) == place/out ]] || echo "$2: $(echo place/*)"
        restore ""
        return
    fi
    [[ $4 != - ]] || where=
    [[ $last == 'cocktail: '*"$where"* && $last == *"$5"* ]] || echo "$2: no '$where' '$5': $last"
    [[ $last != *$'\x01'* && $(grep -vc '^cocktail: ' err) == 0 ]] || echo "$2: $(<err)"
    [[ ! -s out ]] || echo "$2: fails, but prints $(<out)"
    is_unchanged "" || echo "$2: left behind: $(echo place/*)"
}

# All of a folder, each a line of its EXPECTED.tsv: NAME, EXIT, LINE, MESSAGE.
try_recipes() # COMMAND, FOLDER, how many there must be at least
{
    local name code line message recipe n_cases=0
    local -A is_listed

    while IFS=$'\t' read -r name code line message; do
        try_recipe "$1" "$2/$name.yml" "$code" "$line" "$message"
        is_listed[$name]=1
        ((n_cases++))
    done <"$2/EXPECTED.tsv"
    ((n_cases >= $3)) || echo "only $n_cases recipes"
    for recipe in "$2"/*.yml; do
        name=$(basename "$recipe" .yml)
        [[ -n ${is_listed[$name]-} ]] || echo "$name: is not in EXPECTED.tsv"
    done
}

# What is refused for another reason than what stands in a recipe.
refused_recipe() # COMMAND, EXIT, MESSAGE, ARGUMENT...
{
    "$COCKTAIL" "$1" "${@:4}" -o place/out >out 2>err
    status=$?
    ((status == $2)) && tells_once && [[ $(<err) == *"$3"* ]] || echo "${*:4}: exit $status: $(<err)"
    is_unchanged "" || echo "${*:4}: left behind: $(echo place/*)"
}

# Of a command that makes place/out, like `new`: when each STEPth call of a kind fails (0: nine of them), nothing is left, and one line
# says so. FAULTS: KIND:ERRNO.
fail_calls() # STEP, FAULTS; takes $command
{
    local fault kind n n_failed

    for fault in $2; do
        kind=${fault%:*} n_failed=0
        restore ""
        count_calls "$kind" "${command[@]}"
        restore ""
        for ((n = 1; n <= n_calls; n += $1 ? $1 : n_calls / 9 + 1)); do
            FAIL_CALL=$kind FAIL_AT=$n FAIL_ERRNO=${fault#*:} faulty "${command[@]}"
            if ((status == 0)); then # behind the rename the parent is flushed
                [[ $kind == fsync && $n == "$n_calls" ]] && is_new || echo "$fault $n: success"
            else
                ((status == 5)) && tells_once && is_unchanged "" ||
                    echo "$fault $n: exit $status, $(<err), leaves $(echo place/*)"
                ((n_failed++))
            fi
            restore ""
        done
        ((n_failed > 0)) || echo "no $kind made the run fail"
    done
}

# Likewise killed at every call: the target is absent or complete, and the next run clears away what is left.
kill_calls() # takes $command
{
    local kinds=mkdir,write,fsync,rename,remove n n_complete=0 n_absent=0

    count_calls $kinds "${command[@]}"
    restore ""
    for ((n = 1; n <= n_calls; n++)); do
        { FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=9 faulty "${command[@]}"; } 2>/dev/null
        ((status == 137)) || echo "killed at $n: exit $status"
        if [[ ! -e place/out ]]; then
            ((n_absent++))
        elif same place/out new; then
            ((n_complete++))
        else
            echo "killed at $n: neither absent nor complete"
        fi
        faulty "${command[@]}" --force
        # What tells how it was made tells of --force.
        ((status == 0)) && [[ $(echo place/*) == place/out ]] && diff -r -x README.md place/out new >/dev/null ||
            echo "killed at $n: the next run: exit $status: $(<err), $(echo place/*)"
        restore ""
    done
    ((n_absent > 2 && n_complete > 0)) || echo "$n_absent absent, $n_complete complete"
}
