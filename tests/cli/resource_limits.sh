# Memory or descriptors that are short from the start, by the limits of the shell: exit 4 or the
# right result, and nothing left behind. inject_allocations.sh is finer, but there the shortage
# passes; here it lasts while everything is put away.
. "$FIXTURES/../tests/inject/common.bash"
make_models
mix=(mix -q --shard-size 32B -w 0.5,0.5 models/a models/b -o place/out)
"$COCKTAIL" "${mix[@]}" >/dev/null || echo "without limits: exit $?"
mv place/out new

try() # LETTER and VALUE of the limit
{
    local limit=$1 value=$2

    (ulimit "-S$limit" "$value" && ulimit "-H$limit" "$value" &&
        exec "$COCKTAIL" "${mix[@]}") >out 2>err
    status=$?
    case $status in
    0) is_new || echo "ulimit -$limit $value: success without the right result" ;;
    4 | 127) # 127: too little for the loader
        is_unchanged "" || echo "ulimit -$limit $value: left behind: $(echo place/*)"
        ((status == 127)) || tells_once || echo "ulimit -$limit $value: $(<err)"
        ;;
    *) echo "ulimit -$limit $value: exit $status: $(<err)" ;;
    esac
    restore ""
}

n_refused=0
for ((n = 4; n <= 20; n++)); do
    COCKTAIL_THREADS=2 try n "$n"
    ((n_refused += status == 4))
done
((status == 0)) || echo "20 descriptors: exit $status"
((n_refused > 3)) || echo "no more than $n_refused limits of descriptors were felt"

# A sanitizer reserves terabytes of addresses.
if [[ -z ${SAN-} ]]; then
    n_refused=0
    for ((kb = 5600; kb <= 18000; kb += 400)); do # less and the system cannot start it
        COCKTAIL_THREADS=1 try v "$kb"
        ((n_refused += status == 4))
    done
    ((status == 0)) || echo "18 MB of addresses: exit $status"
    ((n_refused > 2)) || echo "no more than $n_refused limits of memory were felt"
fi
