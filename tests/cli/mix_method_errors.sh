# What is wrong with a method, a base or a parameter is said before anything is opened or written.
try()
{
    echo "\$ $*"
    "$COCKTAIL" mix "$@" -o out 2>&1 | grep -v '^usage: '
    echo "exit ${PIPESTATUS[0]}$([[ -e out ]] && echo ', written')"
}
a=fixtures/decoder-arithmetic b=fixtures/decoder-tense base=fixtures/decoder-base

try --method tise $a $b
try --method whatever $a $b
try --method ties --weights 1,1 $a $b
try --method linear --weights 0.5,0.5 --base $base $a $b
try --method passthrough --base $base $a
try --method passthrough $a $b
try --method slerp --param t=0.5 $a
try --method slerp --param t=0.5 --base $base $a $b
try --method nearswap --param t=0.5 --base $base $a $b
try --method model_stock --base $base $a
try --method slerp $a $b
try --method slerp --param t=0.5 --weights 1,1 $a $b
try --method ties --base $base $a $b
try --method ties --base $base --weights 1 $a $b
try --method ties --base $base --weights 1,1 --param dencity=0.5 $a $b
try --method ties --base $base --weights 1,1 --param epsilon=0.5 $a $b
try --method ties --base $base --weights 1,1 --param frobnicate=0.5 $a $b
try --method ties --base $base --weights 1,1 --param weight=1 $a $b
try --method ties --base $base --weights 1,1 --param density $a $b
try --method ties --base $base --weights 1,1 --param density=1.5 $a $b
try --method ties --base $base --weights 1,1 --param density=-0.1 $a $b
try --method ties --base $base --weights 1,1 --param density=x $a $b
try --method ties --base $base --weights 1,1 --param density=nan $a $b
try --method ties --base $base --weights 1,1 --param density=0.5,0.5,0.5 $a $b
try --method ties --base $base --weights 1,1 --param normalize=2 $a $b
try --method ties --base $base --weights 1,1 --normalize $a $b
try --method ties --base $base --weights 1,1 --seed 3 $a $b
try --method della --base $base --weights 1,1 --param density=0.9 $a $b
try --method della --base $base --weights 1,1 --param density=0.1,1 $a $b
try --method karcher --param max_iter=2.5 $a $b
try --method karcher --param tol=0 $a $b
try --method multislerp --weights 1,-1 $a $b
try --method linear --param normalize=true --weights 1,-1 $a $b
try --weights 0.5,0.5 --weights-of mlp $a $b
try --weights 0.5,0.5 --weights-of mlp=0.5 $a $b
try --weights 0.5,0.5 --weights-of mlp=0.5,0.6 $a $b
try --method ties --compat lm-cocktail --weights 1,1 $a $b
try --method ties --base fixtures/encoder-base --weights 1,1 $a $b
