/* hub_cache.h - one repository in the cache that huggingface_hub and we share (docs/formats.md,
 * "The Hub").
 *
 *     CACHE/CACHEDIR.TAG
 *     CACHE/models--org--name/refs/REVISION          the commit
 *                            /blobs/ETAG             content, named by its hash
 *                            /snapshots/COMMIT/PATH  -> ../../blobs/ETAG
 *                            /trees/COMMIT.json      what there is, from newer huggingface_hub
 *     CACHE/.locks/models--org--name/ETAG.lock       held while a blob is fetched
 *
 * A blob appears complete and verified, by a rename; what is on its way lies in ETAG.incomplete. */
#ifndef COCKTAIL_HUB_CACHE_H
#define COCKTAIL_HUB_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "hub/hub_listing.h"
#include "hub/hub_settings.h"

struct hub_cache {
    char *root;       /* CACHE */
    char *repository; /* CACHE/models--org--name */
    char *locks;      /* CACHE/.locks/models--org--name */
    bool has_no_symlinks;
};

void hub_cache_init(struct hub_cache *cache, const struct hub_settings *settings,
                    const char *repository);
void hub_cache_release(struct hub_cache *cache);

/* ---- reading; paths are freed by the caller ---- */

char *hub_cache_snapshot_path(const struct hub_cache *cache, const char *commit);
char *hub_cache_blob_path(const struct hub_cache *cache, const struct hub_file *file);
char *hub_cache_incomplete_path(const struct hub_cache *cache, const struct hub_file *file);

/* Whether anything of it was ever fetched. */
bool hub_cache_has_repository(const struct hub_cache *cache);
/* The commit that `revision` stood for when it was fetched last. */
bool hub_cache_find_ref(const struct hub_cache *cache, const char *revision,
                        char commit[HUB_COMMIT_SIZE]);
/* Whether the snapshot has the file, with its size. */
bool hub_cache_has_file(const struct hub_cache *cache, const char *commit,
                        const struct hub_file *file);
/* Whether the snapshot has an entry of this name, be it a link to nothing. */
bool hub_cache_has_pointer(const struct hub_cache *cache, const char *commit, const char *path);
bool hub_cache_has_blob(const struct hub_cache *cache, const struct hub_file *file);
/* What the snapshot has, whoever put it there. ERROR_IO when there is no such snapshot. */
int hub_cache_list(const struct hub_cache *cache, const char *commit, struct hub_listing *listing,
                   struct error *err);
/* What the repository has at that commit, by trees/COMMIT.json: false when nobody has noted it. */
bool hub_cache_find_tree(const struct hub_cache *cache, const char *commit,
                         struct hub_listing *listing);
/* The content of a file, from its blob or from the snapshot. */
int hub_cache_read(const struct hub_cache *cache, const char *commit, const struct hub_file *file,
                   size_t limit, struct buffer *out, struct error *err);
/* Fills file->sha256, from the name of the blob or else from the content. */
int hub_cache_hash(const struct hub_cache *cache, const char *commit, struct hub_file *file,
                   struct error *err);

/* ---- writing ---- */

/* Makes the directories for blobs and locks, and CACHEDIR.TAG. */
int hub_cache_prepare(const struct hub_cache *cache, struct error *err);
/* The descriptor that holds the lock, closed to release it; -1 when another process has it (no
 * error), or with an error. */
int hub_cache_lock(const struct hub_cache *cache, const struct hub_file *file, struct error *err);
/* Puts the blobs of all files that are used into the snapshot, those of weights last: where they are,
 * everything is. */
int hub_cache_link(const struct hub_cache *cache, const char *commit,
                   const struct hub_listing *listing, struct error *err);
/* Notes that `revision` is `commit`, unless that is known. */
int hub_cache_write_ref(const struct hub_cache *cache, const char *revision, const char *commit,
                        struct error *err);

#endif
