# The runner of the tests itself: what fails must be counted as failed.
unset ONLY JOBS
mkdir -p tree/tests/{unit,cli} tree/fixtures tree/build/unit
cp "$FIXTURES/../tests/run.sh" tree/tests/
ln -s "$COCKTAIL" tree/build/cocktail

unit() # NAME, SCRIPT that stands for a compiled program
{
    : >"tree/tests/unit/$1.c"
    printf '#!/bin/sh\n%s\n' "$2" >"tree/build/unit/$1"
    chmod +x "tree/build/unit/$1"
}
cli() # NAME, SCRIPT, [OUT, [ERR, [EXIT]]]
{
    echo "$2" >"tree/tests/cli/$1.sh"
    [[ -n ${3-} ]] && echo "$3" >"tree/tests/cli/$1.out"
    [[ -n ${4-} ]] && echo "$4" >"tree/tests/cli/$1.err"
    [[ -n ${5-} ]] && echo "$5" >"tree/tests/cli/$1.exit"
}
runs()
{
    tree/tests/run.sh tree/build 2>/dev/null | sed "s|$PWD/||g"
    echo "exit ${PIPESTATUS[0]}"
    echo
}

runs

unit test_good 'echo ok one; echo ok two; test -d "$TEST_SCRATCH" && test -d fixtures'
cli good 'cocktail --version; echo note >&2; ls; exit 3' $'cocktail 0.1.0\nfixtures' note 3
runs

cli skipped_by_status 'exit 77'
cli skipped_by_line 'echo "SKIP: no zsh here" >&3; echo partial'
unit test_partly 'echo ok one; echo "ok two # SKIP no memory"'
runs

unit test_bad 'echo ok one; echo "# file.c:3: 1 == 2"; echo not ok two; exit 1'
unit test_crash 'echo ok one; kill -SEGV $$'
unit test_empty 'exit 0'
cli bad_out 'echo something' 'something else'
cli bad_err 'echo surprise >&2'
cli bad_exit 'exit 1'
runs

echo 'ONLY=bad_e:'
ONLY=bad_e tree/tests/run.sh tree/build 2>/dev/null | tail -n 1
