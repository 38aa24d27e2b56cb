# A full disk is a failure (5), a reader that has left is not worth a word (141).
"$COCKTAIL" help >/dev/full
echo "full: exit $?"
"$COCKTAIL" completion bash >/dev/full
echo "full, much output: exit $?"
"$COCKTAIL" --version >&-
echo "closed: exit $?"
"$COCKTAIL" no-such-command >/dev/full
echo "full, but nothing written: exit $?"

exec 4> >(:) # a pipe whose reader has gone
wait $!
"$COCKTAIL" help >&4
echo "no reader: exit $?"
"$COCKTAIL" completion fish >&4
echo "no reader, much output: exit $?"
"$COCKTAIL" no-such-command >&4
echo "no reader, but nothing written: exit $?"

"$COCKTAIL" help completion <&- 2>&- | head -n 1
