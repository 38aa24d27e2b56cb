# Ctrl-C and SIGTERM end a command that waits for standard input, or for a FIFO that nobody writes to.
mkfifo silent
exec 4<>silent

# Signals a command once it waits for what it is to read.
interrupt() # SIGNAL COMMAND...
{
    local i

    "$COCKTAIL" "${@:2}" <&4 2>said &
    for ((i = 0; i < 300; i++)); do
        [[ $(<"/proc/$!/wchan") == @(*pipe_read|wait_for_partner) ]] && break
        sleep 0.1
    done
    kill -$1 $!
    wait $!
    echo "$? $(grep -v ' note: ' said)"
}

sleep 9 &
sleep 1
[[ $(<"/proc/$!/wchan") == *[a-z]* ]] || { echo "SKIP: where a process waits is not told" >&3; exit; }
kill $!
for signal in INT TERM; do
    interrupt $signal tokenize fixtures/decoder-base
    interrupt $signal merge - -o out
    interrupt $signal eval fixtures/decoder-base --examples -
    interrupt $signal embed fixtures/encoder-base --jsonl
    interrupt $signal chat fixtures/decoder-base --template chatml
done
mkfifo nobody
interrupt TERM tokenize fixtures/decoder-base nobody
