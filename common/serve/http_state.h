/* http_state.h - what the parts of the HTTP server share: connections, requests, counters.
 *
 * One thread of libmicrohttpd serves all sockets and never waits: reading a request, its JSON and
 * its tokens, is the desk's; computing the scheduler's. Until these have something the connection
 * is suspended, and whoever has it resumes it. A fourth thread looks after sockets whose clients
 * have gone, or are too slow. */
#ifndef COCKTAIL_HTTP_STATE_H
#define COCKTAIL_HTTP_STATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "serve/access.h"
#include "serve/http_settings.h"
#include "serve/rows_request.h"
#include "serve/routes.h"
#include "serve/service.h"
#include "serve/text_answer.h"

enum http_phase { PHASE_IDLE, PHASE_BODY, PHASE_BUSY };

struct peer { /* a connection */
    int fd;
    enum http_phase phase;
    double since_s;
    bool is_new;         /* no request has come yet */
    bool is_refused;     /* there are too many */
    struct peer *next, *before;
};

struct exchange { /* a request and its answer */
    struct http_state *http;
    struct MHD_Connection *connection;
    struct peer *peer;
    const struct route *route; /* NULL: no such path */
    bool is_ollama;            /* errors are {"error": "text"} */
    const char *rest;          /* of the path; owned by libmicrohttpd */
    char *model_name;          /* of ROUTE_MODEL */
    char method[8];            /* of those that are known, else empty */
    struct buffer body;
    bool is_too_long, is_crowded_out, is_answered, has_seen_head;
    double start_s;
    int status;                /* of the answer */
    /* Written by the desk before the connection is resumed. */
    struct refusal refusal;
    struct text_answer *texts;
    struct rows_request rows;
    struct job *job;           /* of one of these; under http->mutex until it is submitted */
    bool is_prepared;
    /* Under the job's mutex, once there is one. */
    bool is_suspended, is_streaming;
    struct buffer out;         /* of a stream: to be sent */
    size_t out_at;
    struct exchange *next, *before; /* of all that are there */
    struct exchange *next_at_desk;
};

struct http_state {
    struct http_settings settings;
    const struct service *service;
    struct MHD_Daemon *daemon;
    struct desk *desk;
    pthread_mutex_t mutex;
    struct peer *peers;         /* under the mutex, as all below */
    struct exchange *exchanges;
    size_t n_peers, n_exchanges, body_bytes;
    size_t n_answers[ROUTES_MAX + 1][6]; /* by route, and by hundreds of the status */
    atomic_bool is_ending;
    bool is_watching;
    pthread_t watchdog;
    int listener;
};

#endif
