# The file appears complete or not at all, and what may become it.
. "$FIXTURES/../tests/inject/common.bash"
cp -r "$FIXTURES/models/llama-gqa" model
rm model/tokenizer*
model=model

run() # ARGUMENT...
{
    echo "\$ $*"
    "$COCKTAIL" "$@" 2>&1 | sed "s#$FIXTURES#fixtures#; s/\"seconds\":[0-9.e+-]*/\"seconds\":TIME/; s/ in [0-9.]* s\$//"
    echo "exit ${PIPESTATUS[0]}"
}

mkdir place
run convert "$model" -o place/out --dtype q8_0
run mix -w 1 "$model" -o place/out --dtype q8_0 | grep -v usage
run convert "$model" -o place/out.gguf --shard-size 1MB
run convert "$model" -o place/out.gguf --dry-run -t 2
run convert "$model" -o place/out.gguf --dry-run -t 2 --json
ls place
run convert "$model" -o place/out.gguf --json
run convert "$model" -o place/out.gguf
run convert "$model" -o place/out.gguf --force
echo precious >place/diary.gguf
run convert "$model" -o place/diary.gguf --force
mkdir place/folder.gguf
run convert "$model" -o place/folder.gguf --force
run convert "$model" -o place/new/deep.gguf
ln -s out.gguf place/link.gguf
run convert "$model" -o place/link.gguf --force --dtype f16
[[ -L place/link.gguf && $(<place/diary.gguf) == precious ]]
find place | sort
cp place/out.gguf f16.gguf

if [[ -z ${SAN-} && -e $INJECT/full_disk.so ]]; then
    FREE_BYTES=1000 LD_PRELOAD=$INJECT/full_disk.so "$COCKTAIL" convert -q "$model" -o full.gguf 2>full &&
        echo "a full disk: success"
    grep -q 'not enough disk space' full && [[ ! -e full.gguf ]] || echo "a full disk: $(<full)"
fi

# Killed, the target is absent, old or complete, and the next run clears away what is left.
[[ -z ${SAN-} && -e $INJECT/fail_nth.so ]] || exit 0
kinds=open,mkdir,write,fsync,rename,remove,close
command=(convert -q -t 2 "$model" -o place/killed.gguf --dtype f16)
try_kill() # OLD or ""
{
    local n i n_points=20 n_old=0 n_complete=0 n_partial=0

    for ((i = 0; i < n_points; i++)); do
        rm -rf place
        mkdir place
        [[ -z $1 ]] || cp "$1" place/killed.gguf
        n=$((1 + i * (n_calls - 1) / (n_points - 1)))
        { FAIL_CALL=$kinds FAIL_AT=$n FAIL_SIGNAL=9 faulty "${command[@]}"; } 2>/dev/null
        ((status == 137)) || echo "killed at $n: exit $status"
        if cmp -s place/killed.gguf f16.gguf; then
            ((n_complete++))
        elif [[ -z $1 && ! -e place/killed.gguf ]] || cmp -s place/killed.gguf "${1:-nothing}"; then
            ((n_old++))
        else
            echo "killed at $n: the target is neither old nor new"
        fi
        [[ -e place/.killed.gguf.cocktail-partial ]] && ((n_partial++))
        faulty "${command[@]}" --force
        ((status == 0)) && cmp place/killed.gguf f16.gguf || echo "killed at $n: the next run: $(<err)"
        [[ $(echo place/*) == place/killed.gguf ]] || echo "killed at $n: left $(echo place/*)"
    done
    ((n_old > 0 && n_complete > 0 && n_partial > 5)) ||
        echo "$n_old old, $n_complete complete, $n_partial left something"
}
rm -rf place
mkdir place
count_calls $kinds "${command[@]}"
try_kill ""
command+=(--force)
"$COCKTAIL" convert -q "$model" -o old.gguf >/dev/null
rm -rf place
mkdir place
cp old.gguf place/killed.gguf
count_calls $kinds "${command[@]}"
try_kill old.gguf
