/* ranks_launch.h - what those who start several ranks tell each of them in its environment: mpirun of
 * Open MPI, others that speak PMI, and Slurm's srun with PMIx, which tells its number alone there. */
#ifndef COCKTAIL_RANKS_LAUNCH_H
#define COCKTAIL_RANKS_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

/* Whether anybody has started this process as a rank, be it the only one. */
bool ranks_launch_is_known(void);
/* How many there are, at least; 1 where nobody says. */
size_t ranks_launch_count(void);
/* The number of this one, from 0. */
size_t ranks_launch_number(void);

#endif
