# What the files of sentence-transformers say decides: what a folder is, how it pools, which prompts
# and token types it is given. The numbers are those of sentence-transformers 6.2 and transformers
# 5.24 (CPU, float32) for folders that were edited in the same way:
#   SentenceTransformer(DIR).encode(texts), CrossEncoder(DIR).predict(pairs, activation_fn=Identity())
# with four digits, losses with six; results differ by less than 1e-4.
set -e
edit() # FILE, "KEY": VALUE, ... ; null takes a key away
{
    python3 - "$@" <<'END'
import json, os, sys
path, changes = sys.argv[1], json.loads("{" + sys.argv[2] + "}")
old = json.load(open(path)) if os.path.exists(path) else {}
old.update(changes)
json.dump({k: v for k, v in old.items() if v is not None}, open(path, "w"))
END
}
near() # NUMBERS NUMBERS
{
    awk -v a="$1" -v b="$2" 'BEGIN { n = split(a, x, /[^-+.e0-9]+/); m = split(b, y, /[^-+.e0-9]+/)
        for (i = 1; i <= n || i <= m; i++) if (n != m || (x[i] - y[i])^2 > 1.5e-7) bad = 1
        print bad ? "found " a ", expected " b : "as expected" }'
}
vectors() # N MODEL ...
{
    "$COCKTAIL" embed "${@:2}" texts | tr -d '[]' | cut -d , -f 1-"$1" | tr ',\n' '  ' | sed 's/ $//'
}
copy() # FIXTURE NAME
{
    cp -r "fixtures/$1" "$2"
}
modules='[{"idx":0,"name":"0","path":"","type":"sentence_transformers.base.modules.transformer.Transformer"}'

echo '# a pooling in modules.json makes an encoder, whatever class config.json names'
copy models/sentence-lasttoken-llama published
edit published/config.json '"architectures": ["LlamaForCausalLM"]'
printf 't3 t4 t5\nt7\n' >texts
"$COCKTAIL" embed fixtures/models/sentence-lasttoken-llama texts >expected
"$COCKTAIL" embed published texts | cmp - expected
"$COCKTAIL" inspect published --json | grep -o '"type":"[a-z]*"'
echo '{"query": "t3 t4", "pos": ["t5"], "neg": ["t6"]}' >rank.jsonl
"$COCKTAIL" eval published --examples rank.jsonl --json | grep -o '"type":"[a-z]*"'
"$COCKTAIL" mix -q -w 0.5,0.5 published fixtures/models/sentence-lasttoken-llama -o mixed >/dev/null
"$COCKTAIL" mix -q -w 0.5,0.5 fixtures/models/sentence-lasttoken-llama published -o mixed -f --json | grep -o '"type":"[a-z]*"'
"$COCKTAIL" embed mixed texts | cmp - expected
# --type decides all the same
"$COCKTAIL" generate published --prompt t3 2>&1 | cut -c 1-60 || true
"$COCKTAIL" mix -q --type decoder --dry-run -w 0.5,0.5 published published -o other --json | grep -o '"type":"[a-z]*"'

echo '# a decoder is pooled at its last token'
printf '%s\n' 'What is 29 plus 7?' 'the sailor cleans the empty island' >texts
near "$(vectors 6 fixtures/decoder-base --type encoder 2>notice)" \
    '-1.5588 1.1166 -1.5350 0.7073 -0.1167 -2.0107 -2.1083 0.8184 -1.2730 0.4379 -1.4001 2.3874'
cat notice
"$COCKTAIL" mix --type encoder -w 0.5,0.5 fixtures/decoder-base fixtures/decoder-base -o encoder >/dev/null
cat encoder/1_Pooling/config.json
near "$(vectors 6 encoder)" "$("$COCKTAIL" embed -q --type encoder fixtures/decoder-base texts |
    python3 -c 'import json, sys
for line in sys.stdin:
    v = json.loads(line); print(*(x / sum(y * y for y in v) ** 0.5 for x in v[:6]), end=" ")' | sed 's/ $//')"
"$COCKTAIL" mix --type encoder --pooling weightedmean -q -w 0.5,0.5 fixtures/decoder-base fixtures/decoder-base -o encoder -f >/dev/null
grep true encoder/1_Pooling/config.json
"$COCKTAIL" inspect encoder | grep pooling

echo '# prompts, dimensions, lower case'
printf '%s\n' 'do you sell a circular cog of rubber; my pump sparks at night' \
    'Note 26: for this gate, glue the base.' >texts
copy encoder-repairs short
edit short/config_sentence_transformers.json '"truncate_dim": 4, "default_prompt_name": "query"'
near "$(vectors 99 short)" '0.1317 0.1328 0.0844 -0.0244 -0.1509 -0.1783 -0.0859 -0.0412'
copy encoder-repairs prompted
edit prompted/config_sentence_transformers.json '"default_prompt_name": "query"'
cp -r prompted left-out
edit left-out/1_Pooling/config.json '"include_prompt": false'
near "$(vectors 4 left-out)" '0.1180 0.0584 0.1084 -0.0059 -0.1092 -0.2347 -0.0738 -0.0181'
head -n 3 fixtures/examples/retrieval-repairs.jsonl >three
loss() # MODEL
{
    "$COCKTAIL" eval "$1" --examples three --json | sed 's/.*"loss":\([^,]*\),.*/\1/'
}
for case in 'fixtures/encoder-repairs 0.002053' 'prompted 0.006285' 'left-out 0.007400'; do
    near "$(loss "${case% *}" 2>notice)" "${case#* }"
    cat notice
