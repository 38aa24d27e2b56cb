# Directories of Megatron-LM's: they give what the original gave, however they were split; what a class of
# transformers computes, too, is shown, mixed and written as one.
G=$FIXTURES/megatron make="python3 $FIXTURES/make_megatron.py" model="python3 $FIXTURES/megatron_model.py"
complain() # COMMAND…: its message and exit status
{
    local status=0

    cocktail "$@" >/dev/null 2>message </dev/null || status=$?
    sed "s|$FIXTURES/||g" message
    echo "exit $status"
}
logits() # MODEL
{
    echo 1 5 9 17 7 | cocktail logits "$1" --from-ids
}
same() # MODEL MODEL
{
    logits "$1" >first && logits "$2" >second && cmp first second && echo "the same"
}

echo "what the original gave:"
for name in grouped-tp2 switch-ep2; do
    $model cases "$G/$name" "$COCKTAIL" "$G/$name/cases.json"
done

echo "what they are:"
for name in grouped-tp2 switch-ep2; do
    cocktail inspect "$G/$name" | grep -v ^path
    cocktail inspect "$G/$name" --json | grep -o '"ranks".*'
done
cocktail inspect "$G/grouped-tp2" --tensors | grep -E "layers.1.*(q_proj|experts.3)|embed" | sed 's/ *$//'

echo "the iteration itself, the only one, the release:"
mkdir -p only lone
cp -r "$G/grouped-tp2/iter_0000001" only
cp -r "$G/grouped-tp2/iter_0000001" lone/release
printf 'release\n' >lone/latest_checkpointed_iteration.txt
for name in only only/iter_0000001 lone lone/release; do
    same "$G/grouped-tp2" $name
done

echo "over pipeline stages:"
$make stages "$G/grouped-tp2" stages 2
ls stages/iter_0000001
same "$G/grouped-tp2" stages
$make stages "$G/grouped-tp2" chunks 1 2
same "$G/grouped-tp2" chunks
$make stages "$G/switch-ep2" both 2
ls both/iter_0000001
same "$G/switch-ep2" both
cocktail inspect both | grep ^ranks

echo "in two rounds of two stages, against one:"
$make change "$G/grouped-tp2" four \
    'a["num_layers"] = 4' \
    'd = [(k, v) for k, v in m.items() if "layers" in k]' \
    'm.update((k.replace("s.0", "s.2") if "s.0" in k else k.replace("s.1", "s.3"),
               t(v.shape, "BF16") if v else v) for k, v in d)'
$make stages four rounds 2 2
same four rounds
cocktail inspect rounds | grep ^ranks

echo "under other names:"
renamed() # FROM PATTERN REPLACEMENT STATEMENT…: the same tensors
{
    local from=$1 pattern=$2 replacement=$3

    shift 3
    $make change "$from" renamed 'import re' \
        "d = [(re.sub(r'$pattern', r'$replacement', k), v) for k, v in m.items()]" \
        'm.clear()' 'm.update(d)' "$@"
    same "$from" renamed
}
$model make one 'normalization="LayerNorm"' add_bias_linear=True
$model cut one biased 2 2
renamed biased 'experts\.local_experts\.(\d+)\.(linear_fc.)\.(weight|bias)' 'experts.\2.\3\1'
$model make one num_experts=None 'normalization="LayerNorm"' add_bias_linear=True
renamed one '(input_layernorm|pre_mlp_layernorm)\.' \
    '@\1@' 'd = [(k.replace("@input_layernorm@", "self_attention.linear_qkv.layer_norm_")
                   .replace("@pre_mlp_layernorm@", "mlp.linear_fc1.layer_norm_"), v) for k, v in m.items()]' \
    'm.clear()' 'm.update(d)'
renamed "$G/switch-ep2" '_norm\.' '_layernorm.' \
    'l = f["model"]["language_model"]; l["transformer"] = l.pop("encoder")'
$make change "$G/switch-ep2" old 'd = [(k.replace("local_experts", "experts"), v) for k, v in m.items()]' \
    'm.clear()' 'm.update(d)' 'm.update((f"layers.{i}.mlp.router.bias", t([4])) for i in range(2))'
cocktail inspect old | grep "no place"

echo "what transformers can say:"
for name in grouped-tp2 stages; do
    $make change $([ $name = stages ] && echo stages || echo "$G/$name") x-$name 'a["moe_router_pre_softmax"] = False'
    cocktail mix -q --weights 1,0 x-$name x-$name -o out-$name >/dev/null
done
cmp out-grouped-tp2/model.safetensors out-stages/model.safetensors
ls out-stages
cat out-stages/config.json
same x-grouped-tp2 out-stages
cocktail mix -q --weights 0.3,0.7 x-stages out-stages -o again >/dev/null
cmp again/model.safetensors out-stages/model.safetensors
cocktail convert -q x-stages -o converted >/dev/null
cmp converted/model.safetensors out-stages/model.safetensors

echo "what it cannot:"
complain mix --weights 0.5,0.5 "$G/grouped-tp2" stages -o none
complain mix --weights 0.5,0.5 "$G/switch-ep2" both -o none
complain convert "$G/grouped-tp2" -o none
ls none 2>/dev/null

echo "a tokenizer beside it:"
cp "$FIXTURES"/decoder-base/tokenizer*.json x-stages
printf 'notes\n' >x-stages/notes.txt
cocktail mix -q --weights 1,0 x-stages x-stages -o with --ignore-tokenizer >/dev/null
ls with

echo "rows that may be padding:"
for name in grouped-tp2 stages; do
    rm -rf padded
    $make change $([ $name = stages ] && echo stages || echo "$G/$name") padded 'a["tokenizer_type"] = "HFTokenizer"'
    cocktail inspect padded --tensors 2>&1 | grep -E "padding|embed_tokens" | sed 's/ *$//'
done

[ -n "${COCKTAIL_TEST_DATA-}" ] || exit 0
golden=$COCKTAIL_TEST_DATA/golden/megatron-tiny
for folder in "$golden"/switchmlp/*/ "$golden"/core/*/*/; do
    result=$($model cases "$folder" "$COCKTAIL" "$(dirname "$folder")/cases.json")
    [ "$result" = near ] || echo "$folder: $result"
done
for split in one-rank ep2 tp2; do
    cocktail mix -q --weights 1,0 "$golden"/core/sequential/{$split,one-rank} -o hf-$split >/dev/null
    cmp hf-$split/model.safetensors hf-one-rank/model.safetensors
    $make stages "$golden/core/sequential/$split" staged-$split 2
    cocktail convert -q "$golden/core/sequential/$split" -o converted-$split >/dev/null
    cmp hf-one-rank/model.safetensors converted-$split/model.safetensors
    cocktail mix -q --weights 1,0 staged-$split{,} -o hf-staged-$split >/dev/null
    cmp hf-$split/model.safetensors hf-staged-$split/model.safetensors
done
