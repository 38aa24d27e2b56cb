# The ways to write options mean the same.
set -e
model=fixtures/decoder-base

"$COCKTAIL" inspect --json --tensors --threads 2 $model >expected
same()
{
    "$COCKTAIL" inspect "$@" >found
    cmp expected found
}
same $model --json --tensors --threads=2
same --json $model -t2 --tensors
same -t 2 --json --tensors -- $model
same -qt2 --json --tensors $model -q
same --threads 7 --json $model --tensors --threads 2

# behind -- a name is a name
ln -s $model -- --json
ln -s $model -- -t
"$COCKTAIL" inspect --json -- --json | grep -q '"path": *"--json"'
"$COCKTAIL" inspect --json -- -t | grep -q '"path": *"-t"'

# a negative number is a value
mix()
{
    "$COCKTAIL" mix -q "$@" >/dev/null
}
mix --weights -0.5,1.5 $model $model -o one
mix -w-0.5,1.5 $model $model --output=two
mix -vfw -0.5,1.5 $model -otwo $model
cmp one/model.safetensors two/model.safetensors
