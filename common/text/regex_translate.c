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
#include "text/pattern_reader.h"
#include "text/regex_sets.h"

enum {
    LENGTH_MAX = 8192, /* of a pattern; the longest known is not 1 KB */
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
    struct pattern_reader in;
    bool counts_all; /* a callout behind every choice */
    struct buffer out;
    struct code_set sets[SETS_MAX];
    size_t n_sets;
    uint32_t previous; /* the letter just written, under (?i) */
};

enum atom {
    ATOM_ERROR, ATOM_END, ATOM_SET, ATOM_GROUP, ATOM_ASSERTION, ATOM_NOTHING, ATOM_OPTIONS,
};

/* Sets */

static int write_set(struct translator *t, struct code_set *set)
{
    size_t number = 0;

    while (number < t->n_sets && !code_set_equal(&t->sets[number], set))
        number++;
    if (number == t->n_sets) {
        if (number == SETS_MAX)
            return pattern_refuse(&t->in, "so many sets of characters");
        t->sets[t->n_sets++] = *set;
        *set = (struct code_set){0};
    }
    buffer_add_char(&t->out, SET_MARK);
    buffer_add_char(&t->out, (char)(number & 0xff));
    buffer_add_char(&t->out, (char)(number >> 8));
    return 0;
}

/* Under (?i), Oniguruma lets two letters match one character: ss and U+00DF. */
static int check_pair(struct translator *t, uint32_t code_point)
{
    static const char *const pairs[] = {"ss", "st", "ff", "fi", "fl"};
    uint32_t c = code_point < 0x80 ? (uint32_t)tolower((int)code_point) : 0;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (t->previous == (uint32_t)pairs[i][0] && c == (uint32_t)pairs[i][1])
            return pattern_refuse(&t->in, "one of ss, st, ff, fi, fl under (?i)");
    t->previous = c;
    return 0;
}

static int write_literal(struct translator *t, struct options options, uint32_t code_point)
{
    struct code_set set = {0};
    int rc = 0;

    code_set_add(&set, code_point, code_point);
    if (options.ignores_case)
        rc = check_pair(t, code_point) || regex_set_fold(&t->in, &set) ? -1 : 0;
    if (rc == 0)
        rc = write_set(t, &set);
    code_set_release(&set);
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
            regex_set_bare_word(&set);
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

        rc = regex_set_fold(&t->in, set);
        if (rc == 0 && code_set_count(set) != n_before)
            rc = pattern_refuse(&t->in, "a set of letters under (?i)");
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

    t->in.at++;
    if (pattern_at_end(&t->in))
        return atom_of(pattern_malformed(&t->in, "a lone backslash"), ATOM_ERROR);
    c = pattern_peek(&t->in, 0);
    if (c == 'p' || c == 'P') {
        t->in.at++;
        rc = regex_set_property(&t->in, c == 'P', false, &set);
        return write_read_set(t, options, &set, rc);
    }
    if (regex_set_shorthand(c, false, &set)) {
        t->in.at++;
        return write_read_set(t, options, &set, 0);
    }
    rc = regex_set_escape(&t->in, &code_point);
    if (rc != 0)
        return atom_of(rc < 0 || write_literal(t, options, code_point) ? -1 : 0, ATOM_SET);
    t->in.at++;
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
        t->in.at--;
        if (strchr("XyYkgcCMo", c) || isdigit((unsigned char)c))
            return atom_of(pattern_refuse(&t->in, isdigit((unsigned char)c) ? "a back-reference"
                                                               : "this escape"), ATOM_ERROR);
        t->in.at++;
        return atom_of(write_literal(t, options, (unsigned char)c), ATOM_SET);
    }
}

static int parse_alternation(struct translator *t, struct options options,
                             struct measure *measure);

/* (?imx-imx) or (?imx-imx:…, `t->in.at` behind the '?'. */
static enum atom parse_options(struct translator *t, struct options *options)
{
    bool is_on = true;

