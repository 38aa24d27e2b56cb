/* What the environment says about the Hub. */
#include "hub/hub_settings.h"

#include "scratch.h"

static const char *const variables[] = {
    "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_ENDPOINT",
    "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT",
    "HF_HUB_DISABLE_SYMLINKS", "SSL_CERT_FILE",
};

/* Only these, "NAME=value". */
static void set(const char *const *values, size_t n)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    setenv("HOME", "/home/me", 1);
    for (size_t i = 0; i < n; i++) {
        char *copy = memory_copy(values[i]), *equals = strchr(copy, '=');

        *equals = '\0';
        setenv(copy, equals + 1, 1);
        free(copy);
    }
}

#define SET(...)                                                                                  \
    set((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) /          \
                                                sizeof(char *))

static bool caches_in(const char *path)
{
    struct hub_settings settings;
    struct error err = {0};
    bool same = hub_settings_load(&settings, &err) == 0 && strcmp(settings.cache, path) == 0;

    if (!same)
        printf("# '%s', not '%s': %s\n", err.code ? "" : settings.cache, path, err.text);
    if (!err.code)
        hub_settings_release(&settings);
    return same;
}

static void where_the_cache_is(void)
{
    set(NULL, 0);
    CHECK(caches_in("/home/me/.cache/huggingface/hub"));
    SET("XDG_CACHE_HOME=/c");
    CHECK(caches_in("/c/huggingface/hub"));
    SET("XDG_CACHE_HOME=/c", "HF_HOME=/h");
    CHECK(caches_in("/h/hub"));
    SET("HF_HOME=/h", "HUGGINGFACE_HUB_CACHE=/old");
    CHECK(caches_in("/old"));
    SET("HF_HOME=/h", "HUGGINGFACE_HUB_CACHE=/old", "HF_HUB_CACHE=/new");
    CHECK(caches_in("/new"));
    SET("HF_HUB_CACHE=");
    CHECK(caches_in("/home/me/.cache/huggingface/hub"));
}

static void home_and_variables_are_expanded(void)
{
    setenv("PLACE", "there", 1);
    SET("HF_HOME=~/h");
    CHECK(caches_in("/home/me/h/hub"));
    SET("HF_HUB_CACHE=/a/$PLACE/${PLACE}b/$NONE_SUCH/x~");
    CHECK(caches_in("/a/there/thereb/$NONE_SUCH/x~"));
    SET("HF_HUB_CACHE=/a/${PLACE/$/$");
    CHECK(caches_in("/a/${PLACE/$/$"));
    SET("HF_HUB_CACHE=~nobody-of-that-name/x");
    CHECK(caches_in("~nobody-of-that-name/x"));
}

static const char *token_of(struct hub_settings *settings, struct error *err)
{
    *err = (struct error){0};
    if (hub_settings_load(settings, err))
        return "(error)";
    return settings->token ? settings->token : "(none)";
}

static void where_the_token_comes_from(void)
{
    struct hub_settings settings;
    struct error err;
    char *home = memory_format("HF_HOME=%s", scratch_path("home"));
    char *path = memory_format("HF_TOKEN_PATH=%s", scratch_path("elsewhere"));

    scratch_text("home/token", "  hf_home \n");
    scratch_text("elsewhere", "hf_path");
    SET(home, "HF_TOKEN=\thf_first\n", "HUGGING_FACE_HUB_TOKEN=hf_second");
    CHECK(strcmp(token_of(&settings, &err), "hf_first") == 0);
    hub_settings_release(&settings);
    SET(home, "HUGGING_FACE_HUB_TOKEN=hf_second");
    CHECK(strcmp(token_of(&settings, &err), "hf_second") == 0);
    hub_settings_release(&settings);
    SET(home);
    CHECK(strcmp(token_of(&settings, &err), "hf_home") == 0);
    hub_settings_release(&settings);
    SET(home, path);
    CHECK(strcmp(token_of(&settings, &err), "hf_path") == 0);
    hub_settings_release(&settings);
    SET(home, "HF_TOKEN=hf_first", "HF_HUB_DISABLE_IMPLICIT_TOKEN=yes");
    CHECK(strcmp(token_of(&settings, &err), "(none)") == 0);
    hub_settings_release(&settings);
    SET("HF_HOME=/does/not/exist");
    CHECK(strcmp(token_of(&settings, &err), "(none)") == 0);
    hub_settings_release(&settings);
    free(home);
    free(path);
}

