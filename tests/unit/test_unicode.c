/* The tables against the data that they were made from, and against the numbers of code points that
 * the reference library was measured to have. */
#include "text/unicode.h"

#include <zlib.h>

#include "test.h"

enum { N_CODE_POINTS = 0x110000 };

static size_t count(uint32_t flag)
{
    size_t n = 0;

    for (uint32_t c = 0; c < N_CODE_POINTS; c++)
        n += (unicode_flags(c) & flag) != 0;
    return n;
}

/* Calls `each` for all lines of a data file but the first, which is a comment. */
static void for_each_line(const char *name, void (*each)(char *line, void *context), void *context)
{
    char path[100], line[256];
    gzFile file;

    snprintf(path, sizeof path, "fixtures/unicode/%s.txt.gz", name);
    file = gzopen(path, "rb");
    CHECK(file != NULL);
    if (!file)
        return;
    CHECK(gzgets(file, line, sizeof line) && line[0] == '#');
    while (gzgets(file, line, sizeof line)) {
        line[strcspn(line, "\n")] = '\0';
        each(line, context);
    }
    gzclose(file);
}

/* The range at the start of a line; returns what follows it. */
static char *read_range(char *line, uint32_t *first, uint32_t *last)
{
    char *rest;

    *first = (uint32_t)strtoul(line, &rest, 16);
    *last = (uint32_t)strtoul(rest + 2, &rest, 16);
    return *rest == ';' ? rest + 1 : rest;
}

/* A general category, one or both letters of it, and the flag that stands for it. */
struct category {
    const char *name;
    uint32_t flag;
};

struct expected {
    const struct category *categories;
    uint32_t *flags; /* [N_CODE_POINTS] */
};

static void add_category(char *line, void *context)
{
    struct expected *expected = context;
    uint32_t first, last;
    const char *name = read_range(line, &first, &last);

    for (const struct category *category = expected->categories; category->name; category++)
        if (!strncmp(category->name, name, strlen(category->name)))
            for (uint32_t c = first; c <= last; c++)
                expected->flags[c] |= category->flag;
}

static void add_range(char *line, void *context)
{
    struct expected *expected = context;
    uint32_t first, last;

    read_range(line, &first, &last);
    for (uint32_t c = first; c <= last; c++)
        expected->flags[c] |= expected->categories->flag;
}

static void flags_are_those_of_the_data(void)
{
    static const struct category of_8[] = {{"P", UNICODE_BERT_PUNCTUATION},
        {"Cc", UNICODE_BERT_CONTROL}, {"Cf", UNICODE_BERT_CONTROL}, {"Co", UNICODE_BERT_CONTROL},
        {"Mn", UNICODE_BERT_MARK}, {NULL, 0}};
    static const struct category of_9[] = {{"M", UNICODE_MARK_9}, {NULL, 0}};
    static const struct category of_16[] = {{"L", UNICODE_LETTER}, {"N", UNICODE_NUMBER},
        {"M", UNICODE_MARK | UNICODE_WORD}, {"P", UNICODE_PUNCTUATION}, {"S", UNICODE_SYMBOL},
        {"Lu", UNICODE_UPPER}, {"Ll", UNICODE_LOWER}, {"Lt", UNICODE_TITLE},
        {"Lm", UNICODE_MODIFIER}, {"Lo", UNICODE_OTHER_LETTER},
        {"Nd", UNICODE_DIGIT | UNICODE_WORD}, {"Pc", UNICODE_WORD}, {NULL, 0}};
    static const struct category of_17[] = {{"N", UNICODE_NUMERIC_17},
        {"M", UNICODE_MARK_17}, {NULL, 0}};
    static const struct category word[] = {{"", UNICODE_WORD}}, space[] = {{"", UNICODE_SPACE}};
    uint32_t *flags = calloc(N_CODE_POINTS, sizeof *flags);
    const uint32_t all = (UNICODE_STABLE_NFC - 1) | UNICODE_MARK_17; /* those in the data */
    size_t n_wrong = 0;

    for_each_line("general-category-8.0", add_category, &(struct expected){of_8, flags});
    for_each_line("general-category-9.0", add_category, &(struct expected){of_9, flags});
    for_each_line("general-category-16.0", add_category, &(struct expected){of_16, flags});
    for_each_line("general-category-17.0", add_category, &(struct expected){of_17, flags});
    for_each_line("alphabetic-16.0", add_range, &(struct expected){word, flags});
    for_each_line("join-control-16.0", add_range, &(struct expected){word, flags});
    for_each_line("white-space-17.0", add_range, &(struct expected){space, flags});
    for (const char *c = "$+<=>^`|~"; *c; c++)
        flags[(unsigned char)*c] |= UNICODE_BERT_PUNCTUATION;
    for (const char *c = "\t\n\r"; *c; c++)
        flags[(unsigned char)*c] &= ~(uint32_t)UNICODE_BERT_CONTROL;
    for (uint32_t c = 0; c < N_CODE_POINTS; c++)
        n_wrong += (unicode_flags(c) & all) != flags[c];
    CHECK(n_wrong == 0);
    free(flags);
}

