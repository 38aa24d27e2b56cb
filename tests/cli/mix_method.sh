# Methods from the command line: what is shown and written, and what must be the same as what.
set -e
a=fixtures/decoder-arithmetic b=fixtures/decoder-tense base=fixtures/decoder-base
mix() # OUT ARGUMENTS...
{
    cocktail mix -q "${@:2}" -o "$1" | sed 's/ in [0-9.]* s$//'
}
same() { cmp "$1/model.safetensors" "$2/model.safetensors" && echo "$1 is $2"; }

mix ties --method ties --base $base --weights 0.6,0.4 --param density=0.5 --param normalize=true $a $b
grep -A 9 '^A merge' ties/README.md
mix json --method dare_linear --base $base --weights 1,0.5 --param density=0.5,0.75 --seed 7 \
    --json --weights-of mlp=0,1 $a $b | sed 's/"seconds":.*/…/'
mix slerp --method slerp --param t=0.3 --json $a $b | sed 's/"tensors":.*/…/'

echo
# The base may stand among the models, and is the first of two where nothing is said.
mix listed --method ties --base $base --weights 0.6,0.4 --param density=0.5 $a $base $b >shown
same listed ties
mix named --method slerp --base $a --param t=0.3 $b >shown
same named slerp
mix zero --method slerp --param t=0 $a $b >shown
cmp zero/model.safetensors $a/model.safetensors
mix one --method slerp --param t=1 $a $b >shown
cmp one/model.safetensors $b/model.safetensors

# Density 1 drops nothing; then all without a vote are the same.
mix task --method task_arithmetic --base $base --weights 0.6,0.4 $a $b >shown
for method in dare_linear della_linear breadcrumbs; do
    mix $method --method $method --base $base --weights 0.6,0.4 $a $b >shown
    same $method task
done
mix linear --method linear --weights 0.6,0.4 $a $b >shown
mix plain --weights 0.6,0.4 $a $b >shown
same linear plain
mix raw --method linear --param normalize=false --weights 3,2 $a $b >shown
mix divided --method linear --param normalize=true --weights 3,2 $a $b >shown
same divided plain
mix whole --method passthrough $a >shown
cmp whole/model.safetensors $a/model.safetensors

# A part of a name has weights of its own; the first that fits counts.
mix part --weights 0.5,0.5 --weights-of self_attn=1,0 --weights-of attn=0,1 --weights-of mlp=0,1 \
    $a $b >shown
cocktail diff --tensors part $a --json >a.json
cocktail diff --tensors part $b --json >b.json
python3 - <<'P'
import json
a, b = ({t["name"]: t["identical"] for t in json.load(open(f))["tensors"]} for f in ("a.json", "b.json"))
attention = [n for n in a if "self_attn" in n]
mlp = [n for n in a if "mlp" in n]
others = [n for n in a if n not in attention and n not in mlp]
assert attention and mlp and others
assert all(a[n] for n in attention), "attention is not the first's"
assert all(b[n] for n in mlp), "mlp is not the second's"
assert not any(a[n] or b[n] for n in others if n.endswith("weight") and "norm" not in n)
P

cocktail mix --weights 0.5,0.5 --weights-of self_attn=1,0 --weights-of q_proj=0,1 \
    --weights-of self_atn=0,1 $a $b -o unused 2>&1 >shown

# Numbers that are drawn depend on the seed alone.
for method in dare_ties della; do
    set -- --method $method --base $base --weights 1,1 --param density=0.6
    mix one "$@" -f -t 1 $a $b >shown
    mix many "$@" -f -t 8 $a $b >shown
    same many one
    mix other "$@" -f --seed 2 $a $b >shown
    cmp -s other/model.safetensors one/model.safetensors && echo "$method: seeds are alike"
done
:
