/* access.h - who may ask: keys, and what browsers tell of where a request comes from. */
#ifndef COCKTAIL_ACCESS_H
#define COCKTAIL_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct access { /* read-only while requests come */
    char **keys;         /* [n_keys]; none: anybody */
    size_t n_keys;
    const char *const *hosts; /* [n_hosts], borrowed: further names of this server */
    size_t n_hosts;
    bool is_local;       /* bound to loopback: only local names of hosts are answered */
};

/* Adds the keys of a file, one a line; NULL: none. And that of the environment, COCKTAIL_API_KEY.
 * ERROR_FORMAT for a file without keys or that cannot be read. */
int access_read_keys(struct access *access, const char *path, struct error *err);
void access_release(struct access *access);

/* What the header Authorization holds, or X-Api-Key; either may be NULL. The time that it takes
 * does not tell how much of a key is right. */
bool access_has_key(const struct access *access, const char *authorization, const char *api_key);
/* The header Host; a page of another name that points here (DNS rebinding) has its own. */
bool access_takes_host(const struct access *access, const char *host);
/* The header Origin, of the page that asks: ours, or none. */
bool access_takes_origin(const struct access *access, const char *origin, const char *host);

#endif
