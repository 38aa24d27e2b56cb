#include "hub_listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/memory.h"
#include "hub/hub_http.h"
#include "hub/hub_id.h"
#include "hub/hub_url.h"

enum { PAGES_MAX = 1000, PATH_BYTES_MAX = 1024, NAME_BYTES_MAX = 255 };
static const size_t answer_bytes_max = 32 * 1000 * 1000;
static const size_t files_max = 1000 * 1000;

/* ---- names ---- */

/* No "." or "..", and no drive: joined to a folder, "C:x" leaves it where there are drives. */
static bool is_plain_name(const char *name, size_t length)
{
    return length > 0 && length <= NAME_BYTES_MAX && !(length == 1 && name[0] == '.') &&
           !(length == 2 && name[0] == '.' && name[1] == '.') &&
           !(length > 1 && name[1] == ':');
}

int hub_listing_check_path(const char *path, size_t length, struct error *err)
{
    bool is_good = length > 0 && length <= PATH_BYTES_MAX && !memchr(path, '\\', length);

    for (size_t i = 0; is_good && i < length; i++)
        is_good = (unsigned char)path[i] >= ' ' && path[i] != '\x7f';
    for (size_t start = 0; is_good && start <= length;) {
        const char *slash = memchr(path + start, '/', length - start);
        size_t end = slash ? (size_t)(slash - path) : length;

        is_good = is_plain_name(path + start, end - start);
        start = end + 1;
    }
    return is_good ? 0
                   : error_set(err, ERROR_FORMAT, "the repository has a file named '%.*s', which "
                               "is refused: it could lead out of the cache",
                               (int)(length < 160 ? length : 160), path);
}

/* ---- files ---- */

static bool is_digest(const char *text, size_t length)
{
    return (length == 40 || length == 64) && strspn(text, "0123456789abcdef") == length;
}

void hub_listing_add(struct hub_listing *listing, const struct hub_file *file)
{
    size_t n = listing->n_files;

    if ((n & (n - 1)) == 0) /* doubles at powers of two */
        listing->files = memory_resize(listing->files, n ? 2 * n : 1, sizeof *listing->files);
    listing->files[listing->n_files++] = *file;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct hub_file *)a)->path, ((const struct hub_file *)b)->path);
}

/* No name twice, none that is also a folder. */
int hub_listing_finish(struct hub_listing *listing, struct error *err)
{
    struct hash_map paths = {0};
    int rc = 0;

    if (listing->n_files)
        qsort(listing->files, listing->n_files, sizeof *listing->files, compare_files);
    for (size_t i = 0; rc == 0 && i < listing->n_files; i++) {
        const char *path = listing->files[i].path;

        if (hash_map_add(&paths, path, strlen(path), i) != i)
            rc = error_set(err, ERROR_FORMAT, "the repository lists '" ERROR_NAME "' twice", path);
    }
    for (size_t i = 0; rc == 0 && i < listing->n_files; i++) {
        const char *path = listing->files[i].path;

        for (const char *c = strchr(path, '/'); c; c = strchr(c + 1, '/'))
            if (hash_map_find(&paths, path, (size_t)(c - path)))
                rc = error_set(err, ERROR_FORMAT, "the repository lists '" ERROR_NAME "' in a "
                               "file", path);
    }
    hash_map_release(&paths);
    return rc;
}

struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *path)
{
    struct hub_file key = {.path = (char *)path};

    return listing->n_files ? bsearch(&key, listing->files, listing->n_files,
                                      sizeof *listing->files, compare_files)
                            : NULL;
}

bool hub_file_is_git(const struct hub_file *file)
{
    return strlen(file->blob) == 40;
}

void hub_file_begin_git(const struct hub_file *file, struct digest *digest)
{
    char *head = memory_format("blob %zu", file->size_bytes);

    digest_init(digest, DIGEST_SHA1);
    digest_add(digest, head, strlen(head) + 1); /* with its NUL */
    free(head);
}

