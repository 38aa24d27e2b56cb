/* ranks.h - the processes that do one job together. Over MPI where it is built in (make MPI=1), else
 * there is one of them, and every call is done at once.
 *
 * All ranks run the same command on the same input. Whoever fails, ends all of them (ranks_end).
 * Every function that takes an `err` is called by all ranks, in the same order, by one thread;
 * waiting ends with ERROR_SIGINT or ERROR_SIGTERM when such a signal comes. Source: MPI 3.1. */
#ifndef COCKTAIL_RANKS_H
#define COCKTAIL_RANKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* Joins the others that mpirun has started. ERROR_UNSUPPORTED where there are others and MPI is not
 * built in. Before any other call, and before threads are. */
int ranks_start(struct error *err);
/* The end of the process: with status 0 all leave together, with another one this ends them all, with
 * that status. */
void ranks_end(int status);

size_t ranks_count(void);
size_t ranks_number(void); /* from 0 */
/* How many ranks share the processors that this one may use, itself counted. */
size_t ranks_beside(void);

/* Seconds without a sign of life after which ranks give one up; 0: they wait for ever, or there is one. */
double ranks_limit_s(void);

/* "rank 2 on host: " for messages, or "" of a single one. */
const char *ranks_label(void);
/* Whether a rank should tell of its error. What all of them find wrong, rank 0 alone tells, and ends
 * the others while they wait here, for three to four seconds. */
bool ranks_may_speak(void);

/* Waits until all are here. */
int ranks_meet(struct error *err);
/* bytes[n] of rank 0, to all. */
int ranks_tell(void *bytes, size_t n, struct error *err);
/* Each of values[n] becomes the sum, or the least, of all ranks'. */
int ranks_add(size_t *values, size_t n, struct error *err);
int ranks_least(size_t *values, size_t n, struct error *err);
/* Of bytes[n], which are 0 on all ranks but the one that knows them: what each knows, to all. */
int ranks_join(void *bytes, size_t n, struct error *err);
/* bytes[n] of every rank, n of its own, behind what `all` of rank 0 holds, in the order of the ranks. */
int ranks_gather(const void *bytes, size_t n, struct buffer *all, struct error *err);
/* Whether all have the same text, of at most 200 bytes. ERROR_INCOMPATIBLE, naming a rank that has
 * another one than rank 0, its host, `what` it is, and both. */
int ranks_compare(const char *what, const char *text, struct error *err);

/* What two ranks alone do: one sends bytes[n], the other receives as many. They must not be the same
 * rank, and each waits for the other. */
int ranks_send(size_t rank, const void *bytes, size_t n, struct error *err);
int ranks_receive(size_t rank, void *bytes, size_t n, struct error *err);

/* What one rank of several gives to another, and gets from it. `in` has room for as many bytes as the
 * other one gives; to itself a rank gives what it gets. */
struct ranks_parcel {
    const void *out;
    size_t n_out;
    void *in;
    size_t n_in;
};
/* parcels[n], for ranks `first` to first + n - 1, of which this is one. Those call it together, and
 * other ranks do not. */
int ranks_exchange(size_t first, size_t n, const struct ranks_parcel *parcels, struct error *err);

#endif
