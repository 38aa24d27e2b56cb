#include "hub_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "hub/hub_url.h"

enum { HEADER_BYTES_MAX = 65536, IGNORED_BYTES_MAX = 1 << 20 };
static const long stall_bytes_per_s = 1000;
static const double longest_wait_s = 30;

int hub_http_init(struct hub_http *http, const struct hub_settings *settings, struct error *err)
{
    *http = (struct hub_http){.settings = settings, .n_tries = HUB_TRIES};
    http->curl = hub_curl_load(err);
    if (!http->curl)
        return -1;
    http->origin = hub_url_origin(http->curl, settings->endpoint);
    if (!http->origin)
        return error_set(err, ERROR_USAGE, "HF_ENDPOINT must be a URL such as "
                         "https://huggingface.co, not '" ERROR_NAME "'", settings->endpoint);
    http->multi = http->curl->multi_init();
    if (!http->multi)
        memory_exhausted();
    return 0;
}

void hub_http_release(struct hub_http *http)
{
    if (http->multi)
        http->curl->multi_cleanup(http->multi);
    free(http->origin);
    *http = (struct hub_http){0};
}

/* ---- origins ---- */

bool hub_http_is_endpoint(const struct hub_http *http, const char *url)
{
    char *origin = hub_url_origin(http->curl, url);
    bool result = origin && strcmp(origin, http->origin) == 0;

    free(origin);
    return result;
}

static bool is_plain(const struct hub_http *http)
{
    return strncmp(http->origin, "http:", 5) == 0;
}

int hub_http_check_redirect(const struct hub_http *http, const char *url, struct error *err)
{
    char *origin = hub_url_origin(http->curl, url);
    bool is_allowed = origin && (strncmp(origin, "https:", 6) == 0 || is_plain(http));

    free(origin);
    /* The rest of such a URL may hold a signature: only its beginning is shown. */
    return is_allowed ? 0
                      : error_set(err, ERROR_NETWORK, "the server redirects to '%.24s…', which is "
                                  "not followed: only %shttps is", url,
                                  is_plain(http) ? "http and " : "");
}

/* ---- one request ---- */

static size_t take_header(char *line, size_t size, size_t n, void *context)
{
    struct hub_request *request = context;

    (void)size; /* is 1 */
    request->n_header_bytes += n;
    if (request->n_header_bytes > HEADER_BYTES_MAX) {
        error_set(&request->err, ERROR_NETWORK, "the server sends more than %d bytes of headers",
                  HEADER_BYTES_MAX);
        return 0;
    }
    hub_answer_add_header(&request->answer, line, n);
    return n;
}

static void note_status(struct hub_request *request)
{
    const struct hub_curl *curl = request->http->curl;
    char *location = NULL;
    curl_off_t seconds = 0;

    curl->easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->answer.status);
    curl->easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &location);
    curl->easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &seconds);
    if (request->answer.status == 0) /* a proxy that does not connect us */
        curl->easy_getinfo(request->easy, CURLINFO_HTTP_CONNECTCODE, &request->answer.status);
    request->answer.retry_after_s = (double)seconds;
    free(request->answer.location);
    request->answer.location = location ? memory_copy(location) : NULL;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *context)
{
    struct hub_request *request = context;

    (void)size; /* is 1 */
    note_status(request);
    if (request->answer.status / 100 == 2 && request->take)
        return request->take(request->context, bytes, n, &request->err) ? 0 : n;
    /* The page of an error: not wanted, but reading it keeps the connection. */
    request->n_ignored_bytes += n;
    return request->n_ignored_bytes <= IGNORED_BYTES_MAX ? n : 0;
}

static void add_header(struct hub_request *request, const char *line)
{
    struct curl_slist *longer = request->http->curl->slist_append(request->headers, line);

    if (!longer)
        memory_exhausted();
    request->headers = longer;
}

static void add_headers(struct hub_request *request)
{
    const struct hub_settings *settings = request->http->settings;
    char *line;

    add_header(request, "Accept-Encoding: identity");
    if (settings->token && hub_http_is_endpoint(request->http, request->url)) {
        line = memory_format("Authorization: Bearer %s", settings->token);
        add_header(request, line);
        explicit_bzero(line, strlen(line));
        free(line);
    }
    if (request->first) {
        line = memory_format("Range: bytes=%zu-", request->first);
        add_header(request, line);
        free(line);
    }
}

