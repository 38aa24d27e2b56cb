/* hub_download.h - files of a repository into the cache, several at a time. */
#ifndef COCKTAIL_HUB_DOWNLOAD_H
#define COCKTAIL_HUB_DOWNLOAD_H

#include "base/error.h"
#include "base/progress.h"
#include "hub/hub_cache.h"
#include "hub/hub_http.h"
#include "hub/hub_listing.h"

/* Fetches the blobs of all files that are used and not in the cache; sets their sha256. What was
 * begun before goes on from BLOB.incomplete. Every blob is verified before it gets its name, and two
 * processes that want the same one fetch it once. `progress` counts all of them together (may be
 * NULL). ERROR_NETWORK, ERROR_IO, ERROR_SIGINT or ERROR_SIGTERM. */
int hub_download(struct hub_http *http, const struct hub_cache *cache, const char *repository,
                 const char *commit, struct hub_listing *listing, struct progress *progress,
                 struct error *err);

/* Where a file is asked for; to be freed. */
char *hub_download_url(const struct hub_http *http, const char *repository, const char *commit,
                       const struct hub_file *file);

#endif
