/* base_files.h - the other files of the base, which the result takes over. */
#ifndef COCKTAIL_BASE_FILES_H
#define COCKTAIL_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/outdir.h"

struct base_files { /* relative paths, sorted */
    char **kept, **left_out; /* a left-out folder ends in "/" */
    size_t n_kept, n_left_out;
    size_t *kept_sizes, kept_bytes; /* [n_kept], and their sum */
};

/* Lists what the base's folder holds besides the `handled` files (relative paths, NULL-terminated),
 * which the merge has read and writes anew. Left out: other weights and what the merge would make
 * stale, the state of training runs, and the hidden folders of git and of download tools. `output`
 * is the path of the target, which may lie in the folder: it and its partial sibling are passed
 * over. ERROR_FORMAT for what is not a regular file. Released with base_files_release. */
int base_files_list(struct base_files *files, const struct folder *folder,
                    const char *const *handled, const char *output, struct error *err);
void base_files_release(struct base_files *files);
/* Whether the file of this relative path is among the kept ones. */
bool base_files_keeps(const struct base_files *files, const char *path);

/* Copies the kept ones. */
int base_files_copy(const struct base_files *files, const struct folder *folder,
                    struct outdir *outdir, struct error *err);

#endif
