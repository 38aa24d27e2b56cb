/* http_settings.h - where and how the HTTP server listens. */
#ifndef COCKTAIL_HTTP_SETTINGS_H
#define COCKTAIL_HTTP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/access.h"

struct http_settings {
    const char *host;       /* an address; borrowed */
    uint16_t port;          /* 0: any that is free */
    size_t max_body_bytes;  /* of a request */
    const struct access *access; /* borrowed */
    bool is_verbose;        /* a line on stderr for each request, without its texts */
    const char *version;    /* of the program; borrowed */
};

#endif
