# --compute fast: what the processor lacks stays exact and is said; the same on any number of
# threads.
set -e
model=fixtures/decoder-base
echo 'What is 29 plus 7?' >text
COCKTAIL_ISA=plain "$COCKTAIL" logits $model text >exact
COCKTAIL_ISA=plain "$COCKTAIL" logits $model text --compute fast >fast 2>note
cmp exact fast
cat note
"$COCKTAIL" logits $model text --compute exact >fast
cmp exact fast
"$COCKTAIL" logits -q $model text --compute fast --threads 1 >one
"$COCKTAIL" logits -q $model text --compute fast --threads 2 >two
cmp one two
# JSON tells it, where a result is one object
examples=fixtures/examples/arithmetic.jsonl
"$COCKTAIL" generate -q --json --prompt "What is" --max-tokens 2 $model --compute fast | grep -o '"compute":"fast"'
"$COCKTAIL" eval -q --json --examples $examples $model --compute fast | grep -o '"compute":"fast"'
"$COCKTAIL" mix-data -q --json --weights-only --examples $examples $model $model --compute fast | grep -o '"compute":"fast"'
"$COCKTAIL" eval -q --json --examples $examples $model | grep -c '"compute"' || true
