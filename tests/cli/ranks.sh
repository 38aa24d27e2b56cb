# Several ranks, which mpirun starts, write one model: the bytes that one writes alone. What goes wrong
# is told once, by all of them with one status, and nothing is left behind.
. "$FIXTURES/../tests/ranks.bash"

# Says what the ranks say and the status. What mpirun has to say
# of a status other than 0 stands between two lines.
ranks() # N, COMMAND...
{
    mpirun -n "$1" "${@:2}" </dev/null >../out 2>../err
    local status=$?
    sed 's/ in [0-9.]* s$//' ../out
    grep '^cocktail: ' ../err | sed "s/ on $(hostname)/ on HOST/g"
    ((status == 0)) || echo "exit $status"
}

mkdir one many
ln -s "$FIXTURES" one/fixtures
ln -s "$FIXTURES" many/fixtures
cat >stages.yml <<'R'
name: stage
merge_method: ties
base_model: fixtures/decoder-base
models:
  - {model: fixtures/decoder-arithmetic, parameters: {weight: 1, density: 0.5}}
  - {model: fixtures/decoder-tense, parameters: {weight: 0.5, density: 0.3}}
---
merge_method: della
base_model: fixtures/decoder-base
parameters: {density: 0.6, epsilon: 0.1}
models:
  - {model: stage, parameters: {weight: 0.5}}
  - {model: fixtures/decoder-translation, parameters: {weight: 0.5}}
R
cp stages.yml one
cp stages.yml many

echo "--- the same bytes"
same() # ARGUMENT...
{
    local n

    (cd one && rm -rf made* && cocktail "$@" >/dev/null) || echo "$*: exit $?"
    for n in 2 3 4; do
        (cd many && rm -rf made* && ranks $n cocktail "$@") >said
        diff -r one many >differences || { echo "$n ranks: $*"; cat differences said; }
    done
}
for method in linear ties; do # one is not measured, the other is
    base=()
    [[ $method == linear ]] || base=(--base fixtures/decoder-base)
    same mix -q --method $method "${base[@]}" -w 0.3,0.7 fixtures/decoder-arithmetic fixtures/decoder-tense -o made
done
same mix -q -w 0.3,0.7 fixtures/decoder-sharded fixtures/decoder-tense -o made --shard-size 1MB
same mix -q -w 0.3,0.7 fixtures/moe-base fixtures/moe-tense -o made
same mix -q -w 0.5,0.5 fixtures/encoder-bin fixtures/encoder-base -o made
same merge -q stages.yml -o made
same convert -q fixtures/decoder-base -o made.gguf --dtype q8_0
same convert -q fixtures/models/t5 -o made --dtype bf16
for n in one two; do # with a head that is a PyTorch file
    cp -r fixtures/encoder-base head-$n
    cp fixtures/heads/$n/* head-$n
done
same mix -q -w 0.5,0.5 --pooling cls ../head-one ../head-two -o made
same convert -q fixtures/decoder-base -o made.gguf # whose last byte is of a tensor
if [[ -z ${SAN-} ]] && strace -o probe -e trace=execve true 2>/dev/null; then
    for late in 0 1; do # that one begins when the other has written all
        rm -rf many/made*
        (cd many && ranks 2 bash -c '[[ $OMPI_COMM_WORLD_RANK != "$1" ]] || slowly=(strace -f -o /dev/null -e inject=pwrite64:delay_enter=1000000:when=1)
            exec "${slowly[@]}" "$COCKTAIL" convert -q fixtures/decoder-base -o made.gguf' - $late) >said
        cmp one/made.gguf many/made.gguf
    done
fi

echo "--- rank 0 has the word"
cd many
rm -rf made*
ranks 3 cocktail mix -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o made
ranks 2 cocktail mix -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o made
ranks 2 cocktail mix -q -f -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o made | tail -n 1
large=(--weights-of layers.2=600001,-600000 --weights-of layers.3=600001,-600000 --dtype f16) # than f16 has room for, on other ranks than 0
for n in 1 4; do
    ranks $n cocktail mix -f -w 0.5,0.5 "${large[@]}" fixtures/decoder-base fixtures/decoder-tense -o large | grep holds
done
rm -r large
ranks 2 cocktail mix --dry-run -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o other | head -n 3
ranks 2 cocktail mix -w 0.3,0.6 fixtures/decoder-base fixtures/decoder-tense -o other
ranks 2 cocktail mix -w 0.3,0.7 fixtures/decoder-base nothing -o other
ranks 2 cocktail inspect fixtures/decoder-base
ranks 2 cocktail merge -t 1 --dry-run stages.yml -o other | grep threads
ranks 2 cocktail merge -t 4096 --dry-run stages.yml -o other | grep threads | sed 's/share .*/share SOME/' | sort
half=$(($(nproc) > 1 ? $(nproc) / 2 : 1))
ranks 2 --bind-to none cocktail merge -t 4096 --dry-run stages.yml -o other | grep -c "threads share $half proc"
ranks 2 cocktail merge -q -t 4096 --dry-run stages.yml -o other | grep threads
mpirun -n 2 cocktail merge -q - -o piped <stages.yml >/dev/null
(cd ../one && cocktail merge -q - -o piped <stages.yml >/dev/null)
cmp piped/model.safetensors ../one/piped/model.safetensors
mkdir at-0 at-1 # where others have none
sed 's,fixtures/,../fixtures/,' stages.yml >at-0/mine.yml
ranks 2 bash -c 'cd at-$OMPI_COMM_WORLD_RANK && exec cocktail merge -q mine.yml -o ../told' >/dev/null
cmp told/model.safetensors ../one/piped/model.safetensors
rm -r at-? told

