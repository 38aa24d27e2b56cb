/* test_token_keys.c - which tokens of two vocabularies are the same. */
#include "text/token_keys.h"

#include "base/memory.h"
#include "scratch.h"

#define BYTE_MARK "\xc4\xa0"
#define MARK "\xe2\x96\x81"

/* The keys of a vocabulary, JSON of tokens and ids, with a tokenizer_config.json. */
static struct token_keys load(const char *name, const char *vocabulary, const char *config)
{
    struct token_keys keys = {0};
    struct vocabulary loaded = {0};
    struct error err = {0};
    struct folder *folder;
    char *path = memory_format("%s/tokenizer.json", name);
    char *config_path = memory_format("%s/tokenizer_config.json", name);
    char *json = memory_format("{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{%s}}}", vocabulary);

    scratch_folder(name);
    scratch_text(path, json);
    scratch_text(config_path, config);
    folder = folder_open(scratch_path(name), false, &err);
    CHECK(folder && vocabulary_load(&loaded, folder, "", &err) == 0 && loaded.kind);
    CHECK(token_keys_load(&keys, &loaded, folder, "", &err) == 0);
    CHECK(loaded.kind == NULL); /* taken over */
    folder_close(folder);
    free(json);
    free(config_path);
    free(path);
    return keys;
}

static const struct token_search exact = {.n_ids = SIZE_MAX};

/* What token `id` of `from` is in `to`. */
static enum token_match match(const struct token_keys *to, struct token_search search,
                              const struct token_keys *from, uint32_t id, uint32_t *found)
{
    struct buffer key = {0};
    enum token_match kind;

    CHECK(token_keys_of(from, id, &key));
    kind = token_keys_match(to, &search, &key, found);
    buffer_release(&key);
    return kind;
}

static void check_match(const struct token_keys *to, struct token_search search,
                        const struct token_keys *from, uint32_t id, enum token_match kind,
                        uint32_t expected)
{
    uint32_t found = 999;

    CHECK(match(to, search, from, id, &found) == kind);
    if (kind != TOKEN_NO_MATCH)
        CHECK(found == expected);
}

static void marks_of_words_are_the_same(void)
{
    struct token_keys a = load("bytes", "\"" BYTE_MARK "\":0,\"" BYTE_MARK "cat\":1,\"cat\":2,\"" MARK "x\":3", "{}");
    struct token_keys b = load("pieces", "\"cat\":0,\"" MARK "cat\":1,\"" MARK "\":2,\"" MARK "x\":3", "{}");

    CHECK(a.is_byte_level && !b.is_byte_level);
    check_match(&b, exact, &a, 0, TOKEN_SAME, 2);
    check_match(&b, exact, &a, 1, TOKEN_SAME, 1);
    check_match(&b, exact, &a, 2, TOKEN_SAME, 0);
    check_match(&b, exact, &a, 3, TOKEN_NO_MATCH, 0); /* there it is a character like others */
    check_match(&b, (struct token_search){.n_ids = 1}, &a, 1, TOKEN_NO_MATCH, 0); /* no row */
    token_keys_release(&a);
    token_keys_release(&b);
}

static void special_tokens_are_the_same_by_their_role(void)
{
    struct token_keys a = load("roles", "\"<|end|>\":0,\"<pad>\":1,\"</s>\":2",
                               "{\"bos_token\":\"<|end|>\",\"eos_token\":\"<|end|>\","
                               "\"pad_token\":{\"content\":\"<pad>\"}}");
    struct token_keys b = load("others", "\"<s>\":0,\"</s>\":1,\"[P]\":2,\"bos_token\":3",
                               "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"pad_token\":\"[P]\"}");

    check_match(&b, exact, &a, 0, TOKEN_SAME, 0);
    check_match(&b, exact, &a, 1, TOKEN_SAME, 2);
    check_match(&b, exact, &a, 2, TOKEN_NO_MATCH, 0); /* spelled so, and no special token */
    check_match(&a, exact, &b, 1, TOKEN_NO_MATCH, 0); /* its bos comes first */
    check_match(&a, exact, &b, 3, TOKEN_NO_MATCH, 0); /* a role's name is no role */
    token_keys_release(&a);
    token_keys_release(&b);
}

