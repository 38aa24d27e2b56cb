#include "mhd_library.h"

#include <stdbool.h>

#include "base/shared_library.h"

struct mhd_library mhd;

#define FUNCTION(name) {"MHD_" #name, &mhd.name, false}

static const struct shared_function table[] = {
    FUNCTION(add_response_header),
    FUNCTION(queue_response),
    FUNCTION(destroy_response),
    FUNCTION(create_response_from_buffer),
    FUNCTION(create_response_from_callback),
    FUNCTION(suspend_connection),
    FUNCTION(resume_connection),
    FUNCTION(lookup_connection_value),
    FUNCTION(get_connection_values),
    FUNCTION(get_connection_info),
    FUNCTION(start_daemon),
    FUNCTION(quiesce_daemon),
    FUNCTION(stop_daemon),
};

int mhd_library_load(struct error *err)
{
    return shared_library_load("libmicrohttpd.so.12", "libmicrohttpd12", table,
                               sizeof table / sizeof *table, err);
}
