#include "hub_settings.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/digits.h"
#include "base/file.h"
#include "base/memory.h"

static const size_t token_bytes_max = 65536;
static const size_t timeout_max_s = 86400;

/* ---- values ---- */

/* Empty counts as not set. */
static const char *find(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static bool is_true(const char *name)
{
    static const char *const words[] = {"1", "ON", "YES", "TRUE"};
    const char *value = find(name);

    for (size_t i = 0; value && i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

static int read_timeout(const char *name, size_t *seconds, struct error *err)
{
    const char *value = find(name);

    *seconds = 10;
    if (!value)
        return 0;
    if (!digits_read_all(value, seconds) || *seconds == 0 || *seconds > timeout_max_s)
        return error_set(err, ERROR_USAGE, "%s must be a whole number of seconds from 1 to %zu, "
                         "not '" ERROR_NAME "'", name, timeout_max_s, value);
    return 0;
}

/* ---- paths ---- */

static char *find_home(const char *user, size_t n_user)
{
    const char *home = n_user ? NULL : find("HOME");
    char *name = memory_format("%.*s", (int)n_user, user);
    const struct passwd *entry = home ? NULL : n_user ? getpwnam(name) : getpwuid(getuid());

    if (entry)
        home = entry->pw_dir;
    free(name);
    return home ? memory_copy(home) : NULL;
}

/* "~" and "~user" at the beginning. */
static void add_home(struct buffer *out, const char **path)
{
    size_t n_user = strcspn(*path, "/");
    char *home = **path == '~' ? find_home(*path + 1, n_user - 1) : NULL;

    if (!home)
        return;
    buffer_add_text(out, home);
    while (out->size > 0 && out->data[out->size - 1] == '/')
        out->data[--out->size] = '\0';
    *path += n_user;
    free(home);
}

/* Adds the value of the variable at `path`, "$NAME" or "${NAME}", and returns how long that is; 0
 * when there is no such variable: then it stays as it is, as in Python. */
static size_t add_variable(struct buffer *out, const char *path)
{
    bool has_braces = path[1] == '{';
    const char *name = path + 1 + has_braces;
    size_t n = has_braces ? strcspn(name, "}")
                          : strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789_");
    char *copy = memory_format("%.*s", (int)n, name);
    const char *value = n && (!has_braces || name[n] == '}') ? getenv(copy) : NULL;

    free(copy);
    if (!value)
        return 0;
    buffer_add_text(out, value);
    return n + 1 + 2 * has_braces;
}

static char *expand(const char *path)
{
    struct buffer out = {0};

    buffer_add_text(&out, "");
    add_home(&out, &path);
    while (*path) {
        size_t n = *path == '$' ? add_variable(&out, path) : 0;

        if (n == 0)
            buffer_add_char(&out, *path);
        path += n ? n : 1;
    }
    return out.data;
}

static char *find_hub_home(void)
{
    const char *home = find("HF_HOME"), *caches = find("XDG_CACHE_HOME");
    char *joined, *expanded;

    if (home)
        return expand(home);
    joined = memory_format("%s/huggingface", caches ? caches : "~/.cache");
    expanded = expand(joined);
    free(joined);
    return expanded;
}

static char *find_cache(const char *home)
{
    const char *cache = find("HF_HUB_CACHE");

    if (!cache)
        cache = find("HUGGINGFACE_HUB_CACHE");
    return cache ? expand(cache) : memory_format("%s/hub", home);
}

/* ---- the token ---- */

static char *copy_token(const char *text)
{
    static const char blanks[] = " \t\r\n\v\f";
    size_t n;

    text += strspn(text, blanks);
    n = strlen(text);
    while (n > 0 && strchr(blanks, text[n - 1]))
        n--;
    return n ? memory_format("%.*s", (int)n, text) : NULL;
}

static int read_token_file(const char *path, char **token, struct error *err)
{
    char *real = memory_realpath(path), *text = NULL;
    struct file *file = real ? file_open(real, path, err) : NULL;

    if (file)
        text = file_read_text(file, token_bytes_max, NULL, err);
    if (text)
        *token = copy_token(text);
    file_close(file);
    free(real);
    free(text);
    return err->code ? error_context(err, "cannot read the token of the Hub") : 0;
}

static int find_token(struct hub_settings *settings, const char *home, struct error *err)
{
    const char *given = find("HF_TOKEN"), *path = find("HF_TOKEN_PATH");
    char *file;
    int rc = 0;

    if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
        return 0;
    if (!given)
        given = find("HUGGING_FACE_HUB_TOKEN");
    if (given)
        settings->token = copy_token(given);
    if (!settings->token) {
        file = path ? expand(path) : memory_format("%s/token", home);
        rc = read_token_file(file, &settings->token, err);
        free(file);
    }
    for (const char *c = settings->token; rc == 0 && c && *c; c++)
        if (*c <= ' ' || *c > '~')
            rc = error_set(err, ERROR_USAGE, "the token of the Hub holds characters that no token "
                           "has; look at HF_TOKEN and at the file of HF_TOKEN_PATH");
    return rc;
}

/* ---- the endpoint ---- */

static int find_endpoint(struct hub_settings *settings, struct error *err)
{
    const char *given = find("HF_ENDPOINT"), *host;
    size_t n;

    if (!given)
        given = "https://huggingface.co";
    n = strlen(given);
    while (n > 0 && given[n - 1] == '/')
        n--;
    settings->endpoint = memory_format("%.*s", (int)n, given);
    host = settings->endpoint; /* "https:" of "https://" by now */
    host = strncasecmp(host, "https://", 8) == 0  ? host + 8
           : strncasecmp(host, "http://", 7) == 0 ? host + 7
                                                  : "";
    if (strchr(settings->endpoint, '@')) /* not shown: it may be a password */
        return error_set(err, ERROR_USAGE, "HF_ENDPOINT must not hold a user name or password");
    for (const char *c = host; *c; c++)
        if (*c <= ' ' || *c > '~' || strchr("?#\\\"<>", *c))
            host = "";
    if (!*host || *host == '/' || n > 1000)
        return error_set(err, ERROR_USAGE, "HF_ENDPOINT must be a URL such as "
                         "https://huggingface.co, not '" ERROR_NAME "'", given);
    return 0;
}

/* ---- all ---- */

int hub_settings_load(struct hub_settings *settings, struct error *err)
{
    const char *certificates = find("SSL_CERT_FILE");
    const char *offline_name = find("HF_HUB_OFFLINE") ? "HF_HUB_OFFLINE" : "TRANSFORMERS_OFFLINE";
    char *home = find_hub_home();
    int rc;

    *settings = (struct hub_settings){
        .cache = find_cache(home),
        .certificates = certificates ? memory_copy(certificates) : NULL,
        .is_offline = is_true(offline_name),
        .offline_name = offline_name,
        .has_no_symlinks = is_true("HF_HUB_DISABLE_SYMLINKS"),
    };
    rc = find_endpoint(settings, err) ||
                 read_timeout("HF_HUB_ETAG_TIMEOUT", &settings->etag_timeout_s, err) ||
                 read_timeout("HF_HUB_DOWNLOAD_TIMEOUT", &settings->download_timeout_s, err) ||
                 (!settings->is_offline && find_token(settings, home, err))
             ? -1
             : 0;
    free(home);
    if (rc)
        hub_settings_release(settings);
    return rc;
}

void hub_settings_release(struct hub_settings *settings)
{
    free(settings->endpoint);
    free(settings->cache);
    free(settings->certificates);
    if (settings->token)
        explicit_bzero(settings->token, strlen(settings->token));
    free(settings->token);
    *settings = (struct hub_settings){0};
}

void hub_settings_hide_token(const struct hub_settings *settings, struct error *err)
{
    static const char mark[] = "[token]";
    const char *token = settings->token, *at;
    struct buffer text = {0};
    size_t from = 0;

    if (!token || !strstr(err->text, token))
        return;
    buffer_add_text(&text, err->text);
    while ((at = strstr(text.data + from, token))) {
        from = (size_t)(at - text.data) + strlen(mark);
        buffer_splice(&text, (size_t)(at - text.data), strlen(token), mark);
    }
    snprintf(err->text, sizeof err->text, "%s", text.data);
    buffer_release(&text);
}
