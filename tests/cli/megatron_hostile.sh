# Directories of Megatron-LM's with one defect each: refused, with a sentence that says which.
G=$FIXTURES/megatron make="python3 $FIXTURES/make_megatron.py" model="python3 $FIXTURES/megatron_model.py"
complain() # MODEL
{
    local status=0

    cocktail inspect "$1" >/dev/null 2>message </dev/null || status=$?
    cat message
    echo "exit $status"
}
base=$G/grouped-tp2
try() # STATEMENT…: in all files of a copy
{
    echo "--- $*"
    $make change "$base" x "$@"
    complain x
}
file() # COMMAND: in a copy
{
    echo "--- $*"
    rm -rf x
    cp -r "$base" x
    (cd x && eval "$*")
    complain x
}
in_one='if rank == "mp_rank_01":'

echo "=== files"
file 'rm -r iter_0000001/mp_rank_01'
file 'rm -r iter_0000001/mp_rank_00'
file 'rm iter_0000001/mp_rank_01/*'
file 'cp -r iter_0000001/mp_rank_01 iter_0000001/mp_rank_02'
file 'cp -r iter_0000001/mp_rank_01 iter_0000001/mp_rank_00_001'
file 'rm -r iter_0000001/*'
file 'echo 7 >latest_checkpointed_iteration.txt'
file 'echo seven >latest_checkpointed_iteration.txt'
file 'cp -r iter_0000001 iter_0000002; rm latest_checkpointed_iteration.txt'
file 'truncate -s -100 iter_0000001/mp_rank_01/model_optim_rng.pt'
file ': >iter_0000001/mp_rank_01/model_optim_rng.pt'
file 'touch iter_0000001/common.pt iter_0000001/__0_0.distcp'
file 'rm -r iter_0000001/*; touch iter_0000001/__0_0.distcp'
file 'ln -sf /etc/passwd iter_0000001/mp_rank_01/model_optim_rng.pt'

echo "=== ranks that contradict one another"
try 'a["tensor_model_parallel_size"] = 4'
try 'a["tensor_model_parallel_size"] = 1'
try "$in_one a['tensor_model_parallel_size'] = 1"
try 'a["pipeline_model_parallel_size"] = 2'
try 'a["expert_model_parallel_size"] = 2'
try 'a["expert_tensor_parallel_size"] = 1'
try 'a["tensor_model_parallel_size"] = a["pipeline_model_parallel_size"] = 65536'
try 'a["tensor_model_parallel_size"] = 0'
try 'a["tensor_model_parallel_size"] = "2"'
try 'a["tensor_model_parallel_size"] = 1 << 80'
try "$in_one a['rotary_base'] = 10000"
try "$in_one a['num_layers'] = 3"
try "$in_one f['iteration'] = 2"
try "$in_one del f['args']"
try 'f["args"] = 5'
try 'f["checkpoint_version"] = 1.0'

echo "=== settings"
try 'a["num_layers"] = 3'
try 'a["num_layers"] = 1'
try 'a["num_layers"] = 10**9'
try 'del a["hidden_size"]'
try 'a["hidden_size"] = 33'
try 'a["num_attention_heads"] = 3'
try 'a["num_query_groups"] = 1'
try 'a["kv_channels"] = -1'
try 'a["num_experts"] = 3'
try 'a["num_experts"] = None'
try 'a["moe_router_topk"] = 5'
try 'a["moe_ffn_hidden_size"] = 11'
try 'a["moe_layer_freq"] = [1, 0]'
try 'a["moe_layer_freq"] = [1, 1, 1]'
try 'a["moe_layer_freq"] = [1, 2]'
try 'a["moe_router_num_groups"] = 3; a["moe_router_group_topk"] = 1'
try 'a["vocab_size"] = 64'
try 'a["padded_vocab_size"] = 66'
try 'a["padded_vocab_size"] = None'
try 'a["add_bias_linear"] = True'
try 'a["add_bias_linear"] = 1'
try 'a["qk_layernorm"] = True'
try 'a["untie_embeddings_and_output_weights"] = False'
try 'a["layernorm_epsilon"] = float("nan")'
try 'a["rotary_base"] = "much"'
try 'a["normalization"] = "Norm"'
try 'a["normalization"] = "LayerNorm"'
try 'a["position_embedding_type"] = "yarn"'
try 'a["moe_router_score_function"] = "tanh"'
try 'a["moe_expert_capacity_factor"] = 1.25'
try 'a["multi_latent_attention"] = True'
try 'a["softmax_type"] = "learnable"'
try 'a["window_size"] = (127, 0)'
try 'a["moe_router_enable_expert_bias"] = True'
try 'a["swiglu"] = False'
try 'a["squared_relu"] = True'

