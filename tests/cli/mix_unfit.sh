# Models that do not belong together: exit 8, with what differs and what to do.
try()
{
    rm -rf out
    cocktail mix -q "$@" -o out >/dev/null
    echo "exit $?$([[ -e out ]] && echo ', written')"
}

echo '--- other types'
try --weights 0.5,0.5 fixtures/reranker-base fixtures/encoder-base
try --weights 0.5,0.5 fixtures/encoder-base fixtures/decoder-base
try --weights 1 --type decoder fixtures/encoder-base
try --weights 1 --type reranker fixtures/encoder-base
try --weights 1 --type encoder-decoder fixtures/encoder-base

echo '--- other tensors'
mkdir renamed
cp fixtures/reranker-base/* renamed
# A tensor under another name of the same length: missing here, extra there.
LC_ALL=C sed -i 's/"classifier.weight"/"klassifier.weight"/' renamed/model.safetensors
try --weights 0.5,0.5 fixtures/reranker-base renamed
try --weights 0.5,0.5 renamed fixtures/reranker-base

echo '--- other shapes'
mkdir flat
cp fixtures/reranker-base/* flat
LC_ALL=C sed -i 's/\("bert.pooler.dense.weight":{"dtype":"F32","shape":\)\[96,96\]/\1[ 9216]/' \
    flat/model.safetensors
try --weights 0.5,0.5 fixtures/reranker-base flat

echo '--- floats here, whole numbers there'
mkdir whole
cp fixtures/reranker-base/* whole
LC_ALL=C sed -i 's/"bert.pooler.dense.bias":{"dtype":"F32"/"bert.pooler.dense.bias":{"dtype":"I32"/' \
    whole/model.safetensors
try --weights 0.5,0.5 fixtures/reranker-base whole

echo '--- not supported yet'
mkdir packed quantised
cp fixtures/reranker-base/* packed
cp fixtures/reranker-base/* quantised
LC_ALL=C sed -i 's/"bert.pooler.dense.weight"/"bert.pooler.dens.qweight"/' packed/model.safetensors
sed -i 's/^{/{"quantization_config": {"quant_method": "aqlm"},/' quantised/config.json
try --weights 0.5,0.5 fixtures/reranker-base packed
try --weights 0.5,0.5 quantised fixtures/reranker-base

echo '--- other kinds, by what the configs mean'
mkdir relu fewer malformed
cp fixtures/reranker-base/* relu
cp fixtures/reranker-base/* fewer
cp fixtures/reranker-base/* malformed
sed -i 's/"hidden_act": "gelu"/"hidden_act": "relu"/' relu/config.json
sed -i 's/"num_attention_heads": 4/"num_attention_heads": 2/' fewer/config.json
sed -i 's/"hidden_size": 96/"hidden_size": "wide"/' malformed/config.json
try --weights 0.5,0.5 fixtures/reranker-base relu
try --weights 0.5,0.5 fewer fixtures/reranker-base
try --weights 0.5,0.5 fixtures/reranker-base malformed

echo '--- settings that differ are told, the first ones kept'
mkdir other-settings
cp fixtures/reranker-base/* other-settings
sed -i 's/"layer_norm_eps": 1e-12/"layer_norm_eps": 1e-05/; s/"pad_token_id": 0/"pad_token_id": 1/' \
    other-settings/config.json
cocktail mix --weights 0.5,0.5 fixtures/reranker-base other-settings -o out >/dev/null
echo "exit $?"
cmp fixtures/reranker-base/config.json out/config.json

echo '--- spellings of one value are none'
mkdir other-spelling
cp fixtures/reranker-base/* other-spelling
sed -i 's/"layer_norm_eps": 1e-12,//; s/"hidden_act": "gelu"/"hidden_act": "gelu_python"/' \
    other-spelling/config.json
cocktail mix --weights 0.5,0.5 fixtures/reranker-base other-spelling -o again >/dev/null
echo "exit $?"

echo '--- of other architectures, and values that cannot be run, the texts are compared'
mkdir unknown unknown-other relative
cp fixtures/reranker-base/* unknown
cp fixtures/reranker-base/* relative
sed -i 's/BertFor/MPNetFor/; s/"model_type": "bert"/"model_type": "mpnet"/' unknown/config.json
cp unknown/* unknown-other
sed -i 's/"layer_norm_eps": 1e-12/"layer_norm_eps": 1e-05/' unknown-other/config.json
sed -i 's/^{/{"position_embedding_type": "relative_key",/' relative/config.json
cocktail mix --weights 0.5,0.5 unknown unknown-other -o unknown-out >/dev/null
echo "exit $?"
cocktail mix --weights 0.5,0.5 fixtures/reranker-base relative -o relative-out >/dev/null
echo "exit $?"
