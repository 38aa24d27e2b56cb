/* http_server.h - the HTTP side of `serve`, on libmicrohttpd. */
#ifndef COCKTAIL_HTTP_SERVER_H
#define COCKTAIL_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "serve/http_settings.h"
#include "serve/service.h"

struct http_state;

/* Answers requests from now on. ERROR_IO when it cannot listen there. Ended with
 * http_server_stop. */
struct http_state *http_server_start(const struct service *service,
                                     const struct http_settings *settings, struct error *err);
uint16_t http_server_port(const struct http_state *http);
/* No new connections, 503 for new requests; idle connections are closed. */
void http_server_quiesce(struct http_state *http);
/* Whether a request is being answered. */
bool http_server_is_idle(struct http_state *http);
/* Closes what is there. The scheduler must have ended. */
void http_server_stop(struct http_state *http);

#endif
