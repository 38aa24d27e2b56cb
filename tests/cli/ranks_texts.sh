# Several ranks share the examples of eval, routers and mix-data and the texts of embed, rerank and
# logits: what they print is what one prints, byte for byte.
. "$FIXTURES/../tests/ranks.bash"

examples=fixtures/examples
routed=fixtures/routers/examples.jsonl

echo '--- examples'
same '2 3 4' cocktail eval fixtures/decoder-base --examples $examples/arithmetic-heldout.jsonl --each --json </dev/null
same 3 cocktail eval fixtures/decoder-base --examples - --each <$examples/tense.jsonl
same 3 cocktail eval fixtures/encoder-base --examples $examples/retrieval-parts-heldout.jsonl --each --json </dev/null
same 2 cocktail eval fixtures/reranker-base --examples $examples/rerank-parts.jsonl --each --json --batch-size 3 </dev/null
head -n 1 $examples/tense.jsonl >single
same 4 cocktail eval fixtures/decoder-base --examples single --each --json </dev/null

mkdir at-0 at-1
head -n 3 $examples/tense.jsonl | tee at-0/mine.jsonl >three
cocktail eval -q fixtures/decoder-base --examples three --each --json >one
ranks 2 bash -c 'cd at-$OMPI_COMM_WORLD_RANK && exec cocktail eval -q ../fixtures/decoder-base --examples mine.jsonl --each --json' |
    sed 's,\.\./,,' | cmp one -

echo '--- routers'
for ((i = 0; i < 13; i++)); do cat $routed; done >often # 156 texts: more than ranks gather at a time
same '2 4' cocktail eval fixtures/models/mixtral --examples often --routers --each --json </dev/null
same 3 cocktail routers fixtures/models/switch-transformers-bf16 --examples often --json </dev/null
same 3 cocktail routers fixtures/models/mixtral fixtures/routers/mixtral-noisy --examples often --json </dev/null
cocktail routers -q fixtures/models/jetmoe-bf16 --examples $routed --svg one-plots >/dev/null
ranks 2 cocktail routers -q fixtures/models/jetmoe-bf16 --examples $routed --svg two-plots >/dev/null
diff -r one-plots two-plots && ls one-plots

echo '--- texts'
python3 - <<'P' >texts
for i in range(40):
    print(" ".join(f"word{j * i % 17} number {j}" for j in range(i * 7 % 23 + 1)))
P
same '2 3 4' cocktail embed fixtures/encoder-base <texts
same 2 cocktail embed fixtures/encoder-base - --format npy --batch-size 2 <texts
for n in 1 3; do
    head -n $n texts >few
    same 4 cocktail embed fixtures/encoder-base <few
    same 4 cocktail logits fixtures/decoder-base --lines <few
done
cocktail logits -q fixtures/decoder-base --lines few >one # which one rank alone would make by other products
ranks 2 bash -c '[[ $OMPI_COMM_WORLD_RANK == 0 ]] && export COCKTAIL_ISA=blas
    exec cocktail logits "$@" fixtures/decoder-base --lines few' - >many
grep -c 'note: rank 0 on HOST: uses .*, the best that each rank has' many
sed '/^cocktail: /d' many | cmp one -
same 3 cocktail rerank fixtures/reranker-base --query 'word3 number 4' --json <texts
same 2 cocktail rerank fixtures/reranker-base texts --query 'word3' --top 4 </dev/null
same 3 cocktail logits fixtures/decoder-base few --lines --format npy </dev/null
same 2 cocktail generate fixtures/decoder-base --prompt 'What is 29 plus 7?' --max-tokens 8 </dev/null
ranks 3 cocktail generate fixtures/decoder-base --prompt 'What is 29 plus 7?' --max-tokens 8

printf '"one"\n"two"\n{}\n"four"\n' >wrong
cocktail embed -q fixtures/encoder-base wrong --jsonl --batch-size 1 >one 2>/dev/null
ranks 4 cocktail embed -q fixtures/encoder-base wrong --jsonl --batch-size 1 | grep -v '^cocktail: \|^exit' | cmp one -
wc -l <one
for command in 'embed fixtures/encoder-base' 'logits fixtures/decoder-base --lines' 'rerank fixtures/reranker-base --query t'; do
    ranks 3 cocktail $command -q </dev/null
done

