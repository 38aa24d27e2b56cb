# What routers prints: text, CSV and JSON, of one model and of two. The numbers themselves are
# checked by the unit tests test_router_stats and test_router_watch.
mixtral=fixtures/models/mixtral
noisy=fixtures/routers/mixtral-noisy
examples=fixtures/routers/examples.jsonl

echo '--- text'
cocktail routers $mixtral $noisy --examples $examples
cocktail routers fixtures/models/jetmoe-bf16 --examples $examples | grep experts
cocktail routers fixtures/models/switch-transformers-bf16 --examples $examples -q | grep experts

echo '--- a model agrees with itself'
cocktail routers $mixtral $mixtral --examples $examples | tail -n 4

echo '--- CSV'
cocktail routers $mixtral $noisy --examples $examples --csv >csv
head -n 1 csv
cut -d, -f1-7,10 csv
awk -F, '{print NF}' csv | uniq -c
cut -d, -f33 csv | sed 's/^\(....\).*/\1/' | xargs -d '\n' printf '[%s]'
echo
ln -s $PWD/$mixtral 'a, "b"'
cocktail routers 'a, "b"' --examples $examples --csv | sed -n '2s/decoder.*//p'

echo '--- JSON'
cocktail routers $mixtral $noisy --examples $examples --json >json
wc -l <json
sed 's/[0-9]*\.[0-9]*\(e-[0-9]*\)\?/N/g' json
cocktail routers fixtures/models/jetmoe-bf16 --examples $examples --json |
    grep -o '"[a-z]*_[a-z]*":{"n_experts":[0-9]*,"n_chosen":[0-9]*,"n_tokens":[0-9]*'

echo '--- results depend neither on threads nor on batches'
for options in -t1 -t2 -t5; do
    cocktail routers $mixtral $noisy --examples $examples --json $options | md5sum
done | sort -u | wc -l
for n in 1 5 100; do
    cocktail routers $mixtral $noisy --examples $examples --batch-size $n | md5sum
done | sort -u | wc -l

echo '--- which tokens'
for options in '' '--max-input-length 9'; do
    cocktail routers $mixtral --examples $examples $options 2>&1 | grep tokens
done
head -n 3 $examples | cocktail routers $mixtral --examples - -q | grep tokens
printf '{"a": [%s]}' "$(paste -sd, $examples)" >tasks
cocktail routers $mixtral --examples tasks --task a -q | grep tokens