/* True when libcurl took all of them. */
static bool set_options(struct hub_request *request)
{
    const struct hub_http *http = request->http;
    const struct hub_curl *curl = http->curl;
    CURL *easy = request->easy;
    CURLcode rc = curl->easy_setopt(easy, CURLOPT_URL, request->url);

#define SET(option, value)                                                                        \
    if (rc == CURLE_OK)                                                                           \
    rc = curl->easy_setopt(easy, option, value)
    SET(CURLOPT_PROTOCOLS_STR, is_plain(http) ? "http,https" : "https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, is_plain(http) ? "http,https" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
    SET(CURLOPT_NOBODY, (long)request->is_head);
    SET(CURLOPT_HTTPHEADER, request->headers);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* not to a proxy that connects us */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_USERAGENT, "cocktail");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name server that does not answer */
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_PRIVATE, request);
    SET(CURLOPT_ERRORBUFFER, request->reason);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, request);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, request);
    SET(CURLOPT_BUFFERSIZE, 256 * 1024L);
    SET(CURLOPT_CONNECTTIMEOUT, (long)request->timeout_s);
    SET(CURLOPT_LOW_SPEED_LIMIT, stall_bytes_per_s);
    SET(CURLOPT_LOW_SPEED_TIME, (long)request->timeout_s);
    if (http->settings->certificates)
        SET(CURLOPT_CAINFO, http->settings->certificates);
#undef SET
    return rc == CURLE_OK;
}

/* Ends what runs, keeps the url and the answer. */
static void stop(struct hub_request *request)
{
    const struct hub_http *http = request->http;

    if (!http) /* never started */
        return;
    if (request->easy) {
        http->curl->multi_remove_handle(http->multi, request->easy);
        http->curl->easy_cleanup(request->easy);
    }
    http->curl->slist_free_all(request->headers);
    request->easy = NULL;
    request->headers = NULL;
}

int hub_request_start(struct hub_request *request, struct hub_http *http, struct error *err)
{
    CURLMcode rc;

    stop(request);
    hub_answer_release(&request->answer);
    request->http = http;
    request->err = (struct error){0};
    request->result = CURLE_OK;
    request->n_header_bytes = request->n_ignored_bytes = 0;
    request->reason[0] = '\0';
    request->easy = http->curl->easy_init();
    if (!request->easy)
        memory_exhausted();
    add_headers(request);
    if (!set_options(request))
        return error_set(err, ERROR_UNSUPPORTED, "libcurl does not know all that is needed; it "
                         "must be 7.87 or newer");
    rc = http->curl->multi_add_handle(http->multi, request->easy);
    return rc == CURLM_OK ? 0
                          : error_set(err, ERROR_RESOURCES, "libcurl: %s",
                                      http->curl->multi_strerror(rc));
}

void hub_request_release(struct hub_request *request)
{
    stop(request);
    hub_answer_release(&request->answer);
    free(request->url);
    *request = (struct hub_request){0};
}

/* ---- all requests ---- */

static struct hub_request *next_finished(struct hub_http *http)
{
    const struct hub_curl *curl = http->curl;
    struct hub_request *request = NULL;
    struct CURLMsg *message;
    int n_left;

    do
        message = curl->multi_info_read(http->multi, &n_left);
    while (message && message->msg != CURLMSG_DONE);
    if (!message)
        return NULL;
    curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
    request->result = message->data.result;
    note_status(request);
    stop(request);
    return request;
}

int hub_http_work(struct hub_http *http, int wait_ms, struct hub_request **finished,
                  struct error *err)
{
    const struct hub_curl *curl = http->curl;
    CURLMcode rc;
    int n_running;

    *finished = next_finished(http);
    if (interrupt_check(err))
        return -1;
    if (*finished)
        return 0;
    rc = curl->multi_perform(http->multi, &n_running);
    *finished = next_finished(http);
    if (rc == CURLM_OK && !*finished) {
        rc = curl->multi_poll(http->multi, NULL, 0, wait_ms, NULL);
        if (interrupt_check(err))
            return -1;
    }
    return rc == CURLM_OK ? 0
                          : error_set(err, ERROR_RESOURCES, "libcurl: %s",
                                      curl->multi_strerror(rc));
}

/* ---- verdicts ---- */

/* X-Error-Message, or nothing. */
static void explain(const struct hub_answer *answer, struct error *err)
{
    size_t used = strlen(err->text);

    if (answer->explanation)
        snprintf(err->text + used, sizeof err->text - used, ": " ERROR_NAME, answer->explanation);
}

