#include "hub_curl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

static struct hub_curl functions;
static bool is_loaded;

#define FUNCTION(name) {"curl_" #name, offsetof(struct hub_curl, name)}

static const struct {
    const char *name;
    size_t offset; /* of its member in `functions` */
} table[] = {
    FUNCTION(global_init),        FUNCTION(easy_init),      FUNCTION(easy_reset),
    FUNCTION(easy_setopt),        FUNCTION(easy_getinfo),   FUNCTION(easy_strerror),
    FUNCTION(easy_cleanup),       FUNCTION(multi_init),     FUNCTION(multi_add_handle),
    FUNCTION(multi_remove_handle), FUNCTION(multi_perform), FUNCTION(multi_poll),
    FUNCTION(multi_info_read),    FUNCTION(multi_strerror), FUNCTION(multi_cleanup),
    FUNCTION(slist_append),       FUNCTION(slist_free_all), FUNCTION(url),
    FUNCTION(url_set),            FUNCTION(url_get),        FUNCTION(url_cleanup),
    FUNCTION(free),
};

static int fail(struct error *err)
{
    const char *reason = dlerror();

    /* The loader says why in words only. */
    if (reason && (strstr(reason, "annot allocate") || strstr(reason, "cannot create shared")))
        return error_set(err, ERROR_RESOURCES, "out of memory: cannot load " LIBRARY);
    return error_set(err, ERROR_UNSUPPORTED, "cannot load " LIBRARY ": %s; on Debian: "
                     "apt-get install libcurl4", reason ? reason : "no reason given");
}

const struct hub_curl *hub_curl_load(struct error *err)
{
    void *library;

    if (is_loaded)
        return &functions;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        void *function = library ? dlsym(library, table[i].name) : NULL;

        if (!function) {
            fail(err);
            return NULL;
        }
        memcpy((char *)&functions + table[i].offset, &function, sizeof function);
    }
    if (functions.global_init(CURL_GLOBAL_DEFAULT)) {
        error_set(err, ERROR_RESOURCES, "out of memory: cannot start " LIBRARY);
        return NULL;
    }
    is_loaded = true;
    return &functions;
}
