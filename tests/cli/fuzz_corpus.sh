# The corpora of tests/fuzz/, replayed: what the fuzzers start from and what they once found.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1
n_corpora=0
for corpus in "$FIXTURES"/../tests/fuzz/corpus/*/; do
    name=$(basename "$corpus")
    timeout 300 "$BUILD/replay/fuzz_$name" "$corpus"* >out 2>err ||
        { echo "fuzz_$name: exit $?:"; tail -n 20 err; }
    ((n_corpora++))
done
((n_corpora >= 3)) || echo "only $n_corpora corpora"
