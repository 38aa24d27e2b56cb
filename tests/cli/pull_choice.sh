# Which files of a repository are fetched: what a merge needs, one kind of weights, nothing else.
. "$FIXTURES/../tests/server/hub.bash"

make() # REPOSITORY, FILE...
{
    local file

    for file in "${@:2}"; do
        mkdir -p "$(dirname "$1/$file")"
        echo "$1: $file" >"$1/$file"
    done
}

index() # FILE, SHARD...: the index that names these shards
{
    local i=0 shard rows=

    for shard in "${@:2}"; do
        rows+="${rows:+, }\"t$((i++))\": \"$shard\""
    done
    echo "{\"metadata\": {\"total_size\": 4}, \"weight_map\": {$rows}}" >"$1"
}

texts="LICENSE added_tokens.json chat_template.jinja config.json generation_config.json merges.txt\
 modeling_own.py notes/deep/more.txt notes/deep/notes.md own.tiktoken spiece.model tokenizer.json tokenizer_config.json vocab.txt"
others="tf_model.h5 flax_model.msgpack rust_model.ot model.gguf training_args.bin optimizer.pt scheduler.pt\
 trainer_state.json adapter_config.json adapter_model.safetensors onnx/model.onnx onnx/config.json\
 openvino/config.json original/params.json original/consolidated.00.pth checkpoint-5/config.json\
 checkpoint-5/model.safetensors picture.png .gitattributes data.csv pytorch_model.fp16.bin model.fp16.safetensors"

# shellcheck disable=SC2086
{
    make both $texts $others model.safetensors pytorch_model.bin
    make bin $texts $others pytorch_model.bin
    make shards config.json model-0000{1,2,3}-of-00002.safetensors pytorch_model-0000{1,2}-of-00002.bin
    index shards/model.safetensors.index.json model-0000{1,2}-of-00002.safetensors
    index shards/pytorch_model.bin.index.json pytorch_model-0000{1,2}-of-00002.bin
    make bin-shards config.json pytorch_model-0000{1,2}-of-00002.bin
    index bin-shards/pytorch_model.bin.index.json pytorch_model-0000{1,2}-of-00002.bin
    make file-and-shards config.json model.safetensors model-0000{1,2}-of-00002.safetensors
    index file-and-shards/model.safetensors.index.json model-0000{1,2}-of-00002.safetensors
    make mixed config.json pytorch_model.bin model-0000{1,2}-of-00002.safetensors
    index mixed/model.safetensors.index.json model-0000{1,2}-of-00002.safetensors
    make dense config.json model.safetensors modules.json 1_Pooling/config.json 2_Dense/config.json \
        2_Dense/model.safetensors 2_Dense/pytorch_model.bin
    make dense-bin config.json pytorch_model.bin modules.json 2_Dense/config.json 2_Dense/pytorch_model.bin
    make tokenizer-only config.json tokenizer.json
    make twins config.json model.safetensors modules.json 2_Dense/config.json
}
cp twins/config.json twins/twin.json
cp twins/model.safetensors twins/2_Dense
echo '[{"idx": 0, "name": "0", "path": "", "type": "x.models.Transformer"},
{"idx": 1, "name": "1", "path": "1_Pooling", "type": "x.models.Pooling"},
{"idx": 2, "name": "2", "path": "2_Dense", "type": "x.models.Dense"}]' | tee {dense,twins}/modules.json >dense-bin/modules.json
# An index that names what is not there, or what lies elsewhere.
make missing config.json model-00001-of-00002.safetensors
index missing/model.safetensors.index.json model-0000{1,2}-of-00002.safetensors
make outside config.json model-00001-of-00002.safetensors
index outside/model.safetensors.index.json ../../x.safetensors
make broken config.json model-00001-of-00002.safetensors
echo '{"weight_map": ' >broken/model.safetensors.index.json

repositories=()
for directory in */; do
    repositories+=(--repo "acme/${directory%/}=${directory%/}")
done
start_hub "${repositories[@]}" --page-size 1000

fetches() # REPOSITORY, FILE...
{
    local name=$1 file

    forget_requests
    run pull --json "acme/$name"
    expect "$name" 0
    (cd "cache/models--acme--$name/snapshots"/* 2>/dev/null && find . -type l -printf '%P\n' | sort) >found
    printf '%s\n' "${@:2}" | sort | diff - found >difference || echo "$name: $(<difference)"
    for file in "${@:2}"; do
        cmp -s "$name/$file" "cache/models--acme--$name/snapshots"/*/"$file" || echo "$name: $file differs"
    done
    is_sent_once "$name"
}

# shellcheck disable=SC2086
{
    fetches both $texts model.safetensors
    fetches bin $texts pytorch_model.bin
}
fetches shards config.json model-0000{1,2}-of-00002.safetensors model.safetensors.index.json
fetches bin-shards config.json pytorch_model-0000{1,2}-of-00002.bin pytorch_model.bin.index.json
fetches file-and-shards config.json model.safetensors
fetches mixed config.json model-0000{1,2}-of-00002.safetensors model.safetensors.index.json
fetches dense config.json model.safetensors modules.json 1_Pooling/config.json 2_Dense/config.json \
    2_Dense/model.safetensors
fetches dense-bin config.json pytorch_model.bin modules.json 2_Dense/config.json 2_Dense/pytorch_model.bin
fetches tokenizer-only config.json tokenizer.json
fetches twins config.json twin.json model.safetensors modules.json 2_Dense/config.json 2_Dense/model.safetensors
[[ $(count '"cdn"') == 1 ]] || echo "one blob under two names: $(requests '"cdn"')"

for name in missing outside broken; do
    run pull "acme/$name"
    expect_failure "$name" 3
    [[ $(<err) == *model.safetensors.index.json* ]] || echo "$name: $(<err)"
    [[ $(find cache -path '*acme--outside*' -name '*x.safetensors*') == "" ]] || echo "$name: went out"
done

# The choice is replaced, not extended.
rm -rf cache
run pull acme/both --include '*.bin' --include 'onnx/*'
expect "--include" 0
(cd cache/models--acme--both/snapshots/* && find . -type l -printf '%P\n' | sort | tr '\n' ' ') >found
[[ $(<found) == "onnx/config.json onnx/model.onnx pytorch_model.bin pytorch_model.fp16.bin training_args.bin " ]] ||
    echo "--include: $(<found)"