echo "=== tensors"
try "$in_one m['decoder.final_layernorm.weight'] = t([31], 'BF16')"
try "$in_one del m['decoder.layers.1.mlp.router.weight']"
try "$in_one m['decoder.layers.1.mlp.router.weight'] = t([4, 32], 'U8')"
try "$in_one m['decoder.layers.1.mlp.experts.weight1'] = t([32, 47], 'BF16')"
try "$in_one m['decoder.layers.1.mlp.experts.weight1'] = t([32, 12, 4], 'BF16')"
try "$in_one m['decoder.layers.0.mlp.gate.weight'] = t([4, 32], 'BF16')"
try "$in_one m['decoder.layers.7.mlp.router.weight'] = t([4, 32], 'BF16')"
try "$in_one m['embedding.word_embeddings.weight'] = t([33, 32], 'BF16')"
try 'm.clear()'
try 'f["model"] = 5'
try 'm["mtp.layers.0.norm.weight"] = t([32], "BF16")'
try 'f["model"] = {"x": {"decoder": {"layers": {"0": {}}}}}'
try 'exec("d = f[\"model\"] = {}\nfor i in range(40): d[\"x\"] = d = {}")'

echo "=== experts over ranks, a tied head over stages"
base=$G/switch-ep2
try 'a["num_experts"] = 6'
try 'a["num_experts"] = 5'
try 'if rank == "mp_rank_00_001": m["layers.0.input_norm.weight"] = t([24], "F64")'
try 'if rank == "mp_rank_00_001": m["layers.0.mlp.local_experts.1.dense_h_to_4h.bias"] = t([21])'
try 'm["layers.0.mlp.router.bias"] = t([4])'
$make stages "$G/switch-ep2" staged 2
base=staged
try 'if "word_embeddings_for_head" in f["model"]: f["model"]["word_embeddings_for_head"] = {"weight": t([60, 24])}'

echo "=== pickles"
base=$G/grouped-tp2
try 'f["x"] = made("os", "system", "true")'
try 'a["x"] = made("builtins", "eval", "1")'
try 'f["x"] = made("numpy.core.multiarray", "scalar", 1)'
try 'a["x"] = made("megatron.core.enums", "Other", 1)'
try 'a["normalization"] = "RMS\0Norm"'
try 'a["save"] = [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]'
try 'a.update((f"k{i}", i) for i in range(5000))'
try 'x = a["x"] = []; x.append(x)'
try 'x = m["x"] = {}; x["x"] = x'
try 'x = [1]*1000; y = [x]*1000; a["x"] = [y]*1000'
try 'x = "x" * 2000000; a["x"] = [x] * 9'
try 'm["x" * 4100] = t([1])'

echo "=== more than there can be"
$model make tiny num_layers=1 hidden_size=1 num_attention_heads=1 num_query_groups=1 kv_channels=1 moe_ffn_hidden_size=1
echo "--- eight layers that share 65536 experts"
$make change tiny x 'a["num_layers"], a["num_experts"], a["moe_router_topk"] = 8, 65536, 1' \
    'one = {k: v for k, v in m.items() if "layers.0." in k and "experts" not in k}' \
    'one |= {"decoder.layers.0.mlp.router.weight": t([65536, 1]), "decoder.layers.0.mlp.experts.weight1": t([1, 131072]),
             "decoder.layers.0.mlp.experts.weight2": t([65536, 1])}' \
    'm.clear()' \
    'm["embedding.word_embeddings.weight"] = m["output_layer.weight"] = t([24, 1])' \
    'm.update((k.replace("s.0.", f"s.{i}."), v) for i in range(8) for k, v in one.items())'
complain x

echo "=== that do not fit, but can be read"
fit() # MODEL
{
    cocktail inspect "$1" | grep -E "fit" || true
}
$make change "$G/grouped-tp2" x 'a["world_size"] = 3'
fit x
$make change "$G/switch-ep2" x 'a["data_parallel_size"] = a["world_size"] = 3'
fit x
$model make one
$model cut one x 2 2
$make change x y 'del a["expert_tensor_parallel_size"]' 'a["sequence_parallel"] = False'
fit y
$make change x y 'a["world_size"], a["data_parallel_size"] = 2, 1'
fit y
