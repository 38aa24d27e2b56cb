/* outdir_mark.h - how several ranks that write to one directory show others that they are still there.
 *
 * Whoever writes holds a lock, which goes with the process. On a file system that hosts share, the lock
 * of a host that is cut off can stay: so rank 0 sets the time of a file, DIRECTORY/NAME.ranks, four
 * times in the limit of COCKTAIL_RANK_TIMEOUT. Ranks that do not do so for the whole limit have given
 * one another up, and what they have left can be taken over. Times are compared with one another, not
 * with a clock: hosts need not agree on the time. */
#ifndef COCKTAIL_OUTDIR_MARK_H
#define COCKTAIL_OUTDIR_MARK_H

#include <stdbool.h>

#include "base/error.h"

struct outdir_mark;

/* Makes the file at `path`, and keeps it fresh from a thread of its own. NULL with ERROR_IO or
 * ERROR_RESOURCES. */
struct outdir_mark *outdir_mark_new(const char *path, struct error *err);
/* Removes the file, too, where `is_ours`: the directory is still the one it was made in. NULL: nothing. */
void outdir_mark_free(struct outdir_mark *mark, bool is_ours);

enum outdir_state {
    OUTDIR_BUSY, /* somebody writes there; `host` is the name of rank 0's, or "" */
    OUTDIR_FREE, /* the lock is free */
    OUTDIR_LEFT, /* its ranks have given up; the mark is removed, and nobody else is told the same */
    OUTDIR_FAILED, /* a signal came */
};
enum { OUTDIR_HOST_MAX = 256 };
/* A directory that another process has locked; fd is open on it. Waits for a sign of life, for as long
 * as its ranks would. */
enum outdir_state outdir_mark_look(const char *directory, int fd, char host[OUTDIR_HOST_MAX],
                                   struct error *err);

#endif
