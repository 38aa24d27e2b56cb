# The plots: which ones, that they are XML without scripts or links, and where they may be written.
mixtral=fixtures/models/mixtral
noisy=fixtures/routers/mixtral-noisy
examples=fixtures/routers/examples.jsonl

# Every element is closed by its own end tag, attributes are quoted, and no text has a bare & or <.
check() # FILE
{
    sed ':all; N; $!b all; s/\n/ /g' "$1" | sed -E 's/&(amp|lt|gt|quot|#39);/_/g' >flat
    grep -q '&' flat && echo "$1: a bare &"
    grep -oE '<[^>]*>|[^<>]+' flat | awk -v file="$1" '
        /^<\?/ || /\/>$/ {next}
        /^<\// {name = substr($0, 3, length($0) - 3)
                if (n == 0 || stack[n--] != name) {print file ": unexpected " $0; exit}
                next}
        /^</ {if ($0 !~ /^<[a-z]+( [a-zA-Z0-9:-]+="[^"<]*")*>$/) print file ": " $0
              split(substr($0, 2), words, /[ >]/); stack[++n] = words[1]}
        END {if (n) print file ": " stack[n] " is not closed"}'
    grep -niE '<script|javascript:|href|@import|url\(| on[a-z]+=' "$1"
    grep -q 'prefers-color-scheme:dark' "$1" || echo "$1: not for the dark"
    if command -v xmllint >/dev/null; then
        xmllint --noout "$1"
    fi
}

echo '--- which'
cocktail routers $mixtral --examples $examples --svg one | tail -n 2
cocktail routers $mixtral $noisy --examples $examples --svg two/deep --json | grep -o '"svg".*'
cocktail routers fixtures/models/switch-transformers-bf16 -q --csv --examples $examples --svg k1 \
    | wc -l
cocktail routers fixtures/models/jetmoe-bf16 -q --examples $examples --svg attention | grep plots
ls one two/deep k1 attention
for file in */*.svg */*/*.svg; do
    check "$file"
done

echo '--- what they say'
grep -o '>layer 0, expert 3: [^<]*' one/load.svg two/deep/load.svg
grep -o '>layer 1, expert 3: [^<]*' two/deep/agreement.svg
grep -o '>layer 0, experts 0 and 2: [^<]*' one/coactivation.svg
grep -o '>decoder [^<]*' attention/load.svg
grep -o '>A: [^<]*' two/deep/agreement.svg
for class in l0 o1 u6; do
    printf '%s %s\n' $class "$(grep -c "class=\"$class\"" two/deep/load.svg)"
done

echo '--- names from outside'
name=$(printf 'a & <b> "c" \x01\xff')
ln -s "$PWD/$mixtral" "$name"
cocktail routers "$name" -q --examples $examples --svg named >out
check named/load.svg
grep -o '>a &amp; [^<]*' named/load.svg | head -n 1

echo '--- the directory'
try() # ARGUMENT...
{
    cocktail routers $mixtral --examples $examples "$@" 2>&1 >out | sed '/^usage: /d'
    echo "exit ${PIPESTATUS[0]}"
}
try --svg one
mkdir empty
try --svg empty
ls empty
echo mine >one/note
try --svg one -f
cat one/note
rm one/note
touch -d 2001-01-01 one/load.svg
try --svg one --force
find one -newermt 2002-01-01 -name '*.svg' | sort
touch file
try --svg file
try --svg file/below
try --svg file -f
try --svg . -f
try --svg ''
try --svg new --examples missing
ls -d new .new* 2>&1 | wc -l
