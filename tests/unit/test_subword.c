/* test_subword.c - words to ids: the four kinds of models, against what the reference gives.
 *
 * fixtures/subword_golden.txt was written by tests/parity/make_subword_golden.py, which says what
 * is in it. */
#include "text/subword.h"

#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include "test.h"
#include "text/bpe.h"
#include "text/subword_load.h"
#include "text/unigram.h"
#include "text/wordlevel.h"
#include "text/wordpiece.h"

static struct subword *load(const char *json, size_t size, struct error *err)
{
    struct json_reader reader;
    struct subword *subword;

    json_reader_init(&reader, json, size);
    subword = subword_load(&reader, err);
    if (subword && json_reader_finish(&reader, err)) {
        subword_free(subword);
        subword = NULL;
    }
    json_reader_release(&reader);
    return subword;
}

static struct subword *must_load(const char *json)
{
    struct error err = {0};
    struct subword *subword = load(json, strlen(json), &err);

    if (!subword) {
        printf("# %s\n", err.text);
        exit(1);
    }
    subword_finish(subword, false);
    return subword;
}

/* The ids as text, " 1 2 3", or " !" for an error. */
static const char *shown(const struct ids *ids)
{
    static char text[4096];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ids->n_items && n < sizeof text - 16; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %u", ids->items[i]);
    return text;
}

static const char *encoded(const struct subword *subword, struct subword_scratch *scratch,
                           const char *word, size_t n)
{
    static char text[4096];
    struct ids ids = {0};
    struct error err = {0};
    int rc = subword_encode(subword, scratch, word, n, &ids, &err);

    snprintf(text, sizeof text, "%s", rc ? " !" : shown(&ids));
    CHECK(rc == 0 || err.code == ERROR_FORMAT);
    ids_release(&ids);
    return text;
}

/* Checks the ids of a word with a fresh scratch. */
#define CHECK_WORD(subword, word, ids) check_word(subword, word, strlen(word), ids, __LINE__)

static void check_word(const struct subword *subword, const char *word, size_t n, const char *ids,
                       int line)
{
    struct subword_scratch *scratch = subword_scratch_new(subword);

    for (int round = 0; round < 2; round++) { /* the second one comes out of the cache */
        const char *got = encoded(subword, scratch, word, n);

        if (strcmp(got, ids) != 0) {
            printf("# line %d: '%s' gives%s, not%s\n", line, word, got, ids);
            test_has_failed = true;
        }
    }
    subword_scratch_free(scratch);
}

static void check_refused(const char *json, enum error_code code, const char *part)
{
    struct error err = {0};
    struct subword *subword = load(json, strlen(json), &err);

    if (subword || err.code != code || !strstr(err.text, part))
        printf("# %s: %d, '%s'\n", json, err.code, err.text);
    CHECK(!subword && err.code == code);
    CHECK_CONTAINS(err.text, part);
    subword_free(subword);
}

/* ---- the reference ---- */

static void check_golden_word(const struct subword *subword, struct subword_scratch *scratch,
                              char *line, int number)
{
    struct json_reader reader;
    struct json_text word;
    struct error err = {0};
    const char *ids, *got;

    json_reader_init(&reader, line, strlen(line));
    CHECK(json_reader_string(&reader, &word, &err) == 0);
    ids = line + reader.position;
    got = encoded(subword, scratch, word.bytes, word.length);
    if (strcmp(got, ids) != 0) {
        printf("# line %d: %s: gives%s\n", number, line, got);
        test_has_failed = true;
    }
    check_word(subword, word.bytes, word.length, ids, number);
    json_reader_release(&reader);
}

static void gives_the_ids_of_the_reference(void)
{
    FILE *file = fopen("fixtures/subword_golden.txt", "r");
    struct subword *subword = NULL;
    struct subword_scratch *scratch = NULL;
    char *line = NULL;
    size_t capacity = 0, n_words = 0, n_refused = 0;
    ssize_t length;

    CHECK(file);
    for (int number = 1; file && (length = getline(&line, &capacity, file)) > 0; number++) {
        struct error err = {0};

        line[length - 1] = '\0';
        if (strncmp(line, "word ", 5) == 0) {
            check_golden_word(subword, scratch, line + 5, number);
            n_words++;
        } else if (strncmp(line, "refuse ", 7) == 0) {
            CHECK(!load(line + 7, strlen(line + 7), &err));
            CHECK(err.code == ERROR_FORMAT || err.code == ERROR_UNSUPPORTED);
            n_refused++;
        } else {
            subword_scratch_free(scratch);
            subword_free(subword);
            subword = must_load(line + 6);
            if (strncmp(line, "bytes ", 6) == 0)
                subword_finish(subword, true);
            scratch = subword_scratch_new(subword);
        }
    }
    CHECK(n_words > 400 && n_refused > 20);
    subword_scratch_free(scratch);
    subword_free(subword);
    free(line);
    if (file)
        fclose(file);
}

