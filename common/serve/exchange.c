#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "serve/desk.h"
#include "serve/http_state.h"
#include "serve/mhd_library.h"
#include "serve/metrics.h"
#include "serve/ollama_answer.h"
#include "serve/openai_answer.h"
#include "serve/openapi.h"
#include "serve/page.h"
#include "serve/plain_answers.h"

enum { STREAM_BLOCK = 16 << 10, ALL_BODIES_MAX = 256 << 20, COMFORT_S = 15 };

static const char json_type[] = "application/json";

/* ---- answers ---- */

static void set_phase(struct exchange *exchange, enum http_phase phase)
{
    struct http_state *http = exchange->http;

    if (!exchange->peer)
        return;
    pthread_mutex_lock(&http->mutex);
    exchange->peer->phase = phase;
    exchange->peer->since_s = clock_now_s();
    exchange->peer->is_new = false;
    pthread_mutex_unlock(&http->mutex);
}

/* Queues the response, which it lets go of. */
static enum MHD_Result queue(struct exchange *exchange, int status, const char *type,
                             struct MHD_Response *response)
{
    enum MHD_Result rc;

    mhd.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    mhd.add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (exchange->route && exchange->route->kind == ROUTE_PAGE)
        mhd.add_response_header(response, "Content-Security-Policy",
                                "default-src 'none'; connect-src 'self'; style-src "
                                "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'");
    else
        mhd.add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    if (status == 401)
        mhd.add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (status == 429 || status == 503)
        mhd.add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (status == 405 || status == 204)
        mhd.add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                exchange->route && exchange->route->is_post
                                    ? "POST, OPTIONS"
                                    : "GET, HEAD, OPTIONS");
    /* What is left of a refused body is not read. */
    if (atomic_load(&exchange->http->is_ending) || (status >= 400 && !exchange->is_prepared))
        mhd.add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    exchange->status = status;
    exchange->is_answered = true;
    rc = mhd.queue_response(exchange->connection, (unsigned)status, response);
    mhd.destroy_response(response);
    return rc;
}

/* Takes the bytes over. */
static enum MHD_Result answer(struct exchange *exchange, int status, const char *type,
                              struct buffer *out)
{
    struct MHD_Response *response = mhd.create_response_from_buffer(
        out->size, out->data, out->data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

    if (!response) {
        buffer_release(out);
        return MHD_NO;
    }
    *out = (struct buffer){0};
    return queue(exchange, status, type, response);
}

static enum MHD_Result refuse(struct exchange *exchange, const struct refusal *refusal)
{
    struct buffer out = {0};

    if (exchange->is_ollama)
        ollama_answer_add_error(refusal, &out);
    else
        openai_answer_add_error(refusal, &out);
    return answer(exchange, refusal->status, json_type, &out);
}

/* ---- streams ---- */

/* More of what is to be sent into `out`; false when there is nothing yet, or no more. */
static bool refill(struct exchange *exchange)
{
    if (exchange->out_at < exchange->out.size)
        return true;
    buffer_clear(&exchange->out);
    exchange->out_at = 0;
    if (text_answer_gather(exchange->texts))
        text_answer_add_chunks(exchange->texts, &exchange->out);
    if (exchange->out.size == 0 && exchange->job->is_due && !exchange->texts->has_ended)
        buffer_add_text(&exchange->out, ": still here\n\n");
    if (exchange->out.size && exchange->job->told_s > 0)
        exchange->job->told_s = clock_now_s();
    exchange->job->is_due = false;
    return exchange->out.size > 0;
}

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t n)
{
    struct exchange *exchange = context;
    size_t left;
    bool has_more;

    (void)position;
    pthread_mutex_lock(&exchange->job->mutex);
    has_more = refill(exchange);
    if (!has_more && !exchange->texts->has_ended) {
        exchange->is_suspended = true;
        mhd.suspend_connection(exchange->connection);
    }
    pthread_mutex_unlock(&exchange->job->mutex);
    if (!has_more)
        return exchange->texts->has_ended ? MHD_CONTENT_READER_END_OF_STREAM : 0;
    left = exchange->out.size - exchange->out_at;
    n = n < left ? n : left;
    memcpy(out, exchange->out.data + exchange->out_at, n);
    exchange->out_at += n;
    return (ssize_t)n;
}

