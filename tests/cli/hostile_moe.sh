# All of fixtures/hostile-moe/: each is refused with its exit code and one sentence in the last line, which holds FILE:LINE
# and the word at fault; nothing is created.
. "$FIXTURES/../tests/inject/common.bash"

try_recipe() # NAME, EXIT, LINE or -, MESSAGE
{
    local recipe=fixtures/hostile-moe/$1.yml last where

    [[ -e $recipe ]] || echo "$1: no such file"
    timeout 20 "$COCKTAIL" moe --threads 2 "$recipe" -o place/out >out 2>err
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
while IFS=$'\t' read -r name code line message; do
    try_recipe "$name" "$code" "$line" "$message"
    ((n_cases++))
done <"$FIXTURES/hostile-moe/EXPECTED.tsv"
n_files=$(find "$FIXTURES/hostile-moe" -name '*.yml' | wc -l)
((n_cases == n_files && n_cases >= 50)) || echo "$n_cases of $n_files files"

refused() # EXIT, MESSAGE, ARGUMENT...
{
    "$COCKTAIL" moe "${@:3}" -o place/out >out 2>err
    status=$?
    ((status == $1)) && tells_once && [[ $(<err) == *"$2"* ]] || echo "${*:3}: exit $status: $(<err)"
    is_unchanged "" || echo "${*:3}: left behind: $(echo place/*)"
}

refused 3 "'no-such.yml': no such file" no-such.yml
refused 3 "standard input:1: nothing in it" </dev/null
refused 3 "more than 16000000 bytes" /dev/zero
# More experts than there are rows for.
python3 -c '
print("base_model: fixtures/no-such\ngate_mode: random\nexperts:")
for i in range(30000): print("- {source_model: fixtures/no-such}")' >many.yml
refused 3 "many.yml:" many.yml