static void classes_have_the_sizes_of_the_reference(void)
{
    CHECK(count(UNICODE_LETTER) == 141028);
    CHECK(count(UNICODE_NUMBER) == 1911);
    CHECK(count(UNICODE_MARK) == 2501);
    CHECK(count(UNICODE_PUNCTUATION) == 855);
    CHECK(count(UNICODE_SYMBOL) == 8514);
    CHECK(count(UNICODE_BERT_PUNCTUATION) == 726);
    CHECK(count(UNICODE_SPACE) == 25);
}

struct mapped {
    size_t n_entries, n_wrong;
    bool *has_entry; /* [N_CODE_POINTS] */
};

static void check_lower(char *line, void *context)
{
    struct mapped *mapped = context;
    char *rest;
    uint32_t code_point = (uint32_t)strtoul(line, &rest, 16), lower[3];
    size_t n = unicode_lower(code_point, lower), i = 0;

    for (rest++; *rest; i++)
        mapped->n_wrong += i >= n || lower[i] != strtoul(rest, &rest, 16);
    mapped->n_wrong += i != n;
    mapped->has_entry[code_point] = true;
    mapped->n_entries++;
}

static void lower_case_is_that_of_the_data(void)
{
    struct mapped mapped = {0, 0, calloc(N_CODE_POINTS, 1)};
    uint32_t lower[3];

    for_each_line("lowercase-17.0", check_lower, &mapped);
    for (uint32_t c = 0; c < N_CODE_POINTS; c++)
        if (!mapped.has_entry[c])
            mapped.n_wrong += unicode_lower(c, lower) != 1 || lower[0] != c;
    CHECK(mapped.n_entries > 1400);
    CHECK(mapped.n_wrong == 0);
    CHECK(unicode_lower(0x130, lower) == 2 && lower[0] == 'i' && lower[1] == 0x307);
    CHECK(unicode_lower(0x3a3, lower) == 1 && lower[0] == 0x3c3); /* wherever it stands */
    free(mapped.has_entry);
}

/* CODE;CCC;C or K;MAPPING;X */
static void check_normalization(char *line, void *context)
{
    struct mapped *mapped = context;
    const uint32_t *mapping;
    bool is_compatibility, is_excluded = line[strlen(line) - 1] == 'X';
    char *rest;
    uint32_t code_point = (uint32_t)strtoul(line, &rest, 16);
    unsigned long combining_class = strtoul(rest + 1, &rest, 10);
    bool is_canonical = rest[1] == 'C';
    size_t n = unicode_decomposition(code_point, &mapping, &is_compatibility), i = 0;

    mapped->n_wrong += unicode_combining_class(code_point) != combining_class;
    mapped->n_wrong += n > 0 && is_compatibility == is_canonical;
    for (rest = strchr(rest + 1, ';') + 1; *rest && *rest != ';'; i++)
        mapped->n_wrong += i >= n || mapping[i] != strtoul(rest, &rest, 16);
    mapped->n_wrong += i != n;
    if (n == 2 && is_canonical)
        mapped->n_wrong +=
            unicode_compose(mapping[0], mapping[1]) != (is_excluded ? 0 : code_point);
    mapped->has_entry[code_point] = true;
    mapped->n_entries++;
}

static void normalization_is_that_of_the_data(void)
{
    struct mapped mapped = {0, 0, calloc(N_CODE_POINTS, 1)};
    const uint32_t *mapping;
    bool is_compatibility;

    for_each_line("normalization-9.0", check_normalization, &mapped);
    for (uint32_t c = 0; c < N_CODE_POINTS; c++)
        if (!mapped.has_entry[c])
            mapped.n_wrong += unicode_combining_class(c) != 0 ||
                              unicode_decomposition(c, &mapping, &is_compatibility) != 0;
    CHECK(mapped.n_entries > 5000);
    CHECK(mapped.n_wrong == 0);
    CHECK(unicode_compose('a', 'b') == 0);
    CHECK(unicode_compose(0x41, 0x30a) == 0xc5);
    free(mapped.has_entry);
}

static void code_points_survive_utf8(void)
{
    size_t n_wrong = 0;

    for (uint32_t c = 0; c < N_CODE_POINTS; c++) {
        char bytes[4];
        uint32_t decoded;
        size_t length = unicode_encode(c, bytes);

        n_wrong += unicode_decode(bytes, 0, &decoded) != length || decoded != c;
        n_wrong += length != (c < 0x80 ? 1u : c < 0x800 ? 2u : c < 0x10000 ? 3u : 4u);
    }
    CHECK(n_wrong == 0);
}

static void ascii_ends_where_it_ends(void)
{
    const char text[] = "0123456789012345678\xc3\xa9 0123456789";

    for (size_t start = 0; start < 19; start++) {
        CHECK(unicode_ascii_prefix(text + start, sizeof text - 1 - start) == 19 - start);
        CHECK(unicode_ascii_prefix(text + start, 19 - start) == 19 - start);
    }
    CHECK(unicode_ascii_prefix(text + 19, 2) == 0);
    CHECK(unicode_ascii_prefix(text, 0) == 0);
}

TESTS(TEST(flags_are_those_of_the_data), TEST(classes_have_the_sizes_of_the_reference),
      TEST(lower_case_is_that_of_the_data), TEST(normalization_is_that_of_the_data),
      TEST(code_points_survive_utf8), TEST(ascii_ends_where_it_ends))
