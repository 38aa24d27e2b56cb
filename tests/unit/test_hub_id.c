/* What a name on the Hub looks like (docs/formats.md, "The Hub"). */
#include "hub/hub_id.h"

#include <stdlib.h>

#include "test.h"

static bool reads_as(const char *text, const char *repository, const char *revision)
{
    struct hub_id id;
    bool same;

    if (!hub_id_parse(&id, text))
        return false;
    same = strcmp(id.repository, repository) == 0 && strcmp(id.revision, revision) == 0;
    hub_id_release(&id);
    return same;
}

static bool is_id(const char *text)
{
    struct hub_id id;
    bool result = hub_id_parse(&id, text);

    if (result)
        hub_id_release(&id);
    return result;
}

static void a_name_and_its_revision(void)
{
    CHECK(reads_as("BAAI/bge-base-en-v1.5", "BAAI/bge-base-en-v1.5", "main"));
    CHECK(reads_as("a/b@v1.0", "a/b", "v1.0"));
    CHECK(reads_as("a/b@refs/pr/1", "a/b", "refs/pr/1"));
    CHECK(reads_as("a_1/_b_@x@y", "a_1/_b_", "x@y"));
}

static bool reads_bare(const char *text, const char *repository, const char *revision)
{
    struct hub_id id;
    bool same;

    if (!hub_id_parse_bare(&id, text))
        return false;
    same = strcmp(id.repository, repository) == 0 && strcmp(id.revision, revision) == 0;
    hub_id_release(&id);
    return same;
}

static void a_name_without_an_organisation(void)
{
    CHECK(reads_bare("gpt2", "gpt2", "main"));
    CHECK(reads_bare("t5-small@v1", "t5-small", "v1"));
    CHECK(reads_bare("bert-base-uncased@refs/pr/1", "bert-base-uncased", "refs/pr/1"));
    CHECK(!reads_bare("", "", "main") && !reads_bare("a/b", "a/b", "main"));
    CHECK(!reads_bare("..", "..", "main") && !reads_bare("a--b", "a--b", "main"));
    CHECK(!reads_bare("a@", "a", "") && !reads_bare("a@../x", "a", "../x"));
}

static bool leads_to(const char *address, const char *expected)
{
    char *id = hub_id_of_address(address);
    bool does = expected ? id && strcmp(id, expected) == 0 : !id;

    if (!does)
        printf("# '%s': '%s'\n", address, id ? id : "");
    free(id);
    return does;
}

static void an_address_has_a_name(void)
{
    CHECK(leads_to("https://huggingface.co/org/name", "org/name"));
    CHECK(leads_to("https://huggingface.co/org/name/", "org/name"));
    CHECK(leads_to("http://www.huggingface.co/org/name?x=y", "org/name"));
    CHECK(leads_to("huggingface.co/org/name#top", "org/name"));
    CHECK(leads_to("hf.co/org/name/tree/v1.0", "org/name@v1.0"));
    CHECK(leads_to("https://huggingface.co/org/name/blob/main/config.json", "org/name@main"));
    CHECK(leads_to("https://huggingface.co/org/name/resolve/main/x.bin?download=true",
                   "org/name@main"));
    CHECK(leads_to("https://huggingface.co/org", NULL));
    CHECK(leads_to("https://huggingface.co/org/na me", NULL));
    CHECK(leads_to("https://example.org/org/name", NULL));
    CHECK(leads_to("org/name", NULL));
}

static void what_is_no_id(void)
{
    static const char *const texts[] = {
        "", "a", "a@b", "a/", "/a", "a/b/c", "./a", "../a", "a/.b", "a/b.", "-a/b", "a/b-",
        "a--b/c", "a/b--c", "a/b..c", "a/b.git", "a/b c", "a/b\n", "a/b%20", "a\\b/c", "a/b:c",
        "~/b",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (is_id(texts[i]))
            printf("# '%s'\n", texts[i]);
        CHECK(!is_id(texts[i]));
    }
}

/* It becomes a path in the cache. */
static void what_is_no_revision(void)
{
    static const char *const texts[] = {
        "a/b@", "a/b@..", "a/b@x/../../y", "a/b@/etc", "a/b@x//y", "a/b@x/", "a/b@.x", "a/b@x/.y",
        "a/b@x..y", "a/b@x y", "a/b@x\ny", "a/b@x\\y", "a/b@x:y", "a/b@x?", "a/b@x*", "a/b@x^", "a/b@x~1",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (is_id(texts[i]))
            printf("# '%s'\n", texts[i]);
        CHECK(!is_id(texts[i]));
    }
}

static void names_have_a_length(void)
{
    char text[400] = "a/";

    memset(text + 2, 'b', 96);
    CHECK(is_id(text));
    text[98] = 'b';
    CHECK(!is_id(text));
    strcpy(text, "a/b@");
    memset(text + 4, 'c', 255);
    text[259] = '\0';
    CHECK(is_id(text));
    strcat(text, "c");
    CHECK(!is_id(text));
}

static void commits(void)
{
    CHECK(hub_id_is_commit("0123456789abcdef0123456789abcdef01234567"));
    CHECK(!hub_id_is_commit("0123456789abcdef0123456789abcdef0123456"));
    CHECK(!hub_id_is_commit("0123456789ABCDEF0123456789abcdef01234567"));
    CHECK(!hub_id_is_commit("main"));
}

static bool path_is_of(const char *path, const char *expected)
{
    char *id = hub_id_of_path(path);
    bool same = id ? expected && strcmp(id, expected) == 0 : !expected;

    if (!same)
        printf("# '%s' is of '%s'\n", path, id ? id : "(none)");
    free(id);
    return same;
}

static void a_path_in_a_cache_says_whose_it_is(void)
{
    CHECK(path_is_of("/c/models--acme--base/snapshots/0123", "acme/base"));
    CHECK(path_is_of("/c/models--acme--base/snapshots/0123/sub/dir", "acme/base"));
    CHECK(path_is_of("/models--a-b--c.d_e-f/snapshots/x", "a-b/c.d_e-f"));
    CHECK(path_is_of("/c/models--gpt2/snapshots/0123", "gpt2"));
    CHECK(path_is_of("/models--x/y/models--acme--base/snapshots/0123", "acme/base"));
    CHECK(path_is_of("/c/models--acme--base/blobs/0123", NULL));
    CHECK(path_is_of("/c/models--acme--base/snapshots/", NULL));
    CHECK(path_is_of("/c/models--acme--base/snapshots", NULL));
    CHECK(path_is_of("/c/models--acme--base", NULL));
    CHECK(path_is_of("/c/datasets--acme--base/snapshots/0123", NULL));
    CHECK(path_is_of("/c/my-models--acme--base/snapshots/0123", NULL));
    CHECK(path_is_of("/c/models--a--b--c/snapshots/0123", NULL));
    CHECK(path_is_of("/c/models----b/snapshots/0123", NULL));
    CHECK(path_is_of("/c/models--a--/snapshots/0123", NULL));
    CHECK(path_is_of("/c/models--a b--c/snapshots/0123", NULL));
    CHECK(path_is_of("/home/x/model", NULL));
    CHECK(path_is_of("", NULL));
}

TESTS(TEST(a_name_and_its_revision), TEST(a_name_without_an_organisation),
      TEST(an_address_has_a_name), TEST(what_is_no_id), TEST(what_is_no_revision),
      TEST(names_have_a_length), TEST(commits), TEST(a_path_in_a_cache_says_whose_it_is))
