# adapter extract: errors are the least that a rank can have, by numpy's singular values.
data=${COCKTAIL_TEST_DATA:-}/golden/lora/extract
if [[ ! -e $data/facts.json ]]; then
    echo "SKIP: COCKTAIL_TEST_DATA has no golden/lora/extract" >&3
    exit 0
fi
set -e
for rank in 1 4 8; do
    cocktail adapter extract --json $data/tuned $data/base -o rank-$rank --rank $rank --embeddings >$rank.json
    python3 - $data/facts.json $rank.json $rank <<'EOF'
import json, sys
facts, found, rank = json.load(open(sys.argv[1])), json.load(open(sys.argv[2])), sys.argv[3]
assert len(found['modules']) == len(facts) == 16
for module in found['modules']:
    fact = facts[module['name'] + '.weight']
    error = module['relative_error'] * fact['frobenius']
    least = fact['least_error'][rank]
    assert module['rank'] == int(rank)
    assert least * (1 - 1e-4) <= error <= least * (1 + 1e-4) + 1e-5 * fact['frobenius'], (module, fact)
EOF
done
