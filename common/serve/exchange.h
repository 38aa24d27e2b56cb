/* exchange.h - one request and its answer: what libmicrohttpd calls, and what the desk does. */
#ifndef COCKTAIL_EXCHANGE_H
#define COCKTAIL_EXCHANGE_H

#include <microhttpd.h>

struct exchange;
struct http_state;

/* The handlers of a daemon, whose context is the struct http_state. */
enum MHD_Result exchange_handle(void *http, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *body,
                                size_t *n_body, void **exchange);
void exchange_complete(void *http, struct MHD_Connection *connection, void **exchange,
                       enum MHD_RequestTerminationCode why);

/* The watchdog's: streams that have waited for long are to send a line that means nothing, so that
 * nobody on the way takes them for dead. Under no mutex. */
void exchange_comfort(struct http_state *http, double now_s);

/* The desk's: makes a job of the body and submits it, or refuses. */
void exchange_prepare(struct exchange *exchange);

#endif
