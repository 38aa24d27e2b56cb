# The tokenizer inside a GGUF file is that of the folder it was written from, and is written into
# folders again.
set -e
texts=fixtures/tokenizers/texts.jsonl
same() # MODEL: the same ids, and the same files as a folder of its own
{
    cocktail convert -q "$1" -o model.gguf --force >/dev/null
    cocktail tokenize -q --jsonl "$1" "$texts" >here
    cocktail tokenize -q --jsonl model.gguf "$texts" >there
    cocktail convert -q model.gguf -o back --force >/dev/null
    cocktail tokenize -q --jsonl back "$texts" >back.ids
    cmp here there
    cmp here back.ids
    echo "$1: $(wc -l <there) texts"
}

echo '--- there and back'
same fixtures/decoder-base
same fixtures/moe-base

echo '--- decoded'
echo 'the quick brown fox' | cocktail tokenize -q --lines model.gguf |
    cocktail tokenize -q --decode --skip-special model.gguf

echo '--- chat templates'
cp -r fixtures/decoder-base chat
mkdir chat/additional_chat_templates
echo '{{ messages }}' >chat/chat_template.jinja
echo '{{ tools }}' >chat/additional_chat_templates/tool_use.jinja
cocktail convert -q chat -o chat.gguf >/dev/null
cocktail convert -q chat.gguf -o chat-back >/dev/null
cat chat-back/chat_template.jinja
(cd chat-back && find . -name '*.jinja' | sort)

echo '--- without a tokenizer'
cp -r fixtures/decoder-base bare
rm bare/tokenizer* bare/special_tokens_map.json
cocktail convert -q bare -o bare.gguf >/dev/null
echo '1 5 9' >ids
cocktail logits -q --from-ids bare.gguf ids | wc -l
cocktail tokenize -q bare.gguf "$texts" || echo "exit $?"
