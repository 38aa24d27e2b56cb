# Losses behind the prompts of a chat template; transformers gives 6.866838942 for the first.
cat >roles.jinja <<'END'
{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}
END
printf '{%% if "tense" in messages[0].content %%}{{ raise_exception("no tenses") }}{%% endif %%}x' >picky.jinja

show() # MODEL, EXAMPLES, more
{
    local model=fixtures/$1 examples=fixtures/examples/$2.jsonl

    cocktail eval $model --examples $examples --json "${@:3}" >out 2>err || echo "exit $?"
    sed 's/.*"loss":\([0-9]*\.[0-9]\{5\}\)[^,]*,.*"n_tokens":\([0-9]*\),.*/\1 \2/' out
    cat err
}
show decoder-tense tense --chat-template --template roles.jinja
show decoder-tense tense --chat-template --template roles.jinja --batch-size 3
show decoder-tense tense --chat-template --template chatml
show decoder-tense tense
show decoder-tense tense --chat-template
show decoder-tense tense --chat-template --template picky.jinja
show decoder-tense tense --template roles.jinja 2>&1 | head -n 2
show encoder-base retrieval-parts --chat-template --template chatml