    for (;; t->in.at++) {
        switch (pattern_peek(&t->in, 0)) {
        case '-': is_on = false; break;
        case 'i': options->ignores_case = is_on; break;
        case 'm': options->dot_is_all = is_on; break;
        case 'x':
            if (is_on)
                return atom_of(pattern_refuse(&t->in, "the option x"), ATOM_ERROR);
            break;
        case ')': t->in.at++; return ATOM_OPTIONS;
        case ':': t->in.at++; return ATOM_GROUP;
        default:
            if (strchr("WDSPyaILCc<'~{(&R", pattern_peek(&t->in, 0)) && !pattern_at_end(&t->in))
                return atom_of(pattern_refuse(&t->in, "this kind of group"), ATOM_ERROR);
            return atom_of(pattern_malformed(&t->in, "an undefined group option"), ATOM_ERROR);
        }
    }
}

/* (?#…), `t->in.at` behind the '#'. */
static enum atom skip_comment(struct translator *t)
{
    while (!pattern_at_end(&t->in) && pattern_peek(&t->in, 0) != ')')
        t->in.at += pattern_peek(&t->in, 0) == '\\' ? 2 : 1;
    if (pattern_at_end(&t->in))
        return atom_of(pattern_malformed(&t->in, "a comment without end"), ATOM_ERROR);
    t->in.at++;
    return ATOM_NOTHING;
}

/* A group, `t->in.at` at its '('. ATOM_OPTIONS: (?i), valid to the end of the group around it. */
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

    if (pattern_next_is(&t->in, "(?#")) {
        t->in.at += 3;
        return skip_comment(t);
    }
    if (pattern_next_is(&t->in, "(*"))
        return atom_of(pattern_refuse(&t->in, "(*"), ATOM_ERROR);
    if (pattern_next_is(&t->in, "(?")) {
        size_t i = 0, n_kinds = sizeof kinds / sizeof *kinds;

        while (i < n_kinds && !pattern_next_is(&t->in, kinds[i].opening))
            i++;
        if (i < n_kinds) {
            opening = kinds[i].opening;
            atom = kinds[i].atom;
            t->in.at += strlen(opening);
        } else {
            t->in.at += 2;
            atom = parse_options(t, &inner);
            if (atom == ATOM_OPTIONS)
                *options = inner;
            if (atom != ATOM_GROUP)
                return atom;
        }
    } else {
        t->in.at++;
    }
    if (++t->in.depth > PATTERN_DEPTH_MAX)
        return atom_of(pattern_refuse(&t->in, "so deep a nesting"), ATOM_ERROR);
    buffer_add_text(&t->out, opening);
    if (parse_alternation(t, inner, measure))
        return ATOM_ERROR;
    if (pattern_at_end(&t->in))
        return atom_of(pattern_malformed(&t->in, "a group without end"), ATOM_ERROR);
    buffer_add_char(&t->out, ')');
    t->in.at++;
    t->in.depth--;
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
    for (; isdigit((unsigned char)pattern_peek(&t->in, 0)); t->in.at++) {
        is_there = true;
        if (*count <= REPEAT_MAX)
            *count = *count * 10 + (uint32_t)(pattern_peek(&t->in, 0) - '0');
    }
    return is_there;
}

/* {n} {n,} {n,m} {,m}; otherwise the brace is an ordinary character. */
static bool read_interval(struct translator *t, struct repeat *repeat)
{
    size_t start = t->in.at;
    bool has_min, has_max = false, has_comma;

    t->in.at++;
    has_min = read_count(t, &repeat->min);
    has_comma = pattern_peek(&t->in, 0) == ',';
    if (has_comma) {
        t->in.at++;
        has_max = read_count(t, &repeat->max);
        if (!has_max)
            repeat->max = NO_MAX;
    } else {
        repeat->max = repeat->min;
    }
    if (pattern_peek(&t->in, 0) != '}' || (!has_min && !has_max)) {
        t->in.at = start;
        return false;
    }
    t->in.at++;
    repeat->is_interval = true;
    return true;
}

