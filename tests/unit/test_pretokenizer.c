#include "text/pretokenizer.h"

#include <stdint.h>

#include "test.h"
#include "text/regex.h"
#include "text/scanners.h"
#include "text/unicode.h"

static const char separator[] = "\xc7\x80"; /* behind each piece in the fixture */

static char *read_fixture(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct buffer text = {0};
    char block[4096];
    size_t n;

    CHECK(file);
    while (file && (n = fread(block, 1, sizeof block, file)) > 0)
        buffer_add(&text, block, n);
    if (file)
        fclose(file);
    *size = text.size;
    return text.data;
}

static struct pretokenizer *make(const char *text, struct error *err)
{
    cJSON *json = json_parse(text, strlen(text), err);
    struct pretokenizer *pretokenizer = json ? pretokenizer_new(json, err) : NULL;

    cJSON_Delete(json);
    return pretokenizer;
}

/* The pieces of text[n], shown as the fixture has them. */
static char *cut(const struct pretokenizer *pretokenizer, const char *text, size_t n,
                 size_t n_origin)
{
    struct pieces pieces = {0}, spare = {0};
    struct buffer out = {0};
    struct error err = {0};

    buffer_add(&pieces.text, text, n);
    pieces_add(&pieces, 0, n, n_origin);
    CHECK(pretokenizer_run(pretokenizer, &pieces, &spare, &err) == 0);
    for (size_t i = 0; i < pieces.n_items; i++) {
        struct piece piece = pieces.items[i];

        for (size_t k = 0; k < piece.length; k++) {
            unsigned char byte = (unsigned char)pieces.text.data[piece.start + k];
            char shown[4] = {(char)byte};
            size_t length = 1;

            if (pretokenizer_is_byte_level(pretokenizer))
                length = unicode_encode(pretokenizer_byte_to_display(byte), shown);
            buffer_add(&out, shown, length);
        }
        buffer_add_text(&out, separator);
    }
    buffer_add(&out, "", 0);
    pieces_release(&pieces);
    pieces_release(&spare);
    return out.data;
}

static bool is_same(const char *found, const cJSON *expected, const char *text)
{
    size_t n = strlen(text);

    if (cJSON_IsString(expected))
        return strcmp(found, expected->valuestring) == 0;
    return strncmp(found, text, n) == 0 && strcmp(found + n, separator) == 0; /* null: one piece */
}

static void cuts_as_the_original(void)
{
    size_t size, n_compared = 0;
    char *bytes = read_fixture("fixtures/pretokenizers.json", &size);
    struct error err = {0};
    cJSON *json = bytes ? json_parse(bytes, size, &err) : NULL;
    const cJSON *texts = json_find(json, "texts"), *component;

    cJSON_ArrayForEach(component, json_find(json, "components"))
    {
        struct pretokenizer *pretokenizer =
            pretokenizer_new(json_find(component, "pre_tokenizer"), &err);
        const cJSON *text = texts->child, *expected;

        CHECK(pretokenizer);
        if (!pretokenizer)
            break;
        cJSON_ArrayForEach(expected, json_find(component, "results"))
        {
            size_t n = strlen(text->valuestring);
            char *found = cut(pretokenizer, text->valuestring, n, n ? 1 : 0);

            if (!is_same(found, expected, text->valuestring)) {
                char *shown = cJSON_PrintUnformatted(json_find(component, "pre_tokenizer"));

                printf("# %s\n# '%s': '%s', not '%s'\n", shown, text->valuestring, found,
                       cJSON_IsString(expected) ? expected->valuestring : "one piece");
                free(shown);
                CHECK(false);
            }
            n_compared++;
            free(found);
            text = text->next;
        }
        pretokenizer_free(pretokenizer);
    }
    CHECK(n_compared > 1500);
    cJSON_Delete(json);
    free(bytes);
}

/* xorshift64 */
static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % limit);
}

