# What chat-template prints, to the last byte, and what it says when it fails: one line, and nothing
# on standard output.
export SOURCE_DATE_EPOCH=1770091506
show() # WORDS OF THE COMMAND
{
    local status

    echo "\$ $*"
    cocktail chat-template "$@" >out 2>err
    status=$?
    [[ -s out ]] && sed 's/$/|/' out && echo
    cat err
    ((status == 0)) || echo "exit $status"
    [[ $status == 0 ]] || [[ ! -s out && $(wc -l <err) == 1 || $status == 2 ]] || echo "not one line"
}

mkdir m named files
cat >m/tokenizer_config.json <<'END'
{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "image_token": "<img>", "add_bos_token": true,
 "chat_template": "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}{{ image_token }}{% if add_generation_prompt %}[assistant]{% endif %}{{ unk_token }}"}
END
cat >named/tokenizer_config.json <<'END'
{"chat_template": [{"name": "default", "template": "D{{ tools is none }}"}, {"name": "tool_use", "template": "T{{ tools | length }}"},
 {"name": "rag", "template": "R{{ documents[0].title }}"}, {"name": "broken", "template": "\n{% if %}"}]}
END
cp named/tokenizer_config.json files
printf 'main\r\n' >files/chat_template.jinja
mkdir files/additional_chat_templates
printf 'tools' >files/additional_chat_templates/tool_use.jinja
echo '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well, "}]' >talk
echo '[{"type": "function"}]' >tools
echo '[]' >empty
echo '[{"title": "fish"}]' >documents

echo "== which template"
show m --messages talk
show m --messages talk --add-generation-prompt
show named --messages talk
show named --messages talk --tools tools
show named --messages talk --tools empty
show named --messages talk --template rag --documents documents
show named --messages talk --template broken
show files --messages talk
show files --messages talk --tools tools
show m --messages talk --template chatml --add-generation-prompt
printf '{{ x }}{{ bos_token }}{{ strftime_now("%%d %%b %%Y") }}' >own.jinja
show m --messages talk --template own.jinja --kwargs '{"x": 12345678901234567890, "bos_token": "b"}'
echo '{"x": 1e-05}' >kwargs
show m --messages talk --template own.jinja --kwargs @kwargs
mkdir none
show none --messages talk
show none --messages talk --template nowhere
echo '{"chat_template": [{"name": "a", "template": ""}]}' >none/tokenizer_config.json
show none --messages talk
echo '{"chat_template": 1}' >none/tokenizer_config.json
show none --messages talk
echo '{' >none/tokenizer_config.json
show none --messages talk

echo "== special tokens"
echo '{"bos_token": "<map>"}' >m/special_tokens_map.json
show m --messages talk
sed -i 's/^{/{"added_tokens_decoder": {}, /' m/tokenizer_config.json
show m --messages talk
echo '{"tokenizer_class": "LlamaTokenizerFast"}' >none/tokenizer_config.json
printf '{{ bos_token }}{{ eos_token }}{{ pad_token }}' >own.jinja
show none --messages talk --template own.jinja

echo "== what goes on"
show m --messages talk --continue-final-message
printf '{{ messages[-1].content | trim }}.' >own.jinja
show m --messages talk --continue-final-message --template own.jinja
printf '{{ messages[0].content }}' >own.jinja
show m --messages talk --continue-final-message --template own.jinja
printf '{{ messages | length }}' >own.jinja
show m --messages talk --continue-final-message --template own.jinja
show m --messages talk --continue-final-message --add-generation-prompt

echo "== what is wrong"
printf 'a\n{{ raise_exception("no \\n" ~ messages[0].role) }}' >own.jinja
show m --messages talk --template own.jinja
printf '\n\n{{ messages[0].x.y }}' >own.jinja
show m --messages talk --template own.jinja
printf '\n{{ 1 | from_json }}' >own.jinja
show m --messages talk --template own.jinja
printf '{%% include "x" %%}' >own.jinja
show m --messages talk --template own.jinja
printf '{{ 1 +' >own.jinja
show m --messages talk --template own.jinja
printf '\xff' >own.jinja
show m --messages talk --template own.jinja
echo '{"role": "user"}' >bad
show m --messages bad
echo '["user"]' >bad
show m --messages bad
show m --messages empty
echo '[{"role": "user"' >bad
show m --messages bad
show m --messages talk --tools bad
show m --messages talk --kwargs '[]'
show m --messages talk --kwargs '{"messages": []}'
show m --messages nowhere
show m
show nowhere --messages talk

echo "== JSON"
cocktail chat-template fixtures/decoder-base --messages talk --template chatml --json >out
python3 -c '
import json, subprocess
made = json.load(open("out"))
print(repr(made["prompt"]), sorted(made))
ids = subprocess.run(["cocktail", "tokenize", "fixtures/decoder-base", "--no-special"], input=made["prompt"].encode(), capture_output=True).stdout
print([int(i) for i in ids.split()] == made["ids"] != [])'
cocktail chat-template fixtures/decoder-base --template chatml --messages - <talk
