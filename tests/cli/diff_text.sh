# How two checkpoints differ, in text.
try()
{
    echo "\$ diff $*"
    cocktail diff "$@"
    echo "exit $?"
}
figures() # the figures hang on the training: only whether there are any is compared
{
    sed -E 's/ +[-0-9.e+]+ +[-0-9.e+]+ +[-0-9.e+]+$/ FIGURES/; s/  +/  /g'
}

echo '--- alike'
try fixtures/encoder-bin fixtures/encoder-parts
try --exit-code fixtures/encoder-bin fixtures/encoder-parts
try fixtures/reranker-legacy fixtures/reranker-routes

echo '--- different'
try fixtures/encoder-base fixtures/encoder-parts | figures
try --exit-code -t 3 fixtures/encoder-base fixtures/encoder-parts | figures | tail -n 1
try --tensors fixtures/encoder-base fixtures/encoder-parts | figures | grep -v 'encoder.layer'

echo '--- prefixes do not matter, what only one has is listed'
try fixtures/reranker-base fixtures/encoder-base | figures | grep -v 'bert.encoder.layer'
try fixtures/encoder-base fixtures/reranker-base | figures | tail -n 3

echo '--- another dtype, the same values'
cocktail mix -q --weights 1 fixtures/encoder-base -o half --dtype bf16 >/dev/null
cocktail mix -q --weights 1 half -o single --dtype f32 >/dev/null
try --exit-code half single | grep -E '^(\$|encoder.layer.0 |pooler.dense.weight|all|exit)'

echo '--- one file'
try fixtures/encoder-parts/model.safetensors fixtures/encoder-bin/pytorch_model.bin