bool hub_file_holds(const struct hub_file *file, const void *bytes, size_t n)
{
    char hex[DIGEST_HEX_MAX];
    struct digest digest;

    if (hub_file_is_git(file))
        hub_file_begin_git(file, &digest);
    else
        digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, bytes, n);
    digest_hex(&digest, hex);
    return n == file->size_bytes && strcmp(hex, file->blob) == 0;
}

void hub_listing_release(struct hub_listing *listing)
{
    for (size_t i = 0; i < listing->n_files; i++)
        free(listing->files[i].path);
    free(listing->files);
    *listing = (struct hub_listing){0};
}

/* ---- entries ---- */

struct entry { /* as it is read; digests as far as they are there */
    struct buffer path;
    char git[DIGEST_HEX_MAX], lfs[DIGEST_HEX_MAX];
    size_t size_bytes, lfs_bytes;
    bool is_file, has_path, has_size, has_lfs_size;
    struct error *hostile; /* set for a path that is refused */
};

static int read_digest(struct json_reader *reader, char out[DIGEST_HEX_MAX], struct error *err)
{
    struct json_text text;

    if (json_reader_string(reader, &text, err))
        return -1;
    if (!is_digest(text.bytes, text.length))
        return error_set(err, ERROR_FORMAT, "'" ERROR_NAME "' where a hash belongs",
                         text.bytes);
    memcpy(out, text.bytes, text.length + 1);
    return 0;
}

static void set_path(struct entry *entry, struct json_text path)
{
    hub_listing_check_path(path.bytes, path.length, entry->hostile);
    buffer_clear(&entry->path);
    buffer_add(&entry->path, path.bytes, path.length);
    entry->has_path = true;
}

static int read_path(struct json_reader *reader, struct entry *entry, struct error *err)
{
    struct json_text text;

    if (json_reader_string(reader, &text, err))
        return -1;
    set_path(entry, text);
    return 0;
}

/* {"oid": sha256, "size": …}, or null */
static int read_lfs(struct json_reader *reader, struct entry *entry, struct error *err)
{
    struct json_text key;
    int more;

    if (json_reader_peek(reader) != JSON_OBJECT)
        return json_reader_skip(reader, err);
    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        bool is_oid = json_text_is(key, "oid"), is_size = json_text_is(key, "size");

        entry->has_lfs_size |= is_size;
        if (is_oid ? read_digest(reader, entry->lfs, err)
            : is_size ? json_reader_size(reader, &entry->lfs_bytes, err)
                      : json_reader_skip(reader, err))
            return -1;
    }
    return more;
}

static int add_entry(struct hub_listing *listing, struct entry *entry, struct error *err)
{
    struct hub_file file = {.size_bytes = entry->size_bytes};

    if (!entry->is_file)
        return 0;
    if (!entry->has_path || !entry->has_size || (!entry->git[0] && !entry->lfs[0]))
        return error_set(err, ERROR_FORMAT, "a file without its path, size or hash");
    if (entry->lfs[0] && strlen(entry->lfs) != 64)
        return error_set(err, ERROR_FORMAT, "'" ERROR_NAME "' without its SHA-256",
                         entry->path.data);
    if (listing->n_files == files_max)
        return error_set(err, ERROR_FORMAT, "more than %zu files", files_max);
    if (entry->has_lfs_size)
        file.size_bytes = entry->lfs_bytes;
    if (entry->lfs[0]) {
        memcpy(file.sha256, entry->lfs, sizeof file.sha256);
        memcpy(file.blob, entry->lfs, sizeof file.blob);
    } else {
        memcpy(file.blob, entry->git, sizeof file.blob);
    }
    file.path = memory_copy(entry->path.data);
    hub_listing_add(listing, &file);
    return 0;
}

