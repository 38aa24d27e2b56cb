# An encoder and a decoder whose tables of embeddings differ from the one that they share: each uses its own, and
# the tied head the shared one, as transformers 5 does.
set -e
base=$FIXTURES/models/t5
encoder=encoder.embed_tokens.weight decoder=decoder.embed_tokens.weight head=lm_head.weight

write() # NAME OPERATION...: the base with these changes
{
    python3 "$FIXTURES/../tests/rewrite_model.py" "$base" "$@"
}

loss() # MODEL
{
    cocktail eval --json "$1" --examples examples.jsonl 2>notes | python3 -c 'import json, sys; print(json.load(sys.stdin)["loss"])'
}

echo '{"input": "the lamp", "output": "a lamp"}' >examples.jsonl
copies=(copy=shared.weight=$encoder copy=shared.weight=$decoder)
write copies "${copies[@]}"
write own "${copies[@]}" scale=$encoder=2 scale=$decoder=-4
write encoder copy=shared.weight=$encoder scale=$encoder=2
write not-decoder copy=shared.weight=$decoder copy=shared.weight=$head scale=shared.weight=2
write decoder copy=shared.weight=$decoder scale=$decoder=2
write not-encoder copy=shared.weight=$encoder copy=shared.weight=$head scale=shared.weight=2

# The losses of transformers 5.24: 6.3446603 and 4.9964366.
loss own | cut -c1-7
cat notes
loss copies | cut -c1-6
cat notes
cmp <(loss copies) <(loss "$base")
cmp <(loss encoder) <(loss not-decoder)
cmp <(loss decoder) <(loss not-encoder)
cmp -s <(loss encoder) <(loss decoder) && echo 'the same loss'

# An adapter that has saved both makes the same model; mixed, it stays one of three tables.
python3 "$FIXTURES/../tests/rewrite_model.py" own saved 'drop=(?!.*embed_tokens).*' 'rename=^=base_model.model.'
mv saved/model.safetensors saved/adapter_model.safetensors
echo '{"peft_type": "LORA", "r": 1, "target_modules": [], "modules_to_save": ["embed_tokens"]}' >saved/adapter_config.json
cmp <(loss "$base+saved") <(loss own)
cocktail mix -q --weights 1 "$base+saved" -o mixed >/dev/null
cocktail diff --exit-code mixed own | tail -n 1
