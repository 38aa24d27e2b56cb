/* hub_download.c - files of a repository into the cache, several at a time.
 *
 * Each transfer goes through the states below, driven by one loop: nothing blocks, so that a signal
 * is answered at once and one slow file does not hold up another. Its lock is held from before the
 * first byte until the blob has its name, and waited for without holding another. */
#include "hub_download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/outdir.h"
#include "hub/hub_url.h"

enum { TRANSFERS_MAX = 8, SLICE_BYTES = 1 << 20, SLICES = 8 };
/* A try that has brought this much, or a 16th of the file, has shown that trying again helps. */
static const size_t helpful_bytes = 1000 * 1000;
static const double lock_wait_s = 0.1;

enum state {
    LOCKING, /* another process may be fetching it */
    HASHING, /* what an earlier run has left */
    WAITING, /* to ask, at not_before_s */
    ASKING,  /* HEAD: where is it? */
    TAKING,  /* GET */
    DONE,
};

struct transfer {
    struct hub_file *file;
    enum state state;
    int lock, fd;               /* -1: none */
    size_t offset;              /* bytes in the file, all of them hashed */
    size_t counted;             /* of them in the progress */
    size_t start;               /* the furthest offset before this try */
    struct digest sha256, git;  /* git: of small files, which it names so */
    struct hub_request request;
    unsigned n_redirects, n_failed, n_wrong;
    bool has_checked;           /* the headers of the answer that comes in */
    double not_before_s;
    struct downloads *downloads;
};

struct downloads {
    struct hub_http *http;
    const struct hub_cache *cache;
    const char *repository, *commit;
    struct progress *progress;
    struct transfer *transfers;
    size_t n_transfers;
};

char *hub_download_url(const struct hub_http *http, const char *repository, const char *commit,
                       const struct hub_file *file)
{
    char *path = hub_url_encode(file->path, true);
    char *url = memory_format("%s/%s/resolve/%s/%s", http->settings->endpoint, repository, commit,
                              path);

    free(path);
    return url;
}

/* ---- the file ---- */

static void count(struct transfer *transfer)
{
    struct progress *progress = transfer->downloads->progress;

    if (progress)
        atomic_fetch_add(&progress->done_bytes, transfer->offset - transfer->counted);
    transfer->counted = transfer->offset;
}

static void begin_hashes(struct transfer *transfer)
{
    digest_init(&transfer->sha256, DIGEST_SHA256);
    hub_file_begin_git(transfer->file, &transfer->git);
    transfer->offset = 0;
    count(transfer);
}

static void add_bytes(struct transfer *transfer, const void *bytes, size_t n)
{
    digest_add(&transfer->sha256, bytes, n);
    if (hub_file_is_git(transfer->file))
        digest_add(&transfer->git, bytes, n);
    transfer->offset += n;
    count(transfer);
}

static int start_over(struct transfer *transfer, struct error *err)
{
    if (ftruncate(transfer->fd, 0))
        return error_errno(err, "cannot empty '%s.incomplete'", transfer->file->blob);
    begin_hashes(transfer);
    return 0;
}

static int open_file(struct transfer *transfer, struct error *err)
{
    char *path = hub_cache_incomplete_path(transfer->downloads->cache, transfer->file);
    struct stat info;
    int rc = 0;

    transfer->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (transfer->fd < 0 || fstat(transfer->fd, &info))
        rc = error_errno(err, "cannot create '%s'", path);
    else if (!S_ISREG(info.st_mode))
        rc = error_set(err, ERROR_IO, "'%s': is not a regular file", path);
    free(path);
    if (rc)
        return -1;
    begin_hashes(transfer);
    return (size_t)info.st_size > transfer->file->size_bytes ? start_over(transfer, err) : 0;
}

/* A part of what was there; 1 when all of it is hashed. */
static int hash_slices(struct transfer *transfer, struct error *err)
{
    char *bytes = memory_alloc(SLICE_BYTES);
    int rc = 0;

    for (int i = 0; rc == 0 && i < SLICES; i++) {
        ssize_t got = pread(transfer->fd, bytes, SLICE_BYTES, (off_t)transfer->offset);

        if (got < 0 && errno != EINTR)
            rc = error_errno(err, "cannot read '%s.incomplete'", transfer->file->blob);
        else if (got == 0)
            rc = 1;
        else if (got > 0)
            add_bytes(transfer, bytes, (size_t)got);
    }
    free(bytes);
    return rc;
}

