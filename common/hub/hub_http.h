/* hub_http.h - requests over libcurl, several at a time.
 *
 * Each request is one question and one answer: redirects are not followed here, because whoever
 * follows one must decide whether the token may go along. It goes to the origin (scheme, host,
 * port) of the endpoint and nowhere else. */
#ifndef COCKTAIL_HUB_HTTP_H
#define COCKTAIL_HUB_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "hub/hub_answer.h"
#include "hub/hub_curl.h"
#include "hub/hub_settings.h"

enum {
    HUB_TRIES = 5,      /* of one question, or of a transfer that does not get on */
    HUB_REDIRECTS = 5,
};

struct hub_http {
    const struct hub_settings *settings;
    const struct hub_curl *curl;
    char *origin; /* of the endpoint */
    CURLM *multi;
    unsigned n_tries; /* of a question: HUB_TRIES, fewer when there is an answer in the cache */
};

/* `settings` must stay. ERROR_UNSUPPORTED without libcurl. Released with hub_http_release. */
int hub_http_init(struct hub_http *http, const struct hub_settings *settings, struct error *err);
void hub_http_release(struct hub_http *http);

bool hub_http_is_endpoint(const struct hub_http *http, const char *url);
/* -1 with ERROR_NETWORK when a redirect to `url` may not be followed: only https, and http when the
 * endpoint is that. */
int hub_http_check_redirect(const struct hub_http *http, const char *url, struct error *err);

struct hub_request { /* a zeroed struct is none */
    /* The caller's: */
    char *url;        /* owned */
    bool is_head;
    size_t first;     /* ask for the bytes from here on */
    size_t timeout_s; /* of connecting, and of standing still */
    /* Takes the body of an answer of 2xx, whose headers are complete. ERROR_NETWORK when it is not
     * what was asked for. */
    int (*take)(void *context, const void *bytes, size_t n, struct error *err);
    void *context;

    /* The answer: */
    struct hub_answer answer;
    CURLcode result;
    struct error err; /* of take */

    /* While it runs: */
    const struct hub_http *http;
    CURL *easy;
    struct curl_slist *headers;
    size_t n_header_bytes, n_ignored_bytes;
    char reason[CURL_ERROR_SIZE];
};

/* Sends it; it must stay where it is until it is finished or released. What an earlier use of the
 * struct has left is released. */
int hub_request_start(struct hub_request *request, struct hub_http *http, struct error *err);
/* Also stops it. The url goes too. */
void hub_request_release(struct hub_request *request);

/* Works on what has been sent for at most `wait_ms`; *finished becomes a request that is answered,
 * or NULL. -1 with ERROR_SIGINT or ERROR_SIGTERM when a signal has come, or ERROR_RESOURCES. */
int hub_http_work(struct hub_http *http, int wait_ms, struct hub_request **finished,
                  struct error *err);

enum hub_verdict {
    HUB_GOOD,   /* status 2xx or 3xx */
    HUB_AGAIN,  /* may pass: try again */
    HUB_FAILED, /* will not pass */
};

struct hub_failure {
    double wait_s; /* what the server asks to wait; 0 when it does not */
    bool is_away;  /* the Hub could not be reached, or it is broken (5xx) */
    bool is_unknown; /* the Hub knows no such thing, or shows it to nobody (401, 404) */
};

/* What has become of a finished request. All but HUB_GOOD set *err and *failure. */
enum hub_verdict hub_http_judge(const struct hub_request *request, struct hub_failure *failure,
                                struct error *err);
/* How long to wait before the next try when `n_failed` have failed: 1, 2, 4, 8 seconds. */
double hub_http_backoff_s(unsigned n_failed, const struct hub_failure *failure);

enum hub_content { HUB_ANY, HUB_JSON };

struct hub_reading {
    const char *url;          /* at the endpoint, or a next page elsewhere */
    enum hub_content content; /* what is no JSON is no answer of the Hub */
    size_t limit;             /* of the body, in bytes */
    bool may_leave;           /* redirects may lead to another origin (without the token) */
    struct buffer body;       /* to be released */
    char *next;               /* URL of the next page, to be freed; or NULL */
    struct hub_failure failure; /* when it fails */
};

/* Reads a whole answer, following redirects and trying again what may pass.
 * ERROR_NETWORK when the Hub does not give it. */
int hub_http_read(struct hub_http *http, struct hub_reading *reading, struct error *err);

#endif
