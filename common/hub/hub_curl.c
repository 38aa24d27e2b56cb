#include "hub_curl.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/shared_library.h"

static struct hub_curl functions;
static bool is_loaded;

#define FUNCTION(name) {"curl_" #name, &functions.name, false}

static const struct shared_function table[] = {
    FUNCTION(global_init),        FUNCTION(easy_init),      FUNCTION(easy_setopt),
    FUNCTION(easy_getinfo),       FUNCTION(easy_strerror),  FUNCTION(easy_cleanup),
    FUNCTION(multi_init),         FUNCTION(multi_add_handle), FUNCTION(multi_remove_handle),
    FUNCTION(multi_perform),      FUNCTION(multi_poll),     FUNCTION(multi_info_read),
    FUNCTION(multi_strerror),     FUNCTION(multi_cleanup),  FUNCTION(slist_append),
    FUNCTION(slist_free_all),     FUNCTION(url),            FUNCTION(url_set),
    FUNCTION(url_get),            FUNCTION(url_cleanup),    FUNCTION(free),
};

const struct hub_curl *hub_curl_load(struct error *err)
{
    if (is_loaded)
        return &functions;
    if (shared_library_load("libcurl.so.4", "libcurl4", table, sizeof table / sizeof *table, err))
        return NULL;
    if (functions.global_init(CURL_GLOBAL_DEFAULT)) {
        error_set(err, ERROR_RESOURCES, "out of memory: cannot start libcurl");
        return NULL;
    }
    is_loaded = true;
    return &functions;
}
