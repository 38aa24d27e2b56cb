# What may become the output and what may not, what it is called and who may read it.
. "$FIXTURES/../tests/inject/common.bash"
make_models

# The file whose presence says that a mix has come through.
is_model()
{
    [[ -f $1/model.safetensors && -f $1/README.md ]]
}

mix() # TARGET, ARGUMENT...: with the models a and b
{
    timeout 20 "$COCKTAIL" mix -q --threads 2 -w 0.5,0.5 models/a models/b -o "$@" >out 2>err
    status=$?
}

accepts() # NAME, TARGET, ARGUMENT...
{
    mix "${@:2}"
    ((status == 0)) && is_model "$2" || echo "$1: exit $status: $(<err)"
}

# Exit 9 with this text, and the directory KEPT (of it, what may be seen of the whole) is as before.
refuses() # NAME, TEXT, KEPT, TARGET, ARGUMENT...
{
    rm -rf kept
    cp -r "$3" kept
    mix "${@:4}"
    ((status == 9)) || echo "$1: exit $status: $(<err)"
    tells_once && [[ $(<err) == *"$2"* ]] || echo "$1: '$2': $(<err)"
    diff -r kept "$3" || echo "$1: it has changed"
}

# ---- what is there already ----

accepts "a new target" place/out
refuses "a second run" "--force" place place/out
accepts "a second run with --force" place/out --force

mkdir place/empty
accepts "an empty directory" place/empty

mkdir place/notes
echo precious >place/notes/diary
refuses "a folder without a checkpoint" "--force" place place/notes
refuses "a folder without a checkpoint, --force" "no checkpoint" place place/notes --force

refuses "a file" "not a directory" place place/notes/diary
refuses "a file, --force" "not a directory" place place/notes/diary --force
refuses "below a file" "not a directory" place place/notes/diary/out --force
ln -s nowhere place/dangling
refuses "a link to nothing, --force" "not a directory" place/notes place/dangling --force
rm place/dangling

mkfifo place/fifo
mix place/fifo --force
((status == 9)) && [[ -p place/fifo ]] || echo "a FIFO, --force: exit $status: $(<err)"
rm place/fifo

# ---- what is never replaced ----

for force in "" --force; do
    refuses "/ $force" "" place / $force
    [[ ! -e /.cocktail-partial ]] || echo "/ $force: left /.cocktail-partial"
done
cp -r models/a/. .
before=$(ls -A)
mix . --force
((status == 9)) && [[ $(ls -A) == "$before" ]] || echo "'.', --force: exit $status: $(<err)"
rm -rf model-* model.* config.json modules.json tokenizer.json 1_Pooling 2_Dense more

cp -r models/a place/home
HOME=$PWD/place/home refuses "HOME, --force" "home directory" place place/home --force
mkdir place/home/mine
HOME=$PWD/place/home/mine refuses "what holds HOME, --force" "home directory" place place/home \
    --force
(
    cd place/home/mine || exit
    "$COCKTAIL" mix -q -w 0.5,0.5 ../../../models/a ../../../models/b -o .. --force >out 2>err
    status=$?
    ((status == 9)) && [[ -d ../mine ]] || echo "'..', --force: exit $status: $(<err)"
)
restore ""

# ---- inputs and outputs in each other ----

cp -r models pristine
refuses "the output is an input" "--force" models models/a
accepts "the output is an input, --force" models/a --force
mix place/out # of what has been mixed
((status == 0)) && is_model place/out || echo "a mix of a mix: exit $status: $(<err)"
rm -rf models place/out
cp -r pristine models

ln -s ../models/a place/alias
accepts "the output is a link to an input, --force" place/alias/ --force
is_model models/a && [[ -L place/alias ]] || echo "the link to an input was not followed"
rm -rf models place/alias
cp -r pristine models

accepts "the output in the base" models/a/more/out
accepts "the output in the base, again" models/a/more/out --force
[[ ! -e models/a/more/out/more/out ]] || echo "the output in the base: was copied into itself"
rm -rf models
cp -r pristine models

cp -r models/a/. place/outer
mv models/b place/outer/inner
ln -s ../place/outer/inner models/b
refuses "an input in the output, --force" "outer" place place/outer --force
rm -rf models place
cp -r pristine models
mkdir place

# ---- names ----

name=$'new\nline \e[1m "quoted" \xff é'
accepts "a name with a newline" "place/$name"
! grep -q $'\e' "place/$name/README.md" || echo "a name with a newline: goes raw into README.md"
refuses "a name with a newline, again" 'new\x0aline \x1b[1m' place "place/$name"

printf -v name '%0255d' 0
accepts "a name of 255 bytes" "place/$name"
accepts "a name of 255 bytes, again" "place/$name" --force
mix "place/0$name"
((status == 5)) && tells_once || echo "a name of 256 bytes: exit $status: $(<err)"
mix ""
((status == 2)) || echo "no name: exit $status: $(<err)"
rm -rf place
accepts "folders that do not exist yet" place/one/two/three
accepts "a name with slashes behind it" place/four///
(cd place && COCKTAIL_THREADS=1 "$COCKTAIL" mix -q -w 1 ../models/a -o five >/dev/null) &&
    is_model place/five || echo "a bare name"
[[ $(echo place/*) == "place/five place/four place/one" ]] || echo "left behind: $(echo place/*)"

# ---- permissions ----

modes_of()
{
    find "$1" -printf '%y %m\n' | sort -u | tr '\n' ' '
}
restore ""
for mask in 077:'d 700 f 600 ' 022:'d 755 f 644 ' 002:'d 775 f 664 '; do
    chmod 600 models/a/more/note.txt # those of the input do not count
    (umask "${mask%%:*}" && mix place/out)
    [[ $(modes_of place/out) == "${mask#*:}" ]] || echo "umask ${mask%%:*}: $(modes_of place/out)"
    restore ""
done

# ---- one at a time ----

mkdir place/.out.cocktail-partial
exec 7<place/.out.cocktail-partial
flock -n 7
refuses "while another one writes" "is being written by another process" place place/out
exec 7<&-
echo old >place/.out.cocktail-partial/left-by-a-killed-run
accepts "what a killed run left" place/out
[[ $(echo place/*) == place/out && ! -e place/out/left-by-a-killed-run ]] ||
    echo "what a killed run left: is still there"

# One wins, the others see it at work or done.
for round in 1 2 3 4; do
    restore ""
    for i in 1 2 3 4; do
        (
            COCKTAIL_THREADS=1 "$COCKTAIL" mix -q -w 0.5,0.5 models/a models/b -o place/out \
                >out$i 2>err$i
            echo $? >status$i
        ) &
    done
    wait
    [[ $(sort status? | tr '\n' ' ') == "0 9 9 9 " ]] || echo "four at once: $(cat status? err?)"
    [[ $(echo place/*) == place/out ]] && is_model place/out || echo "four at once: $(echo place/*)"
done
