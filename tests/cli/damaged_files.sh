# Every valid model of fixtures/hostile/, its weights cut off at 40 lengths and with one changed
# byte at 200 places: read or refused, but never a crash, and nothing is left behind.
. "$FIXTURES/../tests/inject/common.bash"
mkdir place

# Builds the file anew from its bytes, each an escape for printf: no program has to run for that.
load_bytes() # FILE: fills bytes[]
{
    local value text

    bytes=()
    for value in $(od -An -v -tu1 "$1"); do
        printf -v text '\\x%02x' "$value"
        bytes+=("$text")
    done
}

write_bytes() # FILE, N: the first N of bytes[]
{
    local IFS=

    # shellcheck disable=SC2059
    printf "${bytes[*]:0:$2}" >"$1"
}

try() # NAME, MODEL, DAMAGED
{
    local arguments

    # Damage in the data is found by reading it: mostly to compare it, then to mix it (which waits
    # for the disk).
    if ((++n_tries % 4)); then
        arguments=(diff --json "$2" "$3")
    else
        arguments=(mix -q -w 0.5,0.5 "$2" "$3" -o place/out)
    fi
    timeout 10 "$COCKTAIL" "${arguments[@]}" --threads 1 >out 2>err
    status=$?
    case $status in
    0) [[ ${arguments[0]} == diff ]] || restore "" ;;
    3 | 5 | 8 | 10) tells_once || echo "$1: ${arguments[0]}: exit $status: $(<err)" ;;
    *) echo "$1: ${arguments[0]}: exit $status: $(<err)" ;;
    esac
    is_unchanged "" || echo "$1: ${arguments[0]}: left behind: $(echo place/*)"
}

# At n places of 0 … size-1, the first and the last among them, and not all multiples of a step.
place_of() # INDEX, N, SIZE: sets `at`
{
    at=$(($1 * ($3 - 1) / ($2 - 1)))
}

damage() # MODEL, FILE
{
    local name=${1##*/}/$2 size i at original n_cuts=40 n_flips=200

    # What a sanitizer finds is worth the time, but it takes ten times as long.
    [[ -z ${SAN-} ]] || n_cuts=20 n_flips=50
    rm -rf damaged
    cp -r "$1" damaged
    load_bytes "$1/$2"
    size=${#bytes[@]}
    write_bytes damaged/$2 "$size"
    cmp "$1/$2" "damaged/$2" || return
    for ((i = 0; i < n_cuts; i++)); do
        place_of $i $n_cuts "$size"
        write_bytes "damaged/$2" $at
        try "$name cut to $at bytes" "$1" damaged
    done
    for ((i = 0; i < n_flips; i++)); do
        place_of $i $n_flips "$size"
        original=${bytes[at]}
        # One bit, or all of them.
        printf -v 'bytes[at]' '\\x%02x' $((0${original:1} ^ (i % 3 ? 1 << i % 8 : 255)))
        write_bytes "damaged/$2" "$size"
        try "$name with byte $at changed from ${original:1} to ${bytes[at]:1}" "$1" damaged
        bytes[at]=$original
    done
}

n_tries=0
for model in "$FIXTURES"/hostile/valid-*; do
    for file in "$model"/*; do
        [[ $file == *.safetensors || $file == *.bin ]] && damage "$model" "${file##*/}"
    done
done
damage "$FIXTURES/hostile/valid-sharded" model.safetensors.index.json
((n_tries > 500)) || echo "only $n_tries tries"