static void add_random_part(struct buffer *text)
{
    static const char *const parts[] = {
        "a", "B", "word", "HTML", " ", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "'\xc5\xbf", "'",
        "''re", "7", "123", "\xc2\xb2", "\xd9\xa3", ".", "...", "-", "/", "$", "\xe2\x82\xac",
        "\xe2\x80\x99", "\xcc\x81", "\xe0\xa4\xbf", "\xe4\xb8\xad", "\xe3\x83\xbc", "\xc7\x85",
        "\xca\xb0", "\xc2\xaa", "\xc2\xa0", "\xc2\x85", "\xe1\xa0\x8e", "\xe2\x80\x8b",
        "\xe3\x80\x80", "\xe2\x80\xa8", "\x01", "\x7f", "\xf0\x9f\x91\x8d", "\xf0\xb1\x8d\x90",
        "\xf0\x90\xb5\x8a", "\xef\xbf\xbd", "\xd0\x96", "\xce\xb1",
    };
    char character[4];
    uint32_t code_point;

    if (random_below(8)) {
        buffer_add_text(text, parts[random_below(sizeof parts / sizeof *parts)]);
        return;
    }
    do
        code_point = random_below(random_below(2) ? 0x3100 : 0x110000);
    while (code_point >= 0xd800 && code_point < 0xe000);
    buffer_add(text, character, unicode_encode(code_point, character));
}

static bool scan(const struct scanner *scanner, const struct buffer *text, size_t from,
                 size_t *start, size_t *end)
{
    if (scanner->find)
        return scanner->find(text->data, text->size, from, start, end);
    *start = from;
    *end = from < text->size ? scanner->word(text->data, text->size, from) : 0;
    return from < text->size;
}

static bool scans_alike(const struct scanner *scanner, struct regex_scan *matches,
                        const struct buffer *text)
{
    size_t start, end, at = 0, regex_start, regex_end;
    struct error err = {0};

    regex_scan_text(matches, text->data, text->size);
    for (;;) {
        bool is_there = scan(scanner, text, at, &start, &end);
        int more = regex_scan_next(matches, &regex_start, &regex_end, &err);

        if (more != is_there)
            return false;
        if (!is_there)
            return true;
        if (start != regex_start || end != regex_end)
            return false;
        at = end;
    }
}

static void scanners_find_what_the_patterns_match(void)
{
    struct buffer text = {0};
    struct error err = {0};
    const char *pattern;

    for (size_t i = 0; (pattern = scanner_pattern(i)); i++) {
        const struct scanner *scanner = scanner_for(pattern);
        struct regex *regex = regex_new(pattern, strlen(pattern), &err);
        struct regex_scan matches;
        size_t n_different = 0;

        CHECK(scanner && regex);
        if (!scanner || !regex)
            continue;
        regex_scan_begin(&matches, regex);
        for (size_t k = 0; k < 5000; k++) {
            buffer_clear(&text);
            buffer_add(&text, "", 0);
            for (size_t n = random_below(12); n > 0; n--)
                add_random_part(&text);
            if (!scans_alike(scanner, &matches, &text) && n_different++ == 0)
                printf("# '%s' on '%s'\n", pattern, text.data);
        }
        CHECK(n_different == 0);
        regex_scan_end(&matches);
        regex_free(regex);
    }
    buffer_release(&text);
}

static void knows_patterns_by_every_byte(void)
{
    const char *gpt2 = scanner_pattern(0);
    char other[200];

    CHECK(scanner_for(gpt2));
    snprintf(other, sizeof other, "%s ", gpt2);
    CHECK(!scanner_for(other));
    CHECK(!scanner_for("") && !scanner_for("'s"));
    CHECK(scanner_for(" {2,}") && !scanner_for(" {2,} "));
    /* Some files have the characters for \r and \n. */
    CHECK(scanner_for("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
                      " ?[^\\s\\p{L}\\p{N}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"));
}

static void maps_bytes_to_characters_and_back(void)
{
    bool is_taken[0x144] = {false};
    size_t n_back = 0;

    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned display = pretokenizer_byte_to_display((unsigned char)byte);

        CHECK(display < 0x144 && !is_taken[display]);
        is_taken[display] = true;
        CHECK(pretokenizer_display_to_byte(display) == (int)byte);
    }
    for (unsigned code_point = 0; code_point < 0x200; code_point++)
        n_back += pretokenizer_display_to_byte(code_point) >= 0;
    CHECK(n_back == 256);
    CHECK(pretokenizer_byte_to_display(' ') == 0x120);
    CHECK(pretokenizer_byte_to_display('\n') == 0x10a);
    CHECK(pretokenizer_byte_to_display(0x7f) == 0x121);
    CHECK(pretokenizer_byte_to_display(0xad) == 0x143);
}

