# What is wrong is said in one line that names the option and what it takes; then one line of usage.
# The line of usage is compared for two of them only: the others are free to change.
try()
{
    echo "\$ cocktail$(printf ' %q' "$@")"
    "$COCKTAIL" "$@" 2>&1 >unexpected | grep -v '^usage: '
    echo "exit ${PIPESTATUS[0]}$([[ -s unexpected ]] && echo ", and something on stdout")"
}

try mxi
try halp
try $'mi\e[31mx\xff'
try completely-unknown
try -q mix
try --verison
try mix --wieghts 1 a
try mix --weigths=1 a
try mix --output_dir x
try mix --out x
try mix -output x a
try mix --dry_run a
try mix -Z
try mix -qZ
try mix -w
try mix a b --weights
try mix a -o --force
try mix a -o --
try mix a -o ''
try mix a --json=yes
try mix a --type robot
try mix a --type=
try mix a --dtype 'f32|f16'
try mix a --dtype f
try eval --cat a
try eval --cvs a
try mix a --shard-size 0
try mix a --shard-size 5gb
try mix a --shard-size 1.5GB
try mix a --shard-size -5GB
try mix a --shard-size 20000000TB
# 2^64, which is less in powers of 1000
try mix a --shard-size 18014398509481984KiB
try mix a --shard-size 17592186044416MiB
try mix a --shard-size 17179869184GiB
try mix a --shard-size 16777216TiB
try mix a --shard-size 99999999999999999999
try mix a --threads 0
try mix a -t -1
try mix a -t4x
try mix a -t ' 4'
try mix a --threads 18446744073709551616
try inspect
try inspect a b
try diff a
try diff a b c
try completion
try completion tcsh
try help mxi
try help mix inspect
try help --json

echo '--- usage lines'
"$COCKTAIL" halp
"$COCKTAIL" completion --hepl
true
