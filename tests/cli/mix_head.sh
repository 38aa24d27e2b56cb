# Output heads that are tied to the embedding, and what config.json says of them afterwards.
set -e
float() # 1, 2, 3 or 5, little-endian, as printf escapes
{
    case $1 in
    1) echo '\x00\x00\x80\x3f' ;;
    2) echo '\x00\x00\x00\x40' ;;
    3) echo '\x00\x00\x40\x40' ;;
    5) echo '\x00\x00\xa0\x40' ;;
    esac
}
entry() # NAME BEGIN
{
    printf '"%s":{"dtype":"F32","shape":[1,1],"data_offsets":[%d,%d]}' "$1" "$2" $(($2 + 4))
}
decoder() # FOLDER TIED EMBEDDING [HEAD]
{
    local header data

    header="{$(entry model.embed_tokens.weight 0)"
    data=$(float "$3")
    if [[ ${4-} ]]; then
        header+=,$(entry lm_head.weight 4)
        data+=$(float "$4")
    fi
    header+="}"
    mkdir "$1"
    printf '{\n  "_name_or_path": "x",\n  "architectures": ["LlamaForCausalLM"],\n  "tie_word_embeddings": %s\n}\n' \
        "$2" >"$1/config.json"
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x ${#header})\0\0\0\0\0\0\0$header$data" >"$1/model.safetensors"
}
try()
{
    echo "\$ $*"
    rm -rf out
    if cocktail mix --weights 0.5,0.5 "$@" -o out 2>&1 >/dev/null; then
        cocktail inspect out --tensors | sed -n 's/^\([a-z_.]*weight\).*/\1/p'
        echo "values:$(tail -c "$((4 * $(cocktail inspect out --json | grep -o '"parameters":[0-9]*' |
            tr -cd 0-9)))" out/model.safetensors | od -An -tfF)"
        grep -o '"tie_word_embeddings".*' out/config.json
    else
        echo "exit $?"
    fi
}

decoder tied true 1
decoder tied-stored true 3 3
decoder tied-other true 1 5
decoder untied false 1 5
decoder untied-without false 3

try tied tied-stored
try tied-stored tied
try tied untied
try tied-other tied-stored
try untied tied-stored
try untied untied-without
try untied-without tied
try tied tied-other
echo '--- where it came from is forgotten'
cocktail mix -q --weights 1 tied -o out >/dev/null
cat out/config.json
echo "--- T5's flag means something else, too: it stays"
t5() # FOLDER HEAD
{
    local header

    header="{$(entry shared.weight 0),$(entry lm_head.weight 4)}"
    mkdir "$1"
    printf '{"architectures": ["T5ForConditionalGeneration"], "tie_word_embeddings": true}\n' \
        >"$1/config.json"
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x ${#header})\0\0\0\0\0\0\0$header$(float 1)$(float "$2")" \
        >"$1/model.safetensors"
}
t5 t5-one 3
t5 t5-two 5
try t5-one t5-two
