# The example of README.md gives what README.md says, but for the seconds.
set -e
readme=$FIXTURES/../README.md
sed -n '/^    \$ cocktail /,/^[^ ]/p' "$readme" | sed -n 's/^    //p' >shown
command=$(sed -n 's/^\$ //p' shown)
[[ $command == 'cocktail mix '* ]]
eval "$command" >given
seconds='s/in [0-9.]* s$/in N s/'
sed '/^\$ /d' shown | sed "$seconds" >expected
grep -v '^$' given | sed "$seconds" | diff expected -
