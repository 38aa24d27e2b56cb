/* outdir.h - a directory, or a single file, that appears complete or not at all.
 *
 * Everything is written into a hidden sibling of the target, .NAME.cocktail-partial, and moved
 * into place by one rename, when every file in it has reached the disk. The sibling is also the
 * lock: whoever holds a flock on it writes. A killed run leaves it behind without the flock, and
 * the next run for the same target clears it away. Where a file system cannot exchange two
 * directories, the old target is called .NAME.cocktail-replaced between two renames; a run that is
 * killed there leaves it so, and the next one brings it back.
 *
 * Several ranks (ranks.h) open, commit and close an outdir together, on a file system that they share:
 * rank 0 makes it, and puts it in place when all have written what is theirs. Its lock may stay where
 * its host is cut off; outdir_mark.h says how the next run then knows that they have given up. */
#ifndef COCKTAIL_OUTDIR_H
#define COCKTAIL_OUTDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct outdir;

/* Says whether the non-empty directory, or the file, at `path` is of the kind that may be replaced. */
typedef bool outdir_replaceable(const char *path);

/* Whether the target may be written, without touching anything: absent, an empty directory, or,
 * with `force`, a directory that is `replaceable`. The current directory, the home directory, / and
 * what holds one of them are never replaced. ERROR_EXISTS when not. */
int outdir_check(const char *path, bool force, outdir_replaceable *replaceable, struct error *err);

/* outdir_check, then creates missing parents and the hidden sibling. NULL with ERROR_EXISTS (also
 * when another process is writing to this target), or ERROR_IO. At exit() an open outdir is
 * removed. Closed with outdir_close. */
struct outdir *outdir_open(const char *path, bool force, outdir_replaceable *replaceable,
                           struct error *err);

/* The same for a target that is a file: absent, or, with `force`, a regular file that is
 * `replaceable`. What is written into the hidden sibling then is one file, called outdir_file. */
int outdir_check_file(const char *path, bool force, outdir_replaceable *replaceable,
                      struct error *err);
struct outdir *outdir_open_file(const char *path, bool force, outdir_replaceable *replaceable,
                                struct error *err);
/* The last part of the target's path. */
const char *outdir_file(const struct outdir *outdir);

/* A new file `name` (a relative path; sub-directories are made) for reading and writing: its
 * descriptor, which the caller closes, or -1. Permissions follow the umask. Ranks may create one
 * file together, each for its part. */
int outdir_create(struct outdir *outdir, const char *name, struct error *err);
/* A new file with these bytes, which rank 0 writes. */
int outdir_write(struct outdir *outdir, const char *name, const void *bytes, size_t n,
                 struct error *err);

/* Flushes everything to disk and puts it in place of the target, which is removed if it was there.
 * On failure the target is as it was. */
int outdir_commit(struct outdir *outdir, struct error *err);
/* Removes what was written, unless it was committed. */
void outdir_close(struct outdir *outdir);

/* Bytes that this user can still write on the file system that `path` is, or will be, on. */
int outdir_free_bytes(const char *path, size_t *n_bytes, struct error *err);

/* Writes all n bytes at `offset` of a descriptor; `name` is for the message. */
int outdir_write_at(int fd, size_t offset, const void *bytes, size_t n, const char *name,
                    struct error *err);

#endif