/* It would become a line of a request. */
static void a_token_of_two_lines_is_refused_and_not_shown(void)
{
    struct hub_settings settings;
    struct error err;

    SET("HF_TOKEN=hf_secret\nHost: evil");
    CHECK(strcmp(token_of(&settings, &err), "(error)") == 0);
    CHECK(err.code == ERROR_USAGE);
    CHECK(!strstr(err.text, "secret"));
}

static void what_a_server_echoes_is_hidden(void)
{
    struct hub_settings settings = {.token = (char *)"token"};
    struct error err = {0};

    error_set(&err, ERROR_NETWORK, "token and token");
    hub_settings_hide_token(&settings, &err);
    CHECK(strcmp(err.text, "[token] and [token]") == 0);
}

static void check_refused(const char *value, const char *part)
{
    struct hub_settings settings;
    struct error err = {0};

    set(&value, 1);
    CHECK(hub_settings_load(&settings, &err) == -1);
    CHECK(err.code == ERROR_USAGE);
    CHECK_CONTAINS(err.text, part);
}

static void values_that_make_no_sense(void)
{
    check_refused("HF_ENDPOINT=huggingface.co", "HF_ENDPOINT must be a URL");
    check_refused("HF_ENDPOINT=file:///etc", "HF_ENDPOINT must be a URL");
    check_refused("HF_ENDPOINT=https://", "HF_ENDPOINT must be a URL");
    check_refused("HF_ENDPOINT=https://a/b?c", "HF_ENDPOINT must be a URL");
    check_refused("HF_ENDPOINT=https://me:password@host", "user name or password");
    check_refused("HF_HUB_ETAG_TIMEOUT=0", "HF_HUB_ETAG_TIMEOUT");
    check_refused("HF_HUB_ETAG_TIMEOUT=ten", "'ten'");
    check_refused("HF_HUB_DOWNLOAD_TIMEOUT=-1", "HF_HUB_DOWNLOAD_TIMEOUT");
    check_refused("HF_HUB_DOWNLOAD_TIMEOUT=99999999999999999999", "HF_HUB_DOWNLOAD_TIMEOUT");
}

static void what_is_set(void)
{
    struct hub_settings settings;
    struct error err = {0};

    SET("HF_ENDPOINT=http://127.0.0.1:8080/prefix//", "TRANSFORMERS_OFFLINE=On",
        "HF_HUB_ETAG_TIMEOUT=3", "HF_HUB_DOWNLOAD_TIMEOUT=5", "HF_HUB_DISABLE_SYMLINKS=true",
        "SSL_CERT_FILE=/ca.pem");
    CHECK(hub_settings_load(&settings, &err) == 0);
    CHECK(strcmp(settings.endpoint, "http://127.0.0.1:8080/prefix") == 0);
    CHECK(settings.is_offline && settings.has_no_symlinks);
    CHECK(settings.etag_timeout_s == 3 && settings.download_timeout_s == 5);
    CHECK(strcmp(settings.certificates, "/ca.pem") == 0);
    hub_settings_release(&settings);
    SET("HF_HUB_OFFLINE=0", "TRANSFORMERS_OFFLINE=1");
    CHECK(hub_settings_load(&settings, &err) == 0);
    CHECK(!settings.is_offline && !settings.has_no_symlinks);
    CHECK(settings.etag_timeout_s == 10 && settings.download_timeout_s == 10);
    CHECK(strcmp(settings.endpoint, "https://huggingface.co") == 0);
    hub_settings_release(&settings);
}

TESTS(TEST(where_the_cache_is), TEST(home_and_variables_are_expanded),
      TEST(where_the_token_comes_from), TEST(a_token_of_two_lines_is_refused_and_not_shown),
      TEST(what_a_server_echoes_is_hidden), TEST(values_that_make_no_sense), TEST(what_is_set))
