# What is not used of a file is said once, with the line where it stands first; an instruction is used.
set -e
try()
{
    echo "\$ $*"
    "$COCKTAIL" "$@" 2>&1 >result || echo "exit $?"
}
cat >alpaca.jsonl <<'END'
{"instruction": "Past tense:", "input": "the sailor cleans the pencil", "output": "the sailor cleaned the pencil", "id": 7}
{"instruction": "What is 29 plus 7?", "input": "", "output": "36", "text": "all of it"}
END
printf '%s\n' '{"input": "Past tense:\nthe sailor cleans the pencil", "output": "the sailor cleaned the pencil"}' \
    '{"input": "What is 29 plus 7?", "output": "36"}' >plain.jsonl
for command in 'eval' 'mix-data --weights-only'; do
    # shellcheck disable=SC2086
    {
        try $command --examples alpaca.jsonl fixtures/decoder-base --json
        sed 's/"models*":.*"loss"/"loss"/' result >with
        try $command --examples plain.jsonl fixtures/decoder-base --json
        sed 's/"models*":.*"loss"/"loss"/' result | cmp - with
    }
done
try mix-data --weights-only --compat lm-cocktail --examples alpaca.jsonl fixtures/decoder-base
try routers fixtures/moe-base --examples alpaca.jsonl
echo '{"query": "a", "pos": ["b"], "neg": ["c"], "instruction": "Find", "prompt": "p", "type": "t"}' >rank.jsonl
try eval fixtures/reranker-base --examples rank.jsonl
try eval -q fixtures/reranker-base --examples rank.jsonl

cat >texts.jsonl <<'END'
"a"
{"text": "b", "foo": 1}

{"foo": 2, "text": "c", "bar": {"foo": [3]}}
END
cp texts.jsonl more.jsonl
try tokenize fixtures/encoder-base --jsonl texts.jsonl more.jsonl
try embed fixtures/encoder-repairs --jsonl texts.jsonl
try rerank fixtures/reranker-base --query a --jsonl texts.jsonl
try logits fixtures/decoder-base --jsonl texts.jsonl
try logits -q fixtures/decoder-base --jsonl texts.jsonl
