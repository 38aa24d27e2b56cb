# Every example of the manual runs: the lines of EXAMPLES that begin with "$ ", with the lines that
# they go on to. Those of one page run one after the other in one directory.
. "$FIXTURES/../tests/cached_models.bash"
cache_model BAAI/bge-base-en-v1.5 encoder-base
cache_model Shitao/bge-hotpotqa encoder-parts

examples_of() # PAGE
{
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/{
        s/\\e$/\\/; s/\\-/-/g; s/\\(dq/"/g
        /^\$ /{ s/^\$ //; :more; p; /\\$/!b; n; s/\\e$/\\/; s/\\-/-/g; b more
        }
    }' "$1"
}

here=$PWD
for page in "$FIXTURES"/../man/*.1; do
    name=$(basename "$page" .1)
    mkdir "$name"
    cd "$name" || exit
    ln -s "$FIXTURES" fixtures
    examples_of "$page" >examples
    [[ -s examples ]] || echo "$name: has no examples"
    # bash -e would stop at the first: an example may span lines, so it is run as one script, and
    # the trap says which command failed.
    bash -c 'trap '\''echo "$0: failed with $?: $BASH_COMMAND"'\'' ERR; . ./examples; :' "$name" \
        >output 2>&1
    if grep -q "^$name: failed with" output; then
        cat output
    fi
    cd "$here" || exit
done
