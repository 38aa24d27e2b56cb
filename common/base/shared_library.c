#include "shared_library.h"

#include <dlfcn.h>
#include <string.h>

static int fail(const char *name, const char *package, struct error *err)
{
    const char *reason = dlerror();

    /* The loader says why in words only. */
    if (reason && (strstr(reason, "annot allocate") || strstr(reason, "cannot create shared")))
        return error_set(err, ERROR_RESOURCES, "out of memory: cannot load %s", name);
    return error_set(err, ERROR_UNSUPPORTED, "cannot load %s: %s; on Debian: apt-get install %s",
                     name, reason ? reason : "no reason given", package);
}

int shared_library_load(const char *name, const char *package,
                        const struct shared_function *functions, size_t n_functions,
                        struct error *err)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return fail(name, package, err);
    for (size_t i = 0; i < n_functions; i++) {
        void *function = dlsym(library, functions[i].name);

        if (function)
            memcpy(functions[i].place, &function, sizeof function);
        else if (!functions[i].is_optional)
            return fail(name, package, err);
    }
    return 0;
}
