/* Results of the original (fixtures/normalizers.json, made by make_normalizer_golden.py in
 * tests/parity), and what it cannot say: errors, and maps that lie. */
#include "text/normalizer.h"

#include <stdint.h>

#include "base/file.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "test.h"

/* Keys U+FB01 (to "fi"), CR and LF (space), e U+0301 (U+00E9), A ("xx"); made by charsmap() of
 * make_normalizer_golden.py. */
#define SMALL_CHARSMAP                                                                            \
    "AAQAAAAEAAAAAAAAAAAAAAAAAAAAAACAAwAAgAUAAIAAAAAAAAAAAAcAAIAKAACACjUAAA0lAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABBKQEAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABljAEAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACBGQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "gQECAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAKy0AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAzAwDAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADvsAMAAAAAAAAA"\
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABmaQAgACAA"\
    "w6kAeHgA"
static struct normalizer *load(const char *json, struct error *err)
{
    cJSON *tree = json_parse(json, strlen(json), err);
    struct normalizer *normalizer = tree ? normalizer_new(tree, err) : NULL;

    cJSON_Delete(tree);
    return normalizer;
}

/* What `json` makes of text[n], in memory to be freed. */
static char *run(const char *json, const char *text, size_t n, size_t *size, size_t *n_origin)
{
    struct error err = {0};
    struct normalizer *normalizer = load(json, &err);
    struct normalizer_scratch *scratch = normalizer_scratch_new();
    struct buffer out = {0};

    CHECK(normalizer != NULL);
    if (normalizer)
        CHECK(normalizer_run(normalizer, scratch, text, n, &out, n_origin, &err) == 0);
    *size = out.size;
    normalizer_scratch_free(scratch);
    normalizer_free(normalizer);
    return out.data ? out.data : memory_copy("");
}

static bool makes(const char *json, const char *text, const char *expected)
{
    size_t size, n_origin;
    char *result = run(json, text, strlen(text), &size, &n_origin);
    bool is_equal = size == strlen(expected) && !memcmp(result, expected, size);

    if (!is_equal)
        printf("# '%s' became '%s', not '%s'\n", text, result, expected);
    free(result);
    return is_equal;
}

static size_t origin_of(const char *json, const char *text)
{
    size_t size, n_origin = 99;

    free(run(json, text, strlen(text), &size, &n_origin));
    return n_origin;
}

/* ---- what the original gives ---- */

#define BERT                                                                                      \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"             \
    "\"strip_accents\":null,\"lowercase\":true}"

static void bert_cleans_pads_strips_and_lowers(void)
{
    size_t size, n_origin;
    static const char text[] = "H\u00e9llo\0W\u200dorld\u00ad!";
    char *result = run(BERT, text, sizeof text - 1, &size, &n_origin);

    CHECK(size == 11 && !strcmp(result, "helloworld!"));
    free(result);
    CHECK(makes(BERT, "\u0130stanbul \u03a3\u0391\u03a3", "istanbul \u03c3\u03b1\u03c3"));
    CHECK(makes(BERT, "\uff21\uff22\u4e2d\u56fd", "\uff41\uff42 \u4e2d  \u56fd "));
    CHECK(makes(BERT, "\ufffdx\xc2\x85y\vz", "xyz"));
    CHECK(makes(BERT, "\uac00", "\u1100\u1161"));
    CHECK(makes(BERT, "\U0001f468\u200d\U0001f469\u200d\U0001f467",
                "\U0001f468\U0001f469\U0001f467"));
}

static void bert_orders_the_marks_that_it_keeps(void)
{
    /* U+302E is Mc of class 224, U+1E000 came after Unicode 8 and has class 230. The character
     * between them is deleted, whether it is ASCII or not. */
    CHECK(makes(BERT, "a\U0001e000\x01\u302eb", "a\u302e\U0001e000b"));
    CHECK(makes(BERT, "a\U0001e000\u200d\u302e\u4e2d", "a\u302e\U0001e000 \u4e2d "));
    CHECK(makes(BERT, "\U0001e000\x01 \u302e", "\U0001e000 \u302e"));
}

