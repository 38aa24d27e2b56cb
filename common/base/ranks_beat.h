/* ranks_beat.h - how ranks notice that a machine is gone.
 *
 * A thread of each rank sends a sign of life to the next one, four times in the time limit, whatever
 * the rank computes. Who has heard nothing from the rank before it for the whole limit, says so and
 * ends all that it can reach, and itself, with ERROR_NETWORK. A process that has died is noticed by
 * mpirun; this is for hosts that are cut off, and processes that are stopped. */
#ifndef COCKTAIL_RANKS_BEAT_H
#define COCKTAIL_RANKS_BEAT_H

#include <stdnoreturn.h>

#include "base/error.h"

/* After MPI was started for several threads, by all ranks, of which there are several. The limit
 * is COCKTAIL_RANK_TIMEOUT of rank 0, seconds from 1 to 86400, 10 without it; 0: nobody watches.
 * ERROR_USAGE. */
int ranks_beat_start(struct error *err);
double ranks_beat_limit_s(void);
/* By all ranks, when all have done what they had to. The process has the limit to come to its end, else
 * it ends with ERROR_NETWORK. */
void ranks_beat_stop(void);
/* Ends all ranks, as far as they can be reached, and this one, with this status. */
noreturn void ranks_beat_abort(int status);

#endif
