# eval --routers: the losses as without it, and the short table of routers, or all of it as CSV or
# JSON.
examples=fixtures/routers/examples.jsonl
try() # ARGUMENT...
{
    local status

    echo "\$ eval $*"
    cocktail eval "$@" 2>&1
    status=$?
    ((status == 0)) || echo "exit $status"
}

try fixtures/models/mixtral --examples $examples --routers
try fixtures/models/switch-transformers-bf16 --examples $examples --routers

echo '--- losses are those without it'
cocktail eval fixtures/models/mixtral --examples $examples --json --each >plain
cocktail eval fixtures/models/mixtral --examples $examples --json --each --routers >with
sed 's/,"routers":{.*/}/' with | cmp plain -

echo '--- the same as routers prints'
cocktail eval fixtures/models/mixtral --examples $examples --routers --csv >csv
cocktail routers fixtures/models/mixtral --examples $examples --csv | cmp csv -
cocktail routers fixtures/models/mixtral --examples $examples --json |
    sed 's/.*"routers"://; s/}]}$//' >json
sed 's/.*"routers"://; s/}$//' with | cmp json -

echo '--- complaints'
try fixtures/models/llama-gqa --examples $examples --routers
try fixtures/models/mixtral --examples $examples --csv | grep -v ^usage
try fixtures/models/mixtral --examples $examples --csv --routers --json | grep -v ^usage