/* ---- loading ---- */

#define ABC "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5}"

static void refuses_what_would_be_a_guess(void)
{
    check_refused("{\"type\":\"BPE\"," ABC ",\"merges\":[],\"dropout\":0.1}", ERROR_UNSUPPORTED,
                  "dropout");
    check_refused("{\"type\":\"Trigram\"," ABC ",\"merges\":[]}", ERROR_UNSUPPORTED, "'Trigram'");
    check_refused("{\"type\":\"BPE\"," ABC "}", ERROR_FORMAT, "'merges' is missing");
    check_refused("{\"type\":\"WordPiece\"," ABC ",\"unk_token\":\"a\"}", ERROR_FORMAT,
                  "'continuing_subword_prefix' is missing");
    check_refused("{" ABC "}", ERROR_FORMAT, "no type");
    check_refused("{\"type\":\"Unigram\"," ABC "}", ERROR_FORMAT, "'vocab' is not a list");
    check_refused("[]", ERROR_FORMAT, "not an object");
}

/* As Tokenizer.from_str of tokenizers 0.23 does. */
static void of_two_fields_of_one_name_the_last_counts(void)
{
    static const struct {
        const char *json, *word, *ids;
    } rows[] = {
        {"{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"U\":1,\"a\":2},\"unk_token\":\"U\"}",
         "a", " 2"},
        {"{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"U\":1,\"V\":2},\"unk_token\":\"U\","
         "\"unk_token\":\"V\"}", "b", " 2"},
        {"{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"],"
         "\"merges\":[]}",
         "ab", " 0 1"},
        {"{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[],"
         "\"merges\":[\"a b\"]}",
         "ab", " 2"},
        {"{\"type\":\"BPE\",\"continuing_subword_prefix\":null,\"vocab\":{\"a\":0},\"merges\":[],"
         "\"vocab\":{\"a\":7,\"b\":8}}", "ab", " 7 8"},
        {"{\"type\":\"BPE\",\"continuing_subword_prefix\":null,\"vocab\":{\"b\":0,\"a\":1,"
         "\"ab\":2},\"merges\":[\"a b\"],\"vocab\":{\"ab\":5,\"a\":7,\"b\":8}}", "ab", " 5"},
        {"{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"U\":1},\"merges\":[],\"unk_token\":\"U\","
         "\"unk_token\":null}", "ax", " 0"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct subword *subword = must_load(rows[i].json);

        CHECK_WORD(subword, rows[i].word, rows[i].ids);
        subword_free(subword);
    }
}

static void names_the_merge_that_is_wrong(void)
{
    check_refused("{" ABC ",\"merges\":[\"a b\",\"c a\"]}", ERROR_FORMAT,
                  "merge 1 of 'c' and 'a': the result is not in the vocabulary");
    check_refused("{\"continuing_subword_prefix\":null," ABC ",\"merges\":[[\"a\",\"x\"]]}",
                  ERROR_FORMAT, "merges: merge 0 of 'a' and 'x': the second");
    check_refused("{" ABC ",\"merges\":[[\"x\",\"a\"]]}", ERROR_FORMAT, "the first");
    check_refused("{" ABC ",\"merges\":[\"a b c\"]}", ERROR_FORMAT, "merge 0, 'a b c': not two");
    check_refused("{" ABC ",\"merges\":[[\"a\",\"b\",\"c\"]]}", ERROR_FORMAT, "not a pair");
    check_refused("{" ABC ",\"merges\":[\"a b\",[\"b\",\"c\"]]}", ERROR_FORMAT, "as those before");
    check_refused("{" ABC ",\"merges\":[\"a b\"],\"continuing_subword_prefix\":\"##\"}",
                  ERROR_FORMAT, "the result");
    /* The first of two faults, also where the second is one of the file. */
    check_refused("{" ABC ",\"merges\":[\"a b\",\"c a\",\"b x\"]}", ERROR_FORMAT, "merge 1 of");
    check_refused("{" ABC ",\"merges\":[\"c a\",\"a b c\"]}", ERROR_FORMAT, "merge 0 of");
    check_refused("{" ABC ",\"merges\":[\"a b\",\"a b c\"]}", ERROR_FORMAT, "merge 1, 'a b c'");
}

