#include "hub_fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/memory.h"
#include "base/model_files.h"
#include "hub/hub_cache.h"
#include "hub/hub_download.h"
#include "hub/hub_http.h"
#include "hub/hub_settings.h"

enum { NAMES_SHOWN = 5 };
static const size_t index_bytes_max = 100 * 1000 * 1000;

struct fetch {
    const struct hub_id *id;
    const struct hub_fetch_options *options;
    struct hub_settings settings;
    struct hub_cache cache;
    struct hub_http http;
    struct hub_snapshot *snapshot;
    struct hub_failure failure; /* why the Hub did not say what there is */
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

/* The first file that is used and not in the snapshot; NULL when all are. */
static const struct hub_file *find_lacking(const struct fetch *fetch,
                                           const struct hub_listing *listing)
{
    for (size_t i = 0; i < listing->n_files; i++)
        if (listing->files[i].use &&
            !hub_cache_has_file(&fetch->cache, fetch->snapshot->commit, &listing->files[i]))
            return &listing->files[i];
    return NULL;
}

/* ---- what the cache lacks ---- */

/* "; it has main, v1.0" */
static void add_refs(const struct fetch *fetch, struct buffer *out)
{
    struct error ignored = {0};
    struct folder *folder = folder_open(fetch->cache.repository, false, &ignored);
    char **names = NULL;
    size_t n_names = 0;

    if (folder && folder_list(folder, "refs", &names, &n_names, &ignored) == 0)
        for (size_t i = 0; i < n_names && i < NAMES_SHOWN; i++)
            buffer_format(out, "%s" ERROR_NAME, i ? ", " : "; it has ", names[i]);
    folder_names_free(names, n_names);
    folder_close(folder);
}

static void lacks_revision(const struct fetch *fetch, struct error *lack)
{
    struct buffer refs = {0};

    buffer_add_text(&refs, "");
    add_refs(fetch, &refs);
    if (!hub_cache_has_repository(&fetch->cache))
        error_set(lack, ERROR_NETWORK, "the cache '%s' has nothing of it", fetch->cache.root);
    else
        error_set(lack, ERROR_NETWORK, "the cache '%s' lacks its revision '%s'%s",
                  fetch->cache.root, fetch->id->revision, refs.data);
    buffer_release(&refs);
}

static void lacks_file(const struct fetch *fetch, const char *path, struct error *lack)
{
    error_set(lack, ERROR_NETWORK, "the cache '%s' lacks '" ERROR_NAME "' of its commit %s",
              fetch->cache.root, path, fetch->snapshot->commit);
}

/* Of a snapshot whose weights are not there at all: a link to nothing tells their name. */
static void lacks_weights(const struct fetch *fetch, struct error *lack)
{
    for (size_t i = 0; i < MODEL_WEIGHTS_NAMES; i++)
        if (hub_cache_has_pointer(&fetch->cache, fetch->snapshot->commit,
                                  model_weights_names[i].name)) {
            lacks_file(fetch, model_weights_names[i].name, lack);
            return;
        }
    error_set(lack, ERROR_NETWORK, "the cache '%s' lacks the weights (model.safetensors, say) of "
              "its commit %s", fetch->cache.root, fetch->snapshot->commit);
}

/* Whether the snapshot that the revision led to last has what is needed: by the list of all files,
 * where huggingface_hub has left one, or else as far as the files themselves tell. Weights are
 * linked last, so that where we put them nothing else is missing. */
static bool find_cached(struct fetch *fetch, struct error *lack)
{
    struct hub_snapshot *snapshot = fetch->snapshot;
    struct hub_listing *listing = &snapshot->listing;
    struct hub_wish wish = wish_of(fetch, read_cached);
    struct error why = {0};
    const struct hub_file *lacking;
    bool is_tree, needs_both;

    if (hub_id_is_commit(fetch->id->revision))
        memcpy(snapshot->commit, fetch->id->revision, HUB_COMMIT_SIZE);
    else if (!hub_cache_find_ref(&fetch->cache, fetch->id->revision, snapshot->commit)) {
        lacks_revision(fetch, lack);
        return false;
    }
    is_tree = hub_cache_find_tree(&fetch->cache, snapshot->commit, listing);
    if (!is_tree && hub_cache_list(&fetch->cache, snapshot->commit, listing, &why)) {
        lacks_revision(fetch, lack);
        return false;
    }
    needs_both = !is_tree && !wish.n_patterns && wish.need != HUB_NEED_TEXTS;
    if (hub_choose(listing, &wish, &why))
        error_set(lack, ERROR_NETWORK, "the cache '%s' has not all of its commit %s: %s",
                  fetch->cache.root, snapshot->commit, why.text);
    else if ((lacking = find_lacking(fetch, listing)))
        lacks_file(fetch, lacking->path, lack);
    else if (!hub_choose_has(listing, HUB_TEXT) &&
             (needs_both || !hub_choose_has(listing, HUB_WEIGHTS)))
        lacks_file(fetch, "config.json", lack);
    else if (!hub_choose_has(listing, HUB_WEIGHTS) && needs_both)
        lacks_weights(fetch, lack);
    if (lack->code)
        hub_listing_release(listing);
    return lack->code == ERROR_NONE;
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
                                 &fetch->failure, err))
        return -1;
    return hub_listing_read(&snapshot->listing, &fetch->http, repository, snapshot->commit,
                            &fetch->failure, err);
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
    had_all = find_lacking(fetch, &snapshot->listing) == NULL;
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
    struct error lack = {0};

    if (find_cached(fetch, &lack))
        return use_cached(fetch, err);
    return error_set(err, ERROR_NETWORK, "%s, and %s forbids to ask the Hub; without it 'cocktail "
                     "pull' fetches what is missing", lack.text, fetch->settings.offline_name);
}

