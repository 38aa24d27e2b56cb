# COCKTAIL_ISA is obeyed, or refused: by all commands, before they do anything.
for isa in plain "" AVX2 sse; do
    COCKTAIL_ISA=$isa cocktail inspect "$FIXTURES/decoder-base" >out 2>err
    echo "'$isa': exit $?"
    sed '/^usage/d' err
done