/* One object of a page: {"type", "path", "size", "oid", "lfs"}. */
static int read_entry(struct json_reader *reader, struct entry *entry, struct error *err)
{
    struct json_text key, text;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        int rc;

        if (json_text_is(key, "type")) {
            rc = json_reader_string(reader, &text, err);
            entry->is_file = rc == 0 && json_text_is(text, "file");
        } else if (json_text_is(key, "path")) {
            rc = read_path(reader, entry, err);
        } else if (json_text_is(key, "size")) {
            rc = json_reader_size(reader, &entry->size_bytes, err);
            entry->has_size = true;
        } else if (json_text_is(key, "oid")) {
            rc = read_digest(reader, entry->git, err);
        } else if (json_text_is(key, "lfs")) {
            rc = read_lfs(reader, entry, err);
        } else {
            rc = json_reader_skip(reader, err);
        }
        if (rc)
            return -1;
    }
    return more;
}

/* The text is JSON; when it says something else than it should, the Hub is to blame. */
static int blame_hub(const struct error *why, struct error *err)
{
    return error_set(err, ERROR_NETWORK, "the Hub answers with other JSON than expected: %s",
                     why->text);
}

static int read_page(struct hub_listing *listing, const struct buffer *body, struct error *err)
{
    struct json_reader reader;
    struct error hostile = {0}, why = {0};
    struct entry entry = {0};
    int more = -1;

    json_reader_init(&reader, body->data, body->size);
    if (json_reader_array(&reader, &why) == 0)
        while ((more = json_reader_item(&reader, &why)) > 0) {
            entry = (struct entry){.path = entry.path, .hostile = &hostile};
            if (read_entry(&reader, &entry, &why) || add_entry(listing, &entry, &why)) {
                more = -1;
                break;
            }
        }
    buffer_release(&entry.path);
    json_reader_release(&reader);
    if (more)
        return blame_hub(&why, err);
    *err = hostile;
    return hostile.code ? -1 : 0;
}

/* ---- the Hub ---- */

static int find_sha(const struct buffer *body, char commit[HUB_COMMIT_SIZE], struct error *err)
{
    struct json_reader reader;
    struct json_text key, text;
    int more = -1;

    commit[0] = '\0';
    json_reader_init(&reader, body->data, body->size);
    if (json_reader_object(&reader, err) == 0)
        while ((more = json_reader_member(&reader, &key, err)) > 0) {
            bool is_sha = json_text_is(key, "sha");

            if (is_sha ? json_reader_string(&reader, &text, err) : json_reader_skip(&reader, err)) {
                more = -1;
                break;
            }
            if (is_sha && text.length == HUB_COMMIT_SIZE - 1 && hub_id_is_commit(text.bytes))
                memcpy(commit, text.bytes, HUB_COMMIT_SIZE);
        }
    json_reader_release(&reader);
    if (more == 0 && !commit[0])
        return error_set(err, ERROR_FORMAT, "no commit in it");
    return more;
}

int hub_listing_resolve(struct hub_http *http, const char *repository, const char *revision,
                        char commit[HUB_COMMIT_SIZE], struct hub_failure *failure,
                        struct error *err)
{
    char *encoded = hub_url_encode(revision, false);
    char *url = memory_format("%s/api/models/%s/revision/%s", http->settings->endpoint, repository,
                              encoded);
    struct hub_reading reading = {.url = url, .content = HUB_JSON, .limit = answer_bytes_max};
    struct error why = {0};
    int rc = hub_http_read(http, &reading, err);

    *failure = reading.failure;
    if (rc == 0 && find_sha(&reading.body, commit, &why))
        rc = blame_hub(&why, err);
    buffer_release(&reading.body);
    free(reading.next);
    free(url);
    free(encoded);
    return rc;
}

/* One page. *next becomes the URL of the one behind it, or NULL. */
static int read_page_of(struct hub_listing *listing, struct hub_http *http, const char *url,
                        char **next, struct hub_failure *failure, struct error *err)
{
    struct hub_reading reading = {.url = url, .content = HUB_JSON, .limit = answer_bytes_max};
    int rc = hub_http_read(http, &reading, err);

    *failure = reading.failure;
    *next = reading.next;
    if (rc == 0)
        rc = read_page(listing, &reading.body, err);
    if (rc == 0 && *next)
        rc = hub_http_check_redirect(http, *next, err);
    buffer_release(&reading.body);
    return rc;
}

