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
