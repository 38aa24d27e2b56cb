# All of fixtures/hostile/: each case is refused by mix with its exit code and one line that holds
# its message, and nothing is written. inspect and diff end with a code of ours, too.
. "$FIXTURES/../tests/inject/common.bash"

# The lines of ./err that are neither notices nor remarks of a sanitizer.
errors()
{
    local line

    while IFS= read -r line; do
        [[ $line == @('cocktail: note: '|==*==WARNING:)* ]] || printf '%s\n' "$line"
    done <err
}

try_mix() # NAME, EXIT, MESSAGE
{
    local model=$FIXTURES/hostile/$1 text

    timeout 20 "$COCKTAIL" mix --threads 2 --weights 0.5,0.5 "$model" "$model" -o place/out \
        >out 2>err
    status=$?
    ((status == $2)) || echo "mix $1: exit $status, expected $2: $(<err)"
    if (($2 != 0)); then
        text=$(errors)
        [[ $text == 'cocktail: '*"$3"* && $text != *$'\n'* ]] || echo "mix $1: '$3': $text"
        [[ ! -s out ]] || echo "mix $1: fails, but prints $(<out)"
        is_unchanged "" || echo "mix $1: left behind: $(echo place/*)"
    else
        [[ $(echo place/*) == place/out ]] || echo "mix $1: $(echo place/*)"
        restore ""
    fi
}

try_reading() # ARGUMENT...
{
    timeout 20 "$COCKTAIL" "$@" >out 2>err
    status=$?
    [[ $status == @(0|3|4|5|8|10) ]] || echo "$* : exit $status: $(<err)"
    ((status == 0)) || [[ $(errors) == 'cocktail: '* && $(errors) != *$'\n'* ]] ||
        echo "$*: $(<err)"
}

# A sanitizer would end the program when it asks for too much memory, which calloc refuses.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1
mkdir place
n_cases=0
declare -A is_listed
while IFS=$'\t' read -r name code message; do
    model=$FIXTURES/hostile/$name
    [[ -d $model ]] || echo "$name: no such case"
    try_mix "$name" "$code" "$message"
    try_reading inspect --tensors "$model"
    try_reading diff --threads 2 "$model" "$model"
    is_listed[$name]=1
    ((n_cases++))
done <"$FIXTURES/hostile/EXPECTED.tsv"

((n_cases >= 60)) || echo "only $n_cases cases"
for model in "$FIXTURES"/hostile/*/; do
    name=${model%/} name=${name##*/}
    [[ $name == outside || -n ${is_listed[$name]-} ]] || echo "$name: not in EXPECTED.tsv"
done
find . "$FIXTURES/hostile" -name 'HACKED*'
