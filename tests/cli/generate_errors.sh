# What cannot be generated.
try()
{
    echo "\$ generate $*"
    "$COCKTAIL" generate "$@" 2>&1 >out | grep -v '^usage: '
    echo "exit ${PIPESTATUS[0]}, $(wc -c <out) bytes"
}
model=fixtures/decoder-base

try $model
try $model --prompt x --temperature -0.5
try $model --prompt x --temperature hot
try $model --prompt x --temperature 0x1
try $model --prompt x --temperature inf
try $model --prompt x --temperature ' 1'
try $model --prompt x --temperature ''
try $model --prompt x --temperature 1e999
try $model --prompt x --temperature 1 --top-p 0
try $model --prompt x --temperature 1 --top-p 1.01
try $model --prompt x --top-k 5
try $model --prompt x --top-p 0.5
try $model --prompt x --temperature 0 --top-k 5
try $model --prompt x --temperature 0 --top-p 1 --max-tokens 1
try $model --prompt x --max-tokens 0
try $model --prompt x --stop ''
try $model x --prompt x
try fixtures/encoder-base --prompt x
try fixtures/reranker-base --prompt x
try "$model" --prompt "$(printf ' the%.0s' {1..255})" --max-tokens 1 | sed 's/the the.*the/.../'
try "$model" --prompt "$(printf ' the%.0s' {1..256})" | sed 's/the the.*the/.../'

# the last bytes of the weights become NaN
cp -r $model nan
size=$(stat -c %s nan/model.safetensors)
head -c 1000 /dev/zero | tr '\0' '\377' |
    dd of=nan/model.safetensors bs=1 seek=$((size - 1000)) conv=notrunc 2>/dev/null
try nan --prompt x
try nan --prompt x --temperature 1
