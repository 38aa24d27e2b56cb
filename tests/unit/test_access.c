/* test_access.c - who may ask. */
#include "serve/access.h"

#include "test.h"

static void keys_are_compared_whole(void)
{
    char *keys[] = {"one", "another"};
    const struct access access = {.keys = keys, .n_keys = 2}, open = {0};

    CHECK(access_has_key(&open, NULL, NULL) && access_has_key(&open, "Bearer x", NULL));
    CHECK(access_has_key(&access, "Bearer one", NULL));
    CHECK(access_has_key(&access, "bEARER  another", NULL));
    CHECK(access_has_key(&access, NULL, "one"));
    CHECK(!access_has_key(&access, NULL, NULL));
    CHECK(!access_has_key(&access, "Bearer oneone", NULL)); /* a key as often as one likes */
    CHECK(!access_has_key(&access, "Bearer on", NULL));
    CHECK(!access_has_key(&access, "Bearer ", NULL));
    CHECK(!access_has_key(&access, "one", NULL));
    CHECK(!access_has_key(&access, "Basic one", NULL));
    CHECK(!access_has_key(&access, NULL, ""));
}

static void only_local_names_lead_to_loopback(void)
{
    const char *hosts[] = {"my.host"};
    const struct access access = {.hosts = hosts, .n_hosts = 1, .is_local = true}, far = {0};
    static const char *const good[] = {"localhost", "localhost:80", "LocalHost", "a.b.localhost:1",
                                       "127.0.0.1", "127.1.2.3:9", "[::1]", "[::1]:80", "my.host",
                                       "MY.HOST:7"};
    static const char *const bad[] = {"", "evil.example", "localhost.evil.example",
                                      "127.0.0.1.evil.example", "my.host.evil", "[::2]", ".localhost",
                                      "xlocalhost", "128.0.0.1", "my.hos", "[::1"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(access_takes_host(&access, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!access_takes_host(&access, bad[i]));
    CHECK(!access_takes_host(&access, NULL) && access_takes_host(&far, "anything"));
}

static void pages_of_others_are_refused(void)
{
    const char *hosts[] = {"my.host"};
    const struct access access = {.hosts = hosts, .n_hosts = 1};

    CHECK(access_takes_origin(&access, NULL, "localhost:80"));
    CHECK(access_takes_origin(&access, "http://localhost:80", "localhost:80"));
    CHECK(access_takes_origin(&access, "https://my.host", "localhost:80"));
    CHECK(!access_takes_origin(&access, "http://localhost:81", "localhost:80"));
    CHECK(!access_takes_origin(&access, "http://evil.example", "localhost:80"));
    CHECK(!access_takes_origin(&access, "null", "localhost:80"));
    CHECK(!access_takes_origin(&access, "", "localhost:80"));
    CHECK(!access_takes_origin(&access, "http://my.host.evil", "localhost:80"));
}

TESTS(TEST(keys_are_compared_whole), TEST(only_local_names_lead_to_loopback),
      TEST(pages_of_others_are_refused))
