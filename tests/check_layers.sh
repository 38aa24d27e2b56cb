#!/usr/bin/env bash
# check_layers.sh [ROOT] - who may include whom.
#
#   base < tensor < {format, text, math, hub} < arch < {mix, model} < eval < report < cocktail
#
# A file includes its own directory and what stands to the left; those in braces are strangers. A
# header name occurs once in the tree. With --self-test the check itself is tested.
set -u

layers=(base tensor "format text math hub" arch "mix model" eval report)

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

check_tree() # ROOT; prints what is wrong
{
    cd "$1" || exit 1
    find common cocktail -name '*.[ch]' | sort | while read -r file; do
        check_file "$file"
    done
    find common cocktail tests -name '*.h' -printf '%f\n' | sort | uniq -d |
        sed 's/.*/header name & occurs twice/'
}

# A tree with one right file and the file in question: is it accepted, is it refused?
expect() # "" or a part of the complaint, FILE, LINE
{
    local tree found

    tree=$(mktemp -d)
    mkdir -p "$tree"/common/{base,tensor,format,text,mix,model,eval,report} "$tree"/{cocktail,tests}
    touch "$tree"/common/{base/error,tensor/tensor,format/zip,text/utf,mix/plan,model/llama,report/table}.h
    touch "$tree/cocktail/command.h"
    mkdir -p "$tree/$(dirname "$2")"
    echo "$3" >"$tree/$2"
    found=$(check_tree "$tree")
    rm -r "$tree"
    if [[ -z $1 && -n $found ]] || [[ -n $1 && $found != *"$1"* ]]; then
        echo "check_layers.sh: $2 with '$3': expected '$1', found '$found'"
        exit 1
    fi
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
    echo "check_layers.sh: refuses what it should"
    exit 0
fi

complaints=$(check_tree "${1:-$(dirname "$0")/..}") || exit 1
if [[ -n $complaints ]]; then
    printf '%s\n' "$complaints"
    exit 1
fi
echo "layers: clean"
