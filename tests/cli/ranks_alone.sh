# A program without MPI that mpirun has started as one of several says so, and does nothing.
[[ $(ldd "$COCKTAIL") == *libmpi* ]] && { echo "SKIP: built with MPI" >&3; exit; }
OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 cocktail --version
echo "exit $?"
PMI_SIZE=3 cocktail mix -w 1 fixtures/decoder-base -o out
echo "exit $?"
PMIX_RANK=0 SLURM_STEP_NUM_TASKS=4 cocktail --version # srun --mpi=pmix
echo "exit $?"
OMPI_COMM_WORLD_SIZE=1 cocktail --version
SLURM_STEP_NUM_TASKS=4 cocktail --version # one of many that do not ask for ranks
ls
