# Colour only on a terminal, and only when nothing speaks against it.
script -qec true /dev/null >/dev/null 2>&1 || { echo "SKIP: 'script' makes no terminal here" >&3; exit 77; }

on_terminal()
{
    script -qec "$*" /dev/null | tr -d '\r' | head -n 1 | sed 's/\x1b/ESC/g'
}
export COCKTAIL
unset NO_COLOR
on_terminal 'TERM=xterm "$COCKTAIL" no-such-command'
on_terminal 'TERM=xterm NO_COLOR= "$COCKTAIL" no-such-command'
on_terminal 'TERM=xterm NO_COLOR=1 "$COCKTAIL" no-such-command'
on_terminal 'TERM=dumb "$COCKTAIL" no-such-command'
on_terminal 'unset TERM; "$COCKTAIL" no-such-command'
TERM=xterm "$COCKTAIL" no-such-command 2>&1 | head -n 1 | sed 's/\x1b/ESC/g'
