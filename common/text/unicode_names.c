#include "unicode_names.h"

#include <ctype.h>
#include <string.h>

/* In the order of fixtures/unicode/make_names.py. */
enum category {
    CC, CF, CN, CO, CS, LL, LM, LO, LT, LU, MC, ME, MN, ND, NL, NO,
    PC, PD, PE, PF, PI, PO, PS, SC, SK, SM, SO, ZL, ZP, ZS,
};
enum flag { ALPHABETIC = 1, LOWERCASE = 2, UPPERCASE = 4 };

#define BIT(category) (1u << (category))
enum {
    CASED_LETTER = BIT(LL) | BIT(LT) | BIT(LU),
    LETTER = CASED_LETTER | BIT(LM) | BIT(LO),
    MARK = BIT(MC) | BIT(ME) | BIT(MN),
    NUMBER = BIT(ND) | BIT(NL) | BIT(NO),
    PUNCTUATION = BIT(PC) | BIT(PD) | BIT(PE) | BIT(PF) | BIT(PI) | BIT(PO) | BIT(PS),
    SYMBOL = BIT(SC) | BIT(SK) | BIT(SM) | BIT(SO),
    SEPARATOR = BIT(ZL) | BIT(ZP) | BIT(ZS),
    OTHER = BIT(CC) | BIT(CF) | BIT(CN) | BIT(CO) | BIT(CS),
    ANY = OTHER | LETTER | MARK | NUMBER | PUNCTUATION | SYMBOL | SEPARATOR,
    GRAPH = ANY & ~(BIT(CC) | BIT(CN) | BIT(CS) | SEPARATOR),
};

/* A name stands for the categories, and whatever else has one of the flags. */
static const struct named {
    const char *names[3]; /* without spaces and so on */
    uint32_t categories;
    uint8_t flags;
} named_sets[] = {
    {{"c", "other"}, OTHER, 0},
    {{"cc", "control", "cntrl"}, BIT(CC), 0},
    {{"cf", "format"}, BIT(CF), 0},
    {{"cn", "unassigned"}, BIT(CN), 0},
    {{"co", "privateuse"}, BIT(CO), 0},
    {{"cs", "surrogate"}, BIT(CS), 0},
    {{"l", "letter"}, LETTER, 0},
    {{"lc", "casedletter"}, CASED_LETTER, 0},
    {{"ll", "lowercaseletter"}, BIT(LL), 0},
    {{"lm", "modifierletter"}, BIT(LM), 0},
    {{"lo", "otherletter"}, BIT(LO), 0},
    {{"lt", "titlecaseletter"}, BIT(LT), 0},
    {{"lu", "uppercaseletter"}, BIT(LU), 0},
    {{"m", "mark", "combiningmark"}, MARK, 0},
    {{"mc", "spacingmark"}, BIT(MC), 0},
    {{"me", "enclosingmark"}, BIT(ME), 0},
    {{"mn", "nonspacingmark"}, BIT(MN), 0},
    {{"n", "number"}, NUMBER, 0},
    {{"nd", "decimalnumber", "digit"}, BIT(ND), 0},
    {{"nl", "letternumber"}, BIT(NL), 0},
    {{"no", "othernumber"}, BIT(NO), 0},
    {{"p", "punctuation", "punct"}, PUNCTUATION, 0},
    {{"pc", "connectorpunctuation"}, BIT(PC), 0},
    {{"pd", "dashpunctuation"}, BIT(PD), 0},
    {{"pe", "closepunctuation"}, BIT(PE), 0},
    {{"pf", "finalpunctuation"}, BIT(PF), 0},
    {{"pi", "initialpunctuation"}, BIT(PI), 0},
    {{"po", "otherpunctuation"}, BIT(PO), 0},
    {{"ps", "openpunctuation"}, BIT(PS), 0},
    {{"s", "symbol"}, SYMBOL, 0},
    {{"sc", "currencysymbol"}, BIT(SC), 0},
    {{"sk", "modifiersymbol"}, BIT(SK), 0},
    {{"sm", "mathsymbol"}, BIT(SM), 0},
    {{"so", "othersymbol"}, BIT(SO), 0},
    {{"z", "separator"}, SEPARATOR, 0},
    {{"zl", "lineseparator"}, BIT(ZL), 0},
    {{"zp", "paragraphseparator"}, BIT(ZP), 0},
    {{"zs", "spaceseparator"}, BIT(ZS), 0},
    {{"any"}, ANY, 0},
    {{"assigned"}, ANY & ~(BIT(CN) | BIT(CS)), 0},
    {{"alpha", "alphabetic"}, 0, ALPHABETIC},
    {{"alnum"}, BIT(ND), ALPHABETIC},
    {{"lower", "lowercase"}, 0, LOWERCASE},
    {{"upper", "uppercase"}, 0, UPPERCASE},
    {{"graph"}, GRAPH, 0},
    {{"print"}, GRAPH | BIT(ZS), 0},
    {{"word"}, MARK | BIT(ND) | BIT(PC), ALPHABETIC},
};

