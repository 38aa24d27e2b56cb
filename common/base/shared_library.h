/* shared_library.h - libraries that some commands need, loaded when one does: linking them would
 * cost every start some milliseconds. */
#ifndef COCKTAIL_SHARED_LIBRARY_H
#define COCKTAIL_SHARED_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct shared_function {
    const char *name;
    void *place;      /* of the pointer to it */
    bool is_optional; /* the pointer stays as it is when there is none */
};

/* Opens the library and fills in its functions; it stays open. ERROR_RESOURCES when memory is gone,
 * ERROR_UNSUPPORTED else, naming the Debian `package` that has it. */
int shared_library_load(const char *name, const char *package,
                        const struct shared_function *functions, size_t n_functions,
                        struct error *err);

#endif
