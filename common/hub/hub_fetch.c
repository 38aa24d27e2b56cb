#include "hub_fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "hub/hub_cache.h"
#include "hub/hub_download.h"
#include "hub/hub_http.h"
#include "hub/hub_settings.h"

static const size_t index_bytes_max = 100 * 1000 * 1000;

struct fetch {
    const struct hub_id *id;
    const struct hub_fetch_options *options;
    struct hub_settings settings;
    struct hub_cache cache;
    struct hub_http http;
    struct hub_snapshot *snapshot;
    bool is_away; /* the Hub could not be reached */
};

static struct hub_wish wish_of(struct fetch *fetch,
                               int (*read)(void *, const struct hub_file *, struct buffer *,
                                           struct error *))
{
    const struct hub_fetch_options *options = fetch->options;

    return (struct hub_wish){options->need, options->patterns, options->n_patterns, read, fetch};
}

/* ---- what is in the cache ---- */

static int read_cached(void *context, const struct hub_file *file, struct buffer *out,
                       struct error *err)
{
    struct fetch *fetch = context;

    return hub_cache_read(&fetch->cache, fetch->snapshot->commit, file, index_bytes_max, out, err);
}

static bool has_all(const struct fetch *fetch, const struct hub_listing *listing)
{
    for (size_t i = 0; i < listing->n_files; i++)
        if (listing->files[i].use &&
            !hub_cache_has_file(&fetch->cache, fetch->snapshot->commit, &listing->files[i]))
            return false;
    return true;
}

/* Whether the snapshot that the revision led to last has what is needed: by the list of all files,
 * where huggingface_hub has left one, or else as far as the files themselves tell. Weights are
 * linked last, so that where we put them nothing else is missing. */
static bool find_cached(struct fetch *fetch)
{
    struct hub_snapshot *snapshot = fetch->snapshot;
    struct hub_listing *listing = &snapshot->listing;
    struct hub_wish wish = wish_of(fetch, read_cached);
    struct error ignored = {0};
    bool is_tree, is_whole, has_texts, has_weights;

    if (hub_id_is_commit(fetch->id->revision))
        memcpy(snapshot->commit, fetch->id->revision, HUB_COMMIT_SIZE);
    else if (!hub_cache_find_ref(&fetch->cache, fetch->id->revision, snapshot->commit))
        return false;
    is_tree = hub_cache_find_tree(&fetch->cache, snapshot->commit, listing);
    if (!is_tree && hub_cache_list(&fetch->cache, snapshot->commit, listing, &ignored))
        return false;
    is_whole = hub_choose(listing, &wish, &ignored) == 0 && has_all(fetch, listing);
    has_texts = hub_choose_has(listing, HUB_TEXT);
    has_weights = hub_choose_has(listing, HUB_WEIGHTS);
    if (is_tree || wish.n_patterns || wish.need == HUB_NEED_TEXTS)
        is_whole = is_whole && (has_texts || has_weights);
    else
        is_whole = is_whole && has_texts && has_weights;
    if (!is_whole)
        hub_listing_release(listing);
    return is_whole;
}

/* ---- what is at the Hub ---- */

/* Reads a file before it is fetched for good: the choice of others depends on it. */
static int read_remote(struct fetch *fetch, const struct hub_file *file, struct buffer *out,
                       struct error *err)
{
    char *url = hub_download_url(&fetch->http, fetch->id->repository, fetch->snapshot->commit,
                                 file);
    struct hub_reading reading = {.url = url, .limit = index_bytes_max, .may_leave = true};
    bool is_right = false;
    int rc = 0;

    for (int i = 0; i < 2 && rc == 0 && !is_right; i++) { /* as hub_download does */
        free(reading.next);
        reading.next = NULL;
        rc = hub_http_read(&fetch->http, &reading, err);
        is_right = rc == 0 && hub_file_holds(file, reading.body.data, reading.body.size);
    }
    if (rc == 0 && !is_right)
        rc = error_set(err, ERROR_NETWORK, "the content is not what the list of files says, and "
                       "so it was when it was fetched again");
    if (rc == 0)
        buffer_add(out, reading.body.data, reading.body.size);
    else
        error_context(err, "'" ERROR_NAME "'", file->path);
    buffer_release(&reading.body);
    free(reading.next);
    free(url);
    return rc;
}

static int read_either(void *context, const struct hub_file *file, struct buffer *out,
                       struct error *err)
{
    struct fetch *fetch = context;

    if (hub_cache_has_file(&fetch->cache, fetch->snapshot->commit, file) ||
        hub_cache_has_blob(&fetch->cache, file))
        return read_cached(context, file, out, err);
    return read_remote(fetch, file, out, err);
}

static int look(struct fetch *fetch, struct error *err)
{
    struct hub_snapshot *snapshot = fetch->snapshot;
    const char *repository = fetch->id->repository, *revision = fetch->id->revision;

    if (hub_id_is_commit(revision))
        memcpy(snapshot->commit, revision, HUB_COMMIT_SIZE);
    else if (hub_listing_resolve(&fetch->http, repository, revision, snapshot->commit,
                                 &fetch->is_away, err))
        return -1;
    return hub_listing_read(&snapshot->listing, &fetch->http, repository, snapshot->commit,
                            &fetch->is_away, err);
}