static const struct range_set {
    const char *names[2];
    struct {
        uint32_t first, last;
    } ranges[3];
    uint32_t categories;
} range_sets[] = {
    {{"ascii"}, {{0, 0x7f}}, 0},
    {{"blank"}, {{'\t', '\t'}}, BIT(ZS)},
    {{"space", "whitespace"}, {{'\t', '\r'}, {0x85, 0x85}}, SEPARATOR},
    {{"xdigit"}, {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 0},
};

static void add_runs(struct code_set *set, uint32_t categories, uint8_t flags, unsigned script)
{
    for (size_t i = 0; i < unicode_n_runs; i++) {
        const struct unicode_run *run = &unicode_runs[i];
        uint32_t end = i + 1 < unicode_n_runs ? run[1].start : CODE_SET_END;

        if ((categories & BIT(run->category)) || (flags & run->flags) || run->script == script)
            code_set_add(set, run->start, end - 1);
    }
}

enum { NO_SCRIPT = 256 };

static bool add_named(const char *name, struct code_set *set)
{
    struct code_set found = {0};
    bool is_found = false;

    for (size_t i = 0; i < sizeof named_sets / sizeof *named_sets && !is_found; i++)
        for (size_t k = 0; k < 3 && named_sets[i].names[k] && !is_found; k++)
            if (strcmp(named_sets[i].names[k], name) == 0) {
                add_runs(&found, named_sets[i].categories, named_sets[i].flags, NO_SCRIPT);
                is_found = true;
            }
    for (size_t i = 0; i < sizeof range_sets / sizeof *range_sets && !is_found; i++)
        for (size_t k = 0; k < 2 && range_sets[i].names[k] && !is_found; k++)
            if (strcmp(range_sets[i].names[k], name) == 0) {
                add_runs(&found, range_sets[i].categories, 0, NO_SCRIPT);
                for (size_t r = 0; r < 3 && (r == 0 || range_sets[i].ranges[r].first); r++)
                    code_set_add(&found, range_sets[i].ranges[r].first,
                                 range_sets[i].ranges[r].last);
                is_found = true;
            }
    code_set_unite(set, &found);
    code_set_release(&found);
    return is_found;
}

/* Copies a name as it counts. False when it is too long to be one. */
static bool plain_name(const char *name, size_t length, char out[40])
{
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        if (name[i] == ' ' || name[i] == '-' || name[i] == '_')
            continue;
        if (n == 39 || name[i] == 0)
            return false;
        out[n++] = (char)tolower((unsigned char)name[i]);
    }
    out[n] = 0;
    return n > 0;
}

static bool add_script(const char *plain, struct code_set *set)
{
    for (size_t i = 0; i < unicode_n_scripts; i++) {
        char name[40], code[40];

        plain_name(unicode_scripts[i].name, strlen(unicode_scripts[i].name), name);
        plain_name(unicode_scripts[i].code, strlen(unicode_scripts[i].code), code);
        if (strcmp(plain, name) == 0 || strcmp(plain, code) == 0) {
            struct code_set found = {0};

            add_runs(&found, 0, 0, (unsigned)i);
            code_set_unite(set, &found);
            code_set_release(&found);
            return true;
        }
    }
    return false;
}

bool unicode_names_property(const char *name, size_t length, struct code_set *set)
{
    char plain[40];

    return plain_name(name, length, plain) && (add_named(plain, set) || add_script(plain, set));
}

bool unicode_names_class(const char *name, size_t length, struct code_set *set)
{
    static const char *const classes[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                          "digit", "graph", "lower", "print", "punct",
                                          "space", "upper", "xdigit", "word"};

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i]) == length && memcmp(classes[i], name, length) == 0)
            return add_named(classes[i], set) &&
                   (strcmp(classes[i], "punct") != 0 || add_named("s", set));
    return false;
}

static const struct unicode_run *find_run(uint32_t code_point)
{
    size_t low = 0, high = unicode_n_runs;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (unicode_runs[middle].start <= code_point)
            low = middle;
        else
            high = middle;
    }
    return &unicode_runs[low];
}

bool unicode_names_may_fold(uint32_t code_point)
{
    const uint32_t may_fold = CASED_LETTER | BIT(LM) | MARK | BIT(NL) | BIT(SO);

    return may_fold & BIT(find_run(code_point)->category);
}