/* ---- the end of a transfer ---- */

static void drop_file(struct transfer *transfer)
{
    char *path = hub_cache_incomplete_path(transfer->downloads->cache, transfer->file);

    unlink(path);
    free(path);
}

/* What has come stays for the next run. */
static void close_files(struct transfer *transfer)
{
    if (transfer->fd >= 0 && transfer->state != DONE && transfer->offset == 0)
        drop_file(transfer);
    if (transfer->fd >= 0)
        close(transfer->fd);
    if (transfer->lock >= 0)
        close(transfer->lock);
    transfer->fd = transfer->lock = -1;
}

/* The blob is there: by us or by another process. */
static void end(struct transfer *transfer)
{
    transfer->offset = transfer->file->size_bytes;
    count(transfer);
    transfer->state = DONE;
    close_files(transfer);
}

static int put_in_place(struct transfer *transfer, struct error *err)
{
    const struct hub_cache *cache = transfer->downloads->cache;
    char *from = hub_cache_incomplete_path(cache, transfer->file);
    char *to = hub_cache_blob_path(cache, transfer->file);
    int rc = 0;

    if (fsync(transfer->fd))
        rc = error_errno(err, "cannot flush '%s'", from);
    else if (rename(from, to))
        rc = error_errno(err, "cannot create '%s'", to);
    free(to);
    free(from);
    return rc;
}

/* All bytes are there: the blob gets its name when they are the right ones. Otherwise everything is
 * fetched once more, because a part of it may be of another day. */
static int verify(struct transfer *transfer, struct error *err)
{
    struct hub_file *file = transfer->file;
    char sha256[DIGEST_HEX_MAX], git[DIGEST_HEX_MAX];
    const char *found = hub_file_is_git(file) ? git : sha256;

    digest_hex(&transfer->sha256, sha256);
    digest_hex(&transfer->git, git);
    if (strcmp(found, file->blob) == 0) {
        if (put_in_place(transfer, err))
            return -1;
        memcpy(file->sha256, sha256, sizeof sha256);
        end(transfer);
        return 0;
    }
    if (++transfer->n_wrong == 2) {
        transfer->offset = 0; /* nothing of it is worth keeping */
        return error_set(err, ERROR_NETWORK, "'" ERROR_NAME "': the content has the hash %s, not "
                         "%s, and so it had when it was fetched again", file->path, found,
                         file->blob);
    }
    transfer->state = WAITING;
    return start_over(transfer, err);
}

/* ---- questions and answers ---- */

static bool has_got_on(const struct transfer *transfer)
{
    size_t part = transfer->file->size_bytes / 16 + 1;

    return transfer->offset >= transfer->start + (part < helpful_bytes ? part : helpful_bytes);
}

static int give_up(const struct transfer *transfer, const struct error *why, struct error *err)
{
    *err = *why;
    return error_context(err, "'" ERROR_NAME "'", transfer->file->path);
}

/* Tries again later, or gives up with `why`. */
static int fail(struct transfer *transfer, enum hub_verdict verdict,
                const struct hub_failure *failure, const struct error *why, struct error *err)
{
    if (has_got_on(transfer))
        transfer->n_failed = 0;
    if (verdict == HUB_FAILED || ++transfer->n_failed == HUB_TRIES)
        return give_up(transfer, why, err);
    transfer->state = WAITING;
    transfer->not_before_s = clock_now_s() + hub_http_backoff_s(transfer->n_failed, failure);
    return 0;
}

/* As fail, for what the verdict on the answer does not know. */
static int fail_again(struct transfer *transfer, const struct error *why, struct error *err)
{
    return fail(transfer, HUB_AGAIN, &(struct hub_failure){0}, why, err);
}

static int start_request(struct transfer *transfer, struct error *err)
{
    return hub_request_start(&transfer->request, transfer->downloads->http, err);
}

static int ask(struct transfer *transfer, struct error *err)
{
    struct downloads *downloads = transfer->downloads;

    hub_request_release(&transfer->request);
    transfer->request = (struct hub_request){
        .url = hub_download_url(downloads->http, downloads->repository, downloads->commit,
                                transfer->file),
        .is_head = true,
        .timeout_s = downloads->http->settings->etag_timeout_s,
    };
    transfer->n_redirects = 0;
    if (transfer->start < transfer->offset)
        transfer->start = transfer->offset;
    transfer->state = ASKING;
    return start_request(transfer, err);
}

