# What may be replaced, and what never is.
try()
{
    cocktail mix -q --weights 0.5,0.5 fixtures/reranker-base fixtures/reranker-routes "$@" >/dev/null
    echo "exit $?"
}

echo '--- an existing checkpoint'
try -o out
cp -r out before
try -o out
cmp before/model.safetensors out/model.safetensors
echo old >out/old-file
try -f -o out
[[ -e out/old-file ]] && echo 'the old file is still there'
cmp before/model.safetensors out/model.safetensors

echo '--- an empty directory, and one in a new place'
mkdir empty
try -o empty
try -o new/place/
[[ -e new/place/config.json ]] || echo missing

echo '--- other things'
mkdir photos
echo meow >photos/cat.jpg
echo text >file
ln -s nowhere dangling
try -f -o photos
try -f -o file
try -f -o file/below
try -f -o dangling
try -f -o .
try -f -o ..
try -f -o /
mkdir -p house/inner
HOME=$PWD/house/inner try -f -o house/inner
HOME=$PWD/house/inner try -f -o house
cat photos/cat.jpg file

echo '--- the output is an input'
cp -r out a
cp -r fixtures/reranker-routes b
rm -f a/old-file
cocktail mix -q --weights 0.5,0.5 a b -o expected >/dev/null
cocktail mix -q --weights 0.5,0.5 a b -o b >/dev/null
echo "exit $?"
cocktail mix -q --weights 0.5,0.5 a b -o a -f >/dev/null
echo "exit $?"
cmp expected/model.safetensors a/model.safetensors
cmp fixtures/reranker-routes/model.safetensors b/model.safetensors
# An input that lies deeper in the target would be lost with it.
mkdir a/inner
cp -r b/* a/inner
cocktail mix -q --weights 0.5,0.5 a/inner b -o a -f >/dev/null
echo "exit $?"
[[ -e a/inner/model.safetensors ]] || echo 'the input is gone'

echo '--- nothing is left behind'
find . -name '.*' ! -name . | sort
