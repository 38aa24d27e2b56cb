# All of fixtures/hostile-recipes/: each is refused with its exit code and one sentence in the last
# line, which holds FILE:LINE and the word at fault; nothing is created.
. "$FIXTURES/../tests/inject/common.bash"

mkdir place
try_recipes merge fixtures/hostile-recipes 100

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
refused_recipe merge 3 "'no-such.yml': no such file" no-such.yml
refused_recipe merge 3 "'fixtures': is a directory" fixtures
refused_recipe merge 3 "standard input:1: no recipe" </dev/null
refused_recipe merge 3 "standard input:1: no recipe" - </dev/null
refused_recipe merge 3 "more than 16000000 bytes" /dev/zero
