/* workspace.h - memory that passes over a model use one after the other.
 *
 * What a pass needs it takes, and gives back when it is done: the next pass gets the same memory,
 * so that a token which is like the one before allocates nothing. */
#ifndef COCKTAIL_WORKSPACE_H
#define COCKTAIL_WORKSPACE_H

#include <stddef.h>

#include "base/error.h"

struct workspace { /* a zeroed struct is empty; of one thread */
    struct workspace_slot *slots;
    size_t n_slots, n_used;
};

void workspace_release(struct workspace *workspace);

/* n * size bytes for `what`, not zeroed, or NULL with ERROR_RESOURCES that names the size. They are
 * the taker's until it returns to a mark from before. */
void *workspace_take(struct workspace *workspace, size_t n, size_t size, const char *what,
                     struct error *err);
size_t workspace_mark(const struct workspace *workspace);
/* What was taken since goes back. When all is back, the memory of large pieces is freed: they belong
 * to long texts, whose runs take far longer than an allocation. */
void workspace_return(struct workspace *workspace, size_t mark);

#endif
