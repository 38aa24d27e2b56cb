# COCKTAIL_THREADS counts when --threads does not.
try()
{
    echo "\$ $*"
    env "$@" >/dev/null
    echo "exit $?"
}
cd fixtures || exit
try COCKTAIL_THREADS=3 cocktail inspect decoder-base
try COCKTAIL_THREADS= cocktail inspect decoder-base
try COCKTAIL_THREADS=x cocktail inspect -t 2 decoder-base
try COCKTAIL_THREADS=x cocktail inspect --help
try COCKTAIL_THREADS=x cocktail help
try COCKTAIL_THREADS=x cocktail inspect decoder-base 2>&1
try COCKTAIL_THREADS=0 cocktail inspect decoder-base 2>&1
try COCKTAIL_THREADS=-1 cocktail inspect decoder-base 2>&1
