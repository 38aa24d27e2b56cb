# Progress is shown for all files together, on a terminal that wants it, and nowhere else.
. "$FIXTURES/../tests/server/hub.bash"
mkdir small
cp "$FIXTURES/encoder-base/config.json" small
head -c 400000 "$FIXTURES/encoder-base/model.safetensors" >small/model.safetensors
start_hub --faulty small
export TERM=xterm

# stderr is a terminal; the server holds the transfer in the middle until that is shown.
cat >on_terminal.py <<'END'
import os, pty, subprocess, sys
master, slave = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stderr=slave, stdout=open("out", "wb"))
os.close(slave)
shown = b""
try:
    while part := os.read(master, 65536):
        shown += part
        if b"50%" in shown and os.path.exists("hub/hold"):
            os.remove("hub/hold")
except OSError:
    pass # the other side is closed
open("err", "wb").write(shown)
sys.exit(process.wait())
END

shows() # NAME, TEXT or "", ASSIGNMENT, ARGUMENT...
{
    rm -rf cache
    env "$3" timeout 60 python3 on_terminal.py "$COCKTAIL" pull "${@:4}" lasting/held
    status=$?
    expect "$1" 0
    holds "$1" cache/models--*/snapshots/* small
    [[ $(<err) == *"$2"* && (-n $2 || ! -s err) ]] || echo "$1: '$2': $(cat -v err)"
}

touch hub/hold
shows "a terminal" "50%" A=b
[[ $(<err) == *"200 kB of 401 kB"* ]] || echo "not the bytes of all files: $(cat -v err)"
[[ $(tail -c 4 err) == $'\r\e[K' ]] || echo "the line stays: $(cat -v err)"
shows "-q" "" A=b -q
shows "--json" "" A=b --json
shows "TERM=dumb" "" TERM=dumb
shows "CI" "" CI=true
run pull lasting/held
[[ ! -s err ]] || echo "no terminal: $(<err)"