static enum MHD_Result answer_stream(struct exchange *exchange)
{
    struct MHD_Response *response = mhd.create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, exchange, NULL);

    if (!response)
        return MHD_NO;
    exchange->is_streaming = true;
    return queue(exchange, 200,
                 exchange->is_ollama ? "application/x-ndjson"
                                     : "text/event-stream; charset=utf-8",
                 response);
}

/* ---- jobs ---- */

/* Under the job's mutex: whether there is enough to answer with. */
static bool is_ready(const struct exchange *exchange)
{
    const struct job *job = exchange->job;

    if (job->is_done || exchange->is_streaming || job->is_due)
        return true;
    return exchange->texts && exchange->texts->request.is_streamed && job->first_s > 0;
}

static void wake(void *context)
{
    struct exchange *exchange = context;

    if (!exchange->is_suspended || !is_ready(exchange))
        return;
    exchange->is_suspended = false;
    mhd.resume_connection(exchange->connection);
}

/* The watchdog may see it from now on. */
static void share_job(struct exchange *exchange, struct job *job)
{
    pthread_mutex_lock(&exchange->http->mutex);
    exchange->job = job;
    pthread_mutex_unlock(&exchange->http->mutex);
}

static int read_request(struct exchange *exchange)
{
    const struct route *route = exchange->route;
    const struct service *service = exchange->http->service;
    const char *body = exchange->body.data ? exchange->body.data : "";
    struct text_request request;

    if (route->kind == ROUTE_ROWS) {
        if (rows_request_read(&exchange->rows, (enum rows_form)route->form, service, body,
                              exchange->body.size, &exchange->refusal))
            return -1;
        share_job(exchange, exchange->rows.job);
        return 0;
    }
    if (text_request_read(&request, (enum text_form)route->form, service, body,
                          exchange->body.size, &exchange->refusal))
        return -1;
    share_job(exchange, request.job);
    exchange->texts = text_answer_new(&request);
    return 0;
}

struct job_list {
    struct job **items; /* [n_items], each owned once more */
    size_t n_items;
};

static struct job_list list_jobs(struct http_state *http)
{
    struct job_list list = {0};

    pthread_mutex_lock(&http->mutex);
    list.items = memory_zalloc(http->n_exchanges + 1, sizeof(struct job *));
    for (struct exchange *exchange = http->exchanges; exchange; exchange = exchange->next)
        if (exchange->job) {
            atomic_fetch_add(&exchange->job->n_owners, 1);
            list.items[list.n_items++] = exchange->job;
        }
    pthread_mutex_unlock(&http->mutex);
    return list;
}

void exchange_comfort(struct http_state *http, double now_s)
{
    struct job_list list = list_jobs(http);

    for (size_t i = 0; i < list.n_items; i++) {
        struct job *job = list.items[i];

        pthread_mutex_lock(&job->mutex);
        if (job->told_s > 0 && job->wake && now_s - job->told_s > COMFORT_S) {
            job->is_due = true;
            job->wake(job->waker);
        }
        pthread_mutex_unlock(&job->mutex);
        job_leave(job);
    }
    free(list.items);
}

static void resume(struct exchange *exchange)
{
    exchange->is_suspended = false;
    mhd.resume_connection(exchange->connection);
}

/* Once it has been read: answers may take long, and others want to be read. */
static void drop_body(struct exchange *exchange)
{
    pthread_mutex_lock(&exchange->http->mutex);
    exchange->http->body_bytes -= exchange->body.size;
    pthread_mutex_unlock(&exchange->http->mutex);
    buffer_release(&exchange->body);
}

void exchange_prepare(struct exchange *exchange)
{
    struct job *job;
    int rc = read_request(exchange);

    drop_body(exchange);
    exchange->is_prepared = true;
    if (rc) {
        resume(exchange);
        return;
    }
    job = exchange->job;
    pthread_mutex_lock(&job->mutex);
    job->wake = wake;
    job->waker = exchange;
    if (exchange->texts && exchange->texts->request.is_streamed && !exchange->is_ollama)
        job->told_s = clock_now_s();
    pthread_mutex_unlock(&job->mutex);
    atomic_fetch_add(&job->n_owners, 1); /* what comes may free the exchange */
    if (scheduler_submit(exchange->http->service->scheduler, job, &exchange->refusal)) {
        pthread_mutex_lock(&job->mutex);
        job->wake = NULL;
        pthread_mutex_unlock(&job->mutex);
        resume(exchange);
    }
    job_leave(job);
}

