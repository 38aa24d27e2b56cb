# The script for zsh: its syntax, and that both ways to load it define the function. Completing
# itself needs a terminal.
command -v zsh >/dev/null || { echo "SKIP: zsh is not installed" >&3; exit 77; }

mkdir functions
"$COCKTAIL" completion zsh >functions/_cocktail
zsh -n functions/_cocktail
head -n 1 functions/_cocktail
zsh -f -c 'compdef() { echo "compdef $*"; }; eval "$(<functions/_cocktail)"; whence -w _cocktail'
# autoloaded and called: describes the commands
zsh -f -c 'fpath=(./functions $fpath); autoload -Uz _cocktail
    _describe() { print -l $commands; }
    CURRENT=2 words=(cocktail ""); _cocktail' | sed 's/:.*//' | grep -xE 'mix|inspect'
