# The vectors of sentence-transformers, their first six numbers. Expected (6.2, CPU, float32):
#   repairs = SentenceTransformer("fixtures/encoder-repairs"); repairs.encode(texts, prompt_name=P)
#   base = SentenceTransformer("fixtures/encoder-base")[0]
#   SentenceTransformer(modules=[base, models.Pooling(96, MODE)]).encode(texts)
# with four digits; results differ by less than 1e-5.
set -e
cat >texts <<'END'
do you sell a circular cog of rubber; my pump sparks at night
Note 26: for this gate, glue the base.

END
vectors()
{
    echo "$1"
    "$COCKTAIL" embed "${@:2}" texts | tr -d '[]' | cut -d , -f 1-6 | tr , ' '
}

{
    vectors 'no prompt' fixtures/encoder-repairs
    for prompt in query document; do
        vectors "prompt $prompt" fixtures/encoder-repairs --prompt $prompt
    done
    for mode in cls max mean mean_sqrt_len_tokens weightedmean lasttoken; do
        vectors $mode fixtures/encoder-base --pooling $mode
    done
} >found

cat >expected <<'END'
no prompt
0.1472 0.1178 0.0778 0.0082 0.0225 -0.0991
-0.1243 -0.1797 -0.0425 -0.0615 -0.2234 0.0009
-0.1216 -0.0723 -0.1304 0.0470 0.1485 0.0945
prompt query
0.1317 0.1328 0.0844 -0.0244 0.0362 -0.0730
-0.1509 -0.1783 -0.0859 -0.0412 -0.1225 -0.0207
-0.1329 -0.0602 -0.1408 -0.0212 0.1185 0.0968
prompt document
0.1472 0.1178 0.0778 0.0082 0.0225 -0.0991
-0.1243 -0.1797 -0.0425 -0.0615 -0.2234 0.0009
-0.1216 -0.0723 -0.1304 0.0470 0.1485 0.0945
cls
0.9415 1.3679 0.3299 0.1586 -0.1160 -1.1232
-1.5165 -1.8379 -0.8911 -0.7096 -0.7054 0.1617
-1.5608 -0.0775 -0.6989 1.0606 2.6204 0.3365
max
3.7045 1.7975 2.6988 1.9710 1.1470 1.3279
1.6210 2.7326 1.3827 1.5117 1.7726 1.6417
-0.7607 -0.0775 0.1396 1.0606 2.6204 0.8553
mean
0.3624 0.2796 0.3008 0.1293 0.1426 -0.1945
-0.2625 -0.3603 -0.0365 -0.0070 -0.5309 0.1180
-1.1608 -0.2536 -0.2796 0.9577 1.5349 0.5959
mean_sqrt_len_tokens
1.4495 1.1185 1.2031 0.5170 0.5703 -0.7781
-0.9463 -1.2989 -0.1316 -0.0254 -1.9144 0.4253
-1.6416 -0.3587 -0.3955 1.3543 2.1707 0.8427
weightedmean
0.4282 0.0463 0.1878 0.1273 0.0756 -0.2282
0.0385 -0.5246 0.0387 0.0428 -0.9630 0.2683
-1.0274 -0.3123 -0.1399 0.9234 1.1731 0.6823
lasttoken
0.4857 -0.9014 -0.2785 0.3709 0.1599 1.0903
-0.1931 -1.3241 -0.2229 1.5117 -1.8408 0.2074
-0.7607 -0.4298 0.1396 0.8548 0.4494 0.8553
END
wc -l <found
paste -d '|' expected found | awk -F'|' '
    NF != 2 {print "line " NR}
    {
        n = split($1, a, " ")
        if (split($2, b, " ") != n) print "line " NR
        for (i = 1; i <= n; i++) {
            d = a[i] - b[i]
            if (d > 6e-5 || d < -6e-5 || (a[i] ~ /[a-z]/ && a[i] != b[i])) print $1 " | " $2
        }
    }'
