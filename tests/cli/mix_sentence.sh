# An encoder keeps its sentence-transformers folder with its real pooling; one without gets one.
set -e
echo '--- the base has one'
cocktail mix --weights 0.5,0.5 fixtures/encoder-repairs fixtures/encoder-parts -o kept >/dev/null
(cd kept && find . -type f | sort)
(cd fixtures/encoder-repairs && find . -type f ! -name '*.safetensors' ! -name README.md) |
    while read -r file; do cmp "fixtures/encoder-repairs/$file" "kept/$file"; done
cocktail inspect kept | grep pooling
grep library_name kept/README.md

echo '--- the base has none'
cocktail mix --weights 0.5,0.5 fixtures/encoder-base fixtures/encoder-repairs -o made >/dev/null
(cd made && find . -type f | sort)
cat made/modules.json made/1_Pooling/config.json made/sentence_bert_config.json
cocktail inspect made | grep pooling
grep library_name made/README.md

echo '--- --pooling mean'
cocktail mix --weights 1 --pooling mean fixtures/encoder-base -o mean >/dev/null
cocktail inspect mean | grep pooling
echo '--- --pooling is not needed'
cocktail mix --weights 1 --pooling cls fixtures/encoder-repairs -o own >/dev/null
cocktail inspect own | grep pooling

echo '--- 1_Pooling alone counts'
mkdir half
cp fixtures/encoder-base/* half
cp -r fixtures/encoder-repairs/1_Pooling half
cocktail mix --weights 1 half -o completed >/dev/null
cocktail inspect completed | grep pooling
cmp half/1_Pooling/config.json completed/1_Pooling/config.json

echo '--- weights of a dense module are mixed, too'
dense() # FILE FLOAT: one number, little-endian, as printf escapes
{
    local header='{"linear.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'

    # shellcheck disable=SC2059
    printf "\\x$(printf %02x ${#header})\\0\\0\\0\\0\\0\\0\\0$header$2" >"$1"
}
modules='[{"path":"","type":"x.Transformer"},{"path":"1_Pooling","type":"x.Pooling"},
    {"path":"2_Dense","type":"sentence_transformers.models.Dense"}]'
for model in a b; do
    mkdir -p $model/2_Dense
    cp -r fixtures/encoder-repairs/* $model
    echo "$modules" >$model/modules.json
    echo '{"in_features": 1, "out_features": 1}' >$model/2_Dense/config.json
done
dense a/2_Dense/model.safetensors '\x00\x00\x80\x3f' # 1
dense b/2_Dense/model.safetensors '\x00\x00\x40\x40' # 3
cocktail mix -q --weights 0.5,0.5 a b -o dense >/dev/null
tail -c 4 dense/2_Dense/model.safetensors | od -An -tfF
cmp a/2_Dense/config.json dense/2_Dense/config.json
cocktail mix -q --json --dry-run --weights 0.5,0.5 a b -o none | grep -o '"tensors":[0-9]*'
echo '--- diff and inspect see them'
cocktail diff --json --tensors --exit-code a b >differs || echo "exit $?"
grep -o '^{"identical":[a-z]*,"max_abs":[0-9]*' differs
grep -o '{"name":"2_Dense/linear.weight"[^}]*}' differs | tail -n 1
cocktail inspect --json a >inspected
grep -o '"parameters":[0-9]*' inspected
grep -o '"dtypes":{[^}]*},"size_bytes":[0-9]*,"files":[^]]*]' inspected
cocktail inspect --json --tensors a | grep -o '{"name":"2_Dense[^}]*}'
cocktail inspect --tensors a | tail -n 1 | tr -s ' '
cocktail inspect --json fixtures/encoder-repairs | grep -o '"parameters":[0-9]*'
echo '--- only one has it'
rm -r b/2_Dense
cocktail diff --json a b | grep -o '"only_in_a":.*"only_in_b":[^]]*]'
cocktail diff --json b a | grep -o '"only_in_a":.*"only_in_b":[^]]*]'
cocktail diff a b | tail -n 1
cocktail mix -q --weights 0.5,0.5 a b -o none || echo "exit $?"
cocktail mix -q --weights 0.5,0.5 b a -o none || echo "exit $?"
