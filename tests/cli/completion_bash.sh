# The script for bash, called as bash calls it.
"$COCKTAIL" completion bash >script.bash
bash -n script.bash
. ./script.bash
compopt() { files=1; }

complete_line() # the last word is the one that is being typed
{
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) files=0
    _cocktail cocktail "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
    echo "$* -> ${COMPREPLY[*]}$([[ $files == 1 ]] && echo files)"
}

complete -p cocktail
complete_line cocktail insp
complete_line cocktail --
complete_line cocktail mix --ty
complete_line cocktail mix --type ''
complete_line cocktail mix --type enc
complete_line cocktail mix --type =
complete_line cocktail mix --type = enc
complete_line cocktail mix -w ''
complete_line cocktail mix --shard-size ''
complete_line cocktail mix -o ''
complete_line cocktail mix --output = out
complete_line cocktail mix ''
complete_line cocktail mix fixtures/decoder-base ''
complete_line cocktail inspect --te
complete_line cocktail completion ''
complete_line cocktail completion --
complete_line cocktail help insp
complete_line cocktail no-such-command ''
