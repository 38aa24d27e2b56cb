#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int (error_set)(struct error *err, enum error_code code, const char *fmt, ...)
{
    va_list args;

    if (err->code != ERROR_NONE)
        return -1;
    err->code = code;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return -1;
}

int (error_errno)(struct error *err, const char *fmt, ...)
{
    int cause = errno;
    size_t used;
    va_list args;

    if (err->code != ERROR_NONE)
        return -1;
    err->code = cause == ENOMEM || cause == EMFILE || cause == ENFILE ? ERROR_RESOURCES : ERROR_IO;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(cause));
    return -1;
}

int (error_context)(struct error *err, const char *fmt, ...)
{
    char old[sizeof err->text];
    size_t used;
    va_list args;

    memcpy(old, err->text, sizeof old);
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", old);
    return -1;
}
