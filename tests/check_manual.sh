#!/usr/bin/env bash
# check_manual.sh PROGRAM MAN - the manual and the program list the same commands and options.
#
# The OPTIONS section of each page has one `.It Fl w , Fl -weights Ar W,...` for each option row of
# its command, with the same argument, in the order of --help, and no other.
set -u

program=$1
man=$2
n_wrong=0

complain()
{
    echo "$1"
    n_wrong=$((n_wrong + 1))
}

# "-w, --weights W,..." for each row that --help prints
options_of_program() # COMMAND
{
    "$program" "$1" --help | sed -n 's/^  \(-., \|    \)\(--.*\)$/\1\2/p' | sed 's/^ *//; s/   *.*//'
}

# The same from the source of the page
options_of_page() # PAGE
{
    sed -n '/^\.Sh OPTIONS/,/^\.Sh /{
        s/^\.It //; t option
        b
        : option
        s/Fl /-/g; s/Ar //g; s/Op //g; s/ ,/,/g; s/\\-/-/g; p
    }' "$1"
}

commands=$("$program" --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p')
[[ -n $commands ]] || complain "'$program --help' lists no commands"

for command in $commands; do
    grep -q "^\.It Cm $command\$" "$man/cocktail.1" || complain "cocktail.1: does not list '$command'"
    [[ $command == help ]] && continue # its page is cocktail.1
    page=$man/cocktail-$command.1
    if [[ ! -e $page ]]; then
        complain "$page: is missing"
        continue
    fi
    difference=$(diff <(options_of_program "$command") <(options_of_page "$page")) ||
        complain "$page: --help (<) and OPTIONS (>) differ
$difference"
done

for page in "$man"/cocktail*.1; do
    name=$(basename "$page" .1)
    command=${name#cocktail}
    [[ -z $command || " ${commands//$'\n'/ } " == *" ${command#-} "* ]] ||
        complain "$page: there is no such command"
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS FILES "EXIT STATUS" EXAMPLES "SEE ALSO"; do
        grep -q "^\.Sh $section\$" "$page" || complain "$page: has no section $section"
    done
done

if ((n_wrong > 0)); then
    exit 1
fi
echo "manual: lists the commands and options of the program"
