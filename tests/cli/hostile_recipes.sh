# All of fixtures/hostile-recipes/: each is refused with its exit code and one sentence in the last
# line, which holds FILE:LINE and the word at fault; nothing is created.
. "$FIXTURES/../tests/inject/common.bash"

try_recipe() # NAME, EXIT, LINE or -, MESSAGE
{
    local recipe=fixtures/hostile-recipes/$1.yml last where

    [[ -e $recipe ]] || echo "$1: no such recipe"
    timeout 20 "$COCKTAIL" merge --threads 2 "$recipe" -o place/out >out 2>err
    status=$?
    last=$(tail -n 1 err)
    ((status == $2)) || { echo "$1: exit $status, expected $2: $last"; }
    if (($2 == 0)); then
        [[ $(echo place/*) == place/out ]] || echo "$1: $(echo place/*)"
        restore ""
        return
    fi
    where=$recipe:$3:
    [[ $3 != - ]] || where=
    [[ $last == 'cocktail: '*"$where"* && $last == *"$4"* ]] || echo "$1: no '$where' '$4': $last"
    [[ $last != *$'\x01'* && $(grep -vc '^cocktail: ' err) == 0 ]] || echo "$1: $(<err)"
    [[ ! -s out ]] || echo "$1: fails, but prints $(<out)"
    is_unchanged "" || echo "$1: left behind: $(echo place/*)"
}

mkdir place
n_cases=0
declare -A is_listed
while IFS=$'\t' read -r name code line message; do
    try_recipe "$name" "$code" "$line" "$message"
    is_listed[$name]=1
    ((n_cases++))
done <"$FIXTURES/hostile-recipes/EXPECTED.tsv"
((n_cases >= 100)) || echo "only $n_cases recipes"
for recipe in "$FIXTURES"/hostile-recipes/*.yml; do
    name=$(basename "$recipe" .yml)
    [[ -n ${is_listed[$name]-} ]] || echo "$name: is not in EXPECTED.tsv"
done

# What would take long if each were compared with each.
long_one() # EXIT, MESSAGE, PYTHON
{
    python3 -c "$3" >recipe.yml
    timeout 20 "$COCKTAIL" merge recipe.yml -o place/out >out 2>err
    status=$?
    ((status == $1)) && tells_once && [[ $(<err) == *"$2"* ]] || echo "$3: exit $status: $(head -c 300 err)"
}

long_one 3 "'x' is no key" 'print("x: [" + ", ".join(f"&a{i} 1" for i in range(33000)) + ", *a0" * 60000 + "]")'
long_one 3 "nodes" 'print("x: {" + ", ".join(f"a{i}: 1" for i in range(60000)) + "}")'
long_one 3 "12000 modules; no model has more than 64" '
print("merge_method: linear\nmodules:")
for i in range(12000): print(f"  m{i}: {{models: [{{model: a}}]}}")'

# What is no file with a recipe.
refused() # EXIT, MESSAGE, ARGUMENT...
{
    "$COCKTAIL" merge "${@:3}" -o place/out >out 2>err
    status=$?
    ((status == $1)) && tells_once && [[ $(<err) == *"$2"* ]] || echo "${*:3}: exit $status: $(<err)"
    is_unchanged "" || echo "${*:3}: left behind: $(echo place/*)"
}

refused 3 "'no-such.yml': no such file" no-such.yml
refused 3 "'fixtures': is a directory" fixtures
refused 3 "standard input:1: no recipe" </dev/null
refused 3 "standard input:1: no recipe" - </dev/null
refused 3 "more than 16000000 bytes" /dev/zero
