#!/usr/bin/env bash
# run.sh BUILD - runs the unit programs of BUILD/unit/ and the scripts tests/cli/*.sh, and counts.
#
# A unit program prints "ok NAME" and "not ok NAME"; each line counts as one test. It runs in the
# root of the tree, TEST_SCRATCH is a directory of its own.
#
# A script counts as one test. It runs in an empty directory of its own, but for the link
# `fixtures`, with
#   COCKTAIL  absolute path of the program, which is also first in PATH as `cocktail`
#   FIXTURES  absolute path of fixtures/
#   INJECT    absolute path of the libraries made from tests/inject/*.c, to be preloaded
#   SAN       the sanitizers that the program is built with, or empty
# and is compared with NAME.out, NAME.err and NAME.exit beside it (absent: empty, empty, 0). It is
# skipped when it exits with 77 or prints "SKIP: reason" to its descriptor 3.
#
# ONLY=word runs those with the word in their name, JOBS=n that many at once. The last line is
# "N passed, N failed", with ", N skipped" when there were any.
set -u
export LC_ALL=C.UTF-8

tests=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$tests")
limit_s=${LIMIT_S:-600}

# Each test leaves a directory BUILD/scratch/KIND/NAME with `result`: "PASSED FAILED SKIPPED", then
# what the user should see.
finish() # PASSED FAILED SKIPPED TEXT
{
    printf '%s\n' "$1 $2 $3" "$4" >"$work/result"
    if (($2 == 0)); then # what a failed test has left is worth a look
        rm -rf "${work:?}"/{here,home,tmp} 2>/dev/null
    fi
}

clean_environment()
{
    unset COCKTAIL_THREADS NO_COLOR CI HF_HOME HF_HUB_CACHE HF_TOKEN HF_TOKEN_PATH HF_ENDPOINT
    export HF_HUB_OFFLINE=1 TERM=dumb HOME=$work/home TMPDIR=$work/tmp
    export TEST_SCRATCH=$work/here
}

run_unit() # PROGRAM
{
    local status n_ok n_not_ok n_skipped

    (cd "$root" && exec timeout "$limit_s" "$1") >"$work/out" 2>"$work/err" </dev/null
    status=$?
    n_skipped=$(grep -c '^ok .* # SKIP' "$work/out")
    n_ok=$(($(grep -c '^ok ' "$work/out") - n_skipped))
    n_not_ok=$(grep -c '^not ok ' "$work/out")
    if ((n_not_ok == 0 && (status != 0 || n_ok + n_skipped == 0))); then
        n_not_ok=1
        echo "not ok: exit status $status after $n_ok tests" >>"$work/out"
    fi
    if ((n_not_ok == 0)); then
        finish "$n_ok" 0 "$n_skipped" "ok    $kind/$name ($n_ok)
$(grep '^ok .* # SKIP' "$work/out" | sed 's/^ok /skip  /')"
    else
        finish "$n_ok" "$n_not_ok" "$n_skipped" "FAIL  $kind/$name
$(grep -v '^ok ' "$work/out" | tail -n 60; tail -n 60 "$work/err")"
    fi
}

differs() # WHAT: compares $work/WHAT with the expected text
{
    local expected=${script%.sh}.$1

    [[ -e $expected ]] || expected=/dev/null
    cmp -s "$expected" "$work/$1" && return 1
    diff -a -u --label "expected $1" --label "$1" "$expected" "$work/$1" | head -n 60
}

run_cli() # SCRIPT
{
    local script=$1 status expected=0 report=

    ln -s "$root/fixtures" "$work/here/fixtures"
    mkdir "$work/bin"
    ln -s "$COCKTAIL" "$work/bin/cocktail"
    : >"$work/skip"
    (cd "$work/here" && PATH=$work/bin:$PATH exec timeout "$limit_s" bash "$script" \
        3>"$work/skip") >"$work/out" 2>"$work/err" </dev/null
    status=$?
    if ((status == 77)) || grep -q '^SKIP: ' "$work/skip"; then
        report=$(sed -n 's/^SKIP: //p' "$work/skip" | head -n 1)
        finish 0 0 1 "skip  $kind/$name: ${report:-exit status 77}"
        return
    fi
    [[ -e ${script%.sh}.exit ]] && expected=$(<"${script%.sh}.exit")
    [[ $status == "$expected" ]] || report="exit status $status, expected $expected"$'\n'
    report+=$(differs out; differs err)
    if [[ -z $report ]]; then
        finish 1 0 0 "ok    $kind/$name"
    else
        finish 0 1 0 "FAIL  $kind/$name"$'\n'"$report"
    fi
}

run_one() # FILE
{
    case $1 in
    *.sh) kind=cli name=$(basename "$1" .sh) ;;
    *) kind=unit name=$(basename "$1") ;;
    esac
    work=$BUILD/scratch/$kind/$name
    chmod -R u+rwx "$work" 2>/dev/null
    rm -rf "$work"
    mkdir -p "$work/here" "$work/home" "$work/tmp"
    clean_environment
    "run_$kind" "$1"
}

if [[ $1 == --one ]]; then
    run_one "$2"
    exit 0
fi

BUILD=$(cd "$1" && pwd) || exit 1
export BUILD COCKTAIL=$BUILD/cocktail FIXTURES=$root/fixtures INJECT=$BUILD/inject SAN=${SAN-}

files=()
for source in "$tests"/unit/test_*.c; do
    program=$BUILD/unit/$(basename "$source" .c)
    [[ -e $source && unit/$(basename "$program") == *${ONLY-}* ]] && files+=("$program")
done
for script in "$tests"/cli/*.sh; do
    [[ -e $script && cli/$(basename "$script" .sh) == *${ONLY-}* ]] && files+=("$script")
done

rm -rf "$BUILD/scratch"
echo "running ${#files[@]} test files with $COCKTAIL"
((${#files[@]} > 0)) &&
    printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" bash "$tests/run.sh" --one

n_passed=0 n_failed=0 n_skipped=0
for file in "${files[@]}"; do
    case $file in
    *.sh) result=$BUILD/scratch/cli/$(basename "$file" .sh)/result ;;
    *) result=$BUILD/scratch/unit/$(basename "$file")/result ;;
    esac
    if [[ -e $result ]]; then
        { read -r passed failed skipped; text=$(cat); } <"$result"
        printf '%s\n' "$text"
    else
        passed=0 failed=1 skipped=0
        echo "FAIL  $file: did not finish"
    fi
    ((n_passed += passed, n_failed += failed, n_skipped += skipped))
done
if ((n_skipped > 0)); then
    echo "$n_passed passed, $n_failed failed, $n_skipped skipped"
else
    echo "$n_passed passed, $n_failed failed"
fi
((n_failed == 0 && n_passed > 0))