static void refuses_ids_and_scores_beyond_reason(void)
{
    check_refused("{\"merges\":[],\"vocab\":{\"a\":2147483648}}", ERROR_FORMAT, "'a': its id");
    check_refused("{\"merges\":[],\"vocab\":{\"a\":1e3}}", ERROR_FORMAT, "vocab");
    check_refused("{\"merges\":[],\"vocab\":{\"a\":\"1\"}}", ERROR_FORMAT, "vocab");
    check_refused("{\"vocab\":[[\"a\",1e999]]}", ERROR_FORMAT, "not a finite number");
    check_refused("{\"vocab\":[[\"a\",-1e309]]}", ERROR_FORMAT, "not a finite number");
    check_refused("{\"vocab\":[[\"a\",0]],\"unk_id\":1}", ERROR_FORMAT, "unk_id is 1");
    check_refused("{\"vocab\":[[\"a\",0]],\"unk_id\":18446744073709551615}", ERROR_FORMAT, "unk_");
}

static void refuses_pieces_that_would_make_it_slow(void)
{
    char json[9000 + 64];

    snprintf(json, sizeof json, "{\"vocab\":[[\"%0*d\",0]]}", 8192, 1);
    subword_free(must_load(json));
    snprintf(json, sizeof json, "{\"vocab\":[[\"%0*d\",0]]}", 8193, 1);
    check_refused(json, ERROR_FORMAT, "has 8193 bytes");
}

static void every_truncated_model_is_refused(void)
{
    static const char *const models[] = {
        "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\"a\",\"continuing_subword_prefix\":\"\","
        "\"fuse_unk\":true,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}",
        "{\"merges\":[\"a b\"],\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}}",
        "{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",-1.5e0],[\"\\u00e9\",2]]}",
        "{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":\"a\","
        "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100}",
    };

    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        size_t length = strlen(models[i]);

        for (size_t n = 0; n < length; n++) {
            char *exact = malloc(n + 1); /* so that a sanitizer sees one byte too many */
            struct error err = {0};

            memcpy(exact, models[i], n);
            CHECK(!load(exact, n, &err) && err.code == ERROR_FORMAT);
            free(exact);
        }
        subword_free(must_load(models[i]));
    }
}

static void the_kind_of_an_old_file_follows_from_its_fields(void)
{
    static const char *const files[][2] = {
        {"BPE", "{" ABC ",\"merges\":[],\"unk_token\":\"a\"}"},
        {"WordPiece", "{" ABC ",\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\","
                      "\"max_input_chars_per_word\":5}"},
        {"WordLevel", "{" ABC ",\"unk_token\":\"a\"}"},
        {"Unigram", "{\"vocab\":[[\"a\",0]],\"unk_id\":0}"},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct subword *subword = must_load(files[i][1]);

        CHECK(strcmp(subword_type(subword), files[i][0]) == 0);
        subword_free(subword);
    }
}

/* ---- the vocabulary ---- */

static void ids_may_have_holes(void)
{
    struct subword *subword =
        must_load("{\"merges\":[],\"vocab\":{\"a\":7,\"b\":2147483647,\"c\\u0000d\":9,\"\":0}}");
    size_t length;
    uint32_t id;

    CHECK(subword_n_tokens(subword) == 4);
    CHECK(subword_find(subword, "b", 1, &id) && id == 2147483647);
    CHECK(subword_find(subword, "c\0d", 3, &id) && id == 9);
    CHECK(subword_find(subword, "", 0, &id) && id == 0);
    CHECK(!subword_find(subword, "c", 1, &id));
    CHECK(strcmp(subword_token(subword, 7, &length), "a") == 0 && length == 1);
    CHECK(memcmp(subword_token(subword, 9, &length), "c\0d", 4) == 0 && length == 3);
    CHECK(!subword_token(subword, 8, &length));
    CHECK(!subword_token(subword, UINT32_MAX, &length));
    CHECK_WORD(subword, "ab", " 7 2147483647");
    subword_free(subword);
}

