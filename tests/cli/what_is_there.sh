# A directory that is no model: the refusal names what it holds instead.
weights=fixtures/decoder-base/model.safetensors
config=fixtures/decoder-base/config.json
examples=fixtures/examples/arithmetic.jsonl

try() # ARGUMENT...
{
    echo "\$ $*"
    cocktail "$@" 2>&1 </dev/null
    echo "exit $?$([[ -e out ]] && echo ', written')"
}

echo '--- an adapter'
mkdir -p adapter bare ia3
echo '{"peft_type": "LORA", "base_model_name_or_path": "acme/base"}' >adapter/adapter_config.json
echo x | tee adapter/adapter_model.safetensors bare/adapter_model.bin >/dev/null
echo '{"peft_type": "IA3"}' >ia3/adapter_config.json
for command in "mix --weights 0.5,0.5 $PWD/fixtures/decoder-base" "eval --examples $examples" generate\ --prompt\ a inspect; do
    try $command adapter ${command:+$([[ $command == mix* ]] && echo -o out)} | sed "s#$PWD/##"
done
try diff adapter adapter
try mix-data --examples $examples adapter adapter -o out
try embed bare
try inspect ia3

echo '--- shards without their index'
mkdir -p shards some bin
for i in 1 2 3; do
    touch shards/model-0000$i-of-00003.safetensors
done
touch some/model-0000{1,3}-of-00003.safetensors bin/pytorch_model-00001-of-00001.bin
cp $config shards
cp $config some
try inspect shards
try mix --weights 1 some -o out
try eval shards --examples $examples
try inspect bin
cp -r fixtures/decoder-sharded lacking
rm lacking/model-00002-of-*
try inspect lacking

echo '--- a level too high'
mkdir -p run/checkpoint-500 run/checkpoint-1000 run/logs many/{a,b,c,d} adapters/checkpoint-1
cp $weights run/checkpoint-500
cp $config run/checkpoint-500
cp $weights run/checkpoint-1000
for i in a b c d; do
    touch many/$i/pytorch_model.bin many/$i/tokenizer.json
done
touch adapters/checkpoint-1/adapter_config.json
try inspect run
try mix --weights 1 run -o out
try eval run --examples $examples
try inspect many
try tokenize many
try inspect adapters
mkdir -p below/config
cp $config below/config
cp $weights below
try mix --weights 1 below -o out

echo '--- the cache of the Hub'
commit=0123456789abcdef0123456789abcdef01234567
mkdir -p hub/models--acme--base/{refs,blobs,snapshots/$commit} hub/models--gpt2/snapshots hub/.locks
cp $weights $config hub/models--acme--base/snapshots/$commit
try inspect hub/models--acme--base
try eval hub/models--acme--base --examples $examples
try tokenize hub/models--acme--base
try inspect hub/models--acme--base/snapshots
try inspect hub
try inspect hub/models--gpt2

echo '--- other files'
for file in model.safetensors.incomplete tf_model.h5 flax_model.msgpack rust_model.ot \
    model.onnx model.zip model.tar.gz weights.safetensors; do
    mkdir "with-$file"
    touch "with-$file/$file"
    try inspect "with-$file" | grep -o ';.*'
done
mkdir empty
try inspect empty
try tokenize empty
mkdir only
cp $weights only
touch only/tf_model.h5
try mix --weights 1 only -o out
try tokenize only

echo '--- a file in place of a directory'
mkdir files
touch files/{config.json,model.safetensors.index.json,tokenizer.model,q4.gguf,m.zip,m.tar.gz,tf_model.h5,x.incomplete}
cp $weights files
for file in files/*; do
    try inspect "$file"
done
try mix --weights 1 files/config.json -o out
try eval files/q4.gguf --examples $examples
try eval files/model.safetensors --examples $examples
try tokenize files/tokenizer.model
