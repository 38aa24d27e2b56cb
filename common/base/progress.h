/* progress.h - how far a long job is. The library counts; who shows it decides when. */
#ifndef COCKTAIL_PROGRESS_H
#define COCKTAIL_PROGRESS_H

#include <stdatomic.h>
#include <stddef.h>

struct progress {
    size_t total_bytes;
    atomic_size_t done_bytes;
    /* Called now and then by the calling thread of a job, NULL when nobody looks. */
    void (*show)(struct progress *progress);
};

#endif
