# The script for fish, asked as fish asks it.
command -v fish >/dev/null || { echo "SKIP: fish is not installed" >&3; exit 77; }

"$COCKTAIL" completion fish >script.fish
fish --no-execute script.fish

complete_line()
{
    echo "$1 -> $(fish --no-config -c "source script.fish; complete -C '$1'" | cut -f 1 | paste -sd ' ')"
}
complete_line 'cocktail insp'
complete_line 'cocktail --'
complete_line 'cocktail mix --ty'
complete_line 'cocktail mix --type enc'
complete_line 'cocktail mix --type=enc'
complete_line 'cocktail mix -w '
complete_line 'cocktail mix -o scr'
complete_line 'cocktail inspect scr'
complete_line 'cocktail completion '
complete_line 'cocktail help insp'
