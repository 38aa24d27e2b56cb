#!/usr/bin/env bash
# check_docs.sh [ROOT] - what comments and pages point to is there.
#
# A comment names pages with their folder, and headings of them behind it: docs/PAGE.md, "Heading",
# "Another". Manual pages, fixtures and tests that it names exist. So do the pages that a page links
# to and the source files that it names. README's map has the directories of the tree. With
# --self-test the check itself is tested.
set -u
export LC_ALL=C.UTF-8

# A source file as one line, so that what a comment says may go on in the next.
flatten() # FILE
{
    sed 's/^[ \t]*\(\/\*\|\*\|#\)\?[ \t]*//' "$1" | tr '\n' ' '
}

# docs/PAGE.md, "Section", "Another"
check_mention() # FILE, MENTION
{
    local page=${2%%.md*}.md section

    if [[ ! -e $page ]]; then
        echo "$1: names $page, which does not exist"
        return
    fi
    grep -o '"[^"]*"' <<<"$2" | tr -d '"' | while read -r section; do
        grep -qxF -e "## $section" -e "# $section" "$page" ||
            echo "$1: names \"$section\" of $page, which has no such section"
    done
}

check_source() # FILE
{
    local text mention

    text=$(flatten "$1")
    grep -oE 'docs/[a-z-]+\.md(, "[^"]*")*' <<<"$text" | while read -r mention; do
        check_mention "$1" "$mention"
    done
    [[ $1 == tests/* || $1 == fixtures/* ]] && return # which name files of their own
    grep -oE '(^|[^/a-z_])[a-z-]+\.md\b' <<<"$text" | grep -oE '[a-z-]+\.md' | while read -r mention; do
        echo "$1: names $mention: is it docs/$mention?"
    done
    grep -oE '\b(man|fixtures|tests)/[A-Za-z0-9_/-]+\.(1|py|sh|c|h)\b' <<<"$text" |
        while read -r mention; do
            [[ -e $mention ]] || echo "$1: names $mention, which does not exist"
        done
}

check_page() # FILE
{
    local mention

    grep -oE '\]\([^):]+\.md' "$1" | cut -c 3- | while read -r mention; do
        [[ -e $(dirname "$1")/$mention ]] || echo "$1: links to $mention, which does not exist"
    done
    grep -oE '`[a-z]+/[a-z_/]+\.[ch]\b' "$1" | tr -d '`' | while read -r mention; do
        [[ -e $mention || -e common/$mention ]] || echo "$1: names $mention, which does not exist"
    done
}

# The map is the block of README that begins with cocktail/; its lines name a directory each.
check_map()
{
    local map name

    map=$(sed -n '/^cocktail\//,/^```/p' README.md)
    for name in common/*/; do
        name=${name#common/}
        grep -q "^  $name " <<<"$map" || echo "README.md: its map lacks common/$name"
    done
    for name in cocktail common tests fixtures man docs; do
        grep -q "^$name/ " <<<"$map" || echo "README.md: its map lacks $name/"
    done
    grep -oE '^  [a-z]+/' <<<"$map" | while read -r name; do
        [[ -d common/$name ]] || echo "README.md: its map has common/$name, which does not exist"
    done
}

check_tree() # ROOT; prints what is wrong
{
    cd "$1" || exit 1
    grep -rlE --include='*.[ch]' --include='*.py' --include='*.sh' '\.md|(man|fixtures|tests)/' \
        common cocktail tests fixtures | sort | grep -vxF tests/check_docs.sh |
        while read -r file; do
            check_source "$file"
        done
    for file in docs/*.md README.md; do
        check_page "$file"
    done
    check_map
}

# A tree that is right but for one file: is it accepted, is it refused?
expect() # "" or a part of the complaint, FILE, TEXT
{
    local tree found

    tree=$(mktemp -d)
    mkdir -p "$tree"/{common/base,cocktail,tests,fixtures,man,docs} "$tree/$(dirname "$2")"
    printf '%s\n' '# Models' '## Routers' '## Experts' >"$tree/docs/models.md"
    printf '%s\n' 'cocktail/  a' 'common/  b' '  base/  c' 'tests/  d' 'fixtures/  e' 'man/  f' \
        'docs/  g' '```' >"$tree/README.md"
    touch "$tree"/{common/base/error.c,man/cocktail.1}
    printf '%b\n' "$3" >>"$tree/$2"
    found=$(check_tree "$tree")
    rm -r "$tree"
    if [[ -z $1 && -n $found ]] || [[ -n $1 && $found != *"$1"* ]]; then
        echo "check_docs.sh: $2 with '$3': expected '$1', found '$found'"
        exit 1
    fi
}

if [[ ${1-} == --self-test ]]; then
    expect "" common/base/a.h '/* docs/models.md, "Routers", "Experts" */'
    expect "" common/base/a.h '/* Rules: docs/models.md,\n * "Routers". */'
    expect "" common/base/a.h '/* What each means: man/cocktail.1. */'
    expect "" docs/other.md '[models](models.md), `base/error.c`, [home](https://example.com/a.md)'
    expect "which has no such section" common/base/a.h '/* docs/models.md, "Rou\n * ters" */'
    expect "which has no such section" tests/a.py '# docs/models.md, "Routers", "Window"'
    expect "names docs/files.md" cocktail/a.c '/* docs/files.md */'
    expect "is it docs/models.md" cocktail/a.c '/* models.md 0.8 */'
    expect "names man/cocktail-none.1" cocktail/a.c '/* man/cocktail-none.1 */'
    expect "links to none.md" docs/other.md '[none](none.md)'
    expect "names base/none.h" docs/other.md '`base/none.h`'
    expect "lacks common/mix/" common/mix/a.h 'int a;'
    echo "check_docs.sh: refuses what it should"
    exit 0
fi

complaints=$(check_tree "${1:-$(dirname "$0")/..}") || exit 1
if [[ -n $complaints ]]; then
    printf '%s\n' "$complaints"
    exit 1
fi
echo "docs: clean"
