/* beside.h - one piece of work on a thread of its own, while its owner goes on with something else. */
#ifndef COCKTAIL_BESIDE_H
#define COCKTAIL_BESIDE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"

struct beside { /* a zeroed struct does nothing; stays where it is while it works */
    int (*work)(void *context, struct error *err);
    void *context;
    pthread_t thread;
    bool is_there, has_thread;
    int rc;
    struct error error;
};

/* Begins with it; where there is no thread to be had, it is done before this returns. Signals stay
 * with the other threads. */
void beside_start(struct beside *beside, int (*work)(void *context, struct error *err),
                  void *context);
/* Returns what the work has returned, with its error, when it is done; 0 when there is none. */
int beside_wait(struct beside *beside, struct error *err);

#endif
