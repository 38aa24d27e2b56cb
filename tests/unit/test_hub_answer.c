/* What the headers of an answer say. */
#include "hub/hub_answer.h"

#include "base/memory.h"
#include "hub/hub_url.h"
#include "test.h"

static struct hub_answer read_lines(const char *const *lines, size_t n)
{
    struct hub_answer answer = {0};

    for (size_t i = 0; i < n; i++)
        hub_answer_add_header(&answer, lines[i], strlen(lines[i]));
    return answer;
}

#define LINES(...)                                                                                \
    read_lines((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) /   \
                                                       sizeof(char *))

static void the_linked_etag_wins(void)
{
    struct hub_answer answer = LINES("x-linked-etag: \"abc\"\r\n", "ETag: W/\"def\"\r\n");

    CHECK(strcmp(answer.etag, "abc") == 0);
    hub_answer_release(&answer);
    answer = LINES("ETAG: W/\"def\"\r\n", "X-Linked-ETag: abc\r\n");
    CHECK(strcmp(answer.etag, "abc") == 0);
    hub_answer_release(&answer);
    answer = LINES("etag: W/\"def\"\n");
    CHECK(strcmp(answer.etag, "def") == 0);
    hub_answer_release(&answer);
    answer = LINES("etag: \"\"\n");
    CHECK(answer.etag == NULL);
    hub_answer_release(&answer);
}

static void sizes(void)
{
    struct hub_answer answer = LINES("Content-Length: 5\r\n", "X-Linked-Size: 70\r\n");
    size_t size = 0;

    CHECK(hub_answer_size(&answer, &size) && size == 70);
    hub_answer_release(&answer);
    answer = LINES("content-length:5\r\n");
    CHECK(hub_answer_size(&answer, &size) && size == 5);
    answer.status = 302;
    CHECK(!hub_answer_size(&answer, &size));
    hub_answer_release(&answer);
    answer = LINES("Content-Length: 18446744073709551616\r\n", "X-Linked-Size: -1\r\n");
    CHECK(!hub_answer_size(&answer, &size));
    hub_answer_release(&answer);
    answer = LINES("Content-Length: 5 5\r\n");
    CHECK(!answer.has_length);
    hub_answer_release(&answer);
}

static void ranges(void)
{
    struct hub_answer answer = LINES("Content-Range: bytes 5-9/10\r\n");

    CHECK(answer.has_range && answer.range_first == 5 && answer.range_last == 9 &&
          answer.range_total == 10);
    hub_answer_release(&answer);
    answer = LINES("Content-Range: bytes 5-9/*\r\n");
    CHECK(!answer.has_range);
    hub_answer_release(&answer);
    answer = LINES("Content-Range: bytes */10\r\n");
    CHECK(!answer.has_range);
    hub_answer_release(&answer);
    answer = LINES("Content-Range: bytes 5-9/10\r\n", "Content-Range: lines 5-9/10\r\n");
    CHECK(!answer.has_range);
    hub_answer_release(&answer);
}

static void the_next_page(void)
{
    struct hub_answer answer =
        LINES("Link: <https://a/x>; rel=\"xet-auth\", <https://a/y?c=1>; rel=\"next\"\r\n");

    CHECK(answer.next && strcmp(answer.next, "https://a/y?c=1") == 0);
    hub_answer_release(&answer);
    answer = LINES("Link: <https://a/x>; rel=\"xet-auth\"\r\n");
    CHECK(answer.next == NULL);
    hub_answer_release(&answer);
    answer = LINES("Link: <https://a/x; rel=\"next\"\r\n");
    CHECK(answer.next == NULL);
    hub_answer_release(&answer);
}

static void only_the_last_answer_counts(void)
{
    struct hub_answer answer =
        LINES("HTTP/1.1 100 Continue\r\n", "ETag: \"old\"\r\n", "\r\n", "HTTP/2 200\r\n",
              "x-repo-commit: 0123\r\n", "content-encoding: gzip\r\n", "no colon\r\n", ": \r\n");

    CHECK(answer.etag == NULL);
    CHECK(strcmp(answer.commit, "0123") == 0);
    CHECK(answer.is_encoded);
    hub_answer_release(&answer);
}

/* ---- URLs ---- */

static bool joins(const struct hub_curl *curl, const char *reference, const char *expected)
{
    char *joined = hub_url_join(curl, "https://host/a/b?q", reference);
    bool same = joined && strcmp(joined, expected) == 0;

    if (!same)
        printf("# '%s'\n", joined ? joined : "(none)");
    free(joined);
    return same;
}

static bool has_origin(const struct hub_curl *curl, const char *url, const char *expected)
{
    char *origin = hub_url_origin(curl, url);
    bool same = origin ? strcmp(origin, expected) == 0 : *expected == '\0';

    if (!same)
        printf("# '%s' of '%s'\n", origin ? origin : "(none)", url);
    free(origin);
    return same;
}

static void references_are_resolved(void)
{
    struct error err = {0};
    const struct hub_curl *curl = hub_curl_load(&err);

    CHECK(curl != NULL);
    if (!curl)
        return;
    CHECK(joins(curl, "/x", "https://host/x"));
    CHECK(joins(curl, "x", "https://host/a/x"));
    CHECK(joins(curl, "//other/x", "https://other/x"));
    CHECK(joins(curl, "http://host:8/x", "http://host:8/x"));
}

/* The token goes by this. */
static void origins(void)
{
    struct error err = {0};
    const struct hub_curl *curl = hub_curl_load(&err);

    CHECK(curl != NULL);
    if (!curl)
        return;
    CHECK(has_origin(curl, "https://Host/x", "https://host:443"));
    CHECK(has_origin(curl, "https://host:443/", "https://host:443"));
    CHECK(has_origin(curl, "http://host/x", "http://host:80"));
    CHECK(has_origin(curl, "http://host:80@evil/x", "http://evil:80"));
    CHECK(has_origin(curl, "http://host.evil/x", "http://host.evil:80"));
    CHECK(has_origin(curl, "file:///etc/passwd", ""));
    CHECK(has_origin(curl, "ftp://host/x", ""));
    CHECK(has_origin(curl, "nonsense", ""));
}

static void what_is_escaped(void)
{
    char *url = hub_url_encode("refs/pr 1?#%&+\xc3\xa4", false);

    CHECK(strcmp(url, "refs%2Fpr%201%3F%23%25%26%2B%C3%A4") == 0);
    free(url);
    url = hub_url_encode("2_Dense/a b.json", true);
    CHECK(strcmp(url, "2_Dense/a%20b.json") == 0);
    free(url);
}

TESTS(TEST(the_linked_etag_wins), TEST(sizes), TEST(ranges), TEST(the_next_page),
      TEST(only_the_last_answer_counts), TEST(references_are_resolved), TEST(origins),
      TEST(what_is_escaped))
