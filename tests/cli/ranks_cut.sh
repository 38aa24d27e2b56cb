# Two hosts, which are network namespaces with a cable between them: together they merge as one does;
# when the cable is cut, the ranks of both sides end with 6, and what is heard of them is said.
. "$FIXTURES/../tests/ranks.bash"
command -v ip unshare >/dev/null || { echo "SKIP: ip or unshare is not there" >&3; exit; }
export TMPDIR=/tmp

a=ct$$a b=ct$$b
end()
{
    kill -KILL "$(<pid-mpirun)" # it waits for the host that is gone
    kill -KILL -- "-$(<pid-agent)"
    ip netns del $a
    ip netns del $b
} 2>/dev/null
trap end EXIT
{ ip netns add $a && ip netns add $b && ip link add v$a netns $a type veth peer name v$b netns $b &&
    ip -n $a addr add 10.93.7.1/24 dev v$a && ip -n $b addr add 10.93.7.2/24 dev v$b &&
    ip -n $a link set v$a up && ip -n $b link set v$b up && ip -n $a link set lo up && ip -n $b link set lo up; } 2>/dev/null ||
    { echo "SKIP: network namespaces are not permitted" >&3; exit; }

# On the host of this namespace, as ssh does it: HOST COMMAND...
cat >agent <<A
#!/bin/bash
exec setsid --wait "$PWD/there" "\${*:2}"
A
cat >there <<A
#!/bin/bash
echo \$\$ >"$PWD/pid-agent"
exec ip netns exec $b unshare --uts bash -c 'hostname $b-host; eval "\$1"' $b-host "\$1"
A
cat >here <<A
#!/bin/bash
echo \$\$ >"$PWD/pid-mpirun"
hostname $a-host
exec mpirun "\$@"
A
chmod +x agent there here
together() # COMMAND...
{
    timeout --signal KILL 60 ip netns exec $a unshare --uts "$PWD/here" --bind-to none \
        --host 10.93.7.1:1,10.93.7.2:1 --mca plm_rsh_agent "$PWD/agent" --mca btl self,tcp \
        --mca btl_tcp_if_include 10.93.7.0/24 --mca oob_tcp_if_include 10.93.7.0/24 -wdir "$PWD" "$@"
}
tell()
{
    grep '^cocktail: ' said | sed -E "s/ct$$/HOST-/g; s/-host//g; s/for [0-9]+ s/for N s/" | sort
}

echo "--- two hosts"
cat >recipe.yml <<'R'
merge_method: linear
models:
  - {model: fixtures/decoder-base, parameters: {weight: 0.3}}
  - {model: fixtures/decoder-tense, parameters: {weight: 0.7}}
R
cocktail merge -q recipe.yml -o alone >/dev/null
together "$COCKTAIL" merge -q recipe.yml -o made </dev/null >said 2>&1 || echo "exit $?"
cmp alone/model.safetensors made/model.safetensors
tell

echo "--- cut"
mkfifo recipe
sleep 60 >recipe &
COCKTAIL_RANK_TIMEOUT=3 together bash -c 'echo $$ >pid-$OMPI_COMM_WORLD_RANK; "$@"; echo $? >status-$OMPI_COMM_WORLD_RANK' - \
    "$COCKTAIL" merge -t 4096 -o out <recipe >said 2>&1 &
wait_until '[[ $(grep -cs "threads share" said) == 2 ]]' # each says so when they have found one another
ip -n $b link set v$b down
wait_until '[[ -s status-0 && -s status-1 ]] && grep -q "rank 0 .* was heard" said'
grep -v 'threads share\|no recipe' said >heard # of rank 0, whose input ends with mpirun
mv heard said
tell
cat status-0 status-1
kill %1
ls out 2>/dev/null
true
