#include "access.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"

static void add_key(struct access *access, const char *key, size_t n)
{
    while (n && isspace((unsigned char)key[n - 1]))
        n--;
    while (n && isspace((unsigned char)*key)) {
        key++;
        n--;
    }
    if (!n)
        return;
    access->keys = memory_resize(access->keys, access->n_keys + 1, sizeof *access->keys);
    access->keys[access->n_keys++] = memory_format("%.*s", (int)n, key);
}

int access_read_keys(struct access *access, const char *path, struct error *err)
{
    const char *key = getenv("COCKTAIL_API_KEY");
    struct file *file = NULL;
    char *text = NULL;
    int rc = 0;

    if (key)
        add_key(access, key, strlen(key));
    if (path) {
        size_t n_before = access->n_keys;

        file = file_open(path, path, err);
        text = file ? file_read_text(file, 1 << 20, NULL, err) : NULL;
        for (const char *line = text; line && *line;) {
            size_t n = strcspn(line, "\n");

            add_key(access, line, n);
            line += n + (line[n] == '\n');
        }
        if (!text)
            rc = -1;
        else if (access->n_keys == n_before)
            rc = error_set(err, ERROR_FORMAT, "'%s': holds no key", path);
    }
    free(text);
    file_close(file);
    return rc;
}

void access_release(struct access *access)
{
    for (size_t i = 0; i < access->n_keys; i++)
        free(access->keys[i]);
    free(access->keys);
    *access = (struct access){0};
}

/* All bytes of what was given are looked at, whatever they are. */
static bool is_equal(const char *key, const char *given)
{
    size_t n_key = strlen(key), n = strlen(given);
    volatile unsigned char difference = n != n_key;

    for (size_t i = 0; i < n; i++)
        difference |= (unsigned char)(given[i] ^ key[i % n_key]);
    return difference == 0;
}

bool access_has_key(const struct access *access, const char *authorization, const char *api_key)
{
    const char *given = api_key;
    bool has_key = false;

    if (access->n_keys == 0)
        return true;
    if (authorization && strncasecmp(authorization, "bearer ", 7) == 0) {
        given = authorization + 7;
        given += strspn(given, " ");
    }
    if (!given)
        return false;
    for (size_t i = 0; i < access->n_keys; i++)
        has_key |= is_equal(access->keys[i], given);
    return has_key;
}

/* The length of a host's name, without its port. */
static size_t name_length(const char *host)
{
    size_t n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");

    return *host == '[' && host[n] ? n + 1 : n;
}

static bool is_name(const char *host, size_t n, const char *name)
{
    return n == strlen(name) && strncasecmp(host, name, n) == 0;
}

static bool is_local_name(const char *host, size_t n)
{
    static const char suffix[] = ".localhost";

    if (is_name(host, n, "localhost") || is_name(host, n, "[::1]"))
        return true;
    if (n > strlen(suffix) &&
        strncasecmp(host + n - strlen(suffix), suffix, strlen(suffix)) == 0)
        return true;
    return n >= 7 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n;
}

bool access_takes_host(const struct access *access, const char *host)
{
    size_t n;

    if (!access->is_local)
        return true;
    if (!host)
        return false;
    n = name_length(host);
    if (is_local_name(host, n))
        return true;
    for (size_t i = 0; i < access->n_hosts; i++)
        if (is_name(host, n, access->hosts[i]))
            return true;
    return false;
}

bool access_takes_origin(const struct access *access, const char *origin, const char *host)
{
    const char *name = origin ? strstr(origin, "://") : NULL;

    if (!origin)
        return true;
    if (!name || !host)
        return false;
    name += 3;
    if (strcasecmp(name, host) == 0)
        return true;
    for (size_t i = 0; i < access->n_hosts; i++)
        if (is_name(name, name_length(name), access->hosts[i]))
            return true;
    return false;
}
