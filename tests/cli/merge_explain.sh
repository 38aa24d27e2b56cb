# --explain, --dry-run and --json: what is read and by which rule, what would be written; where a
# recipe comes from.
exec 2>&1
show() # ARGUMENT...
{
    echo "\$ cocktail $*"
    cocktail "$@" | sed 's/"seconds":[0-9.e+-]*/"seconds":TIME/; s/ in [0-9.]* s$/ in TIME/'
    echo "exit ${PIPESTATUS[0]}"
}

cat >recipe.yml <<'R'
merge_method: ties
base_model: fixtures/decoder-base
models:
  - model: fixtures/decoder-arithmetic
    parameters:
      weight: 0.5
      density:
        - filter: up_proj
          value: [0.2, 0.8]
        - value: 0.5
      lambda: 3
  - model: fixtures/decoder-tense
parameters:
  weight: [0.25, 0.75]
  t: 0.5
  int8_mask: yes
R
show merge recipe.yml --explain -q >all
cat all | grep -c '^model.*: ties$'
sed -n '/^model.layers.3.mlp.up_proj/,/int8/p' all
sed -n '/^model.norm/,/int8/p' all
cocktail merge recipe.yml --explain --json -q >lines
wc -l <lines
grep '^{"tensor":"model.layers.3.mlp.up_proj.weight"' lines
python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <lines

echo '--- of slices: where each tensor comes from'
cocktail merge fixtures/recipes/layers.yml --explain | grep -A 1 -e 'layers.[24].mlp.up' -e norm.weight -e embed |
    grep -A 1 -e layers.2.mlp -e layers.4.mlp -e '^model.norm' -e embed

echo '--- of a slice of one layer: the last value of a list, the first outside of the layers'
printf '%s\n' 'merge_method: passthrough' 'slices:' \
    '- sources: [{model: fixtures/decoder-base, layer_range: [2, 3], parameters: {scale: [0.25, 0.5]}}]' \
    '- sources: [{model: fixtures/decoder-base, layer_range: [1, 4], parameters: {scale: [0.25, 0.5]}}]' |
    cocktail merge - --explain | grep -A 2 -e up_proj -e embed -e '^model.norm' | grep -e '^model' -e scale

echo '--- a dry run'
show merge recipe.yml -o out --dry-run -t 2
show merge recipe.yml -o out --dry-run -t 2 --json -q
show merge fixtures/recipes/slerp.yml -o out --dry-run --json -t 2
[[ ! -e out ]] || echo "written"

echo '--- written'
show merge fixtures/recipes/stages.yml -o out --json
cmp out/mergekit_config.yml fixtures/recipes/stages.yml
sed -n '/^---/,/^---/p; /^cocktail/p; /^| /p' out/README.md
show merge fixtures/recipes/stages.yml -o out
show merge -q fixtures/recipes/stages.yml -o out -f

echo '--- a recipe from standard input, and from a pipe; models from a folder'
cksum <out/model.safetensors >first
for way in 'merge - -o piped' 'merge -o piped -f' 'merge -f -o piped --models fixtures'; do
    sed "s:fixtures/:$([[ $way == *models* ]] || echo fixtures/):" fixtures/recipes/stages.yml |
        cocktail $way -q >/dev/null
    cksum <piped/model.safetensors | cmp first - || echo "$way: something else"
done
cocktail merge <(cat fixtures/recipes/stages.yml) -qf -o piped >/dev/null
cksum <piped/model.safetensors | cmp first -
echo 'merge_method: linaer' | show merge -o never
show merge --explain missing.yml
show merge fixtures/recipes/stages.yml