static int check_range(const struct transfer *transfer, const struct hub_answer *answer,
                       struct error *err)
{
    size_t size = transfer->file->size_bytes;

    if (answer->status == 200)
        return 0;
    if (answer->status != 206 || !answer->has_range ||
        answer->range_first != transfer->request.first || answer->range_total != size)
        return error_set(err, ERROR_NETWORK, "asked for the bytes from %zu to %zu, the server "
                         "sends others", transfer->request.first, size);
    return 0;
}

/* Before the first byte of an answer of 2xx is taken. */
static int check_headers(struct transfer *transfer, struct error *err)
{
    const struct hub_answer *answer = &transfer->request.answer;
    size_t size = transfer->file->size_bytes;

    transfer->has_checked = true;
    if (answer->is_encoded)
        return error_set(err, ERROR_NETWORK, "the server sends a compressed answer that was not "
                         "asked for");
    if (check_range(transfer, answer, err)) {
        struct error why = *err;

        *err = (struct error){0};
        if (start_over(transfer, err) == 0)
            *err = why;
        return -1;
    }
    if (answer->status == 200 && transfer->offset && start_over(transfer, err))
        return -1;
    if (answer->has_length && answer->length != size - transfer->offset)
        return error_set(err, ERROR_NETWORK, "the server announces %zu bytes, %zu are missing",
                         answer->length, size - transfer->offset);
    return 0;
}

static int take(void *context, const void *bytes, size_t n, struct error *err)
{
    struct transfer *transfer = context;
    const struct hub_file *file = transfer->file;

    if (!transfer->has_checked && check_headers(transfer, err))
        return -1;
    if (n > file->size_bytes - transfer->offset) {
        if (start_over(transfer, err) == 0)
            error_set(err, ERROR_NETWORK, "the server sends more than its %zu bytes",
                      file->size_bytes);
        return -1;
    }
    if (outdir_write_at(transfer->fd, transfer->offset, bytes, n, file->path, err))
        return -1;
    add_bytes(transfer, bytes, n);
    return 0;
}

/* GET. `url` may be the answer's. */
static int fetch(struct transfer *transfer, const char *url, struct error *err)
{
    char *copy = memory_copy(url);

    hub_request_release(&transfer->request);
    transfer->request = (struct hub_request){
        .url = copy,
        .first = transfer->offset,
        .timeout_s = transfer->downloads->http->settings->download_timeout_s,
        .take = take,
        .context = transfer,
    };
    transfer->has_checked = false;
    transfer->state = TAKING;
    return start_request(transfer, err);
}

/* The answer to HEAD names the content that the listing has promised. */
static int check_promise(const struct transfer *transfer, const struct hub_answer *answer,
                         struct error *err)
{
    const struct hub_file *file = transfer->file;
    size_t size_bytes;

    if (!answer->commit || !answer->etag || !hub_answer_size(answer, &size_bytes))
        return error_set(err, ERROR_NETWORK, "the answer lacks the commit, the hash or the size: "
                         "not from the Hub, but a proxy or a login page?");
    if (strcmp(answer->commit, transfer->downloads->commit) != 0)
        return error_set(err, ERROR_NETWORK, "the Hub answers for commit '" ERROR_NAME "', not %s",
                         answer->commit, transfer->downloads->commit);
    if (strcmp(answer->etag, file->blob) != 0)
        return error_set(err, ERROR_NETWORK, "the Hub says that its hash is '" ERROR_NAME "', and "
                         "%s in the list of files", answer->etag, file->blob);
    if (size_bytes != file->size_bytes)
        return error_set(err, ERROR_NETWORK, "the Hub says that it has %zu bytes, and %zu in the "
                         "list of files", size_bytes, file->size_bytes);
    return 0;
}