static enum hub_verdict refuse(const struct hub_request *request, struct error *err)
{
    const struct hub_answer *answer = &request->answer;
    bool has_token = request->http->settings->token != NULL;
    const char *problem = answer->problem ? answer->problem : "";
    static const struct {
        long status;
        const char *problem, *text;
    } table[] = {
        {0, "GatedRepo", "who wants it must ask for access on its page first, and set HF_TOKEN"},
        {0, "RevisionNotFound", "there is no such revision"},
        {0, "EntryNotFound", "there is no such file"},
        {0, "RepoNotFound", "there is no such repository, or it is private"},
        {401, "", "there is no such repository, or it is private"},
        {403, "", "access is forbidden"},
        {404, "", "there is no such repository, revision or file"},
        {407, "", "the proxy wants a name and a password"},
        {410, "", "it is gone"},
        {451, "", "not available for legal reasons"},
    };
    const char *text = NULL;

    for (size_t i = 0; !text && i < sizeof table / sizeof *table; i++)
        if (table[i].status ? table[i].status == answer->status
                            : strcasecmp(table[i].problem, problem) == 0)
            text = table[i].text;
    error_set(err, ERROR_NETWORK, "the Hub answers %ld%s%s%s", answer->status, text ? ", " : "",
              text ? text : "",
              answer->status == 401 && has_token ? "; or is the token wrong?"
              : answer->status == 401            ? "; then set HF_TOKEN"
                                                 : "");
    explain(answer, err);
    return HUB_FAILED;
}

static enum hub_verdict judge_status(const struct hub_request *request,
                                     struct hub_failure *failure, struct error *err)
{
    const struct hub_answer *answer = &request->answer;
    long status = answer->status;

    if (status >= 200 && status < 400)
        return HUB_GOOD;
    if (status != 408 && status != 429 && status < 500) {
        failure->is_unknown = status == 401 || status == 404;
        return refuse(request, err);
    }
    failure->is_away = status >= 500;
    failure->wait_s = answer->retry_after_s;
    if (failure->wait_s > longest_wait_s) {
        error_set(err, ERROR_NETWORK, "the Hub answers %ld and asks to wait for %.0f seconds; try "
                  "again after that", status, failure->wait_s);
        return HUB_FAILED;
    }
    error_set(err, ERROR_NETWORK, "the Hub answers %ld%s", status,
              status == 429 ? ", too many requests" : "");
    explain(answer, err);
    return HUB_AGAIN;
}

static enum hub_verdict judge_failure(const struct hub_request *request,
                                      struct hub_failure *failure, struct error *err)
{
    const char *reason = request->reason[0] ? request->reason
                                            : request->http->curl->easy_strerror(request->result);

    switch (request->result) {
    case CURLE_OUT_OF_MEMORY: /* said of headers that are too long, too */
        error_set(err, ERROR_NETWORK, "no answer from the Hub that fits into memory: %s", reason);
        return HUB_AGAIN;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        error_set(err, ERROR_NETWORK, "no connection to the Hub: %s", reason);
        return HUB_FAILED;
    default:
        failure->is_away = true;
        error_set(err, ERROR_NETWORK, "no answer from the Hub: %s", reason);
        return HUB_AGAIN;
    }
}

enum hub_verdict hub_http_judge(const struct hub_request *request, struct hub_failure *failure,
                                struct error *err)
{
    *failure = (struct hub_failure){0};
    if (request->err.code) {
        *err = request->err;
        return err->code == ERROR_NETWORK ? HUB_AGAIN : HUB_FAILED;
    }
    if (request->answer.status == 407)
        return refuse(request, err);
    if (request->result != CURLE_OK)
        return judge_failure(request, failure, err);
    return judge_status(request, failure, err);
}

double hub_http_backoff_s(unsigned n_failed, const struct hub_failure *failure)
{
    double backoff_s = n_failed < 4 ? (double)(1u << (n_failed - 1)) : 8;

    return failure->wait_s > 0 ? failure->wait_s : backoff_s;
}

/* ---- whole answers ---- */

static int take_text(void *context, const void *bytes, size_t n, struct error *err)
{
    struct hub_reading *reading = context;

    if (n > reading->limit - reading->body.size)
        return error_set(err, ERROR_NETWORK, "the Hub answers with more than %zu bytes",
                         reading->limit);
    buffer_add(&reading->body, bytes, n);
    return 0;
}

static int check_json(const struct hub_reading *reading, const struct hub_answer *answer,
                      struct error *err)
{
    static const char type[] = "application/json";
    struct error ignored = {0};
    struct json_reader reader;
    bool is_json;

