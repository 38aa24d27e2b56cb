# The logits of transformers 5.23 (CPU, float32), the first eight of each row, to three digits:
#   AutoModelForCausalLM.from_pretrained("fixtures/decoder-base", dtype=torch.float32)(ids).logits
# and forms that do not change them.
set -e
model=fixtures/decoder-base
echo 'What is 29 plus 7?' >text
"$COCKTAIL" logits $model text >expected
tr -d '[]' <expected | cut -d , -f 1-8 | tr , ' ' >found
paste -d ' ' - found <<'END' |
-5.655 -0.714 0.650 -5.477 -5.343 -5.302 -5.518 -5.295
-6.348 -1.130 2.599 -6.050 -5.815 -5.998 -6.088 -5.658
-7.553 -1.292 -0.598 -7.284 -7.150 -7.088 -7.347 -7.062
-4.583 -0.327 5.460 -4.369 -4.189 -4.291 -4.214 -4.316
-6.200 -0.243 8.992 -5.805 -5.635 -5.576 -5.663 -5.660
-5.889 -0.649 13.440 -5.555 -5.317 -5.319 -5.337 -5.364
-6.671 -0.223 10.104 -6.436 -6.265 -6.101 -6.266 -6.283
-7.998 -0.910 -5.264 -7.633 -7.472 -7.389 -7.734 -7.247
-7.317 0.070 14.034 -6.825 -6.633 -6.532 -6.557 -6.624
-2.406 -0.586 -0.660 -2.226 -1.978 -2.340 -2.211 -1.988
-8.962 -0.621 -4.364 -8.443 -8.310 -8.229 -8.274 -8.242
END
    awk '{for (i = 1; i <= 8; i++) {d = $i - $(8 + i); if (d > 6e-4 || d < -6e-4) print NR ": " d}}
         END {print NR " rows"}'
awk -F, '{print NF}' expected | uniq -c

same()
{
    cmp expected <("$COCKTAIL" logits $model "$@")
}
same <text
same --json - <text
same -t1 --format=json text
same -t3 --whole text
same --jsonl <<<'"What is 29 plus 7?\n"'
"$COCKTAIL" tokenize $model text >ids
same --from-ids ids
mkdir without-tokenizer
cp $model/config.json $model/model.safetensors without-tokenizer
"$COCKTAIL" logits without-tokenizer --from-ids ids | cmp expected -

echo 'npy, the rows of two texts'
printf 'a b\nthe old gate\n' >lines
"$COCKTAIL" logits $model --lines --format npy lines >array
head -c 118 array | tail -c 108 | sed "s| *$||"
echo
"$COCKTAIL" logits $model --lines lines | tr -d '[]' | tr , ' ' >numbers
tail -c +129 array | od -An -v -tf4 -w3308 | tr -s ' ' | sed 's/^ //' | paste -d ' ' numbers - |
    awk '{for (i = 1; i <= 827; i++) {d = $i - $(827 + i); if (d > 1e-5 || d < -1e-5) print d}}
         END {print NR " rows"}'