static void bert_flags_can_be_set_afterwards(void)
{
    struct error err = {0};
    struct normalizer *normalizer = load(BERT, &err);
    struct normalizer_scratch *scratch = normalizer_scratch_new();
    struct buffer out = {0};
    size_t n_origin;
    static const char text[] = "\u00c9A\u4e2d ";

    normalizer_set_bert(normalizer, 0, -1, 0);
    normalizer_run(normalizer, scratch, text, strlen(text), &out, &n_origin, &err);
    CHECK(!strcmp(out.data, text)); /* accents went with the lower case */
    normalizer_set_bert(normalizer, -1, 1, 1);
    normalizer_run(normalizer, scratch, text, strlen(text), &out, &n_origin, &err);
    CHECK(!strcmp(out.data + strlen(text), "EA \u4e2d  "));
    buffer_release(&out);
    normalizer_scratch_free(scratch);
    normalizer_free(normalizer);
}

#define PRECOMPILED "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" SMALL_CHARSMAP "\"}"

static void precompiled_replaces_whole_clusters(void)
{
    CHECK(makes(PRECOMPILED, "a\r\nb\nc\r\rd", "a b c  d"));
    CHECK(makes(PRECOMPILED, "\ufb01\u0301z", "fiz"));
    CHECK(makes(PRECOMPILED, "e\u0301\u0323", "\u00e9"));
    CHECK(makes(PRECOMPILED, "A\u0301B", "xxB"));
    CHECK(makes(PRECOMPILED, "A\u0301\u0301\u0301\u0301", "xx\u0301\u0301\u0301\u0301"));
    CHECK(makes(PRECOMPILED, "zzz ABBA zzz", "zzz xxBBxx zzz"));
    CHECK(makes(PRECOMPILED, "plain e, e", "plain e, e"));
}

struct golden {
    struct json_reader reader;
    struct buffer texts[100];
    size_t n_texts, n_checked, n_wrong;
};

static void read_texts(struct golden *golden, struct error *err)
{
    struct json_text word;

    json_reader_array(&golden->reader, err);
    while (json_reader_item(&golden->reader, err) > 0 && golden->n_texts < 100) {
        json_reader_string(&golden->reader, &word, err);
        buffer_add(&golden->texts[golden->n_texts++], word.bytes, word.length);
    }
}

/* What is expected of one text: itself, unless the file says [number, text, n_origin]. */
struct expected {
    size_t number; /* that the next entry of the file is about; SIZE_MAX: there is none */
    struct buffer text;
    size_t n_origin;
};

static void read_expected(struct json_reader *reader, struct expected *expected, struct error *err)
{
    struct json_text word;

    expected->number = SIZE_MAX;
    buffer_clear(&expected->text);
    if (json_reader_item(reader, err) <= 0)
        return;
    json_reader_array(reader, err);
    json_reader_item(reader, err);
    json_reader_size(reader, &expected->number, err);
    json_reader_item(reader, err);
    json_reader_string(reader, &word, err);
    buffer_add(&expected->text, word.bytes, word.length);
    json_reader_item(reader, err);
    json_reader_size(reader, &expected->n_origin, err);
    json_reader_item(reader, err);
}

