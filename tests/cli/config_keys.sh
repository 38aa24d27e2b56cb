# Settings of config.json that are not known, those that cannot be obeyed, and what Python writes.
llama=fixtures/models/llama-gqa

# a copy NAME of a model, with members added to those that are there
with() # NAME MODEL MEMBERS
{
    rm -rf "$1"
    cp -r "$2" "$1"
    sed -i "\$s/}/, $3 }/" "$1/config.json"
}
try()
{
    echo "\$ $*"
    cocktail "$@" 2>&1 | grep -v '^ *\(model\|wrote\|foo\|out\) \|^$'
    echo "exit ${PIPESTATUS[0]}"
}

with foo "$llama" '"foo": 1, "rope_theta_of_old": 2, "bar": null'
echo '--- said once, by whatever loads or mixes it'
cocktail inspect foo 2>&1 >/dev/null
cocktail mix --weights 0.5,0.5 foo foo --dry-run -o out 2>&1 >/dev/null
cocktail mix --weights 0.5,0.5 "$llama" foo -o out -f 2>&1 >/dev/null
echo t5 t6 | cocktail logits foo 2>&1 >/dev/null
cocktail generate foo --prompt t5 --max-tokens 1 2>&1 >/dev/null
echo '{"input": "t5", "output": "t6"}' >examples.jsonl
cocktail eval foo --examples examples.jsonl 2>&1 >/dev/null
cocktail mix-data --examples examples.jsonl "$llama" foo --weights-only 2>&1 >/dev/null
cocktail inspect -q foo 2>&1 >/dev/null

echo '--- cannot be obeyed'
with cross fixtures/models/bert '"is_decoder": true, "add_cross_attention": true'
echo t5 | try embed cross
with tuned "$llama" '"attn_temperature_tuning": true'
echo t5 | try logits tuned

echo '--- not causal: an encoder, and nothing else'
with both "$llama" '"is_causal": false'
try generate both --prompt t5
try eval both --examples examples.jsonl
echo t5 t6 | try logits both
echo t5 t6 | cocktail embed both --type encoder --pooling mean | wc -l

echo '--- Infinity, NaN and keys given twice stay as they are'
with python "$llama" '"foo": [Infinity, -Infinity], "foo": NaN, "dtype": "x", "dtype": "float16"'
cocktail mix -q --weights 1 python -o out -f >/dev/null
tail -n 1 out/config.json
cmp <(sed 's/"dtype": "float16"/"dtype": "float32"/' python/config.json) out/config.json
cocktail mix -q --weights 1 python --dtype bf16 -o out -f >/dev/null
tail -n 1 out/config.json
with broken "$llama" '"foo": Infinit'
try inspect broken