static enum MHD_Result hand_in(struct exchange *exchange)
{
    exchange->is_suspended = true;
    mhd.suspend_connection(exchange->connection);
    desk_hand_in(exchange->http->desk, exchange);
    return MHD_YES;
}

/* The job has something: an answer that is whole, or the beginning of a stream. What fails before
 * the first token is an ordinary error, unless the client has waited for long. */
static enum MHD_Result answer_job(struct exchange *exchange)
{
    struct buffer out = {0};
    struct refusal refusal = {0};
    bool is_stream;
    int rc = 0;

    pthread_mutex_lock(&exchange->job->mutex);
    is_stream = exchange->texts && exchange->texts->request.is_streamed &&
                (exchange->job->first_s > 0 ||
                 (exchange->job->is_due && !exchange->job->is_done));
    if (exchange->texts) {
        text_answer_gather(exchange->texts);
        if (!is_stream)
            rc = text_answer_add_whole(exchange->texts, &out, &refusal);
    } else {
        rc = rows_request_add_answer(&exchange->rows, &out, &refusal);
    }
    pthread_mutex_unlock(&exchange->job->mutex);
    if (is_stream)
        return answer_stream(exchange);
    if (rc == 0)
        return answer(exchange, 200, json_type, &out);
    buffer_release(&out);
    return refuse(exchange, &refusal);
}

/* ---- what needs no model ---- */

static void add_version(const struct exchange *exchange, struct buffer *out)
{
    struct json_writer json = {.out = out};

    json_writer_object(&json, NULL);
    json_writer_string(&json, "version", exchange->http->settings.version);
    json_writer_end(&json);
}

static enum MHD_Result answer_plain(struct exchange *exchange)
{
    const struct service *service = exchange->http->service;
    bool is_ending = atomic_load(&exchange->http->is_ending);
    struct buffer out = {0};
    struct refusal refusal = {0};

    switch (exchange->route->kind) {
    case ROUTE_MODELS:
        plain_answers_add_models(service, &out);
        break;
    case ROUTE_MODEL:
        if (plain_answers_add_model(service, exchange->model_name, &out, &refusal))
            return refuse(exchange, &refusal);
        break;
    case ROUTE_TAGS:
        plain_answers_add_tags(service, &out);
        break;
    case ROUTE_VERSION:
        add_version(exchange, &out);
        break;
    case ROUTE_HEALTH:
        buffer_add_text(&out, is_ending ? "{\"status\":\"ending\"}" : "{\"status\":\"ok\"}");
        return answer(exchange, is_ending ? 503 : 200, json_type, &out);
    case ROUTE_METRICS:
        metrics_add(exchange->http, &out);
        return answer(exchange, 200, "text/plain; version=0.0.4", &out);
    case ROUTE_OPENAPI:
        openapi_add(service, &out);
        break;
    case ROUTE_PAGE:
        buffer_add(&out, page_text, page_size());
        return answer(exchange, 200, "text/html; charset=utf-8", &out);
    default:
        break;
    }
    return answer(exchange, 200, json_type, &out);
}

/* ---- the head ---- */

static const char *header(const struct exchange *exchange, const char *name)
{
    return mhd.lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

struct head_counts {
    size_t n_hosts, n_lengths;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct head_counts *counts = context;

    (void)kind;
    (void)value;
    counts->n_hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    counts->n_lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    return MHD_YES;
}

/* What the library lets through and others could read in another way. */
static int check_framing(const struct exchange *exchange, struct refusal *refusal)
{
    struct head_counts counts = {0};

    mhd.get_connection_values(exchange->connection, MHD_HEADER_KIND, count_header, &counts);
    if (counts.n_hosts > 1 || counts.n_lengths > 1 ||
        (counts.n_lengths && header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING)))
        return refusal_set(refusal, 400, NULL, NULL, "the request says twice where it goes, or how "
                           "long it is");
    return 0;
}