/* A page that leads to one that was read would go on forever. */
static int check_next(char *const *urls, size_t n_urls, const char *next, struct error *err)
{
    if (n_urls == PAGES_MAX)
        return error_set(err, ERROR_NETWORK, "the list of files has more than %d pages", PAGES_MAX);
    for (size_t i = 0; i < n_urls; i++)
        if (strcmp(urls[i], next) == 0)
            return error_set(err, ERROR_NETWORK, "the pages of the list of files lead in a circle");
    return 0;
}

int hub_listing_read(struct hub_listing *listing, struct hub_http *http, const char *repository,
                     const char *commit, struct hub_failure *failure, struct error *err)
{
    char **urls = memory_zalloc(PAGES_MAX, sizeof *urls);
    char *next = memory_format("%s/api/models/%s/tree/%s?recursive=true&expand=false",
                               http->settings->endpoint, repository, commit);
    size_t n_urls = 0;
    int rc = 0;

    while (rc == 0 && next) {
        rc = check_next(urls, n_urls, next, err);
        if (rc)
            break;
        urls[n_urls++] = next;
        rc = read_page_of(listing, http, urls[n_urls - 1], &next, failure, err);
    }
    free(next);
    for (size_t i = 0; i < n_urls; i++)
        free(urls[i]);
    free(urls);
    if (rc == 0)
        rc = hub_listing_finish(listing, err);
    if (rc)
        hub_listing_release(listing);
    return rc;
}

/* ---- trees/COMMIT.json ---- */

/* {"size", "blob_id", "lfs_sha256", "lfs_size"} */
static int read_tree_entry(struct json_reader *reader, struct entry *entry, struct error *err)
{
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        bool is_null = json_reader_peek(reader) == JSON_NULL;
        int rc;

        if (json_text_is(key, "size")) {
            rc = json_reader_size(reader, &entry->size_bytes, err);
            entry->has_size = true;
        } else if (json_text_is(key, "blob_id")) {
            rc = read_digest(reader, entry->git, err);
        } else if (json_text_is(key, "lfs_sha256") && !is_null) {
            rc = read_digest(reader, entry->lfs, err);
        } else if (json_text_is(key, "lfs_size") && !is_null) {
            rc = json_reader_size(reader, &entry->lfs_bytes, err);
            entry->has_lfs_size = true;
        } else {
            rc = json_reader_skip(reader, err);
        }
        if (rc)
            return -1;
    }
    return more;
}

static int read_tree_files(struct hub_listing *listing, struct json_reader *reader,
                           struct error *err)
{
    struct entry entry = {0};
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        entry = (struct entry){.path = entry.path, .is_file = true, .hostile = err};
        set_path(&entry, key);
        if (err->code || read_tree_entry(reader, &entry, err) ||
            add_entry(listing, &entry, err)) {
            more = -1;
            break;
        }
    }
    buffer_release(&entry.path);
    return more;
}

int hub_listing_parse_tree(struct hub_listing *listing, const char *text, size_t size,
                           struct error *err)
{
    struct json_reader reader;
    struct json_text key;
    size_t version = 0;
    int more;

    json_reader_init(&reader, text, size);
    more = json_reader_object(&reader, err) ? -1 : 1;
    while (more > 0 && (more = json_reader_member(&reader, &key, err)) > 0)
        if (json_text_is(key, "format_version") ? json_reader_size(&reader, &version, err)
            : json_text_is(key, "files")        ? read_tree_files(listing, &reader, err)
                                                : json_reader_skip(&reader, err))
            more = -1;
    if (more == 0 && version != 1)
        more = error_set(err, ERROR_FORMAT, "format_version is not 1");
    if (more == 0)
        more = hub_listing_finish(listing, err);
    json_reader_release(&reader);
    if (more)
        hub_listing_release(listing);
    return more;
}