echo '--- weights, and the model that they make'
for ((i = 0; i < 2; i++)); do
    compat=()
    ((i == 0)) || compat=(--compat lm-cocktail)
    for n in 1 3; do
        rm -rf made # the place is told in what is printed
        ranks $n cocktail mix-data -q --json "${compat[@]}" --examples $examples/arithmetic.jsonl fixtures/decoder-arithmetic \
            fixtures/decoder-tense -o made --each </dev/null | sed 's/"[a-z_]*seconds":[0-9.e-]*,\?//g; s/"ranks":[0-9]*,//' >said-$n
        cat made/model.safetensors >model-$n
    done
    cmp said-1 said-3
    cmp model-1 model-3
done

for task in arithmetic tense; do
    cocktail adapter extract -q fixtures/decoder-$task fixtures/decoder-base -o lora-$task --rank 2 --modules q_proj,up_proj >/dev/null
    loras+=(fixtures/decoder-base+lora-$task)
done
for merged in '' --merged; do
    for n in 1 3; do
        rm -rf made
        ranks $n cocktail mix-data -q $merged --examples $examples/arithmetic.jsonl "${loras[@]}" -o made | sed 's/ in [0-9.]* s$//' >said-$n
        mv made made-$n
    done
    cmp said-1 said-3
    diff -r made-1 made-3
    ls made-3
    rm -r made-*
done

echo '--- inputs that differ'
mkdir mine-0 mine-1
cp fixtures/decoder-base/* mine-0
cocktail convert -q fixtures/decoder-base --dtype f16 -o mine-1 -f >/dev/null
ranks 2 bash -c 'exec cocktail eval mine-$OMPI_COMM_WORLD_RANK --examples single' | sed 's/[0-9a-f]\{16\}/DIGEST/g'
ranks 2 bash -c 'exec cocktail mix-data --weights-only mine-$OMPI_COMM_WORLD_RANK fixtures/decoder-tense --examples single' |
    sed 's/[0-9a-f]\{16\}/DIGEST/g'
cp mine-0/* mine-1
python3 - <<'P'
import json
with open("mine-1/tokenizer.json") as file:
    tokenizer = json.load(file)
tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:20]
with open("mine-1/tokenizer.json", "w") as file:
    json.dump(tokenizer, file)
P
ranks 2 bash -c 'exec cocktail eval mine-$OMPI_COMM_WORLD_RANK --examples single' | sed 's/[0-9a-f]\{16\}/DIGEST/g'

cp -r fixtures/models/sentence-dense dense-0
cp -r dense-0 dense-1
echo 'a text' >text
sed -i 's/activation\.Tanh/linear.Identity/' dense-1/2_Dense/config.json
ranks 2 bash -c 'exec cocktail embed dense-$OMPI_COMM_WORLD_RANK text' | sed 's/[0-9a-f]\{16\}/DIGEST/g'
cp dense-0/2_Dense/config.json dense-1/2_Dense
python3 - <<'P'
import struct
path = "dense-1/2_Dense/model.safetensors"
data = open(path, "rb").read()
n, = struct.unpack("<Q", data[:8])
open(path, "wb").write(struct.pack("<Q", n + 8) + data[8:8 + n] + b" " * 8 + data[8 + n:])
P
ranks 2 bash -c 'exec cocktail embed dense-$OMPI_COMM_WORLD_RANK text' | sed 's/[0-9a-f]\{16\}/DIGEST/g'

# Two that are alike but for one thing: a number in config.json, bytes behind the tensors, the pooling.
twice() # MODEL
{
    rm -rf twin-*
    cp -r "$1" twin-0
    cp -r "$1" twin-1
}
told() # COMMAND ARGUMENT…
{
    ranks 2 bash -c 'exec cocktail "$1" twin-$OMPI_COMM_WORLD_RANK "${@:2}" -q' - "$@" | sed 's/[0-9a-f]\{16\}/DIGEST/g'
}
twice fixtures/decoder-base
sed -i 's/"rms_norm_eps": [^,]*/"rms_norm_eps": 0.1/' twin-1/config.json
told eval --examples single
cocktail convert -q fixtures/decoder-base -o base.gguf >/dev/null
rm -rf twin-* && mkdir twin-0 twin-1
tee twin-0/base.gguf twin-1/base.gguf <base.gguf >/dev/null
printf more >>twin-1/base.gguf
told eval --examples single
twice fixtures/models/sentence-mean
sed -i 's/"mean"/"max"/' twin-1/1_Pooling/config.json
told embed single

echo '--- what is wrong is told once'
ranks 3 cocktail eval fixtures/decoder-base --examples nothing
printf 'a text\n\n' | ranks 3 cocktail embed fixtures/decoder-base
printf '"a text"\n{}\n' | ranks 3 cocktail logits fixtures/decoder-base --jsonl
ranks 2 cocktail tokenize fixtures/decoder-base </dev/null
