# Which weights are taken, and what the used ones are.
try()
{
    echo "\$ $*"
    rm -rf out
    cocktail mix "$@" fixtures/reranker-base fixtures/reranker-routes -o out 2>&1 |
        grep -E '^cocktail: | [-+.0-9e]+$'
    echo "exit ${PIPESTATUS[0]}$([[ -e out ]] && echo ', written')"
}

try
try --weights 0.5
try --weights 0.2,0.3,0.5
try --weights 0.5,0.3
try --weights 0.5,x
try --weights nan,1
try --weights inf,1
try --weights 0.5,0.4989
try --weights 0.5,0.5011
try --weights 0.5,0.499
try --weights 0.5,0.501
try --weights 1,0
try --weights -0.5,1.5
try --normalize --weights 1,2
try --normalize --weights 3,-1
try --normalize --weights 1,-1
try --normalize --weights 1e-30,1e-30
try --compat lm-cocktail --weights 0.5,0.4995
try --compat lm-cocktail --weights 0.5,0.2
try --compat lm-cocktail --normalize --weights 0.5,0.2

# Commas separate them.
try --weights 0.7 0.3
try --weights '0.7 0.3'
try --weights '0.7;0.3'
try --weights 0.7, 0.3
try --weights '0.7, 0.3'
