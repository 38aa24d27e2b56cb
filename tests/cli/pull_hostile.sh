# Hostile names in a listing: exit 3 with one sentence, and nothing is written anywhere.
. "$FIXTURES/../tests/server/hub.bash"
mkdir small
cp "$FIXTURES/encoder-base/config.json" small
echo weights >small/model.safetensors
start_hub --faulty small --page-size 1
names=$(PYTHONPATH=$FIXTURES/../tests/server python3 -c '
from hub_faults import HOSTILE_NAMES
print(*HOSTILE_NAMES)')

try() # NAME, ARGUMENT...
{
    HF_HUB_CACHE=$PWD/deep/er/cache run pull "${@:2}"
    expect_failure "$1" 3
    [[ ! -e deep ]] || echo "$1: wrote $(find deep)"
    rm -rf deep
}

touch out err before
find . "$TMPDIR" -path ./hub -prune -o -print | sort >before
n_names=0
for name in $names; do
    try "$name" "lasting/name-$name"
    [[ $(<err) == *"lasting/name-$name"* && $(<err) != *[$'\x01'-$'\x1f']* ]] || echo "$name: $(<err)"
    ((n_names++))
done
try "chosen by --include" lasting/name-parent --include '*'
try "not chosen by --include" lasting/name-parent-json --include config.json
try "--dry-run" lasting/name-absolute --dry-run
try "--json" lasting/name-nul-json --json
((n_names == 24)) || echo "$n_names names"
[[ $(count "$bodies") == 0 ]] || echo "fetched: $(requests "$bodies")"
find . "$TMPDIR" -path ./hub -prune -o -print | sort | diff before - ||
    echo "something was written"
