# How ranks come into being: by mpirun, by the lines of README, by others that tell them in other ways;
# what is not done together is said once; programs that differ are found.
. "$FIXTURES/../tests/ranks.bash"
bare=(env -u OMPI_COMM_WORLD_SIZE -u OMPI_COMM_WORLD_RANK)

echo "--- rank 0 speaks alone"
ranks 3 cocktail --version
ranks 3 cocktail --help | head -n 1
ranks 2 cocktail frobnicate
mpirun -n 2 cocktail 2>&1 | grep -c '^usage: '
for command in 'adapter extract a b' 'chat a' 'diff a b' 'help mix' 'inspect a' 'moe a' 'serve a' 'tokenizer move a b'; do
    ranks 2 cocktail $command
done

echo "--- a file of hosts, as README says"
line=$(grep -m 1 '^    mpirun --hostfile' "$FIXTURES/../README.md")
echo "$line"
echo 'localhost slots=2' >hosts
ln -s fixtures/decoder-base a
ln -s fixtures/decoder-tense b
cocktail mix -q --weights 0.5,0.5 a b -o alone >/dev/null
line=${line#*mpirun}
eval "mpirun ${line%build/mpi/cocktail*} bash -c 'echo \$OMPI_COMM_WORLD_SIZE ranks'"
eval "mpirun ${line/build\/mpi\/cocktail/'"$COCKTAIL"'}" </dev/null 2>&1 | sed 's/ in [0-9.]* s$//'
cmp alone/model.safetensors out/model.safetensors

echo "--- as srun --mpi=pmix starts them"
ranks 2 "${bare[@]}" "$COCKTAIL" mix -q --weights 0.5,0.5 a b -o pmix | sed 's/ in [0-9.]* s$//'
cmp alone/model.safetensors pmix/model.safetensors
ranks 2 "${bare[@]}" SLURM_STEP_NUM_TASKS=7 "$COCKTAIL" --version

echo "--- by a stranger: each would be the only one"
for told in PMI_SIZE=3 PMI_RANK=1 PMIX_RANK=1 'PMIX_RANK=0 SLURM_STEP_NUM_TASKS=4'; do
    env $told "$COCKTAIL" --version
    echo "exit $?"
done
PMIX_RANK=0 SLURM_STEP_NUM_TASKS=1 cocktail --version
SLURM_STEP_NUM_TASKS=4 cocktail --version # of those that run a shell

echo "--- of another version"
version=$(cocktail --version)
version=${version#cocktail }
python3 - "$COCKTAIL" "$version" <<'P'
import sys
program = open(sys.argv[1], "rb").read()
version = sys.argv[2].encode() + b"\0"
other = b"9" * (len(version) - 1) + b"\0"
open("other", "wb").write(program.replace(b"\0" + version, b"\0" + other).replace(b"cocktail " + version, b"cocktail " + other))
P
chmod +x other
ranks 3 bash -c '[[ $OMPI_COMM_WORLD_RANK == 2 ]] && COCKTAIL=./other
    exec "$COCKTAIL" mix -q --weights 0.5,0.5 a b -o mixed' | sed "s/${version//./\\.}/VERSION/; s/9\{${#version}\}/OTHER/"
ls -Ad mixed .mixed* 2>/dev/null
true
