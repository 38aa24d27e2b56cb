/* regex_translate.c - a recursive descent through the pattern that writes as it goes.
 *
 * A set of characters is written as a mark, SET_MARK and its number, until all sets are known and
 * the alphabet with them.
 *
 * How much work can pass between two callouts is the `weight`: the number of ways through what was
 * written since. Repeats without a bound stand between two callouts, and repeated groups end with
 * one. If the rest alone can be gone through in too many ways, as in (a|a)(a|a)(a|a)…, the pattern
 * is written again with a callout behind every choice. */
#include "regex_translate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "text/unicode_names.h"

enum {
    LENGTH_MAX = 8192, /* of a pattern; the longest known is not 1 KB */
    DEPTH_MAX = 100,
    SETS_MAX = 1000,
    REPEAT_MAX = 1000,
    SHORT_REPEAT = 16, /* a range of lengths that counts as a choice */
    WEIGHT_MAX = 200,
    SET_MARK = 1,
};

struct options {
    bool ignores_case, dot_is_all;
};

struct measure { /* of a part of the pattern */
    double weight;
    bool may_be_empty;
};

struct translator {
    const char *pattern;
    size_t length, at;
    unsigned depth;
    bool counts_all; /* a callout behind every choice */
    struct buffer out;
    struct code_set sets[SETS_MAX];
    size_t n_sets;
    uint32_t previous; /* the letter just written, under (?i) */
    struct error *err;
};

enum atom {
    ATOM_ERROR, ATOM_END, ATOM_SET, ATOM_GROUP, ATOM_ASSERTION, ATOM_NOTHING, ATOM_OPTIONS,
};

static int refuse(struct translator *t, const char *what)
{
    return error_set(t->err, ERROR_UNSUPPORTED, "%s at byte %zu of the pattern is not supported",
                     what, t->at);
}

static int malformed(struct translator *t, const char *what)
{
    return error_set(t->err, ERROR_FORMAT, "%s at byte %zu of the pattern", what, t->at);
}

/* Reading */

static bool at_end(const struct translator *t)
{
    return t->at >= t->length;
}

/* The byte at a distance, 0 behind the end. */
static char peek(const struct translator *t, size_t ahead)
{
    return t->at + ahead < t->length ? t->pattern[t->at + ahead] : 0;
}

static bool next_is(const struct translator *t, const char *word)
{
    size_t n = strlen(word);

    return t->length - t->at >= n && memcmp(t->pattern + t->at, word, n) == 0;
}

static uint32_t read_code_point(struct translator *t)
{
    uint32_t code_point;

    t->at += unicode_decode(t->pattern, t->at, &code_point);
    return code_point;
}

/* Up to n_max digits of a base; how many there were. */
static size_t read_digits(struct translator *t, unsigned base, size_t n_max, uint32_t *value)
{
    size_t n = 0;

    *value = 0;
    for (; n < n_max; n++) {
        unsigned char c = (unsigned char)peek(t, 0);
        int digit = isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : 99;

        if (digit >= (int)base)
            break;
        *value = *value * base + (uint32_t)digit;
        t->at++;
    }
    return n;
}

/* Sets */

static int write_set(struct translator *t, struct code_set *set)
{
    size_t number = 0;

    while (number < t->n_sets && !code_set_equal(&t->sets[number], set))
        number++;
    if (number == t->n_sets) {
        if (number == SETS_MAX)
            return refuse(t, "so many sets of characters");
        t->sets[t->n_sets++] = *set;
        *set = (struct code_set){0};
    }
    buffer_add_char(&t->out, SET_MARK);
    buffer_add_char(&t->out, (char)(number & 0xff));
    buffer_add_char(&t->out, (char)(number >> 8));
    return 0;
}

/* Adds the other cases. K and S have a third one; of others than ASCII we know none and refuse. */
static int fold_set(struct translator *t, struct code_set *set)
{
    struct code_set folded = {0};
    int rc = 0;

    for (size_t i = 0; i + 1 < set->n_bounds && rc == 0; i += 2)
        for (uint32_t c = set->bounds[i]; c < set->bounds[i + 1] && rc == 0; c++) {
            if (c < 0x80 && isalpha((int)c)) {
                code_set_add(&folded, c ^ 0x20, c ^ 0x20);
                if ((c | 0x20) == 'k')
                    code_set_add(&folded, 0x212a, 0x212a);
                if ((c | 0x20) == 's')
                    code_set_add(&folded, 0x17f, 0x17f);
            } else if (c >= 0x80 && unicode_names_may_fold(c)) {
                rc = refuse(t, "a letter beyond ASCII under (?i)");
            }
        }
    code_set_unite(set, &folded);
    code_set_release(&folded);
    return rc;
}