    if (!answer->type || strncasecmp(answer->type, type, strlen(type)) != 0)
        return error_set(err, ERROR_NETWORK, "the answer is '" ERROR_NAME "' and not JSON: not "
                         "from the Hub, but a proxy or a login page?",
                         answer->type ? answer->type : "");
    json_reader_init(&reader, reading->body.data, reading->body.size);
    is_json = json_reader_skip(&reader, &ignored) == 0 &&
              json_reader_finish(&reader, &ignored) == 0;
    json_reader_release(&reader);
    return is_json ? 0
                   : error_set(err, ERROR_NETWORK, "the answer of the Hub is not JSON: %s",
                               ignored.text);
}

/* A good answer; anything that is wrong with it may pass. */
static int check_answer(const struct hub_reading *reading, const struct hub_answer *answer,
                        struct error *err)
{
    if (answer->status != 200)
        return error_set(err, ERROR_NETWORK, "the Hub answers %ld", answer->status);
    if (answer->is_encoded)
        return error_set(err, ERROR_NETWORK, "the Hub sends a compressed answer that was not "
                         "asked for");
    return reading->content == HUB_JSON ? check_json(reading, answer, err) : 0;
}

static int wait_for(struct hub_http *http, double seconds, struct error *err)
{
    double end = clock_now_s() + seconds;
    struct hub_request *none;

    while (clock_now_s() < end)
        if (hub_http_work(http, 100, &none, err))
            return -1;
    return 0;
}

/* Follows one redirect of the request. */
static int redirect(struct hub_request *request, const struct hub_http *http, bool may_leave,
                    struct error *err)
{
    char *from = hub_url_origin(http->curl, request->url);
    char *to = hub_url_origin(http->curl, request->answer.location);
    int rc = 0;

    if (hub_http_check_redirect(http, request->answer.location, err))
        rc = -1;
    else if (!may_leave && (!from || !to || strcmp(from, to) != 0))
        rc = error_set(err, ERROR_NETWORK, "the Hub redirects to '" ERROR_NAME "', which is not "
                       "followed; if it has moved there, set HF_ENDPOINT", to ? to : "");
    free(from);
    free(to);
    if (rc == 0) {
        free(request->url);
        request->url = memory_copy(request->answer.location);
    }
    return rc;
}

/* One try, with its redirects. */
static enum hub_verdict read_once(struct hub_http *http, struct hub_reading *reading,
                                  struct hub_failure *failure, struct error *err)
{
    struct hub_request request = {.url = memory_copy(reading->url),
                                  .timeout_s = http->settings->etag_timeout_s,
                                  .take = take_text, .context = reading};
    enum hub_verdict verdict = HUB_FAILED;

    buffer_clear(&reading->body);
    buffer_add(&reading->body, "", 0);
    for (unsigned n_redirects = 0;; n_redirects++) {
        struct hub_request *finished = NULL;

        if (hub_request_start(&request, http, err))
            break;
        while (!finished && hub_http_work(http, 100, &finished, err) == 0)
            ;
        if (!finished)
            break;
        verdict = hub_http_judge(&request, failure, err);
        if (verdict != HUB_GOOD || !request.answer.location)
            break;
        verdict = HUB_FAILED;
        if (n_redirects == HUB_REDIRECTS)
            error_set(err, ERROR_NETWORK, "the Hub redirects more than %d times", HUB_REDIRECTS);
        if (err->code || redirect(&request, http, reading->may_leave, err))
            break;
    }
    if (verdict == HUB_GOOD && check_answer(reading, &request.answer, err)) {
        failure->is_away = true;
        verdict = HUB_AGAIN;
    }
    if (verdict == HUB_GOOD && request.answer.next)
        reading->next = hub_url_join(http->curl, request.url, request.answer.next);
    hub_request_release(&request);
    return verdict;
}

int hub_http_read(struct hub_http *http, struct hub_reading *reading, struct error *err)
{
    struct hub_failure failure = {0};

    for (unsigned n_failed = 0;;) {
        struct error why = {0};
        enum hub_verdict verdict = read_once(http, reading, &failure, &why);

        if (verdict == HUB_GOOD)
            return 0;
        reading->failure = failure;
        if (verdict == HUB_FAILED || ++n_failed >= http->n_tries) {
            *err = why;
            return -1;
        }
        if (wait_for(http, hub_http_backoff_s(n_failed, &failure), err))
            return -1;
    }
}
