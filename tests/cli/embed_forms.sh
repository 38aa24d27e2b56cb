# Forms of input and output; what does not change the vectors.
set -e
model=fixtures/encoder-repairs
printf 'one gate\n\nglue the base of it\none gate\n' >texts
"$COCKTAIL" embed $model texts >expected

same()
{
    "$COCKTAIL" embed $model "$@" | cmp expected -
}
same <texts
same - <texts
same texts --lines --format json
same texts --json
same -t1 texts
same -t4 texts
printf '"one gate"\r\n{"text": ""}\n\n{"text": "glue the base of it", "n": [1]}\n"one gate"' |
    same --jsonl
gzip -k texts
same texts.gz

# one text a batch: the same but for rounding
"$COCKTAIL" embed $model texts --batch-size 1 | paste -d ' ' expected - | tr '[],' ' ' |
    awk '{for (i = 1; i <= NF / 2; i++) {
              d = $i - $(NF / 2 + i); if (d > 1e-6 || d < -1e-6) print "text " NR ": " d}}'

# a whole file is one text, whose line ends are blanks to this tokenizer
"$COCKTAIL" embed $model --whole texts >whole
echo 'one gate glue the base of it one gate' | "$COCKTAIL" embed $model | cmp whole -

echo 'rows of npy:'
"$COCKTAIL" embed $model --format npy texts >array
head -c 118 array | tail -c 108 | sed "s| *$||"
echo
tail -c +129 array | od -An -v -tf4 -w384 | awk '{print NF}' | uniq -c
tail -c +129 array | od -An -v -tf4 -w384 | tr -s ' ' | sed 's/^ //' >numbers
tr -d '[]' <expected | tr , ' ' | paste -d ' ' - numbers |
    awk '{for (i = 1; i <= 96; i++) {d = $i - $(96 + i); if (d > 1e-6 || d < -1e-6) print d}}'
# Nine digits tell any two floats apart.
python3 - <<'END'
import json, struct
rows = [json.loads(line) for line in open("expected")]
floats = open("array", "rb").read()[128:]
assert struct.pack(f"<{len(floats) // 4}f", *sum(rows, [])) == floats
END
"$COCKTAIL" embed $model --format npy /dev/null | tail -c +129 | wc -c