/* Under (?i), Oniguruma lets two letters match one character: ss and U+00DF. */
static int check_pair(struct translator *t, uint32_t code_point)
{
    static const char *const pairs[] = {"ss", "st", "ff", "fi", "fl"};
    uint32_t c = code_point < 0x80 ? (uint32_t)tolower((int)code_point) : 0;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (t->previous == (uint32_t)pairs[i][0] && c == (uint32_t)pairs[i][1])
            return refuse(t, "one of ss, st, ff, fi, fl under (?i)");
    t->previous = c;
    return 0;
}

static int write_literal(struct translator *t, struct options options, uint32_t code_point)
{
    struct code_set set = {0};
    int rc = 0;

    code_set_add(&set, code_point, code_point);
    if (options.ignores_case)
        rc = check_pair(t, code_point) || fold_set(t, &set) ? -1 : 0;
    if (rc == 0)
        rc = write_set(t, &set);
    code_set_release(&set);
    return rc;
}

/* What \w means outside of a class: there Oniguruma looks Latin-1 up in another table. */
static void add_bare_word(struct code_set *set)
{
    unicode_names_property("word", 4, set);
    code_set_add(set, 0xb2, 0xb3);
    code_set_add(set, 0xb9, 0xb9);
    code_set_add(set, 0xbc, 0xbe);
}

static int read_property(struct translator *t, bool is_negated, bool in_class, struct code_set *set)
{
    struct code_set found = {0};
    const char *name = t->pattern + t->at + 1;
    const char *end = peek(t, 0) == '{' ? memchr(name, '}', t->length - t->at - 1) : NULL;
    size_t length;

    if (!end)
        return malformed(t, "\\p without {NAME}");
    length = (size_t)(end - name);
    if (length > 0 && *name == '^') {
        is_negated = !is_negated;
        name++;
        length--;
    }
    if (!unicode_names_property(name, length, &found))
        return error_set(t->err, ERROR_UNSUPPORTED, "the property \\p{%.*s} is not supported",
                         length > 60 ? 60 : (int)length, name);
    if (!in_class && length == 4 && strncasecmp(name, "word", 4) == 0)
        add_bare_word(&found);
    if (is_negated)
        code_set_invert(&found);
    code_set_unite(set, &found);
    code_set_release(&found);
    t->at = (size_t)(end - t->pattern) + 1;
    return 0;
}

