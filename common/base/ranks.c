/* ranks.c - without MPI: one rank. */
#include "ranks.h"

#ifndef COCKTAIL_MPI
#include <string.h>
#include <unistd.h>

#include "base/ranks_launch.h"

int ranks_start(struct error *err)
{
    size_t n = ranks_launch_count();

    if (n <= 1)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "started as one of %zu ranks, but built without MPI; "
                     "'make MPI=1' builds build/mpi/cocktail, which has it", n);
}

void ranks_end(int status)
{
    (void)status;
}

size_t ranks_count(void)
{
    return 1;
}

size_t ranks_number(void)
{
    return 0;
}

size_t ranks_beside(void)
{
    return 1;
}

double ranks_limit_s(void)
{
    return 0;
}

const char *ranks_label(void)
{
    return "";
}

bool ranks_may_speak(void)
{
    return ranks_launch_number() == 0 || sleep(3) == 0;
}

int ranks_meet(struct error *err)
{
    (void)err;
    return 0;
}

int ranks_tell(void *bytes, size_t n, struct error *err)
{
    (void)bytes;
    (void)n;
    (void)err;
    return 0;
}

int ranks_add(size_t *values, size_t n, struct error *err)
{
    (void)values;
    (void)n;
    (void)err;
    return 0;
}

int ranks_least(size_t *values, size_t n, struct error *err)
{
    (void)values;
    (void)n;
    (void)err;
    return 0;
}

int ranks_join(void *bytes, size_t n, struct error *err)
{
    (void)bytes;
    (void)n;
    (void)err;
    return 0;
}

int ranks_gather(const void *bytes, size_t n, struct buffer *all, struct error *err)
{
    (void)err;
    buffer_add(all, bytes, n);
    return 0;
}

int ranks_compare(const char *what, const char *text, struct error *err)
{
    (void)what;
    (void)text;
    (void)err;
    return 0;
}

static int there_is_one(struct error *err)
{
    return error_set(err, ERROR_INTERNAL, "there is one rank");
}

int ranks_send(size_t rank, const void *bytes, size_t n, struct error *err)
{
    (void)rank;
    (void)bytes;
    (void)n;
    return there_is_one(err);
}

int ranks_receive(size_t rank, void *bytes, size_t n, struct error *err)
{
    (void)rank;
    (void)bytes;
    (void)n;
    return there_is_one(err);
}

int ranks_exchange(size_t first, size_t n, const struct ranks_parcel *parcels, struct error *err)
{
    (void)first;
    (void)n;
    (void)err;
    if (parcels->n_out)
        memmove(parcels->in, parcels->out, parcels->n_out);
    return 0;
}
#endif
