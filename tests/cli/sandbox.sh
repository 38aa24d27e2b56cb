# What strace sees while each case of fixtures/hostile/ is mixed: no file is opened but those of the
# model itself, the output and the system's libraries; nothing is executed, no socket is made.
. "$FIXTURES/../tests/inject/common.bash"
command -v strace >/dev/null || skip "strace is not installed"
[[ -z ${SAN-} ]] || skip "the sanitizers do not work under strace"
strace -o probe -e trace=execve true 2>/dev/null || skip "this system does not permit ptrace"

calls=open,openat,openat2,creat,truncate,unlink,unlinkat,rename,renameat,renameat2,link,linkat
calls+=,symlink,symlinkat,mkdir,mkdirat,chmod,fchmodat,execve,execveat,socket,connect

# TRACE..., with the directory of the model and of the output: prints what should not be there.
# Paths are those in quotes and, behind the result, the one that was opened in the end.
check_traces='
function check(path) {
    if (path == "" || path ~ /^place(\/|$)/ || index(path, output) == 1) return
    if (path ~ /^\/(lib|lib64|usr\/lib|usr\/lib64|usr\/local\/lib|proc|sys)\//) return
    if (path ~ /^\/etc\/ld\.so\./ || path == "/dev/null") return
    if (index(path, models "/" name "/") == 1 || path == models "/" name) return
    print name ": " $0
}
FNR == 1 { name = FILENAME; sub(/.*\//, "", name); n_programs = 0 }
{ call = $0; sub(/\(.*/, "", call); rest = $0 }
call ~ /^execve/ { if (++n_programs > 1) print name ": " $0; next }
call == "socket" || call == "connect" { print name ": " $0; next }
{
    while (match(rest, /"[^"]*"/)) {
        check(substr(rest, RSTART + 1, RLENGTH - 2))
        rest = substr(rest, RSTART + RLENGTH)
    }
    if (match($0, /= [0-9]+<.*>$/)) check(substr($0, RSTART + index(substr($0, RSTART), "<"),
                                          RLENGTH - index(substr($0, RSTART), "<") - 1))
}'

models=$(cd "$FIXTURES/hostile" && pwd -P)
mkdir place traces
n_cases=0
while IFS=$'\t' read -r name code _; do
    strace -f -y -o "traces/$name" -e "trace=$calls" -e signal=none "$COCKTAIL" mix --threads 1 \
        --weights 0.5,0.5 "$models/$name" "$models/$name" -o place/out >out 2>err
    status=$?
    ((status == code)) || echo "$name: exit $status, expected $code"
    grep -q "\"$models/$name" "traces/$name" || ((code == 3)) || echo "$name: strace saw nothing"
    rm -rf place/out
    ((n_cases++))
done <"$FIXTURES/hostile/EXPECTED.tsv"
sed -i 's/^[0-9]* *//' traces/*
awk -v models="$models" -v output="$(pwd -P)/place" "$check_traces" traces/*

((n_cases >= 60)) || echo "only $n_cases cases"
[[ ! -e HACKED ]] || echo "HACKED exists"

# The check itself: what a bad program would do is found.
mkdir self
cat >self/caught <<END
execve("/bin/cocktail", ["cocktail"], 0x1) = 0
openat(AT_FDCWD</x>, "$models/outside/config.json", O_RDONLY) = 3<$models/outside/config.json>
openat(AT_FDCWD</x>, "$models/caught/link", O_RDONLY) = 3</etc/passwd>
execve("/bin/sh", ["sh"], 0x1) = 0
socket(AF_INET, SOCK_STREAM, 0) = 3
END
n_caught=$(awk -v models="$models" -v output=/none "$check_traces" self/caught | wc -l)
((n_caught == 5)) || echo "the check found $n_caught of 5 offences"
