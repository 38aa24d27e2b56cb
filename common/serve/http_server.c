#include "http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/desk.h"
#include "serve/exchange.h"
#include "serve/http_state.h"
#include "serve/mhd_library.h"

enum {
    PEERS_MAX = 1000,       /* connections; those beyond are told so */
    PEERS_OF_ONE = 512,     /* of one address */
    HEAD_BYTES = 32 << 10,
    SEND_BYTES = 256 << 10, /* that the system may keep unsent */
    SLOW_S = 30, IDLE_S = 60, BYTES_PER_S = 1024,
    DESK_THREADS = 2,
    CUT_OFF_S = 1,
    LOOK_MS = 50, LOOKS_PER_S = 1000 / LOOK_MS,
};

/* ---- connections ---- */

static void open_peer(struct http_state *http, struct MHD_Connection *connection, void **place)
{
    struct peer *peer = memory_zalloc(1, sizeof *peer);
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int n_bytes = SEND_BYTES;

    peer->fd = info->connect_fd;
    peer->since_s = clock_now_s();
    peer->is_new = true;
    setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &n_bytes, sizeof n_bytes);
    pthread_mutex_lock(&http->mutex);
    peer->is_refused = http->n_peers >= PEERS_MAX;
    peer->next = http->peers;
    if (http->peers)
        http->peers->before = peer;
    http->peers = peer;
    http->n_peers++;
    pthread_mutex_unlock(&http->mutex);
    *place = peer;
}

static void close_peer(struct http_state *http, struct peer *peer)
{
    pthread_mutex_lock(&http->mutex);
    if (peer->before)
        peer->before->next = peer->next;
    else
        http->peers = peer->next;
    if (peer->next)
        peer->next->before = peer->before;
    http->n_peers--;
    pthread_mutex_unlock(&http->mutex);
    free(peer);
}

static void notify(void *context, struct MHD_Connection *connection, void **place,
                   enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        open_peer(context, connection, place);
    else if (*place)
        close_peer(context, *place);
}

/* ---- the watchdog ---- */

static bool is_late(const struct http_state *http, const struct peer *peer, double now_s)
{
    double age_s = now_s - peer->since_s;

    switch (peer->phase) {
    case PHASE_IDLE:
        return age_s > (peer->is_new ? SLOW_S : IDLE_S) || atomic_load(&http->is_ending);
    case PHASE_BODY:
        return age_s > SLOW_S + (double)http->settings.max_body_bytes / BYTES_PER_S / 64;
    case PHASE_BUSY:
        break;
    }
    return false;
}

/* A client that closed, or half closed, its connection is not seen while that is suspended. */
static bool has_gone(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};

    return poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* Nothing more comes, and all that came was read: no request can become of it. libmicrohttpd does not
 * see an end that comes together with the last bytes. */
static bool is_cut_off(const struct peer *peer, double now_s)
{
    int n_unread = 0;

    return peer->phase != PHASE_BUSY && now_s - peer->since_s > CUT_OFF_S && has_gone(peer->fd) &&
           ioctl(peer->fd, FIONREAD, &n_unread) == 0 && n_unread == 0;
}

static bool look_around(struct http_state *http)
{
    double now_s = clock_now_s();
    bool has_cancelled = false;

    for (struct peer *peer = http->peers; peer; peer = peer->next)
        if (is_late(http, peer, now_s) || is_cut_off(peer, now_s))
            shutdown(peer->fd, SHUT_RDWR);
    for (struct exchange *exchange = http->exchanges; exchange; exchange = exchange->next) {
        struct job *job = exchange->job;

        if (job && exchange->peer && !atomic_load(&job->is_cancelled) &&
            has_gone(exchange->peer->fd)) {
            job_cancel(job);
            has_cancelled = true;
        }
    }
    return has_cancelled;
}

static void *watch(void *context)
{
    struct http_state *http = context;
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
    bool goes_on = true, has_cancelled;

    for (size_t n_looks = 1; goes_on; n_looks++) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&http->mutex);
        has_cancelled = look_around(http);
        goes_on = http->is_watching;
        pthread_mutex_unlock(&http->mutex);
        if (has_cancelled)
            scheduler_nudge(http->service->scheduler);
        if (n_looks % LOOKS_PER_S == 0)
            exchange_comfort(http, clock_now_s());
    }
    return NULL;
}

/* ---- start and stop ---- */

static socklen_t make_address(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof *v6;
    }
    return 0;
}

/* A socket that listens, or -1. */
static int listen_at(const char *host, uint16_t port, struct error *err)
{
    struct sockaddr_storage address;
    socklen_t size = make_address(host, port, &address);
    int fd, yes = 1;

    if (!size)
        return error_set(err, ERROR_USAGE, "--host is an address such as 127.0.0.1 or ::1, not '"
                         ERROR_NAME "'", host);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 511)) {
        error_errno(err, "cannot listen at '%s', port %d", host, port);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static int start(struct http_state *http, struct error *err)
{
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                           MHD_USE_PEDANTIC_CHECKS;

    if (mhd_library_load(err))
        return -1;
    http->listener = listen_at(http->settings.host, http->settings.port, err);
    if (http->listener < 0)
        return -1;
    http->desk = desk_new(DESK_THREADS, exchange_prepare, err);
    if (!http->desk)
        return -1;
    http->daemon = mhd.start_daemon(
        flags, 0, NULL, NULL, exchange_handle, http, MHD_OPTION_LISTEN_SOCKET, http->listener,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_complete, http, MHD_OPTION_NOTIFY_CONNECTION, notify,
        http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)PEERS_MAX + 100,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PEERS_OF_ONE,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S * 2, MHD_OPTION_END);
    if (!http->daemon)
        return error_set(err, ERROR_RESOURCES, "cannot start the HTTP server");
    http->is_watching = true;
    if (pthread_create(&http->watchdog, NULL, watch, http)) {
        http->is_watching = false;
        return error_set(err, ERROR_RESOURCES, "cannot start a thread");
    }
    return 0;
}

struct http_state *http_server_start(const struct service *service,
                                     const struct http_settings *settings, struct error *err)
{
    struct http_state *http = memory_zalloc(1, sizeof *http);

    http->settings = *settings;
    http->service = service;
    http->listener = -1;
    atomic_init(&http->is_ending, false);
    pthread_mutex_init(&http->mutex, NULL);
    if (start(http, err)) {
        http_server_stop(http);
        return NULL;
    }
    return http;
}

uint16_t http_server_port(const struct http_state *http)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    if (getsockname(http->listener, (struct sockaddr *)&address, &size))
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

void http_server_quiesce(struct http_state *http)
{
    atomic_store(&http->is_ending, true);
    if (http->listener >= 0) {
        mhd.quiesce_daemon(http->daemon);
        close(http->listener);
        http->listener = -1;
    }
}

bool http_server_is_idle(struct http_state *http)
{
    bool answer;

    pthread_mutex_lock(&http->mutex);
    answer = http->n_exchanges == 0;
    pthread_mutex_unlock(&http->mutex);
    return answer;
}

void http_server_stop(struct http_state *http)
{
    bool was_watching = http->is_watching;

    pthread_mutex_lock(&http->mutex);
    http->is_watching = false;
    pthread_mutex_unlock(&http->mutex);
    if (was_watching)
        pthread_join(http->watchdog, NULL);
    desk_free(http->desk);
    if (http->daemon)
        mhd.stop_daemon(http->daemon);
    else if (http->listener >= 0)
        close(http->listener);
    pthread_mutex_destroy(&http->mutex);
    free(http);
}