static int add_hashes(struct fetch *fetch, struct error *err)
{
    struct hub_listing *listing = &fetch->snapshot->listing;

    for (size_t i = 0; fetch->options->needs_hashes && i < listing->n_files; i++)
        if (listing->files[i].use &&
            hub_cache_hash(&fetch->cache, fetch->snapshot->commit, &listing->files[i], err))
            return -1;
    return 0;
}

static void count_missing(struct fetch *fetch)
{
    struct hub_snapshot *snapshot = fetch->snapshot;

    for (size_t i = 0; i < snapshot->listing.n_files; i++) {
        const struct hub_file *file = &snapshot->listing.files[i];

        if (file->use && !hub_cache_has_file(&fetch->cache, snapshot->commit, file) &&
            !hub_cache_has_blob(&fetch->cache, file))
            snapshot->missing_bytes += file->size_bytes;
    }
}

/* A cache that has everything may be one that cannot be written to. */
static int write_ref(struct fetch *fetch, bool had_all, struct error *err)
{
    struct error ignored = {0};
    int rc = hub_cache_write_ref(&fetch->cache, fetch->id->revision, fetch->snapshot->commit,
                                 had_all ? &ignored : err);

    return had_all ? 0 : rc;
}

static int fetch_files(struct fetch *fetch, struct error *err)
{
    struct hub_snapshot *snapshot = fetch->snapshot;
    struct hub_wish wish = wish_of(fetch, read_either);
    bool had_all;

    if (hub_choose(&snapshot->listing, &wish, err))
        return -1;
    if (fetch->options->is_dry_run) {
        count_missing(fetch);
        return 0;
    }
    had_all = has_all(fetch, &snapshot->listing);
    if (hub_download(&fetch->http, &fetch->cache, fetch->id->repository, snapshot->commit,
                     &snapshot->listing, fetch->options->progress, err) ||
        hub_cache_link(&fetch->cache, snapshot->commit, &snapshot->listing, err))
        return -1;
    return write_ref(fetch, had_all, err) || add_hashes(fetch, err) ? -1 : 0;
}

/* ---- both ---- */

static int use_cached(struct fetch *fetch, struct error *err)
{
    return fetch->options->is_dry_run ? 0 : add_hashes(fetch, err);
}

static int fetch_offline(struct fetch *fetch, struct error *err)
{
    if (find_cached(fetch))
        return use_cached(fetch, err);
    return error_set(err, ERROR_NETWORK, "it is not in the cache '%s', or not all of it, and "
                     "HF_HUB_OFFLINE forbids to ask the Hub", fetch->cache.root);
}

static int fetch_online(struct fetch *fetch, struct notices *notices, struct error *err)
{
    struct hub_snapshot *snapshot = fetch->snapshot;
    struct error why = {0};
    bool is_cached = find_cached(fetch);
    struct hub_snapshot cached = *snapshot;

    snapshot->listing = (struct hub_listing){0};
    if (hub_http_init(&fetch->http, &fetch->settings, err)) {
        hub_listing_release(&cached.listing);
        return -1;
    }
    fetch->http.n_tries = is_cached ? 2 : HUB_TRIES;
    if (look(fetch, &why) == 0) {
        hub_listing_release(&cached.listing);
        fetch->http.n_tries = HUB_TRIES;
        return fetch_files(fetch, err);
    }
    if (is_cached && fetch->is_away && why.code == ERROR_NETWORK) {
        *snapshot = cached;
        hub_settings_hide_token(&fetch->settings, &why);
        notices_add(notices, "'%s' is used as it is in the cache: %s", fetch->id->repository,
                    why.text);
        return use_cached(fetch, err);
    }
    hub_listing_release(&cached.listing);
    *err = why;
    return -1;
}

int hub_fetch(struct hub_snapshot *snapshot, const struct hub_id *id,
              const struct hub_fetch_options *options, struct notices *notices,
              struct error *err)
{
    struct fetch fetch = {.id = id, .options = options, .snapshot = snapshot};
    int rc;

    *snapshot = (struct hub_snapshot){0};
    if (hub_settings_load(&fetch.settings, err))
        return -1;
    hub_cache_init(&fetch.cache, &fetch.settings, id->repository);
    rc = fetch.settings.is_offline ? fetch_offline(&fetch, err)
                                   : fetch_online(&fetch, notices, err);
    if (rc == 0)
        snapshot->path = hub_cache_snapshot_path(&fetch.cache, snapshot->commit);
    else
        hub_snapshot_release(snapshot);
    hub_settings_hide_token(&fetch.settings, err);
    hub_http_release(&fetch.http);
    hub_cache_release(&fetch.cache);
    hub_settings_release(&fetch.settings);
    return rc;
}

void hub_snapshot_release(struct hub_snapshot *snapshot)
{
    free(snapshot->path);
    hub_listing_release(&snapshot->listing);
    *snapshot = (struct hub_snapshot){0};
}