/* \w \d \s \h and their opposites, without the backslash; false when it is none of them. */
static bool shorthand(char c, bool in_class, struct code_set *set)
{
    static const struct {
        char letter;
        const char *name;
    } names[] = {{'w', "word"}, {'d', "digit"}, {'s', "space"}, {'h', "xdigit"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct code_set found = {0};

        if ((c | 0x20) != names[i].letter)
            continue;
        if (c == 'w' || c == 'W') {
            unicode_names_property("word", 4, &found);
            if (!in_class)
                add_bare_word(&found);
        } else {
            unicode_names_property(names[i].name, strlen(names[i].name), &found);
        }
        if (c < 'a')
            code_set_invert(&found);
        code_set_unite(set, &found);
        code_set_release(&found);
        return true;
    }
    return false;
}

/* An escape that is one character, `t->at` at the letter behind the backslash: 1, 0 when it is
 * something else, -1 on error. */
static int read_escaped(struct translator *t, uint32_t *code_point)
{
    static const char letters[] = "tnrfvae", values[] = "\t\n\r\f\v\a\033";
    char c = peek(t, 0);
    const char *known = c ? strchr(letters, c) : NULL;

    if (known) {
        *code_point = (uint32_t)values[known - letters];
        t->at++;
        return 1;
    }
    if (c == '0') {
        read_digits(t, 8, 3, code_point);
        return 1;
    }
    if (c == 'x' || c == 'u') {
        bool is_braced = c == 'x' && peek(t, 1) == '{';
        size_t n_max = is_braced ? 8 : c == 'x' ? 2 : 4, n;

        t->at += is_braced ? 2 : 1;
        n = read_digits(t, 16, n_max, code_point);
        if (n == 0 || (c == 'u' && n != 4) || (is_braced && peek(t, 0) != '}'))
            return malformed(t, "a broken \\x or \\u");
        t->at += is_braced;
        if (*code_point >= CODE_SET_END || (*code_point >= 0xd800 && *code_point < 0xe000))
            return malformed(t, "\\x or \\u that is no code point");
        if (c == 'x' && !is_braced && *code_point >= 0x80)
            return refuse(t, "\\x of a single byte");
        return 1;
    }
    if (!isalnum((unsigned char)c)) {
        *code_point = read_code_point(t);
        return 1;
    }
    return 0;
}

/* Classes */

static int parse_class(struct translator *t, struct options options, struct code_set *set,
                       bool *is_single);

/* [:name:] or [:^name:] at `t->at`: 1 when it was one, 0 when it does not look so, -1 on error. */
static int parse_posix(struct translator *t, struct code_set *set)
{
    struct code_set found = {0};
    const char *name = t->pattern + t->at + 2;
    size_t room = t->length - t->at - 2, length = 0;
    bool is_negated = room > 0 && *name == '^';

    if (is_negated) {
        name++;
        room--;
    }
    while (length < room && isalpha((unsigned char)name[length]))
        length++;
    if (room - length < 2 || name[length] != ':' || name[length + 1] != ']')
        return 0;
    if (!unicode_names_class(name, length, &found))
        return malformed(t, "an unknown [:class:]");
    if (is_negated)
        code_set_invert(&found);
    code_set_unite(set, &found);
    code_set_release(&found);
    t->at = (size_t)(name - t->pattern) + length + 2;
    return 1;
}

/* One element of a class. 1: the code point *value, which may begin a range; 0: a set, added. */
static int parse_element(struct translator *t, struct options options, struct code_set *set,
                         uint32_t *value)
{
    char c = peek(t, 0);

    if (c == '[') {
        bool ignored;
        int rc = peek(t, 1) == ':' ? parse_posix(t, set) : 0;

        if (rc != 0)
            return rc < 0 ? -1 : 0;
        t->at++;
        return parse_class(t, options, set, &ignored);
    }
    if (c != '\\') {
        *value = read_code_point(t);
        return 1;
    }
    t->at++;
    if (at_end(t))
        return malformed(t, "a lone backslash");
    c = peek(t, 0);
    if (c == 'b') {
        t->at++;
        *value = '\b';
        return 1;
    }
    if (c == 'p' || c == 'P') {
        t->at++;
        return read_property(t, c == 'P', true, set);
    }
    if (shorthand(c, true, set)) {
        t->at++;
        return 0;
    }
    {
        int rc = read_escaped(t, value);

        return rc != 0 ? rc : refuse(t, "this escape in a class");
    }
}

/* `t->at` behind an element that was a code point: reads the end of a range, if one follows. */
static int parse_range(struct translator *t, struct options options, struct code_set *set,
                       uint32_t first)
{
    struct code_set unused = {0};
    uint32_t last = first;
    bool is_range = peek(t, 0) == '-' && peek(t, 1) != ']';

    if (is_range) {
        int rc;

        t->at++;
        if (at_end(t))
            return malformed(t, "a class without end");
        if (next_is(t, "&&") || peek(t, 0) == '[')
            return refuse(t, "'-' before && or [");
        rc = parse_element(t, options, &unused, &last);
        code_set_release(&unused);
        if (rc <= 0)
            return rc < 0 ? -1 : malformed(t, "a range that ends in a set");
        if (last < first)
            return malformed(t, "an empty range");
    }
    code_set_add(set, first, last);
    if (is_range && peek(t, 0) == '-') { /* [0-9-a] is [0-9\-a] */
        t->at++;
        code_set_add(set, '-', '-');
    }
    return 0;
}

/* What stands between '[' and '&&' or ']', united. */
static int parse_operand(struct translator *t, struct options options, struct code_set *set,
                         bool may_begin_closed)
{
    bool is_first = true;

    while (!at_end(t) && !next_is(t, "&&")) {
        uint32_t value = 0;
        int rc;

        if (peek(t, 0) == ']') {
            bool is_literal = is_first && may_begin_closed;

            if (!is_literal)
                return 0;
            if (!memchr(t->pattern + t->at + 1, ']', t->length - t->at - 1))
                return malformed(t, "an empty class");
        }
        is_first = false;
        rc = parse_element(t, options, set, &value);
        if (rc > 0)
            rc = parse_range(t, options, set, value);
        else if (rc == 0 && peek(t, 0) == '-' && peek(t, 1) != ']')
            rc = refuse(t, "'-' behind a set");
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* A class, `t->at` behind its '['. Case is folded in the outermost one. */
static int parse_class(struct translator *t, struct options options, struct code_set *set,
                       bool *is_single)
{
    struct code_set whole = {0}, operand = {0};
    bool is_negated = peek(t, 0) == '^', has_operand = false;
    bool is_outermost = options.ignores_case;
    int rc = -1;

    options.ignores_case = false;
    if (++t->depth > DEPTH_MAX) {
        refuse(t, "so deep a nesting");
        goto done;
    }
    t->at += is_negated;
    for (;;) {
        code_set_clear(&operand);
        if (parse_operand(t, options, &operand, !has_operand))
            goto done;
        if (has_operand)
            code_set_intersect(&whole, &operand);
        else
            code_set_unite(&whole, &operand);
        has_operand = true;
        if (!next_is(t, "&&"))
            break;
        t->at += 2;
    }
    if (at_end(t)) {
        malformed(t, "a class without end");
        goto done;
    }
    t->at++;
    *is_single = !is_negated && code_set_count(&whole) == 1;
    if (is_outermost && fold_set(t, &whole))
        goto done;
    if (is_negated)
        code_set_invert(&whole);
    code_set_unite(set, &whole);
    rc = 0;
done:
    t->depth--;
    code_set_release(&whole);
    code_set_release(&operand);
    return rc;
}

/* Atoms */

static enum atom atom_of(int rc, enum atom atom)
{
    return rc ? ATOM_ERROR : atom;
}

static enum atom write_text(struct translator *t, const char *text, enum atom atom)
{
    t->previous = 0;
    buffer_add_text(&t->out, text);
    return atom;
}

/* Writes text in which W is \w, F the line feed, N everything that breaks lines. */
static enum atom write_template(struct translator *t, const char *template, enum atom atom)
{
    t->previous = 0;
    for (const char *c = template; *c; c++) {
        struct code_set set = {0};
        int rc = 0;

        if (*c == 'W') {
            add_bare_word(&set);
            rc = write_set(t, &set);
        } else if (*c == 'N') {
            code_set_add(&set, '\n', '\r');
            code_set_add(&set, 0x85, 0x85);
            code_set_add(&set, 0x2028, 0x2029);
            rc = write_set(t, &set);
        } else if (*c == 'R' || *c == 'F') {
            code_set_add(&set, *c == 'R' ? '\r' : '\n', *c == 'R' ? '\r' : '\n');
            rc = write_set(t, &set);
        } else {
            buffer_add_char(&t->out, *c);
        }
        code_set_release(&set);
        if (rc)
            return ATOM_ERROR;
    }
    return atom;
}

/* Everything, but the line feed if so wished. */
static enum atom write_any(struct translator *t, bool with_newline)
{
    struct code_set set = {0};
    enum atom atom;

    t->previous = 0;
    if (!with_newline)
        code_set_add(&set, '\n', '\n');
    code_set_invert(&set);
    atom = atom_of(write_set(t, &set), ATOM_SET);
    code_set_release(&set);
    return atom;
}

/* A set that was read, under (?i) only if nothing in it has cases: bare properties fold, too. */
static enum atom write_read_set(struct translator *t, struct options options, struct code_set *set,
                                int rc)
{
    t->previous = 0;
    if (rc == 0 && options.ignores_case) {
        size_t n_before = code_set_count(set);

        rc = fold_set(t, set);
        if (rc == 0 && code_set_count(set) != n_before)
            rc = refuse(t, "a set of letters under (?i)");
    }
    if (rc == 0)
        rc = write_set(t, set);
    code_set_release(set);
    return atom_of(rc, ATOM_SET);
}

static enum atom parse_escape(struct translator *t, struct options options)
{
    struct code_set set = {0};
    uint32_t code_point;
    char c;
    int rc;

    t->at++;
    if (at_end(t))
        return atom_of(malformed(t, "a lone backslash"), ATOM_ERROR);
    c = peek(t, 0);
    if (c == 'p' || c == 'P') {
        t->at++;
        rc = read_property(t, c == 'P', false, &set);
        return write_read_set(t, options, &set, rc);
    }
    if (shorthand(c, false, &set)) {
        t->at++;
        return write_read_set(t, options, &set, 0);
    }
    rc = read_escaped(t, &code_point);
    if (rc != 0)
        return atom_of(rc < 0 || write_literal(t, options, code_point) ? -1 : 0, ATOM_SET);
    t->at++;
    switch (c) {
    case 'b': return write_template(t, "(?:(?<=W)(?!W)|(?<!W)(?=W))", ATOM_ASSERTION);
    case 'B': return write_template(t, "(?:(?<=W)(?=W)|(?<!W)(?!W))", ATOM_ASSERTION);
    case 'A': return write_text(t, "\\A", ATOM_ASSERTION);
    case 'Z': return write_text(t, "\\Z", ATOM_ASSERTION);
    case 'z': return write_text(t, "\\z", ATOM_ASSERTION);
    case 'G': return write_text(t, "\\G", ATOM_ASSERTION);
    case 'K': return write_text(t, "\\K", ATOM_ASSERTION);
    case 'R': return write_template(t, "(?>RF|N)", ATOM_GROUP);
    case 'N': return write_any(t, false);
    case 'O': return write_any(t, true);
    default:
        t->at--;
        if (strchr("XyYkgcCMo", c) || isdigit((unsigned char)c))
            return atom_of(refuse(t, isdigit((unsigned char)c) ? "a back-reference"
                                                               : "this escape"), ATOM_ERROR);
        t->at++;
        return atom_of(write_literal(t, options, (unsigned char)c), ATOM_SET);
    }
}

static int parse_alternation(struct translator *t, struct options options,
                             struct measure *measure);

/* (?imx-imx) or (?imx-imx:…, `t->at` behind the '?'. */
static enum atom parse_options(struct translator *t, struct options *options)
{
    bool is_on = true;

    for (;; t->at++) {
        switch (peek(t, 0)) {
        case '-': is_on = false; break;
        case 'i': options->ignores_case = is_on; break;
        case 'm': options->dot_is_all = is_on; break;
        case 'x':
            if (is_on)
                return atom_of(refuse(t, "the option x"), ATOM_ERROR);
            break;
        case ')': t->at++; return ATOM_OPTIONS;
        case ':': t->at++; return ATOM_GROUP;
        default:
            if (strchr("WDSPyaILCc<'~{(&R", peek(t, 0)) && !at_end(t))
                return atom_of(refuse(t, "this kind of group"), ATOM_ERROR);
            return atom_of(malformed(t, "an undefined group option"), ATOM_ERROR);
        }
    }
}

/* (?#…), `t->at` behind the '#'. */
static enum atom skip_comment(struct translator *t)
{
    while (!at_end(t) && peek(t, 0) != ')')
        t->at += peek(t, 0) == '\\' ? 2 : 1;
    if (at_end(t))
        return atom_of(malformed(t, "a comment without end"), ATOM_ERROR);
    t->at++;
    return ATOM_NOTHING;
}

/* A group, `t->at` at its '('. ATOM_OPTIONS: (?i), valid to the end of the group around it. */
static enum atom parse_group(struct translator *t, struct options *options,
                             struct measure *measure)
{
    static const struct {
        const char *opening;
        enum atom atom;
    } kinds[] = {{"(?:", ATOM_GROUP},      {"(?>", ATOM_GROUP},      {"(?=", ATOM_ASSERTION},
                 {"(?!", ATOM_ASSERTION},  {"(?<=", ATOM_ASSERTION}, {"(?<!", ATOM_ASSERTION}};
    struct options inner = *options;
    enum atom atom = ATOM_GROUP;
    const char *opening = "(?:";

    if (next_is(t, "(?#")) {
        t->at += 3;
        return skip_comment(t);
    }
    if (next_is(t, "(*"))
        return atom_of(refuse(t, "(*"), ATOM_ERROR);
    if (next_is(t, "(?")) {
        size_t i = 0, n_kinds = sizeof kinds / sizeof *kinds;

        while (i < n_kinds && !next_is(t, kinds[i].opening))
            i++;
        if (i < n_kinds) {
            opening = kinds[i].opening;
            atom = kinds[i].atom;
            t->at += strlen(opening);
        } else {
            t->at += 2;
            atom = parse_options(t, &inner);
            if (atom == ATOM_OPTIONS)
                *options = inner;
            if (atom != ATOM_GROUP)
                return atom;
        }
    } else {
        t->at++;
    }
    if (++t->depth > DEPTH_MAX)
        return atom_of(refuse(t, "so deep a nesting"), ATOM_ERROR);
    buffer_add_text(&t->out, opening);
    if (parse_alternation(t, inner, measure))
        return ATOM_ERROR;
    if (at_end(t))
        return atom_of(malformed(t, "a group without end"), ATOM_ERROR);
    buffer_add_char(&t->out, ')');
    t->at++;
    t->depth--;
    return atom;
}

/* Repeats */

enum { NO_MAX = UINT32_MAX };

struct repeat {
    uint32_t min, max;
    bool is_interval;
};

/* A number, up to REPEAT_MAX + 1; false when there is none. */
static bool read_count(struct translator *t, uint32_t *count)
{
    bool is_there = false;

    *count = 0;
    for (; isdigit((unsigned char)peek(t, 0)); t->at++) {
        is_there = true;
        if (*count <= REPEAT_MAX)
            *count = *count * 10 + (uint32_t)(peek(t, 0) - '0');
    }
    return is_there;
}

/* {n} {n,} {n,m} {,m}; otherwise the brace is an ordinary character. */
static bool read_interval(struct translator *t, struct repeat *repeat)
{
    size_t start = t->at;
    bool has_min, has_max = false, has_comma;

    t->at++;
    has_min = read_count(t, &repeat->min);
    has_comma = peek(t, 0) == ',';
    if (has_comma) {
        t->at++;
        has_max = read_count(t, &repeat->max);
        if (!has_max)
            repeat->max = NO_MAX;
    } else {
        repeat->max = repeat->min;
    }
    if (peek(t, 0) != '}' || (!has_min && !has_max)) {
        t->at = start;
        return false;
    }
    t->at++;
    repeat->is_interval = true;
    return true;
}

static bool read_repeat(struct translator *t, struct repeat *repeat)
{
    char c = peek(t, 0);

    if (c == '{')
        return read_interval(t, repeat);
    if (at_end(t) || !strchr("?*+", c))
        return false;
    *repeat = (struct repeat){c == '+', c == '?' ? 1 : NO_MAX, false};
    t->at++;
    return true;
}

static void wrap(struct translator *t, size_t start, const char *ending)
{
    buffer_splice(&t->out, start, 0, "(?:");
    buffer_add_text(&t->out, ending);
}

static void write_repeat(struct translator *t, struct repeat repeat, const char *suffix)
{
    if (repeat.max == NO_MAX)
        buffer_format(&t->out, "{%u,}%s", repeat.min, suffix);
    else
        buffer_format(&t->out, "{%u,%u}%s", repeat.min, repeat.max, suffix);
}

/* Rewrites the set X at `start` as a repeat without bound, counted on both sides: X+ becomes
 * X(?C1)X*(?C), and X* the same in (?:…)?, so that nothing is counted where X does not match. */
static void count_repeat(struct translator *t, size_t start, struct repeat repeat,
                         const char *suffix)
{
    char set[3];

    memcpy(set, t->out.data + start, sizeof set);
    if (repeat.min > 1)
        buffer_format(&t->out, "{%u}", repeat.min);
    buffer_add_text(&t->out, "(?C1)");
    buffer_add(&t->out, set, sizeof set);
    write_repeat(t, (struct repeat){.max = repeat.max == NO_MAX ? NO_MAX : repeat.max - repeat.min},
                 suffix);
    buffer_add_text(&t->out, "(?C)");
    if (repeat.min == 0) {
        wrap(t, start, ")?");
        buffer_add_text(&t->out, suffix);
    }
}

/* Writes the repeat behind the atom that begins at `start`, with its callouts. */
static void repeat_atom(struct translator *t, size_t start, bool is_group, struct repeat repeat,
                        const char *suffix, struct measure *measure)
{
    bool is_short = repeat.max != NO_MAX && repeat.max - repeat.min <= SHORT_REPEAT;

    measure->may_be_empty = measure->may_be_empty || repeat.min == 0;
    if (!is_group && !is_short) {
        count_repeat(t, start, repeat, suffix);
        measure->weight = 2 + (double)repeat.min / SHORT_REPEAT;
        return;
    }
    if (is_group && repeat.max > 1)
        wrap(t, start, "(?C))");
    write_repeat(t, repeat, suffix);
    if (is_group)
        measure->weight += 1;
    else
        measure->weight = 1 + repeat.max - repeat.min + (double)repeat.min / SHORT_REPEAT;
    if (t->counts_all)
        buffer_add_text(&t->out, "(?C)");
}

/* The repeats behind an atom. */
static int parse_repeats(struct translator *t, size_t start, enum atom atom,
                         struct measure *measure)
{
    struct repeat repeat;
    bool is_group = atom == ATOM_GROUP, may_go_on = true;

    for (size_t n = 0; read_repeat(t, &repeat); n++) {
        const char *suffix = "";

        if (atom == ATOM_NOTHING)
            return refuse(t, "a repeat behind a comment");
        if (atom == ATOM_ASSERTION)
            return malformed(t, "a repeat of nothing");
        if (!may_go_on)
            return refuse(t, "a repeat of a repeat");
        if (repeat.max < repeat.min)
            return refuse(t, "a repeat that ends below its start");
        if (repeat.min > REPEAT_MAX || (repeat.max != NO_MAX && repeat.max > REPEAT_MAX))
            return refuse(t, "a repeat of more than 1000");
        /* Oniguruma leaves a counted repeat after an empty round, PCRE2 goes on. */
        if (measure->may_be_empty && (repeat.min > 1 || (repeat.max > 1 && repeat.max != NO_MAX)))
            return refuse(t, "a counted repeat of what may be empty");
        if (n > 0) {
            wrap(t, start, ")");
            is_group = true;
        }
        if (peek(t, 0) == '?' || (peek(t, 0) == '+' && !repeat.is_interval)) {
            suffix = peek(t, 0) == '?' ? "?" : "+";
            t->at++;
        }
        /* In this syntax {n,m}+ repeats {n,m}, and {n}? is an optional {n}. */
        if (repeat.is_interval && repeat.min == repeat.max && *suffix) {
            repeat_atom(t, start, is_group, repeat, "", measure);
            wrap(t, start, ")?");
            measure->weight += 1;
            measure->may_be_empty = true;
            may_go_on = false;
            continue;
        }
        repeat_atom(t, start, is_group, repeat, suffix, measure);
        may_go_on = repeat.is_interval && !*suffix && (peek(t, 0) == '+' || peek(t, 0) == '{');
    }
    return 0;
}

/* The whole */

static enum atom parse_atom(struct translator *t, struct options *options,
                            struct measure *measure)
{
    char c = peek(t, 0);
    struct repeat ignored;

    *measure = (struct measure){.weight = 1};
    if (at_end(t) || c == '|' || c == ')')
        return ATOM_END;
    if (c == '(')
        return parse_group(t, options, measure);
    if (c == '[') {
        struct code_set set = {0};
        bool is_single = false;
        uint32_t single = 0;
        int rc;

        t->at++;
        rc = parse_class(t, *options, &set, &is_single);
        if (rc == 0 && is_single && options->ignores_case) {
            single = set.bounds[0]; /* the capital letter comes first */
            rc = check_pair(t, single);
        } else {
            t->previous = 0;
        }
        if (rc == 0)
            rc = write_set(t, &set);
        code_set_release(&set);
        return atom_of(rc, ATOM_SET);
    }
    if (c == '\\')
        return parse_escape(t, *options);
    if (c == '.') {
        t->at++;
        return write_any(t, options->dot_is_all);
    }
    if (c == '^' || c == '$') {
        t->at++;
        return write_text(t, c == '^' ? "^" : "$", ATOM_ASSERTION);
    }
    if (read_repeat(t, &ignored))
        return atom_of(malformed(t, "a repeat of nothing"), ATOM_ERROR);
    return atom_of(write_literal(t, *options, read_code_point(t)), ATOM_SET);
}

static int parse_branch(struct translator *t, struct options options, struct measure *measure)
{
    *measure = (struct measure){.weight = 1, .may_be_empty = true};
    for (;;) {
        size_t start = t->out.size;
        struct measure of_atom;
        enum atom atom = parse_atom(t, &options, &of_atom);

        if (atom == ATOM_END)
            return 0;
        if (atom == ATOM_ERROR)
            return -1;
        if (atom == ATOM_OPTIONS) { /* a(?i)b|c is a(?i:b|c) */
            if (++t->depth > DEPTH_MAX)
                return refuse(t, "so deep a nesting");
            buffer_add_text(&t->out, "(?:");
            if (parse_alternation(t, options, &of_atom))
                return -1;
            buffer_add_char(&t->out, ')');
            t->depth--;
        } else if (parse_repeats(t, start, atom, &of_atom)) {
            return -1;
        }
        measure->weight *= of_atom.weight;
        if (!of_atom.may_be_empty && atom != ATOM_ASSERTION && atom != ATOM_NOTHING)
            measure->may_be_empty = false;
    }
}

/* Branches, up to the ')' of the group around them or the end. */
static int parse_alternation(struct translator *t, struct options options, struct measure *measure)
{
    *measure = (struct measure){0};
    for (;;) {
        struct measure of_branch;

        t->previous = 0;
        if (parse_branch(t, options, &of_branch))
            return -1;
        measure->weight += of_branch.weight;
        measure->may_be_empty = measure->may_be_empty || of_branch.may_be_empty;
        if (t->counts_all)
            buffer_add_text(&t->out, "(?C)");
        if (peek(t, 0) != '|' || at_end(t))
            return 0;
        buffer_add_char(&t->out, '|');
        t->at++;
    }
}

static int parse_all(struct translator *t, bool counts_all, struct measure *measure)
{
    struct options options = {false, false};

    t->at = 0;
    t->counts_all = counts_all;
    buffer_clear(&t->out);
    if (parse_alternation(t, options, measure))
        return -1;
    return at_end(t) ? 0 : malformed(t, "')' without '('");
}

/* [letters] as PCRE2 wants it. */
static void write_letters(struct buffer *out, const bool is_in[256])
{
    size_t n = 0, last = 0;

    for (size_t i = 0; i < 256; i++)
        if (is_in[i]) {
            n++;
            last = i;
        }
    if (n == 0)
        buffer_add_text(out, "(?!)");
    if (n == 1)
        buffer_format(out, "\\x%02zx", last);
    if (n <= 1)
        return;
    buffer_add_char(out, '[');
    for (size_t i = 0; i < 256; i++) {
        size_t end = i;

        if (!is_in[i])
            continue;
        while (end < 255 && is_in[end + 1])
            end++;
        buffer_format(out, end == i ? "\\x%02zx" : "\\x%02zx-\\x%02zx", i, end);
        i = end;
    }
    buffer_add_char(out, ']');
}

static void write_pattern(const struct translator *t, const struct alphabet *alphabet,
                          struct buffer *out)
{
    for (size_t i = 0; i < t->out.size; i++) {
        bool is_in[256] = {false};
        const struct code_set *set;

        if (t->out.data[i] != SET_MARK) {
            buffer_add_char(out, t->out.data[i]);
            continue;
        }
        set = &t->sets[(unsigned char)t->out.data[i + 1] | (unsigned char)t->out.data[i + 2] << 8];
        for (size_t letter = 0; letter < 256; letter++)
            is_in[letter] = alphabet->samples[letter] != CODE_SET_END &&
                            code_set_has(set, alphabet->samples[letter]);
        write_letters(out, is_in);
        i += 2;
    }
}

int regex_translate(struct regex_translation *translation, const char *pattern, size_t length,
                    struct error *err)
{
    struct translator *t = memory_zalloc(1, sizeof *t);
    struct measure whole;
    int rc = -1;

    *t = (struct translator){.pattern = pattern, .length = length, .err = err, .n_sets = 1};
    code_set_add(&t->sets[0], '\n', '\n');
    if (length > LENGTH_MAX) {
        error_set(err, ERROR_UNSUPPORTED, "a pattern of %zu bytes, where %d are supported", length,
                  LENGTH_MAX);
        goto done;
    }
    if (utf8_valid_prefix(pattern, length) != length) {
        error_set(err, ERROR_FORMAT, "a pattern that is not UTF-8");
        goto done;
    }
    if (parse_all(t, false, &whole) || (whole.weight > WEIGHT_MAX && parse_all(t, true, &whole)))
        goto done;
    if (alphabet_init(&translation->alphabet, t->sets, t->n_sets)) {
        error_set(err, ERROR_UNSUPPORTED, "a pattern that tells more than 255 kinds of characters "
                                          "apart is not supported");
        goto done;
    }
    write_pattern(t, &translation->alphabet, &translation->pattern);
    rc = 0;
done:
    for (size_t i = 0; i < t->n_sets; i++)
        code_set_release(&t->sets[i]);
    buffer_release(&t->out);
    free(t);
    return rc;
}

void regex_translation_release(struct regex_translation *translation)
{
    buffer_release(&translation->pattern);
    alphabet_release(&translation->alphabet);
}
