/* file_ahead.h - files that will be needed soon are fetched from the disk by a thread of its own,
 * beside the work that does not need them yet. */
#ifndef COCKTAIL_FILE_AHEAD_H
#define COCKTAIL_FILE_AHEAD_H

#include <stddef.h>

#include "base/file.h"

struct file_ahead;

/* Has the system fetch files[n], one after the other, into its page cache: as many bytes as limit_bytes
 * allows, and as fit into half of the memory that is available. The files are borrowed until the end,
 * and the array is copied. NULL when there is no thread to be had: it is only a favour. */
struct file_ahead *file_ahead_start(struct file *const *files, size_t n, size_t limit_bytes);
/* Asks for nothing more; what has been asked for still comes. NULL does nothing. */
void file_ahead_end(struct file_ahead *ahead);

#endif
