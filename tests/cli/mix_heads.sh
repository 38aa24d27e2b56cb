# Heads in files of their own beside the weights are mixed and written as PyTorch files again.
set -e
for model in one two; do
    cp -r fixtures/encoder-base $model
    cp fixtures/heads/$model/* $model
done
values() # FILE KIND N: the first numbers of the first tensor (bias) in an archive that we wrote
{
    local place

    place=$(python3 -c 'import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
entry = archive.getinfo("archive/data/0")
at = entry.header_offset
extra = int.from_bytes(open(sys.argv[1], "rb").read()[at + 28:at + 30], "little")
print(at + 30 + len(entry.filename) + extra)' "$1")
    [[ $((place % 64)) == 0 ]]
    tail -c +$((place + 1)) "$1" | od -An "$2" -N "$3"
}

cocktail mix --weights 0.5,0.5 --pooling cls one two -o out | tail -n 1 | sed 's/,.*//'
ls out/*.pt
cocktail inspect --tensors out | grep '\.pt'
cocktail inspect --json out | grep -o '"files":[^]]*]'
echo '--- 1 / 2 and -1: -1 / 4'
values out/sparse_linear.pt -tfF 4
cocktail diff --json --tensors one out |
    grep -oE '"name":"(colbert|sparse)[^,]*,"identical":[a-z]*,"max_abs":[0-9.]*' | sort -u
cocktail diff out out
echo '--- the same bytes with any number of threads'
for n in 1 5; do
    cocktail mix -q -t $n --weights 0.5,0.5 --pooling cls one two -o threads-$n >/dev/null
    cmp out/colbert_linear.pt threads-$n/colbert_linear.pt
    cmp out/sparse_linear.pt threads-$n/sparse_linear.pt
done
echo '--- the bytes that are expected'
cmp out/sparse_linear.pt fixtures/heads/sparse_mixed.pt
cmp out/colbert_linear.pt fixtures/heads/colbert_mixed.pt
echo '--- --dtype'
cocktail mix -q --weights 0.5,0.5 --pooling cls --dtype bf16 one two -o bf16 >/dev/null
cocktail inspect --tensors bf16 | grep '\.pt'
echo '--- what was written is mixed again'
cocktail mix -q --weights 0,1 one out --pooling cls -o again >/dev/null
cmp out/colbert_linear.pt again/colbert_linear.pt

echo '--- only some have one'
rm two/sparse_linear.pt
cocktail mix --weights 0.5,0.5 --pooling cls one two -o some >/dev/null
ls some/*.pt
cocktail mix --weights 0.5,0.5 --pooling cls two one -o fewer >/dev/null
ls fewer/*.pt
cocktail diff --json one two | grep -o '"only_in_a":.*,"layers"'
cocktail diff --json two one | grep -o '"only_in_b":.*,"layers"'

echo '--- another shape'
cp fixtures/heads/two/colbert_linear.pt two/sparse_linear.pt
cocktail mix --weights 0.5,0.5 --pooling cls one two -o shapes >/dev/null
ls shapes/*.pt
rm two/sparse_linear.pt one/sparse_linear.pt

echo '--- other names'
for model in one two; do
    cp fixtures/heads/$model/colbert_linear.pt $model/own_head.pth
    cp fixtures/encoder-bin/pytorch_model.bin $model/again.pt
    echo text >$model/notes.pt
    echo text >$model/optimizer.pt
done
cocktail mix --weights 0.5,0.5 --pooling cls one two -o names >/dev/null
ls names/*.pt*
cmp out/colbert_linear.pt names/own_head.pth
rm {one,two}/{notes,again}.pt

echo '--- a damaged head'
head -c 1000 fixtures/heads/two/colbert_linear.pt >two/colbert_linear.pt
cocktail mix --weights 0.5,0.5 one two -o none || echo "exit $?"
cocktail inspect two || echo "exit $?"
cocktail diff one two || echo "exit $?"