static size_t first_length(const struct buffer *text)
{
    size_t n = text->size > 0;

    while (n < text->size && (text->data[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void check_text(struct golden *golden, const struct normalizer *normalizer,
                       const struct buffer *text, const struct buffer *expected, size_t n_expected)
{
    struct normalizer_scratch *scratch = normalizer_scratch_new();
    struct buffer out = {0};
    struct error err = {0};
    size_t n_origin = 99;

    CHECK(!normalizer_run(normalizer, scratch, text->data, text->size, &out, &n_origin, &err));
    if (out.size != expected->size || memcmp(out.data, expected->data, out.size) != 0 ||
        n_origin != n_expected) {
        printf("# '%s' became '%s' (%zu), not '%s' (%zu)\n", text->data, out.data, n_origin,
               expected->data, n_expected);
        golden->n_wrong++;
    }
    golden->n_checked++;
    buffer_release(&out);
    normalizer_scratch_free(scratch);
}

static void check_case(struct golden *golden, struct error *err)
{
    struct json_reader *reader = &golden->reader;
    struct expected expected = {0};
    struct normalizer *normalizer;
    struct json_text word;

    json_reader_object(reader, err);
    json_reader_member(reader, &word, err); /* normalizer */
    json_reader_string(reader, &word, err);
    normalizer = load(word.bytes, err);
    CHECK(normalizer != NULL);
    json_reader_member(reader, &word, err); /* results */
    json_reader_array(reader, err);
    read_expected(reader, &expected, err);
    for (size_t i = 0; normalizer && i < golden->n_texts; i++) {
        const struct buffer *text = &golden->texts[i];

        if (i == expected.number) {
            check_text(golden, normalizer, text, &expected.text, expected.n_origin);
            read_expected(reader, &expected, err);
        } else {
            check_text(golden, normalizer, text, text, first_length(text));
        }
    }
    CHECK(expected.number == SIZE_MAX);
    json_reader_member(reader, &word, err); /* the end */
    buffer_release(&expected.text);
    normalizer_free(normalizer);
}

static void equals_the_original_on_tricky_texts(void)
{
    struct golden golden = {0};
    struct error err = {0};
    struct file *file = file_open("fixtures/normalizers.json", "normalizers.json", &err);
    struct json_text word;
    size_t size = 0;
    char *json = file ? file_read_text(file, 1 << 20, &size, &err) : NULL;

    CHECK(json != NULL);
    json_reader_init(&golden.reader, json ? json : "", size);
    json_reader_object(&golden.reader, &err);
    json_reader_member(&golden.reader, &word, &err); /* made_with */
    json_reader_skip(&golden.reader, &err);
    json_reader_member(&golden.reader, &word, &err);
    read_texts(&golden, &err);
    json_reader_member(&golden.reader, &word, &err);
    json_reader_array(&golden.reader, &err);
    while (json_reader_item(&golden.reader, &err) > 0 && err.code == ERROR_NONE)
        check_case(&golden, &err);
    CHECK(err.code == ERROR_NONE);
    CHECK(golden.n_checked > 1500);
    CHECK(golden.n_wrong == 0);
    for (size_t i = 0; i < golden.n_texts; i++)
        buffer_release(&golden.texts[i]);
    json_reader_release(&golden.reader);
    file_close(file);
    free(json);
}

/* ---- what comes with any normalizer ---- */

static void nothing_to_do_copies(void)
{
    struct error err = {0};
    struct normalizer *normalizer = normalizer_new(NULL, &err);
    struct normalizer_scratch *scratch = normalizer_scratch_new();
    struct buffer out = {0};
    size_t n_origin;

    buffer_add_text(&out, "before ");
    CHECK(normalizer_run(normalizer, scratch, "\u00e9A", 3, &out, &n_origin, &err) == 0);
    CHECK(!strcmp(out.data, "before \u00e9A") && n_origin == 2);
    CHECK(normalizer_run(normalizer, scratch, "", 0, &out, &n_origin, &err) == 0);
    CHECK(out.size == 10 && n_origin == 0);
    normalizer_free(normalizer);
    CHECK(makes("null", "\u00e9A", "\u00e9A"));
    buffer_release(&out);
    normalizer_scratch_free(scratch);
    normalizer_free(NULL);
    normalizer_scratch_free(NULL);
}

#define STRIP(left, right) "{\"type\":\"Strip\",\"strip_left\":" left ",\"strip_right\":" right "}"
#define REPLACE(pattern, content)                                                                 \
    "{\"type\":\"Replace\",\"pattern\":" pattern ",\"content\":\"" content "\"}"

static void the_first_character_is_followed(void)
{
    CHECK(origin_of("{\"type\":\"Prepend\",\"prepend\":\"\u2581\"}", "\u00e9a") == 5);
    CHECK(origin_of(STRIP("true", "false"), " a") == 0);
    CHECK(origin_of("{\"type\":\"NFD\"}", "\u1ea5a") == 5);
    CHECK(origin_of("{\"type\":\"NFC\"}", "e\u0301\u0301a") == 2);
    /* What replaces a match comes from its last character. */
    CHECK(origin_of(REPLACE("{\"String\":\"ab\"}", "x"), "abab") == 0);
    CHECK(origin_of(REPLACE("{\"String\":\"a\"}", "xyz"), "abab") == 3);
    /* What deletes a character through a map leaves its place to the next one. */
    CHECK(origin_of(PRECOMPILED, "\ufb01a") == 2);
}

static void long_runs_of_marks_are_sorted(void)
{
    enum { N = 20000 };
    struct buffer text = {0};
    size_t size, n_origin, n_wrong = 0;
    char *result;

    buffer_add_text(&text, "b");
    for (size_t i = 0; i < N; i++)
        buffer_add_text(&text, i % 2 ? "\u0323" : "\u0301");
    result = run("{\"type\":\"NFC\"}", text.data, text.size, &size, &n_origin);
    CHECK(size == 3 + 2 * (2 * N / 2 - 1)); /* b U+0323 is one character */
    for (size_t i = 0; i < N / 2 - 1 && 3 + 2 * i + 1 < size; i++)
        n_wrong += memcmp(result + 3 + 2 * i, "\u0323", 2) != 0;
    CHECK(n_wrong == 0);
    free(result);
    buffer_release(&text);
}

/* ---- what is refused ---- */

static void refuses(const char *json, enum error_code code, const char *part)
{
    struct error err = {0};
    struct normalizer *normalizer = load(json, &err);

    CHECK(normalizer == NULL);
    CHECK(err.code == code);
    CHECK_CONTAINS(err.text, part);
    normalizer_free(normalizer);
}

static void names_the_component_and_the_field(void)
{
    refuses("{\"type\":\"Foo\"}", ERROR_UNSUPPORTED, "normalizer: type 'Foo' is not supported");
    refuses("{\"type\":1}", ERROR_FORMAT, "normalizer: 'type'");
    refuses("[]", ERROR_FORMAT, "normalizer: 'type'");
    refuses("\"NFC\"", ERROR_FORMAT, "normalizer: 'type'");
    refuses("{\"type\":\"Sequence\"}", ERROR_FORMAT, "Sequence: 'normalizers'");
    refuses("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Prepend\"}]}",
            ERROR_FORMAT, "Sequence: number 2: Prepend: 'prepend' is missing");
    refuses("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Bar\"}]}", ERROR_UNSUPPORTED,
            "'Bar'");
    refuses("{\"type\":\"BertNormalizer\"}", ERROR_FORMAT, "BertNormalizer: 'clean_text'");
    refuses("{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":1,"
            "\"lowercase\":true}", ERROR_FORMAT, "'handle_chinese_chars'");
    refuses("{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
            "\"lowercase\":true,\"strip_accents\":\"no\"}", ERROR_FORMAT, "'strip_accents'");
    refuses("{\"type\":\"Strip\",\"strip_left\":true}", ERROR_FORMAT, "Strip: 'strip_right'");
    refuses("{\"type\":\"Replace\",\"pattern\":\"a\",\"content\":\"b\"}", ERROR_FORMAT,
            "Replace: 'pattern'");
    refuses("{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\",\"Regex\":\"b\"},"
            "\"content\":\"b\"}", ERROR_FORMAT, "'pattern'");
    refuses("{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}}", ERROR_FORMAT, "'content'");
    refuses("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"b\"}",
            ERROR_FORMAT, "Replace: pattern '('");
}

#define CHARSMAP(text) "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" text "\"}"

static void refuses_maps_that_are_none(void)
{
    refuses("{\"type\":\"Precompiled\"}", ERROR_FORMAT, "'precompiled_charsmap' is missing");
    refuses(CHARSMAP(""), ERROR_FORMAT, "0 bytes");
    refuses(CHARSMAP("AAAA"), ERROR_FORMAT, "3 bytes");
    refuses(CHARSMAP("AAAAAA=="), ERROR_FORMAT, "0 units"); /* no trie at all */
    refuses(CHARSMAP("/////w=="), ERROR_FORMAT, "1073741823 units");
    refuses(CHARSMAP("A"), ERROR_FORMAT, "not base64");
    refuses(CHARSMAP("AAA!"), ERROR_FORMAT, "not base64");
    refuses(CHARSMAP("A==="), ERROR_FORMAT, "not base64");
    refuses(CHARSMAP("BAAAAAAAAAD/"), ERROR_FORMAT, "not UTF-8");
}

/* The small map with each of its bytes changed in turn: an error or some text, no worse. */
static void survives_maps_that_lie(void)
{
    static const char digits[] = "A/gQw";
    static const char text[] = "A\r\n\ufb01e\u0301 \u4e2dzA\n";
    char json[] = PRECOMPILED;
    char *map = strstr(json, SMALL_CHARSMAP);
    struct normalizer_scratch *scratch = normalizer_scratch_new();
    size_t n_refused = 0, n_stopped = 0;

    for (size_t i = 0; i < sizeof SMALL_CHARSMAP - 1; i++) {
        char saved = map[i];

        for (const char *digit = digits; *digit; digit++) {
            struct error err = {0};
            struct buffer out = {0};
            struct normalizer *normalizer;
            size_t n_origin;

            map[i] = *digit;
            normalizer = load(json, &err);
            if (!normalizer)
                n_refused++;
            else if (normalizer_run(normalizer, scratch, text, strlen(text), &out, &n_origin, &err))
                n_stopped++;
            CHECK(err.code == ERROR_NONE || err.code == ERROR_FORMAT);
            normalizer_free(normalizer);
            buffer_release(&out);
        }
        map[i] = saved;
    }
    CHECK(n_refused > 0);
    CHECK(n_stopped > 0);
    normalizer_scratch_free(scratch);
}

static void lower_case_comes_first(void)
{
    static const char *const table[] = {
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"ab\"},\"content\":\"X\"}",
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
        "\"ab\"},\"content\":\"X\"},{\"type\":\"Lowercase\"}]}",
    };
    /* The second has one already: it stays behind, and its Replace finds nothing. */
    static const char *const expected[] = {"X-\u00e9", "ab-\u00e9"};

    for (size_t i = 0; i < 2; i++) {
        struct error err = {0};
        struct normalizer *normalizer = load(table[i], &err);
        struct normalizer_scratch *scratch = normalizer_scratch_new();
        struct buffer out = {0};
        size_t n_origin;

        normalizer_lower_first(normalizer);
        CHECK(normalizer_run(normalizer, scratch, "AB-\u00c9", 5, &out, &n_origin, &err) == 0);
        CHECK(strcmp(out.data, expected[i]) == 0);
        buffer_release(&out);
        normalizer_scratch_free(scratch);
        normalizer_free(normalizer);
    }
}

TESTS(TEST(bert_cleans_pads_strips_and_lowers), TEST(bert_orders_the_marks_that_it_keeps),
      TEST(bert_flags_can_be_set_afterwards), TEST(precompiled_replaces_whole_clusters),
      TEST(equals_the_original_on_tricky_texts), TEST(nothing_to_do_copies),
      TEST(the_first_character_is_followed), TEST(long_runs_of_marks_are_sorted),
      TEST(names_the_component_and_the_field), TEST(refuses_maps_that_are_none),
      TEST(survives_maps_that_lie),
      TEST(lower_case_comes_first))