static void the_last_of_equal_tokens_counts(void)
{
    struct subword *map = must_load("{\"merges\":[],\"vocab\":{\"a\":0,\"b\":1,\"a\":5}}");
    struct subword *list = must_load("{\"vocab\":[[\"a\",0],[\"b\",0],[\"a\",-9]]}");
    size_t length;
    uint32_t id;

    CHECK(subword_n_tokens(map) == 2 && subword_find(map, "a", 1, &id) && id == 5);
    CHECK(!subword_token(map, 0, &length));
    CHECK(subword_n_tokens(list) == 3 && subword_find(list, "a", 1, &id) && id == 2);
    CHECK(strcmp(subword_token(list, 0, &length), "a") == 0);
    subword_free(map);
    subword_free(list);
}

static void an_empty_vocabulary_is_possible(void)
{
    struct subword *bpe = must_load("{\"merges\":[],\"vocab\":{}}");
    struct subword *unigram = must_load("{\"vocab\":[]}");
    size_t length;

    CHECK(subword_n_tokens(bpe) == 0);
    CHECK(!subword_token(bpe, 0, &length));
    CHECK_WORD(bpe, "ab", "");
    CHECK_WORD(unigram, "ab", " !");
    subword_free(bpe);
    subword_free(unigram);
}

static void display_characters_stay_in_the_vocabulary(void)
{
    struct subword *subword =
        must_load("{\"merges\":[\"\\u0120 a\"],\"vocab\":{\"\\u0120\":0,\"a\":1,\"\\u0120a\":2}}");
    size_t length;
    uint32_t id;

    CHECK_WORD(subword, " a", " 1");
    CHECK_WORD(subword, "\xc4\xa0"
                        "a",
               " 2");
    subword_finish(subword, true);
    CHECK_WORD(subword, " a", " 2");
    CHECK_WORD(subword, "\xc4\xa0"
                        "a",
               " 1");
    CHECK(subword_find(subword, "\xc4\xa0"
                                "a",
                       3, &id) &&
          id == 2);
    CHECK(!subword_find(subword, " a", 2, &id));
    CHECK(strcmp(subword_token(subword, 0, &length), "\xc4\xa0") == 0);
    subword_free(subword);
}

/* ---- words ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

/* A scratch that has seen many words gives what a fresh one gives. */
static void the_cache_changes_nothing(void)
{
    static const char *const models[] = {
        "{" ABC ",\"merges\":[\"a b\",\"b c\",\"a bc\"]}",
        "{" ABC ",\"merges\":[\"b c\",\"a b\"],\"ignore_merges\":true}",
        "{" ABC ",\"unk_token\":\"c\",\"continuing_subword_prefix\":\"\","
        "\"max_input_chars_per_word\":9}",
        "{\"vocab\":[[\"u\",0],[\"a\",-1],[\"b\",-2],[\"ab\",-3.5],[\"ba\",-2.5]],\"unk_id\":0}",
    };
    uint32_t random = 4;

    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct subword *subword = must_load(models[i]);
        struct subword_scratch *scratch = subword_scratch_new(subword);

        for (int k = 0; k < 700; k++) {
            char word[41];
            size_t n = 1 + next_random(&random) % (k % 3 ? 8 : 40);

            for (size_t j = 0; j < n; j++)
                word[j] = (char)('a' + next_random(&random) % 3);
            word[n] = '\0';
            check_word(subword, word, n, encoded(subword, scratch, word, n), __LINE__);
        }
        subword_scratch_free(scratch);
        subword_free(subword);
    }
}

/* Encodes `n` times the letter; the number of ids. Must be far from quadratic. */
static size_t count_ids(const struct subword *subword, char letter, size_t n)
{
    struct subword_scratch *scratch = subword_scratch_new(subword);
    char *word = malloc(n);
    struct ids ids = {0};
    struct error err = {0};
    clock_t start = clock();
    size_t count;

    memset(word, letter, n);
    CHECK(subword_encode(subword, scratch, word, n, &ids, &err) == 0);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 10.0); /* 0.2 s; sanitizers are slow */
    count = ids.n_items;
    ids_release(&ids);
    free(word);
    subword_scratch_free(scratch);
    return count;
}