static void bytes_match_where_they_are_asked_for(void)
{
    struct token_keys a = load("characters", "\"A\":0,\"\u00e9\":1,\"\u0101\":2,\"<0x42>\":3,\"<0xZ2>\":4,\"<0xe8>\":5", "{}");
    struct token_keys b = load("hex", "\"<0x41>\":0,\"<0xE9>\":1,\"B\":2,\"\u00e8\":3", "{}");
    struct token_search bytes = {.bytes = true, .n_ids = SIZE_MAX};

    check_match(&b, exact, &a, 0, TOKEN_NO_MATCH, 0);
    check_match(&b, bytes, &a, 0, TOKEN_SAME_BYTE, 0);
    check_match(&b, bytes, &a, 1, TOKEN_SAME_BYTE, 1);
    check_match(&b, bytes, &a, 2, TOKEN_NO_MATCH, 0);
    check_match(&b, bytes, &a, 3, TOKEN_SAME_BYTE, 2);
    check_match(&b, bytes, &a, 4, TOKEN_NO_MATCH, 0);
    check_match(&b, bytes, &a, 5, TOKEN_SAME_BYTE, 3);
    token_keys_release(&a);
    token_keys_release(&b);
}

static void the_longest_prefix_matches(void)
{
    struct token_keys a = load("long", "\"\u00e9\u00e8xy\":0,\"" MARK "house\":1,\" \u00e9\":2,\"\u3000x\":3,\"zz\":4,\"<s>x\":5",
                               "{\"bos_token\":\"<s>x\"}");
    struct token_keys b = load("short", "\"\u00e9\":0,\"\u00e9\u00e8\":1,\"hou\":2,\"" MARK "ho\":3,\" \":4,"
                               "\"\u3000\":5,\"<s>\":6,\"\u00c3\":7", "{}");
    struct token_search prefixes = {.prefixes = true, .n_ids = SIZE_MAX};

    check_match(&b, prefixes, &a, 0, TOKEN_PREFIX, 1);
    check_match(&b, prefixes, &a, 1, TOKEN_PREFIX, 3);
    check_match(&b, prefixes, &a, 2, TOKEN_NO_MATCH, 0); /* a blank alone is none */
    check_match(&b, prefixes, &a, 3, TOKEN_NO_MATCH, 0); /* nor is one of another script */
    check_match(&b, prefixes, &a, 4, TOKEN_NO_MATCH, 0);
    check_match(&b, prefixes, &a, 5, TOKEN_NO_MATCH, 0); /* nor has a special token one */
    token_keys_release(&a);
    token_keys_release(&b);
}

static void ids_may_have_holes(void)
{
    struct token_keys keys = load("holes", "\"a\":0,\"b\":7", "{}");
    struct buffer key = {0};

    CHECK(token_keys_n_ids(&keys) == 8);
    CHECK(token_keys_of(&keys, 7, &key) && !token_keys_of(&keys, 3, &key));
    buffer_release(&key);
    token_keys_release(&keys);
}

static void check_text(const struct token_keys *keys, uint32_t id, const char *expected)
{
    struct buffer text = {0};

    token_keys_text(keys, id, &text);
    CHECK(text.size == strlen(expected) && (text.size == 0 || memcmp(text.data, expected, text.size) == 0));
    buffer_release(&text);
}

static void tokens_stand_for_texts(void)
{
    struct token_keys a = load("shown", "\"" BYTE_MARK "caf\u00c3\u00a9\":0,\"\u010a\":1,\"\u00c3\":2,\"" BYTE_MARK "\":3,"
                               "\"\u65e5\":4", "{}");
    struct token_keys b = load("spaced", "\"" MARK "a" MARK "b\":0,\"\u00c3\":1", "{}");

    check_text(&a, 0, " caf\u00e9");
    check_text(&a, 1, "\n");
    check_text(&a, 2, "\u00c3"); /* half a character */
    check_text(&a, 3, " ");
    check_text(&a, 4, "\u65e5"); /* no byte is shown so */
    check_text(&a, 9, "");
    check_text(&b, 0, " a b");
    check_text(&b, 1, "\u00c3");
    token_keys_release(&a);
    token_keys_release(&b);
}

TESTS(TEST(marks_of_words_are_the_same), TEST(special_tokens_are_the_same_by_their_role),
      TEST(bytes_match_where_they_are_asked_for), TEST(the_longest_prefix_matches),
      TEST(ids_may_have_holes), TEST(tokens_stand_for_texts))
