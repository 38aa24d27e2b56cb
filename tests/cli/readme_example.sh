# The examples of README.md give what README.md says, but for the seconds and for the digits of a
# loss that depend on the order of its sums.
set -e
. "$FIXTURES/../tests/cached_models.bash"
cache_model acme/encoder-base encoder-base
cache_model acme/encoder-parts encoder-parts
readme=$FIXTURES/../README.md
sed -n '/^    \$ cocktail /,/^[^ ]/p' "$readme" | sed -n 's/^    //p' >shown
command=$(sed -n 's/^\$ //p' shown)
[[ $command == 'cocktail mix '* ]]
eval "$command" >given
alike='s/in [0-9.]* s$/in N s/; s/\([0-9]\.[0-9]\{4\}\)[0-9]*/\1/g'
sed '/^\$ /d' shown | sed "$alike" >expected
grep -v '^$' given | sed "$alike" | diff expected -