static void a_word_of_a_megabyte_is_no_trouble(void)
{
    static const char bpe[] =
        "{\"vocab\":{\"a\":0,\"aa\":1,\"aaaa\":2},\"merges\":[\"a a\",\"aa aa\"]}";
    struct subword *subword = must_load(bpe);

    CHECK(count_ids(subword, 'a', 1000003) == 250002);
    CHECK(count_ids(subword, 'x', 1000003) == 0);
    subword_free(subword);
    subword = must_load("{\"vocab\":[[\"u\",-1],[\"a\",-1],[\"aaaa\",-2]],\"unk_id\":0}");
    CHECK(count_ids(subword, 'a', 1000003) == 250003);
    CHECK(count_ids(subword, 'x', 1000003) == 1);
    subword_free(subword);
    subword = must_load("{\"vocab\":{\"a\":0,\"##aaaa\":1,\"##a\":2},\"unk_token\":\"a\","
                        "\"continuing_subword_prefix\":\"##\","
                        "\"max_input_chars_per_word\":2000000}");
    CHECK(count_ids(subword, 'a', 1000003) == 250003);
    subword_free(subword);
}

/* ---- models from parts ---- */

static struct token_table table_of(const char *first, ...)
{
    struct token_table table = {0};
    struct error err = {0};
    va_list tokens;
    size_t id = 0;

    va_start(tokens, first);
    for (const char *token = first; token; token = va_arg(tokens, const char *))
        CHECK(token_table_put(&table, token, strlen(token), id++, NULL, &err) == 0);
    va_end(tokens);
    return table;
}

static void lines_of_vocab_txt_are_a_wordpiece(void)
{
    static const char text[] = "[UNK]\na\r\n##b\n\na\n##\xc3\xa9";
    struct wordpiece_settings settings = wordpiece_bert_settings();
    struct token_table tokens = {0};
    struct error err = {0};
    struct subword *subword;

    CHECK(wordpiece_read_lines(&tokens, text, sizeof text - 1, &err) == 0);
    subword = wordpiece_new(&tokens, &settings, &err);
    CHECK(subword && subword_n_tokens(subword) == 5);
    CHECK_WORD(subword, "ab\xc3\xa9", " 4 2 5");
    CHECK_WORD(subword, "ac", " 0");
    subword_free(subword);
    CHECK(wordpiece_read_lines(&tokens, "a\n\xff\n", 4, &err) == -1 && err.code == ERROR_FORMAT);
    token_table_release(&tokens);
}

