#include "refusal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#undef refusal_set
#undef refusal_of_error

int refusal_set(struct refusal *refusal, int status, const char *code, const char *param,
                const char *fmt, ...)
{
    va_list arguments;

    if (refusal->status)
        return -1;
    refusal->status = status;
    refusal->code = code;
    snprintf(refusal->param, sizeof refusal->param, "%s", param ? param : "");
    va_start(arguments, fmt);
    vsnprintf(refusal->text, sizeof refusal->text, fmt, arguments);
    va_end(arguments);
    return -1;
}

int refusal_of_error(struct refusal *refusal, const char *param, const struct error *error)
{
    switch (error->code) {
    case ERROR_USAGE:
    case ERROR_FORMAT:
    case ERROR_UNSUPPORTED:
        return refusal_set(refusal, 400, NULL, param, "%s", error->text);
    default:
        return refusal_set(refusal, 500, NULL, NULL, "%s", error->text);
    }
}

const char *refusal_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {{401, "authentication_error"}, {403, "permission_error"},
                 {404, "not_found_error"},      {429, "rate_limit_error"},
                 {500, "server_error"},         {503, "unavailable_error"}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].status == status)
            return types[i].type;
    return "invalid_request_error";
}
