#!/usr/bin/env bash
# check_layers.sh [ROOT] - who may include whom.
#
#   base < tensor < {format, text, math, hub, jinja} < arch < adapter < {mix, model} < eval < report < serve < cocktail
#
# A file includes its own directory and what stands to the left; those in braces are strangers. A
# header name occurs once in the tree. Two .c files do not stand on one another: where A.c includes
# B.h, on the way through other headers too, B.c does not come back to A.h. (In arch they may: its
# tables describe one another.) MPI is known to common/base/ranks*.c alone, and to no header. With
# --self-test the check itself is tested.
set -u

layers=(base tensor "format text math hub jinja" arch adapter "mix model" eval report serve)

# The layers whose headers a file in common/$1 may include, or nothing for an unknown layer.
allowed_for()
{
    local left="" layer

    for layer in "${layers[@]}"; do
        if [[ " $layer " == *" $1 "* ]]; then
            echo "$left $1"
            return
        fi
        left+=" $layer"
    done
}

check_file() # FILE, relative to the root
{
    local file=$1 directory=${1%/*} allowed include

    if [[ $file == cocktail/* ]]; then
        allowed="${layers[*]}"
    else
        allowed=$(allowed_for "${directory#common/}")
        [[ -n $allowed ]] || echo "$file: '$directory' is no layer"
    fi
    while read -r include; do
        if [[ $include == *..* ]]; then
            echo "$file: includes \"$include\": name it from common/"
        elif [[ -e $directory/$include ]]; then
            :
        elif [[ $include != */* ]]; then
            echo "$file: includes \"$include\", which is not in its directory"
        elif [[ " $allowed " != *" ${include%/*} "* ]]; then
            echo "$file: may not include \"$include\", only from:$allowed"
        elif [[ ! -e common/$include ]]; then
            echo "$file: includes \"$include\", which does not exist"
        fi
    done < <(sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file")
}

# "A.c B.c" for each .c file and those whose headers it includes, on whatever way.
list_uses()
{
    find common cocktail -name '*.[ch]' ! -path 'common/arch/*' -print0 | xargs -0 awk '
        FNR == 1 { is_there[FILENAME] = 1 }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            split($0, parts, "\"")
            includes[FILENAME, ++n[FILENAME]] = parts[2]
        }
        function find(file, name,    directory) {
            directory = file
            sub(/[^\/]*$/, "", directory)
            return (directory name) in is_there ? directory name : "common/" name
        }
        function walk(from, file,    i, header, source) {
            for (i = 1; i <= n[file]; i++) {
                header = find(file, includes[file, i])
                if (!(header in is_there) || header in is_seen)
                    continue
                is_seen[header] = source = header
                sub(/h$/, "c", source)
                if (source in is_there && source != from)
                    print from, source
                walk(from, header)
            }
        }
        END {
            for (file in is_there)
                if (file ~ /\.c$/) {
                    split("", is_seen)
                    walk(file, file)
                }
        }'
}

check_circles()
{
    local found

    found=$(list_uses | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \(.*\.c\)$/\1/p' | sort -u)
    [[ -z $found ]] || echo "these stand on one another:" $found
}

check_mpi()
{
    grep -rlE '<mpi\.h>|\<(MPI|OMPI)_[A-Za-z]|COCKTAIL_MPI' common cocktail --include='*.[ch]' | sort |
        grep -vE '^common/base/ranks[a-z_]*\.c$' |
        sed 's/$/: MPI is known to common\/base\/ranks*.c alone/'
}

check_tree() # ROOT; prints what is wrong
{
    cd "$1" || exit 1
    find common cocktail -name '*.[ch]' | sort | while read -r file; do
        check_file "$file"
    done
    find common cocktail tests -name '*.h' -printf '%f\n' | sort | uniq -d |
        sed 's/.*/header name & occurs twice/'
    check_circles
    check_mpi
}

# A tree with one right file and the file in question: is it accepted, is it refused?
expect() # "" or a part of the complaint, FILE, LINE, and more pairs of these
{
    local tree found complaint=$1

    tree=$(mktemp -d)
    mkdir -p "$tree"/common/{base,tensor,format,text,mix,model,eval,report} "$tree"/{cocktail,tests}
    touch "$tree"/common/{base/error,tensor/tensor,format/zip,text/utf,mix/plan,model/llama,report/table}.h
    touch "$tree/cocktail/command.h"
    shift
    while (($# > 0)); do
        mkdir -p "$tree/$(dirname "$1")"
        echo "$2" >>"$tree/$1"
        shift 2
    done
    found=$(check_tree "$tree")
    if [[ -z $complaint && -n $found ]] || [[ -n $complaint && $found != *"$complaint"* ]]; then
        echo "check_layers.sh: expected '$complaint', found '$found' in"
        (cd "$tree" && grep -r . .)
        rm -r "$tree"
        exit 1
    fi
    rm -r "$tree"
}

if [[ ${1-} == --self-test ]]; then
    expect "" common/mix/a.c '#include "plan.h"'
    expect "" common/mix/a.c '#include "format/zip.h"'
    expect "" common/base/a.c '#include <zlib.h>'
    expect "" cocktail/a.c '#include "mix/plan.h"'
    expect "" cocktail/a.c '#include "command.h"'
    expect "may not include" common/base/a.c '#include "tensor/tensor.h"'
    expect "may not include" common/text/a.h '  #  include "format/zip.h"'
    expect "may not include" common/model/a.c '#include "mix/plan.h"'
    expect "" cocktail/a.c '#include "report/table.h"'
    expect "may not include" common/eval/a.c '#include "report/table.h"'
    expect "may not include" common/mix/a.c '#include "cocktail/command.h"'
    expect "not in its directory" common/eval/a.c '#include "command.h"'
    expect "name it from common/" common/mix/a.c '#include "../model/llama.h"'
    expect "does not exist" common/mix/a.c '#include "base/none.h"'
    expect "is no layer" common/util/a.c 'int a;'
    expect "occurs twice" common/eval/error.h 'int a;'
    expect "" common/base/ranks_beat.c '#include <mpi.h>'
    expect "MPI is known" common/model/a.c '#include <mpi.h>'
    expect "MPI is known" common/base/ranks.h 'MPI_Comm communicator(void);'
    expect "MPI is known" cocktail/a.c '#ifdef COCKTAIL_MPI'
    a=common/mix/a b=common/mix/b parts=common/mix/parts.h
    expect "" $a.h '' $b.h '' $a.c '#include "a.h"' $b.c '#include "a.h"' $b.c '#include "b.h"'
    expect "these stand on one another: $a.c $b.c" \
        $a.h '' $b.h '' $a.c '#include "b.h"' $b.c '#include "mix/a.h"'
    expect "these stand on one another: $a.c $b.c" \
        $a.h '#include "mix/b.h"' $b.h '' $a.c '#include "a.h"' $b.c '#include "b.h"' \
        $b.c '#include "parts.h"' $parts '#include "mix/a.h"'
    expect "" $a.h '' $a.c '#include "parts.h"' $parts '#include "mix/a.h"' $b.c '#include "parts.h"'
    echo "check_layers.sh: refuses what it should"
    exit 0
fi

complaints=$(check_tree "${1:-$(dirname "$0")/..}") || exit 1
if [[ -n $complaints ]]; then
    printf '%s\n' "$complaints"
    exit 1
fi
echo "layers: clean"