static bool read_repeat(struct translator *t, struct repeat *repeat)
{
    char c = pattern_peek(&t->in, 0);

    if (c == '{')
        return read_interval(t, repeat);
    if (pattern_at_end(&t->in) || !strchr("?*+", c))
        return false;
    *repeat = (struct repeat){c == '+', c == '?' ? 1 : NO_MAX, false};
    t->in.at++;
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
        char next;

        if (atom == ATOM_NOTHING)
            return pattern_refuse(&t->in, "a repeat behind a comment");
        if (atom == ATOM_ASSERTION)
            return pattern_malformed(&t->in, "a repeat of nothing");
        if (!may_go_on)
            return pattern_refuse(&t->in, "a repeat of a repeat");
        if (repeat.max < repeat.min)
            return pattern_refuse(&t->in, "a repeat that ends below its start");
        if (repeat.min > REPEAT_MAX || (repeat.max != NO_MAX && repeat.max > REPEAT_MAX))
            return pattern_refuse(&t->in, "a repeat of more than 1000");
        /* Oniguruma leaves a counted repeat after an empty round, PCRE2 goes on. */
        if (measure->may_be_empty && (repeat.min > 1 || (repeat.max > 1 && repeat.max != NO_MAX)))
            return pattern_refuse(&t->in, "a counted repeat of what may be empty");
        if (n > 0) {
            wrap(t, start, ")");
            is_group = true;
        }
        next = pattern_peek(&t->in, 0);
        if (next == '?' || (next == '+' && !repeat.is_interval)) {
            suffix = next == '?' ? "?" : "+";
            t->in.at++;
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
        next = pattern_peek(&t->in, 0);
        may_go_on = repeat.is_interval && !*suffix && (next == '+' || next == '{');
    }
    return 0;
}

/* The whole */

static enum atom parse_atom(struct translator *t, struct options *options,
                            struct measure *measure)
{
    char c = pattern_peek(&t->in, 0);
    struct repeat ignored;

    *measure = (struct measure){.weight = 1};
    if (pattern_at_end(&t->in) || c == '|' || c == ')')
        return ATOM_END;
    if (c == '(')
        return parse_group(t, options, measure);
    if (c == '[') {
        struct code_set set = {0};
        bool is_single = false;
        uint32_t single = 0;
        int rc;

        t->in.at++;
        rc = regex_set_class(&t->in, options->ignores_case, &set, &is_single);
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
        t->in.at++;
        return write_any(t, options->dot_is_all);
    }
    if (c == '^' || c == '$') {
        t->in.at++;
        return write_text(t, c == '^' ? "^" : "$", ATOM_ASSERTION);
    }
    if (read_repeat(t, &ignored))
        return atom_of(pattern_malformed(&t->in, "a repeat of nothing"), ATOM_ERROR);
    return atom_of(write_literal(t, *options, pattern_code_point(&t->in)), ATOM_SET);
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
            if (++t->in.depth > PATTERN_DEPTH_MAX)
                return pattern_refuse(&t->in, "so deep a nesting");
            buffer_add_text(&t->out, "(?:");
            if (parse_alternation(t, options, &of_atom))
                return -1;
            buffer_add_char(&t->out, ')');
            t->in.depth--;
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
        if (pattern_peek(&t->in, 0) != '|' || pattern_at_end(&t->in))
            return 0;
        buffer_add_char(&t->out, '|');
        t->in.at++;
    }
}

static int parse_all(struct translator *t, bool counts_all, struct measure *measure)
{
    struct options options = {false, false};

    t->in.at = 0;
    t->counts_all = counts_all;
    buffer_clear(&t->out);
    if (parse_alternation(t, options, measure))
        return -1;
    return pattern_at_end(&t->in) ? 0 : pattern_malformed(&t->in, "')' without '('");
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

    *t = (struct translator){.in = {.pattern = pattern, .length = length, .err = err}, .n_sets = 1};
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
