/* hub_url.h - URLs: built, resolved, and taken apart by the parser that also sends the request, so
 * that the two cannot read one differently. */
#ifndef COCKTAIL_HUB_URL_H
#define COCKTAIL_HUB_URL_H

#include <stdbool.h>

#include "hub/hub_curl.h"

/* `text` with everything escaped that has a meaning in a URL; slashes too, unless they are kept. */
char *hub_url_encode(const char *text, bool keeps_slashes);
/* "https://host:443" of an absolute http or https URL, or NULL. */
char *hub_url_origin(const struct hub_curl *curl, const char *url);
/* `reference` as it reads on the page `base`, or NULL. */
char *hub_url_join(const struct hub_curl *curl, const char *base, const char *reference);

#endif