/* Characters count, not bytes. */
static void a_word_may_be_as_long_as_the_limit(void)
{
    struct subword *subword =
        must_load("{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"continuing_subword_prefix\":\"#\","
                  "\"max_input_chars_per_word\":3,\"vocab\":{\"?\":0,\"a\":1,\"#a\":2,"
                  "\"\xc3\xa9\":3,\"#\xc3\xa9\":4}}");

    CHECK_WORD(subword, "aaa", " 1 2 2");
    CHECK_WORD(subword, "aaaa", " 0");
    CHECK_WORD(subword, "\xc3\xa9\xc3\xa9\xc3\xa9", " 3 4 4");
    CHECK_WORD(subword, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", " 0");
    subword_free(subword);
}

static void lines_of_merges_txt_are_merges(void)
{
    static const char text[] = "#version: 0.2\nb c\r\na b\n\n";
    struct token_table tokens = table_of("a", "b", "c", "ab", "bc", NULL);
    struct bpe_settings settings = {0};
    struct bpe_merges merges = {0};
    struct error err = {0};
    struct subword *subword;

    CHECK(bpe_merges_read_lines(&merges, text, sizeof text - 1, &tokens, &err) == 0);
    CHECK(merges.n_items == 2);
    CHECK(bpe_merges_read_lines(&merges, "a bc", 4, &tokens, &err) == -1);
    CHECK_CONTAINS(err.text, "'a' and 'bc'");
    subword = bpe_new(&tokens, &merges, &settings, &err);
    CHECK_WORD(subword, "abc", " 0 4");
    subword_free(subword);
    bpe_merges_release(&merges);
}

static void check_merges(const struct bpe_merges *merges, const struct token_table *tokens,
                         const char *const *expected, size_t n)
{
    CHECK(merges->n_items == n);
    for (size_t i = 0; i < n && i < merges->n_items; i++) {
        char text[64];
        size_t length;
        const char *left = token_table_token(tokens, merges->items[i].left, &length);
        const char *right = token_table_token(tokens, merges->items[i].right, &length);

        snprintf(text, sizeof text, "%s %s", left, right);
        if (strcmp(text, expected[i]) != 0)
            printf("# merge %zu is '%s', not '%s'\n", i, text, expected[i]);
        CHECK(strcmp(text, expected[i]) == 0);
    }
}

/* The orders were taken from the converter in transformers. */
static void merges_are_derived_from_scores_and_ranks(void)
{
    static const double scores[] = {-9, -9, -9, -1, -2, -1, -1};
    static const char *const by_score[] = {"ab b", "a bb", "a b", "b b", "\xc3\xa9 a"};
    static const char *const by_rank[] = {"a b", "\xc3\xa9 a", "b b", "a bb", "ab b"};
    struct token_table tokens = table_of("a", "b", "\xc3\xa9", "ab", "\xc3\xa9"
                                                                   "a",
                                         "bb", "abb", NULL);
    struct bpe_merges merges = {0};

    token_table_seal(&tokens);
    bpe_merges_derive(&merges, &tokens, scores);
    check_merges(&merges, &tokens, by_score, 5);
    bpe_merges_release(&merges);
    bpe_merges_derive(&merges, &tokens, NULL);
    check_merges(&merges, &tokens, by_rank, 5);
    bpe_merges_release(&merges);
    token_table_release(&tokens);
}

static void no_merges_are_derived_from_long_tokens(void)
{
    static char token[1025];
    struct token_table tokens = {0};
    struct bpe_settings settings = {0};
    struct bpe_merges merges = {0};
    struct error err = {0};

    memset(token, 'a', sizeof token);
    CHECK(token_table_put(&tokens, token, sizeof token, 0, NULL, &err) == 0);
    bpe_merges_derive(&merges, &tokens, NULL);
    CHECK(!bpe_new(&tokens, &merges, &settings, &err) && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "longer than 1024");
    CHECK(!tokens.bytes);
    bpe_merges_release(&merges);
}

static void pieces_make_a_unigram(void)
{
    struct unigram_settings settings = {.has_unk = true, .unk_id = 0};
    struct unigram_pieces pieces = {0};
    struct error err = {0};
    struct subword *subword;

    CHECK(unigram_add_piece(&pieces, "<unk>", 5, 0, &err) == 0);
    CHECK(unigram_add_piece(&pieces, "ab", 2, -3, &err) == 0);
    CHECK(unigram_add_piece(&pieces, "a", 1, -1, &err) == 0);
    CHECK(unigram_add_piece(&pieces, "b", 1, -1.5, &err) == 0);
    CHECK(unigram_add_piece(&pieces, "c", 1, 0.0 / (double)(pieces.capacity == 0), &err) == -1);
    CHECK_CONTAINS(err.text, "piece 4");
    subword = unigram_new(&pieces, &settings, &err);
    CHECK_WORD(subword, "abxx", " 2 3 0");
    subword_free(subword);
}

/* It costs 10 more than the least likely piece, here 18: one more than "bcdef", 19 together. */
static void an_unknown_character_is_the_last_resort(void)
{
#define PIECES(ef)                                                                                \
    "{\"unk_id\":0,\"vocab\":[[\"?\",-8],[\"ab\",-6],[\"cd\",-6],[\"ef\"," ef "],[\"bcdef\",-1]]}"
    struct subword *less = must_load(PIECES("-6.5")), *more = must_load(PIECES("-7.5"));

    CHECK_WORD(less, "abcdef", " 1 2 3");
    CHECK_WORD(more, "abcdef", " 0 4");
    subword_free(less);
    subword_free(more);
#undef PIECES
}

TESTS(TEST(gives_the_ids_of_the_reference), TEST(refuses_what_would_be_a_guess),
      TEST(of_two_fields_of_one_name_the_last_counts),
      TEST(names_the_merge_that_is_wrong), TEST(refuses_ids_and_scores_beyond_reason),
      TEST(refuses_pieces_that_would_make_it_slow), TEST(every_truncated_model_is_refused),
      TEST(the_kind_of_an_old_file_follows_from_its_fields), TEST(ids_may_have_holes),
      TEST(the_last_of_equal_tokens_counts), TEST(an_empty_vocabulary_is_possible),
      TEST(display_characters_stay_in_the_vocabulary), TEST(the_cache_changes_nothing),
      TEST(a_word_of_a_megabyte_is_no_trouble), TEST(lines_of_vocab_txt_are_a_wordpiece),
      TEST(a_word_may_be_as_long_as_the_limit), TEST(lines_of_merges_txt_are_merges),
      TEST(merges_are_derived_from_scores_and_ranks),
      TEST(no_merges_are_derived_from_long_tokens), TEST(pieces_make_a_unigram),
      TEST(an_unknown_character_is_the_last_resort))