static bool is_method(const struct exchange *exchange, const char *method)
{
    if (exchange->route->is_post)
        return strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static int check_body(const struct exchange *exchange, struct refusal *refusal)
{
    const char *length = header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    size_t most = exchange->http->settings.max_body_bytes;

    if (length && strtoull(length, NULL, 10) > most)
        return refusal_set(refusal, 413, NULL, NULL, "the request is longer than %zu bytes", most);
    return 0;
}

/* Everything that can be known from the head is known before the body is read. */
static int check_head(const struct exchange *exchange, const char *url, const char *method,
                      struct refusal *refusal)
{
    const struct access *access = exchange->http->settings.access;
    const char *host = header(exchange, MHD_HTTP_HEADER_HOST);

    if (exchange->peer && exchange->peer->is_refused)
        return refusal_set(refusal, 503, NULL, NULL, "there are too many connections");
    if (check_framing(exchange, refusal))
        return -1;
    if (!access_takes_host(access, host))
        return refusal_set(refusal, 403, NULL, NULL, "the host '" ERROR_NAME "' is not this one; "
                           "see --allow-host", host ? host : "");
    if (!access_takes_origin(access, header(exchange, MHD_HTTP_HEADER_ORIGIN), host))
        return refusal_set(refusal, 403, NULL, NULL, "pages of other hosts may not ask; see "
                           "--allow-host");
    if (!exchange->route)
        return refusal_set(refusal, 404, NULL, NULL, "there is nothing at '" ERROR_NAME "'", url);
    if (!exchange->route->is_open &&
        !access_has_key(access, header(exchange, MHD_HTTP_HEADER_AUTHORIZATION),
                        header(exchange, "X-Api-Key")))
        return refusal_set(refusal, 401, "invalid_api_key", NULL, "the key is missing or wrong");
    if (!is_method(exchange, method))
        return refusal_set(refusal, 405, NULL, NULL, "'" ERROR_NAME "' is not asked for in this "
                           "way", exchange->route->path);
    if (atomic_load(&exchange->http->is_ending) && exchange->route->kind != ROUTE_HEALTH)
        return refusal_set(refusal, 503, NULL, NULL, "the server is ending");
    return check_body(exchange, refusal);
}

/* ---- the request ---- */

static struct exchange *begin(struct http_state *http, struct MHD_Connection *connection,
                              const char *url)
{
    struct exchange *exchange = memory_zalloc(1, sizeof *exchange);
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    exchange->http = http;
    exchange->connection = connection;
    exchange->start_s = clock_now_s();
    exchange->peer = info ? info->socket_context : NULL;
    exchange->route = routes_find(url, &exchange->rest);
    exchange->is_ollama = exchange->route ? exchange->route->is_ollama
                                          : strncmp(url, "/api/", 5) == 0;
    if (exchange->rest)
        exchange->model_name = memory_copy(exchange->rest);
    pthread_mutex_lock(&http->mutex);
    exchange->next = http->exchanges;
    if (http->exchanges)
        http->exchanges->before = exchange;
    http->exchanges = exchange;
    http->n_exchanges++;
    pthread_mutex_unlock(&http->mutex);
    set_phase(exchange, PHASE_BODY);
    return exchange;
}

static void note_method(struct exchange *exchange, const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            strcpy(exchange->method, methods[i]);
}

static enum MHD_Result handle_head(struct exchange *exchange, const char *url, const char *method)
{
    struct refusal refusal = {0};
    struct buffer nothing = {0};

    exchange->has_seen_head = true;
    note_method(exchange, method);
    if (check_head(exchange, url, method, &refusal) == 0)
        return MHD_YES;
    if (strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0 && refusal.status == 405)
        return answer(exchange, 204, json_type, &nothing);
    return refuse(exchange, &refusal);
}

/* Of all that are being read together, too. */
static enum MHD_Result take_body(struct exchange *exchange, const char *body, size_t *n_body)
{
    struct http_state *http = exchange->http;
    bool is_taken;

    pthread_mutex_lock(&http->mutex);
    exchange->is_too_long |=
        exchange->body.size + *n_body > http->settings.max_body_bytes;
    exchange->is_crowded_out |= http->body_bytes + *n_body > ALL_BODIES_MAX;
    is_taken = !exchange->is_too_long && !exchange->is_crowded_out;
    if (is_taken)
        http->body_bytes += *n_body;
    pthread_mutex_unlock(&http->mutex);
    if (is_taken)
        buffer_add(&exchange->body, body, *n_body);
    *n_body = 0;
    return MHD_YES;
}

static enum MHD_Result handle_whole(struct exchange *exchange)
{
    struct refusal refusal = {0};

    if (exchange->is_too_long) {
        refusal_set(&refusal, 413, NULL, NULL, "the request is longer than %zu bytes",
                    exchange->http->settings.max_body_bytes);
        return refuse(exchange, &refusal);
    }
    if (exchange->is_crowded_out) {
        refusal_set(&refusal, 503, NULL, NULL, "too many long requests come at once; try again "
                    "later");
        return refuse(exchange, &refusal);
    }
    set_phase(exchange, PHASE_BUSY);
    if (exchange->route->kind == ROUTE_TEXTS || exchange->route->kind == ROUTE_ROWS)
        return hand_in(exchange);
    exchange->is_prepared = true;
    return answer_plain(exchange);
}

enum MHD_Result exchange_handle(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *body,
                                size_t *n_body, void **place)
{
    struct exchange *exchange = *place;

    (void)version;
    if (!exchange)
        *place = exchange = begin(context, connection, url);
    if (!exchange->has_seen_head)
        return handle_head(exchange, url, method);
    if (exchange->is_answered)
        return MHD_YES;
    if (*n_body)
        return take_body(exchange, body, n_body);
    if (!exchange->is_prepared)
        return handle_whole(exchange);
    return exchange->refusal.status ? refuse(exchange, &exchange->refusal) : answer_job(exchange);
}

/* ---- the end ---- */

static const char *time_text(char text[32])
{
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    return strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) ? text : "?";
}