/* A redirect is followed as long as it stays with the Hub; elsewhere lies the content. */
static int take_answer(struct transfer *transfer, struct error *err)
{
    struct downloads *downloads = transfer->downloads;
    struct hub_request *request = &transfer->request;
    const char *location = request->answer.location;
    struct error why = {0};
    bool stays = location && hub_http_is_endpoint(downloads->http, location);

    if (location && hub_http_check_redirect(downloads->http, location, &why))
        return give_up(transfer, &why, err);
    if (stays && transfer->n_redirects++ == HUB_REDIRECTS) {
        error_set(&why, ERROR_NETWORK, "the Hub redirects more than %d times", HUB_REDIRECTS);
        return give_up(transfer, &why, err);
    }
    if (stays) {
        free(request->url);
        request->url = memory_copy(location);
        return start_request(transfer, err);
    }
    if (check_promise(transfer, &request->answer, &why))
        return fail_again(transfer, &why, err);
    transfer->n_redirects = 0;
    return fetch(transfer, location ? location : request->url, err);
}

static int follow(struct transfer *transfer, struct error *err)
{
    const char *location = transfer->request.answer.location;
    struct error why = {0};

    if (hub_http_check_redirect(transfer->downloads->http, location, &why))
        return give_up(transfer, &why, err);
    if (transfer->n_redirects++ < HUB_REDIRECTS)
        return fetch(transfer, location, err);
    error_set(&why, ERROR_NETWORK, "the server redirects more than %d times", HUB_REDIRECTS);
    return give_up(transfer, &why, err);
}

/* The content has come, more or less. */
static int take_content(struct transfer *transfer, struct error *err)
{
    struct error why = {0};

    if (transfer->request.answer.location)
        return follow(transfer, err);
    /* An answer without a body has not been looked at yet. */
    if (!transfer->has_checked && check_headers(transfer, &why)) {
        if (why.code != ERROR_NETWORK)
            return give_up(transfer, &why, err);
        return fail_again(transfer, &why, err);
    }
    if (transfer->offset == transfer->file->size_bytes)
        return verify(transfer, err);
    error_set(&why, ERROR_NETWORK, "the server has sent %zu of %zu bytes", transfer->offset,
              transfer->file->size_bytes);
    return fail_again(transfer, &why, err);
}

/* What a status says about a GET beyond the verdict on it: a range that the server does not have, a
 * signed address that has expired. */
static bool may_pass(struct transfer *transfer, struct error *err)
{
    long status = transfer->request.answer.status;

    if (status == 416 && transfer->request.first)
        return start_over(transfer, err) == 0;
    return status == 403 &&
           !hub_http_is_endpoint(transfer->downloads->http, transfer->request.url);
}

static int take_finished(struct transfer *transfer, struct error *err)
{
    struct error why = {0};
    struct hub_failure failure;
    enum hub_verdict verdict = hub_http_judge(&transfer->request, &failure, &why);

    if (verdict == HUB_GOOD)
        return transfer->state == ASKING ? take_answer(transfer, err) : take_content(transfer, err);
    /* A server may forget to end what it has sent in full. */
    if (verdict == HUB_AGAIN && transfer->state == TAKING && transfer->has_checked &&
        transfer->offset == transfer->file->size_bytes)
        return verify(transfer, err);
    if (verdict == HUB_FAILED && transfer->state == TAKING && may_pass(transfer, err))
        verdict = HUB_AGAIN;
    if (err->code)
        return -1;
    return fail(transfer, verdict, &failure, &why, err);
}

/* ---- the loop ---- */

static int try_lock(struct transfer *transfer, struct error *err)
{
    const struct hub_cache *cache = transfer->downloads->cache;

    transfer->lock = hub_cache_lock(cache, transfer->file, err);
    if (transfer->lock < 0) {
        transfer->not_before_s = clock_now_s() + lock_wait_s;
        return err->code ? -1 : 0;
    }
    if (hub_cache_has_blob(cache, transfer->file)) {
        end(transfer);
        return 0;
    }
    if (open_file(transfer, err))
        return -1;
    transfer->state = HASHING;
    return 0;
}

static int go_on_hashing(struct transfer *transfer, struct error *err)
{
    int rc = hash_slices(transfer, err);

    if (rc <= 0)
        return rc;
    transfer->state = WAITING;
    return transfer->offset == transfer->file->size_bytes ? verify(transfer, err) : 0;
}

/* What can be done for it now, without waiting. */
static int move_on(struct transfer *transfer, struct error *err)
{
    if (clock_now_s() < transfer->not_before_s)
        return 0;
    switch (transfer->state) {
    case LOCKING:
        return try_lock(transfer, err);
    case HASHING:
        return go_on_hashing(transfer, err);
    case WAITING:
        return ask(transfer, err);
    case ASKING:
    case TAKING:
    case DONE:
        break;
    }
    return 0;
}

