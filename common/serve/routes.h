/* routes.h - the paths that are answered. */
#ifndef COCKTAIL_ROUTES_H
#define COCKTAIL_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

enum route_kind {
    ROUTE_TEXTS, /* form: enum text_form */
    ROUTE_ROWS,  /* form: enum rows_form */
    ROUTE_MODELS, ROUTE_MODEL, ROUTE_TAGS, ROUTE_VERSION, ROUTE_HEALTH, ROUTE_METRICS,
    ROUTE_OPENAPI, ROUTE_PAGE,
};

struct route {
    const char *path;
    enum route_kind kind;
    int form;
    bool is_post;   /* else GET and HEAD */
    bool is_open;   /* needs no key */
    bool is_ollama; /* errors are {"error": "text"} */
    const char *summary; /* for /openapi.json; NULL: not listed there */
};

enum { ROUTES_MAX = 24 };

/* NULL: nothing is there. *rest: of ROUTE_MODEL, the id behind it. Paths below /inference are those
 * without it. */
const struct route *routes_find(const char *path, const char **rest);
/* All of them. */
const struct route *routes_all(size_t *n);
size_t routes_number(const struct route *route);

#endif