done
# the special token in the text stays one
copy encoder-repairs lower
edit lower/tokenizer_config.json '"do_lower_case": false'
echo 'The Pump [SEP] Sparks' >texts
near "$(vectors 4 lower)" '0.0082 0.0039 -0.0700 0.1202'
edit lower/sentence_bert_config.json '"do_lower_case": true'
near "$(vectors 4 lower)" '0.0742 0.1405 -0.0882 0.0924'

echo '# rerankers: prompts, token types, lengths'
printf '%s\n' 'This rubber cog is circular, 37 coins.' 'Shelf 31: cog, lengthy, rubber.' \
    'To the harbour: a coach picks you up at the bridge at dusk.' >passages
query='do you sell a circular cog of rubber'
scores() # MODEL OPTIONS
{
    "$COCKTAIL" rerank "$@" --query "$query" passages --json | sort |
        sed 's/.*"score":\([^,]*\),.*/\1/' | tr '\n' ' ' | sed 's/ $//'
}
near "$(scores fixtures/reranker-base)" '6.8974 2.9676 -7.0094'
copy reranker-base untyped
edit untyped/tokenizer_config.json '"model_input_names": ["input_ids", "attention_mask"]'
near "$(scores untyped)" '-2.9971 -5.3475 -7.1031'
edit untyped/tokenizer_config.json '"model_input_names": ["input_ids", "token_type_ids"]'
near "$(scores untyped)" '6.8974 2.9676 -7.0094'
edit untyped/tokenizer_config.json '"model_input_names": null, "tokenizer_class": "DistilBertTokenizer"'
near "$(scores untyped)" '-2.9971 -5.3475 -7.1031'

copy reranker-base cross
echo "$modules]" >cross/modules.json
edit cross/config_sentence_transformers.json '"model_type": "CrossEncoder", "default_prompt_name": "query",
    "activation_fn": "torch.nn.modules.linear.Identity", "prompts": {"query": "search: ", "route": "the way "}'
"$COCKTAIL" inspect cross --json | grep -o '"type":"[a-z]*"'
near "$(scores cross)" '4.6032 0.4236 -7.1910'
near "$(scores cross --prompt route)" '6.2552 2.4401 -7.1505'
"$COCKTAIL" rerank cross --query "$query" --prompt way passages || echo "exit $?"
"$COCKTAIL" rerank cross --query "$query" --normalize --top 1 passages
head -n 2 fixtures/examples/rerank-parts.jsonl >two
python3 -c 'import json
for line in open("two"):
    e = json.loads(line); print(json.dumps({**e, "query": "search: " + e["query"]}))' >two-with
"$COCKTAIL" eval cross --examples two --json 2>notice | sed 's/"model":"[^"]*"//' >found
cat notice
"$COCKTAIL" eval -q fixtures/reranker-base --examples two-with --json | sed 's/"model":"[^"]*"//' | cmp - found
"$COCKTAIL" mix-data --examples two cross fixtures/reranker-base --weights-only --json -q | grep -o '"loss":[0-9.]*' >found
for model in cross fixtures/reranker-base; do
    "$COCKTAIL" eval -q $model --examples two --json | grep -o '"loss":[0-9.]*'
done | cmp - found
edit cross/sentence_bert_config.json '"max_seq_length": 16'
near "$(scores cross 2>notice)" '-7.1420 -6.9605 -6.8680'
cat notice

echo '# what is not obeyed is named'
said() # COMMAND...
{
    "$COCKTAIL" "$@" 2>&1 >/dev/null | sed 's/^cocktail: //' || true
}
copy encoder-repairs odd
edit odd/sentence_bert_config.json '"tokenizer_args": {"use_fast": false}, "query_length": 32, "model_args": {}'
edit odd/1_Pooling/config.json '"pooling_mode_mean_tokens": true, "pooling_flavour": 1'
edit odd/config_sentence_transformers.json '"similarity_fn_name": "dot", "flavour": "sweet"'
said embed odd texts
said eval odd --examples three
edit odd/2_Normalize/config.json '"module_input_name": "token_embeddings"'
said embed odd texts
edit odd/sentence_bert_config.json '"transformer_task": "fill-mask"'
said embed odd texts
copy encoder-repairs odder
edit odder/1_Pooling/config.json '"pooling_mode": null, "pooling_mode_attention": true'
said embed odder texts
sed -i 's/sentence_transformers.base.modules.transformer/custom_st/' odder/modules.json
said embed odder texts
echo "$modules,{\"path\": \"1_Dense\", \"type\": \"sentence_transformers.base.modules.dense.Dense\"}]" >cross/modules.json
said rerank cross --query x passages
