/* hub_fetch.h - the one door to the Hub: from an id to a directory in the cache. */
#ifndef COCKTAIL_HUB_FETCH_H
#define COCKTAIL_HUB_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/notices.h"
#include "base/progress.h"
#include "hub/hub_choose.h"
#include "hub/hub_id.h"
#include "hub/hub_listing.h"

struct hub_fetch_options {
    enum hub_need need;
    const char *const *patterns; /* [n_patterns] instead of `need`, as in struct hub_wish */
    size_t n_patterns;
    bool is_dry_run;   /* fetches nothing and writes nothing */
    bool needs_hashes; /* of all files, also of those that were in the cache */
    struct progress *progress; /* or NULL */
};

struct hub_snapshot {
    char *path;                   /* of the directory */
    char commit[HUB_COMMIT_SIZE];
    struct hub_listing listing;   /* those that are used have been fetched */
    size_t missing_bytes;         /* of a dry run: what would be fetched */
};

/* Fetches what is needed and not yet in the cache. When the Hub cannot be reached and everything is
 * there, that is used, with a notice. ERROR_NETWORK when the repository is unknown, forbidden, or
 * offline and not there; ERROR_FORMAT for hostile names; ERROR_IO, ERROR_USAGE for variables that
 * make no sense. The message does not name the id. Released with hub_snapshot_release. */
/* A name without an organisation that the Hub does not know is ERROR_USAGE. */
int hub_fetch(struct hub_snapshot *snapshot, const struct hub_id *id,
              const struct hub_fetch_options *options, struct notices *notices,
              struct error *err);
/* Whether there is something of it in the cache, at whatever commit. -1 with ERROR_USAGE for
 * variables that make no sense. */
int hub_fetch_look(const struct hub_id *id, bool *is_cached, struct error *err);
void hub_snapshot_release(struct hub_snapshot *snapshot);

#endif
