# A tokenizer with a token that the model has no embedding for: the text, the token, its id and the
# number of rows are named.
examples=fixtures/examples
export COCKTAIL_THREADS=2
cat >extra.py <<'END'
import json, shutil, sys
source, target = sys.argv[1:]
shutil.copytree(source, target)
tokenizer = json.load(open(f"{target}/tokenizer.json"))
n = json.load(open(f"{target}/config.json"))["vocab_size"]
tokenizer["added_tokens"].append({"id": n, "content": "<extra>", "single_word": False, "lstrip": False,
                                  "rstrip": False, "normalized": False, "special": True})
json.dump(tokenizer, open(f"{target}/tokenizer.json", "w"))
END
for name in decoder encoder reranker; do
    python3 extra.py fixtures/$name-base $name
done
# An encoder-decoder whose words are "a" and, beyond the table, "z".
cp -r fixtures/models/t5 pairs
echo '{"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
"post_processor": null, "decoder": null,
"model": {"type": "WordLevel", "vocab": {"a": 3, "z": 100000}, "unk_token": "a"}}' >pairs/tokenizer.json

try() # ARGUMENT...
{
    echo "\$ $*"
    cocktail "$@" 2>&1 >result
    echo "exit $?$([[ -e out ]] && echo ', written')"
}

printf '%s\n' '{"input": "one", "output": "two"}' '{"input": "one <extra>", "output": "two"}' >inputs
printf '%s\n' '{"input": "one", "output": "two"}' '' '{"input": "one", "output": "<extra>"}' >outputs
printf '%s\n' '{"query": "a", "pos": ["b"], "neg": ["c"]}' \
    '{"query": "a", "pos": ["b"], "neg": ["c", "d <extra>"]}' >passages
printf 'one\ntwo <extra> three\n' >texts
try eval decoder --examples inputs
try eval decoder --examples outputs
try eval encoder --examples passages
try eval reranker --examples passages
try mix-data --examples inputs decoder fixtures/decoder-tense --ignore-tokenizer -o out
try mix-data --examples passages encoder fixtures/encoder-parts --ignore-tokenizer --weights-only
try embed -q encoder texts
try rerank reranker --query a texts
try rerank reranker --query '<extra>' texts
try logits decoder texts
try logits decoder --lines texts
try generate decoder --prompt 'one <extra>'
printf '%s\n' '{"input": "a", "output": "a"}' '{"input": "z", "output": "a"}' >sources
printf '%s\n' '{"input": "a", "output": "a"}' '{"input": "a", "output": "a z"}' >targets
try eval pairs --examples sources
try eval pairs --examples targets
try generate pairs --prompt 'a z'
cp -r fixtures/moe-base moe.base
python3 extra.py moe.base moe
try routers moe --examples inputs