/* Nothing of what a client wrote, only what it can be one of. */
static void tell(const struct exchange *exchange)
{
    const struct job *job = exchange->job;
    char now[32];
    size_t n_new = 0;

    for (size_t i = 0; exchange->texts && i < job_n_texts(job); i++)
        n_new += exchange->texts->choices[i].n_tokens;
    fprintf(stderr, "cocktail: %s %s %s %d, %zu + %zu tokens, %.3f s\n", time_text(now),
            *exchange->method ? exchange->method : "?",
            exchange->route ? exchange->route->path : "(no such path)", exchange->status,
            job ? job_n_prompt_tokens(job) : 0, n_new, clock_now_s() - exchange->start_s);
}

static void forget(struct exchange *exchange)
{
    struct http_state *http = exchange->http;
    size_t route = exchange->route ? routes_number(exchange->route) : ROUTES_MAX;

    pthread_mutex_lock(&http->mutex);
    if (exchange->before)
        exchange->before->next = exchange->next;
    else
        http->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->before = exchange->before;
    http->n_exchanges--;
    http->body_bytes -= exchange->body.size;
    http->n_answers[route][exchange->status / 100 % 6]++;
    pthread_mutex_unlock(&http->mutex);
}

void exchange_complete(void *context, struct MHD_Connection *connection, void **place,
                       enum MHD_RequestTerminationCode why)
{
    struct exchange *exchange = *place;
    struct job *job;

    (void)context;
    (void)connection;
    (void)why;
    if (!exchange)
        return;
    *place = NULL;
    job = exchange->job;
    if (exchange->http->settings.is_verbose)
        tell(exchange);
    set_phase(exchange, PHASE_IDLE);
    forget(exchange);
    if (job) {
        pthread_mutex_lock(&job->mutex);
        job->wake = NULL;
        job_cancel(job); /* if it is not done yet, nobody wants it any more */
        pthread_mutex_unlock(&job->mutex);
        scheduler_nudge(exchange->http->service->scheduler);
    }
    text_answer_free(exchange->texts);
    rows_request_release(&exchange->rows);
    buffer_release(&exchange->body);
    buffer_release(&exchange->out);
    free(exchange->model_name);
    free(exchange);
}
