# Mixtures of experts: what the command says, where tokens go, and which models it takes.
exec 2>&1
recipe=fixtures/recipes/moe/experts.yml
said()
{
    sed -E 's/in [0-9.]+ s/in N s/; s/"seconds":[^,}]*/"seconds":N/'
}
echo '--- dry run'
cocktail moe $recipe -o out --dry-run
[[ ! -e out ]] || echo 'written'
echo '--- for people, for programs'
cocktail moe $recipe -o out | said
cocktail moe -q - -o out --json <$recipe
[[ $? == 9 ]] || echo 'written over'
cocktail moe -q - -o out --json --force <$recipe | said
cmp out/mergekit_moe_config.yml "$FIXTURES/recipes/moe/experts.yml"
sed -n '/^base_model_relation/p; /^A mixture/p; /^Method/p' out/README.md
cocktail inspect out | sed '/^path/d; /^size/d; /^metadata/d'
echo '--- tokens go to their experts, behind the first layer'
for task in arithmetic tense translation; do
    cocktail routers out --json --examples fixtures/examples/$task-heldout.jsonl |
        python3 -c '
import json, sys
layers = json.load(sys.stdin)["models"][0]["routers"]["decoder_mlp"]["layers"]
loads = [sum(layer["load"][e] for layer in layers[1:]) / 3 for e in range(3)]
print(sys.argv[1], "busiest expert", loads.index(max(loads)), "above chance" if max(loads) > 0.4 else loads)' $task
done
echo '--- the same bytes on one thread, others by another seed'
mkdir seeds
sed 's/gate_mode: hidden/gate_mode: random/; s/experts_per_token.*/&/' $recipe |
    sed '0,/decoder-arithmetic/s/decoder-arithmetic/&\n    noise_scale: 0.01/' >random.yml
for options in "-t 1" "-t 2" "-t 2 --seed 1" "-t 2 --seed 2"; do
    cocktail moe -q random.yml -o "seeds/$options" $options --force >/dev/null
done
for options in "-t 2" "-t 2 --seed 1" "-t 2 --seed 2"; do
    cmp -s "seeds/-t 1/model.safetensors" "seeds/$options/model.safetensors" && echo "$options: the same" || echo "$options: others"
done
echo '--- quantities of noise, and a residual scale'
cat >changed.yml <<'R'
base_model: fixtures/decoder-base
gate_mode: uniform_random
dtype: float32
experts:
  - {source_model: fixtures/decoder-base, positive_prompts: [a]}
  - {source_model: fixtures/decoder-base, positive_prompts: [b], noise_scale: 0.25, residual_scale: -2}
R
cocktail moe -q changed.yml -o changed && echo 'written'
cocktail moe -q changed.yml -o changed --i-understand-this-is-not-useful-without-training >/dev/null
python3 - <<'P'
import array, json, struct
data = open("changed/model.safetensors", "rb").read()
n, = struct.unpack("<Q", data[:8])
header = json.loads(data[8:8 + n])
def values(name):
    a, b = header[name]["data_offsets"]
    return array.array("f", data[8 + n + a:8 + n + b])
for name, scale in (("gate_up_proj", 1), ("down_proj", -2)):
    x = values(f"model.layers.1.mlp.experts.{name}")
    half = len(x) // 2
    noise = [b / scale - a for a, b in zip(x[:half], x[half:])]
    mean, variance = sum(noise) / half, sum(v * v for v in noise) / half
    print(name, "mean 0" if abs(mean) < 0.25 * 5 / half ** 0.5 else mean,
          "deviation 0.25" if abs(variance / 0.0625 - 1) < 5 * (2 / half) ** 0.5 else variance ** 0.5)
limit = 128 ** -0.5
rows = values("model.layers.0.mlp.gate.weight")
print("rows within the limit" if 0.9 * limit < max(map(abs, rows)) <= limit else max(map(abs, rows)))
P
echo '--- an expert with an adapter is as the two made one'
llama=fixtures/adapters/base-llama adapter=fixtures/adapters/rslora-patterns
cocktail mix -q --weights 1 $llama+$adapter -o merged >/dev/null
for second in $llama+$adapter merged $llama; do
    printf '%s\n' "base_model: $llama" "gate_mode: random" "experts: [{source_model: $llama}, {source_model: $second}]" |
        cocktail moe -q --force -o adapted >/dev/null
    cksum <adapted/model.safetensors
done | uniq -c | sed -E 's/^ *([0-9]+).*/\1/'