/* The Hub has said `why`, or nothing; and the cache lacks something, or nothing. */
static int blame(const struct fetch *fetch, const struct error *why, const struct error *lack,
                 struct error *err)
{
    if (why->code != ERROR_NETWORK)
        *err = *why;
    else if (fetch->failure.is_unknown && !strchr(fetch->id->repository, '/'))
        error_set(err, ERROR_USAGE, "%s; " HUB_ID_FORM, why->text);
    else if (fetch->failure.is_away && lack->code)
        error_set(err, ERROR_NETWORK, "%s; and %s", why->text, lack->text);
    else
        *err = *why;
    return -1;
}

static int fetch_online(struct fetch *fetch, struct notices *notices, struct error *err)
{
    struct hub_snapshot *snapshot = fetch->snapshot;
    struct error why = {0}, lack = {0};
    bool is_cached = find_cached(fetch, &lack);
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
    if (is_cached && fetch->failure.is_away && why.code == ERROR_NETWORK) {
        *snapshot = cached;
        hub_settings_hide_token(&fetch->settings, &why);
        notices_add(notices, "'%s' is used as it is in the cache: %s", fetch->id->repository,
                    why.text);
        return use_cached(fetch, err);
    }
    hub_listing_release(&cached.listing);
    return blame(fetch, &why, &lack, err);
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

int hub_fetch_look(const struct hub_id *id, bool *is_cached, struct error *err)
{
    struct hub_settings settings;
    struct hub_cache cache;

    if (hub_settings_load(&settings, err))
        return -1;
    hub_cache_init(&cache, &settings, id->repository);
    *is_cached = hub_cache_has_repository(&cache);
    hub_cache_release(&cache);
    hub_settings_release(&settings);
    return 0;
}

void hub_snapshot_release(struct hub_snapshot *snapshot)
{
    free(snapshot->path);
    hub_listing_release(&snapshot->listing);
    *snapshot = (struct hub_snapshot){0};
}
