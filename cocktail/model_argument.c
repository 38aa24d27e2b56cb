#include "model_argument.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* A part of a repository id: [A-Za-z0-9._-], not starting or ending with '-' or '.' (formats.md 4). */
static bool is_id_part(const char *text, size_t length)
{
    if (length == 0 || length > 96 || strchr("-.", text[0]) || strchr("-.", text[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++) {
        bool is_letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');

        if (!is_letter && !(text[i] >= '0' && text[i] <= '9') && !strchr("._-", text[i]))
            return false;
    }
    return true;
}

static bool is_hub_id(const char *text)
{
    const char *slash = strchr(text, '/');
    size_t n_name = slash ? strcspn(slash + 1, "@") : 0;

    return slash && is_id_part(text, (size_t)(slash - text)) && is_id_part(slash + 1, n_name) &&
           !strstr(text, "--") && !strstr(text, "..");
}

int model_argument_check(const char *argument, struct error *err)
{
    struct stat info;

    if (stat(argument, &info) == 0)
        return 0;
    if (errno != ENOENT && errno != ENOTDIR)
        return error_errno(err, "cannot open '%s'", argument);
    if (is_hub_id(argument))
        return error_set(err, ERROR_NETWORK, "'%s': no such directory, and models cannot be "
                         "fetched from the Hub yet; give a directory", argument);
    return error_set(err, ERROR_USAGE, "'%s': no such directory or file", argument);
}