/* As make, ' being written for ". */
static struct pretokenizer *make_quoted(const char *text, struct error *err)
{
    struct pretokenizer *pretokenizer;
    struct buffer json = {0};

    buffer_add_text(&json, text);
    for (size_t i = 0; i < json.size; i++)
        if (json.data[i] == '\'')
            json.data[i] = '"';
    pretokenizer = make(json.data, err);
    buffer_release(&json);
    return pretokenizer;
}

static void says_what_is_wrong_and_where(void)
{
    static const struct {
        const char *json;
        enum error_code code;
        const char *parts[2];
    } cases[] = {
        {"{'type':'Foo'}", ERROR_UNSUPPORTED, {"'Foo'", ""}},
        {"{'type':'whitespace'}", ERROR_UNSUPPORTED, {"'whitespace'", ""}},
        {"{}", ERROR_FORMAT, {"'type'", ""}},
        {"[]", ERROR_FORMAT, {"'type'", ""}},
        {"{'type':5}", ERROR_FORMAT, {"'type'", ""}},
        {"{'type':'ByteLevel','trim_offsets':true}", ERROR_FORMAT,
         {"ByteLevel", "'add_prefix_space'"}},
        {"{'type':'ByteLevel','add_prefix_space':true}", ERROR_FORMAT,
         {"ByteLevel", "'trim_offsets'"}},
        {"{'type':'ByteLevel','add_prefix_space':1,'trim_offsets':true}", ERROR_FORMAT,
         {"ByteLevel", "'add_prefix_space'"}},
        {"{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true,'use_regex':null}",
         ERROR_FORMAT, {"ByteLevel", "'use_regex'"}},
        {"{'type':'Metaspace'}", ERROR_FORMAT, {"Metaspace", "'replacement'"}},
        {"{'type':'Metaspace','replacement':''}", ERROR_FORMAT, {"Metaspace", "'replacement'"}},
        {"{'type':'Metaspace','replacement':'ab'}", ERROR_FORMAT, {"Metaspace", "'replacement'"}},
        {"{'type':'Metaspace','replacement':'_','add_prefix_space':false}", ERROR_FORMAT,
         {"Metaspace", "'prepend_scheme'"}},
        {"{'type':'Metaspace','replacement':'_','prepend_scheme':'First'}", ERROR_FORMAT,
         {"Metaspace", "'prepend_scheme'"}},
        {"{'type':'Metaspace','replacement':'_','prepend_scheme':null}", ERROR_FORMAT,
         {"Metaspace", "'prepend_scheme'"}},
        {"{'type':'Metaspace','replacement':'_','str_rep':5}", ERROR_FORMAT,
         {"Metaspace", "'str_rep'"}},
        {"{'type':'Metaspace','replacement':'_','split':1}", ERROR_FORMAT,
         {"Metaspace", "'split'"}},
        {"{'type':'Punctuation','behavior':'removed'}", ERROR_FORMAT,
         {"Punctuation", "'behavior'"}},
        {"{'type':'Punctuation','behavior':null}", ERROR_FORMAT, {"Punctuation", "'behavior'"}},
        {"{'type':'Digits'}", ERROR_FORMAT, {"Digits", "'individual_digits'"}},
        {"{'type':'CharDelimiterSplit','delimiter':'bc'}", ERROR_FORMAT,
         {"CharDelimiterSplit", "'delimiter'"}},
        {"{'type':'FixedLength','length':0}", ERROR_FORMAT, {"FixedLength", "'length'"}},
        {"{'type':'FixedLength','length':-1}", ERROR_FORMAT, {"FixedLength", "'length'"}},
        {"{'type':'FixedLength','length':1e300}", ERROR_FORMAT, {"FixedLength", "'length'"}},
        {"{'type':'FixedLength','length':null}", ERROR_FORMAT, {"FixedLength", "'length'"}},
        {"{'type':'Split','behavior':'Removed','invert':false}", ERROR_FORMAT,
         {"Split", "'pattern'"}},
        {"{'type':'Split','pattern':'a','behavior':'Removed','invert':false}", ERROR_FORMAT,
         {"Split", "'pattern'"}},
        {"{'type':'Split','pattern':{'String':'a','Regex':'b'},'behavior':'Removed',"
         "'invert':false}", ERROR_FORMAT, {"Split", "'pattern'"}},
        {"{'type':'Split','pattern':{'String':'a'},'invert':false}", ERROR_FORMAT,
         {"Split", "'behavior'"}},
        {"{'type':'Split','pattern':{'String':'a'},'behavior':'Removed'}", ERROR_FORMAT,
         {"Split", "'invert'"}},
        {"{'type':'Split','pattern':{'Regex':'(a'},'behavior':'Removed','invert':false}",
         ERROR_FORMAT, {"Split", "'(a'"}},
        {"{'type':'Split','pattern':{'Regex':'(a)\\\\1'},'behavior':'Removed','invert':false}",
         ERROR_UNSUPPORTED, {"Split", "back-reference"}},
        {"{'type':'Sequence'}", ERROR_FORMAT, {"Sequence", "'pretokenizers'"}},
        {"{'type':'Sequence','pretokenizers':[null]}", ERROR_FORMAT, {"Sequence", "'type'"}},
        {"{'type':'Sequence','pretokenizers':[{'type':'Digits'}]}", ERROR_FORMAT,
         {"Sequence: pre-tokenizer Digits", "'individual_digits'"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct pretokenizer *pretokenizer = make_quoted(cases[i].json, &err);

        CHECK(!pretokenizer);
        CHECK(err.code == cases[i].code);
        CHECK_CONTAINS(err.text, cases[i].parts[0]);
        CHECK_CONTAINS(err.text, cases[i].parts[1]);
        pretokenizer_free(pretokenizer);
    }
}

static void refuses_sequences_without_end(void)
{
    struct buffer text = {0};
    struct error err = {0};

    for (int i = 0; i < 40; i++)
        buffer_add_text(&text, "{\"type\":\"Sequence\",\"pretokenizers\":[");
    for (int i = 0; i < 40; i++)
        buffer_add_text(&text, "]}");
    CHECK(!make(text.data, &err) && err.code == ERROR_UNSUPPORTED);
    buffer_release(&text);
}

static void without_a_pretokenizer_all_is_one_piece(void)
{
    struct error err = {0};
    struct pretokenizer *pretokenizer = pretokenizer_new(NULL, &err);
    char *found = cut(pretokenizer, "a b", 3, 1);

    CHECK(strcmp(found, "a b\xc7\x80") == 0);
    CHECK(!pretokenizer_is_byte_level(pretokenizer) && !pretokenizer_scanner(pretokenizer));
    free(found);
    pretokenizer_free(pretokenizer);
}

#define BYTE_LEVEL(prefix) \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":" prefix ",\"trim_offsets\":false}"
#define SEQUENCE(list) "{\"type\":\"Sequence\",\"pretokenizers\":[" list "]}"
#define DIGITS "{\"type\":\"Digits\",\"individual_digits\":true}"
#define SPLIT(behavior, invert)                                                                   \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"'s|'t|'re|'ve|'m|'ll|'d"                        \
    "| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+\"},"             \
    "\"behavior\":\"" behavior "\",\"invert\":" invert "}"

static void says_when_words_can_be_scanned_and_bytes_are_raw(void)
{
    static const struct {
        const char *json;
        bool is_byte_level, has_scanner;
    } cases[] = {
        {BYTE_LEVEL("false"), true, true},
        {BYTE_LEVEL("true"), true, false},
        /* two patterns: */
        {SEQUENCE(SPLIT("Isolated", "false") "," BYTE_LEVEL("false")), true, false},
        {SEQUENCE(DIGITS "," BYTE_LEVEL("false")), true, false},
        {SEQUENCE(BYTE_LEVEL("false") "," DIGITS), false, false},
        {SEQUENCE(SEQUENCE(BYTE_LEVEL("false")) "," SEQUENCE("")), true, true},
        {SPLIT("Isolated", "false"), false, true},
        {SPLIT("Isolated", "true"), false, true},
        {SPLIT("Removed", "true"), false, true},
        {SPLIT("Removed", "false"), false, false},
        {SPLIT("Contiguous", "false"), false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct pretokenizer *pretokenizer = make(cases[i].json, &err);

        CHECK(pretokenizer);
        if (!pretokenizer)
            continue;
        CHECK(pretokenizer_is_byte_level(pretokenizer) == cases[i].is_byte_level);
        CHECK((pretokenizer_scanner(pretokenizer) != NULL) == cases[i].has_scanner);
        pretokenizer_free(pretokenizer);
    }
}

static void the_prefix_space_can_be_set_afterwards(void)
{
    struct error err = {0};
    struct pretokenizer *pretokenizer = make(BYTE_LEVEL("false"), &err);
    char *found;

    pretokenizer_set_prefix_space(pretokenizer, true);
    CHECK(!pretokenizer_scanner(pretokenizer));
    found = cut(pretokenizer, "a b", 3, 1);
    CHECK(strcmp(found, "\xc4\xa0" "a\xc7\x80\xc4\xa0" "b\xc7\x80") == 0);
    free(found);
    pretokenizer_set_prefix_space(pretokenizer, false);
    CHECK(pretokenizer_scanner(pretokenizer));
    pretokenizer_free(pretokenizer);
}

/* "first" asks where the characters come from, and several may come from the first one. */
static void only_what_comes_from_the_start_is_first(void)
{
    struct error err = {0};
    struct pretokenizer *pretokenizer =
        make_quoted(SEQUENCE("{'type':'FixedLength','length':1},"
                             "{'type':'Metaspace','replacement':'_','prepend_scheme':'first'}"),
                    &err);
    static const char *const expected[] = {
        "x\xc7\x80y\xc7\x80z\xc7\x80",
        "_x\xc7\x80y\xc7\x80z\xc7\x80",
        "_x\xc7\x80_y\xc7\x80z\xc7\x80",
    };

    for (size_t n_origin = 0; n_origin < 3; n_origin++) {
        char *found = cut(pretokenizer, "xyz", 3, n_origin);

        CHECK(strcmp(found, expected[n_origin]) == 0);
        free(found);
    }
    pretokenizer_free(pretokenizer);
}

static void gives_up_on_hostile_patterns(void)
{
    struct error err = {0};
    struct pretokenizer *pretokenizer =
        make_quoted("{'type':'Split','pattern':{'Regex':'(a|aa)+(?:b|c)'},'behavior':'Removed',"
                    "'invert':false}", &err);
    struct pieces pieces = {0}, spare = {0};
    char text[1000];

    memset(text, 'a', sizeof text);
    buffer_add(&pieces.text, text, sizeof text);
    pieces_add(&pieces, 0, 20, 1);
    pieces_add(&pieces, 20, sizeof text - 20, 0);
    CHECK(pretokenizer_run(pretokenizer, &pieces, &spare, &err) == -1);
    CHECK(err.code == ERROR_UNSUPPORTED);
    CHECK_CONTAINS(err.text, "gave up");
    pieces_release(&pieces);
    pieces_release(&spare);
    pretokenizer_free(pretokenizer);
}

TESTS(TEST(cuts_as_the_original), TEST(scanners_find_what_the_patterns_match),
      TEST(knows_patterns_by_every_byte), TEST(maps_bytes_to_characters_and_back),
      TEST(says_what_is_wrong_and_where), TEST(refuses_sequences_without_end),
      TEST(without_a_pretokenizer_all_is_one_piece),
      TEST(says_when_words_can_be_scanned_and_bytes_are_raw),
      TEST(the_prefix_space_can_be_set_afterwards), TEST(only_what_comes_from_the_start_is_first),
      TEST(gives_up_on_hostile_patterns))