echo "--- ranks that do not do the same"
cp -r fixtures/decoder-tense mine-0
cocktail convert -q fixtures/decoder-tense --dtype f32 -o mine-1 >/dev/null
ranks 2 bash -c 'cd . && ln -sfn mine-$OMPI_COMM_WORLD_RANK link-$OMPI_COMM_WORLD_RANK &&
    exec cocktail mix -w 0.3,0.7 fixtures/decoder-base link-$OMPI_COMM_WORLD_RANK -o other -q' | sed 's/[0-9a-f]\{16\}/DIGEST/g'
for n in 0 1; do # each with another scale, and with two other tokens in each other's place
    cp -r fixtures/adapters/bf16 lora-$n
    sed -i "s/\"lora_alpha\": 8/\"lora_alpha\": 1$n/" lora-$n/adapter_config.json
    cp -r fixtures/decoder-tense tokens-$n
    python3 - tokens-$n/tokenizer.json $((500 + 2 * n)) <<'P'
import json, sys
tokenizer = json.load(open(sys.argv[1]))
ids, first = tokenizer["model"]["vocab"], int(sys.argv[2])
ids.update({text: 2 * first + 1 - i for text, i in ids.items() if i in (first, first + 1)})
json.dump(tokenizer, open(sys.argv[1], "w"))
P
done
for what in 'fixtures/adapters/base-llama-bf16 fixtures/adapters/base-llama-bf16+lora-' '--tokenizer union fixtures/decoder-base tokens-'; do
    ranks 2 bash -c "exec cocktail mix -w 0.3,0.7 $what\$OMPI_COMM_WORLD_RANK -o other -q" | sed 's/[0-9a-f]\{16\}/DIGEST/g'
done
ranks 2 bash -c '[[ $OMPI_COMM_WORLD_RANK == 0 ]] && export COCKTAIL_ISA=plain
    exec cocktail mix -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o isa' | grep -o 'note: rank 1 on HOST: uses plain.*'
echo *

echo "--- a rank that fails, or is killed"
ranks 3 bash -c '[[ $OMPI_COMM_WORLD_RANK == 2 ]] && ulimit -f 1
    trap "" XFSZ
    exec cocktail mix -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o other -q'
[[ -e other ]] && echo "there is a result"
ranks 2 cocktail mix -q -w 0.3,0.7 fixtures/decoder-base fixtures/decoder-tense -o other | tail -n 1
cmp other/model.safetensors made/model.safetensors
ls -Ad other .other* 2>/dev/null

echo "--- one rank ends all, and others that are ended do not call for it too"
for i in 1 2 3; do
    OMPI_MCA_orte_execute_quiet=0 mpirun -n 3 cocktail eval nowhere --examples nothing </dev/null 2>&1 | grep 'more process'
done
true