static struct transfer *find_transfer(const struct downloads *downloads,
                                      const struct hub_request *request)
{
    for (size_t i = 0; i < downloads->n_transfers; i++)
        if (&downloads->transfers[i].request == request)
            return &downloads->transfers[i];
    return NULL;
}

/* Moves on the first TRANSFERS_MAX that are not done. *n_open counts those that are not; *wait_ms
 * becomes 0 when there is more to do at once. */
static int move_all(struct downloads *downloads, size_t *n_open, int *wait_ms, struct error *err)
{
    *n_open = 0;
    *wait_ms = 50;
    for (size_t i = 0; i < downloads->n_transfers && *n_open < TRANSFERS_MAX; i++) {
        struct transfer *transfer = &downloads->transfers[i];
        enum state before = transfer->state;

        if (before == DONE)
            continue;
        if (move_on(transfer, err))
            return -1;
        if (transfer->state == HASHING || transfer->state != before)
            *wait_ms = 0;
        *n_open += transfer->state != DONE;
    }
    return 0;
}

static int run(struct downloads *downloads, struct error *err)
{
    for (;;) {
        struct hub_request *finished = NULL;
        size_t n_open;
        int wait_ms;

        if (move_all(downloads, &n_open, &wait_ms, err))
            return -1;
        if (n_open == 0 && wait_ms > 0)
            return 0;
        if (hub_http_work(downloads->http, wait_ms, &finished, err))
            return -1;
        if (finished && take_finished(find_transfer(downloads, finished), err))
            return -1;
        if (downloads->progress && downloads->progress->show)
            downloads->progress->show(downloads->progress);
    }
}

static int check_space(const struct downloads *downloads, size_t n_bytes, struct error *err)
{
    size_t n_free;

    if (outdir_free_bytes(downloads->cache->repository, &n_free, err))
        return -1;
    for (size_t i = 0; i < downloads->n_transfers; i++) { /* what is there takes no more */
        char *path = hub_cache_incomplete_path(downloads->cache, downloads->transfers[i].file);
        struct stat info;

        if (stat(path, &info) == 0)
            n_free += (size_t)info.st_blocks * 512;
        free(path);
    }
    return n_bytes <= n_free ? 0
                             : error_set(err, ERROR_IO, "%zu bytes to fetch, and %zu free in the "
                                         "cache '%s'; HF_HUB_CACHE can name another place", n_bytes,
                                         n_free, downloads->cache->root);
}

/* A transfer for each file that is used and not there. Returns their bytes. */
static size_t add_transfers(struct downloads *downloads, struct hub_listing *listing)
{
    size_t n_bytes = 0;

    downloads->transfers = memory_zalloc(listing->n_files, sizeof *downloads->transfers);
    for (size_t i = 0; i < listing->n_files; i++) {
        struct hub_file *file = &listing->files[i];

        if (!file->use || hub_cache_has_file(downloads->cache, downloads->commit, file) ||
            hub_cache_has_blob(downloads->cache, file))
            continue;
        downloads->transfers[downloads->n_transfers++] = (struct transfer){
            .file = file, .lock = -1, .fd = -1, .downloads = downloads};
        if (__builtin_add_overflow(n_bytes, file->size_bytes, &n_bytes))
            n_bytes = SIZE_MAX;
    }
    return n_bytes;
}

int hub_download(struct hub_http *http, const struct hub_cache *cache, const char *repository,
                 const char *commit, struct hub_listing *listing, struct progress *progress,
                 struct error *err)
{
    struct downloads downloads = {.http = http, .cache = cache, .repository = repository,
                                  .commit = commit, .progress = progress};
    size_t n_bytes = add_transfers(&downloads, listing);
    int rc = 0;

    if (progress)
        progress->total_bytes = n_bytes;
    if (downloads.n_transfers)
        rc = hub_cache_prepare(cache, err) || check_space(&downloads, n_bytes, err) ||
                     run(&downloads, err)
                 ? -1
                 : 0;
    for (size_t i = 0; i < downloads.n_transfers; i++) {
        hub_request_release(&downloads.transfers[i].request);
        close_files(&downloads.transfers[i]);
    }
    free(downloads.transfers);
    return rc;
}
