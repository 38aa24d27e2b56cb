/* hub_listing.h - which files a repository has at a commit.
 *
 * Names come from strangers and become paths: one that could lead out of the snapshot, or that
 * fits two files, makes the whole listing ERROR_FORMAT. */
#ifndef COCKTAIL_HUB_LISTING_H
#define COCKTAIL_HUB_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/hash.h"

struct hub_http;
struct hub_failure;

enum hub_use { HUB_UNUSED, HUB_TEXT, HUB_WEIGHTS }; /* what hub_choose wants a file for */

struct hub_file {
    char *path; /* "2_Dense/model.safetensors" */
    char blob[DIGEST_HEX_MAX];   /* name of its content: SHA-256, or git's SHA-1 for small files;
                                    "" in a listing of what is in the cache */
    char sha256[DIGEST_HEX_MAX]; /* of the content; "" while it is not known */
    size_t size_bytes;
    enum hub_use use;
};

struct hub_listing { /* a zeroed struct is empty */
    struct hub_file *files; /* sorted by path */
    size_t n_files;
};

enum { HUB_COMMIT_SIZE = 41 };

/* The commit that `revision` stands for. *failure says more of an error. */
int hub_listing_resolve(struct hub_http *http, const char *repository, const char *revision,
                        char commit[HUB_COMMIT_SIZE], struct hub_failure *failure,
                        struct error *err);
/* All files at a commit. ERROR_FORMAT for names that are refused, ERROR_NETWORK for an answer that
 * is no listing. Released with hub_listing_release. */
int hub_listing_read(struct hub_listing *listing, struct hub_http *http, const char *repository,
                     const char *commit, struct hub_failure *failure, struct error *err);
/* From trees/COMMIT.json, which newer huggingface_hub writes into the cache: all files of it. */
int hub_listing_parse_tree(struct hub_listing *listing, const char *text, size_t size,
                           struct error *err);
/* Files that are somewhere else: added one by one, then sorted. ERROR_FORMAT for a name twice. */
void hub_listing_add(struct hub_listing *listing, const struct hub_file *file); /* takes the path */
int hub_listing_finish(struct hub_listing *listing, struct error *err);
void hub_listing_release(struct hub_listing *listing);

/* NULL: there is no such file. */
struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *path);
/* Whether it is named by git: SHA-1 of "blob SIZE", a NUL and the content. */
bool hub_file_is_git(const struct hub_file *file);
/* Begins that. */
void hub_file_begin_git(const struct hub_file *file, struct digest *digest);
/* Whether its name says that this is the content. */
bool hub_file_holds(const struct hub_file *file, const void *bytes, size_t n);
/* -1 with ERROR_FORMAT for a name that does not become a path. */
int hub_listing_check_path(const char *path, size_t length, struct error *err);

#endif
