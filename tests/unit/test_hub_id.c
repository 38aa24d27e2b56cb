/* What a name on the Hub looks like (formats.md 4). */
#include "hub/hub_id.h"

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

TESTS(TEST(a_name_and_its_revision), TEST(what_is_no_id), TEST(what_is_no_revision),
      TEST(names_have_a_length), TEST(commits))
