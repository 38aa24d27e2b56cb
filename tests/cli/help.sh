# Help that was asked for goes to stdout with 0, help after an error to stderr with 2; both from one
# table.
set -e
"$COCKTAIL" --version
"$COCKTAIL" help completion

"$COCKTAIL" --help >overview
"$COCKTAIL" help | cmp overview -
"$COCKTAIL" -h | cmp overview -
status=0
"$COCKTAIL" 2>shown || status=$?
echo "no arguments: exit $status"
cmp overview shown

commands=$(sed -n 's/^  \([a-z-]*\)  .*/\1/p' overview)
for command in mix merge inspect diff tokenize embed rerank generate logits completion help; do
    [[ " ${commands//$'\n'/ } " == *" $command "* ]]
done
for command in $commands; do
    "$COCKTAIL" help "$command" >shown
    grep -q "^usage: cocktail $command \[OPTIONS\]" shown
    "$COCKTAIL" "$command" --help | cmp shown -
    "$COCKTAIL" "$command" -h | cmp shown -
    # whatever stands before or behind it, as long as what stands before is in order
    "$COCKTAIL" "$command" operand --help --no-such-option | cmp shown -
    awk 'length > 80 {print "longer than 80 columns: " $0}' shown
done
"$COCKTAIL" mix --threads 2 -qh --threads | head -n 0
