/* regex_sets.c - escapes, and classes, which may hold others: they are read by recursive descent. */
#include "regex_sets.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "text/unicode_names.h"

/* Up to n_max digits of a base; how many there were. */
static size_t read_digits(struct pattern_reader *in, unsigned base, size_t n_max, uint32_t *value)
{
    size_t n = 0;

    *value = 0;
    for (; n < n_max; n++) {
        unsigned char c = (unsigned char)pattern_peek(in, 0);
        int digit = isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : 99;

        if (digit >= (int)base)
            break;
        *value = *value * base + (uint32_t)digit;
        in->at++;
    }
    return n;
}

void regex_set_bare_word(struct code_set *set)
{
    unicode_names_property("word", 4, set);
    code_set_add(set, 0xb2, 0xb3);
    code_set_add(set, 0xb9, 0xb9);
    code_set_add(set, 0xbc, 0xbe);
}

bool regex_set_shorthand(char c, bool in_class, struct code_set *set)
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
                regex_set_bare_word(&found);
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

int regex_set_property(struct pattern_reader *in, bool is_negated, bool in_class,
                       struct code_set *set)
{
    struct code_set found = {0};
    const char *name = in->pattern + in->at + 1;
    const char *end = NULL;
    size_t length;

    if (pattern_peek(in, 0) == '{')
        end = memchr(name, '}', in->length - in->at - 1);
    if (!end)
        return pattern_malformed(in, "\\p without {NAME}");
    length = (size_t)(end - name);
    if (length > 0 && *name == '^') {
        is_negated = !is_negated;
        name++;
        length--;
    }
    if (!unicode_names_property(name, length, &found))
        return error_set(in->err, ERROR_UNSUPPORTED, "the property \\p{%.*s} is not supported",
                         length > 60 ? 60 : (int)length, name);
    if (!in_class && length == 4 && strncasecmp(name, "word", 4) == 0)
        regex_set_bare_word(&found);
    if (is_negated)
        code_set_invert(&found);
    code_set_unite(set, &found);
    code_set_release(&found);
    in->at = (size_t)(end - in->pattern) + 1;
    return 0;
}

int regex_set_escape(struct pattern_reader *in, uint32_t *code_point)
{
    static const char letters[] = "tnrfvae", values[] = "\t\n\r\f\v\a\033";
    char c = pattern_peek(in, 0);
    const char *known = c ? strchr(letters, c) : NULL;

    if (known) {
        *code_point = (uint32_t)values[known - letters];
        in->at++;
        return 1;
    }
    if (c == '0') {
        read_digits(in, 8, 3, code_point);
        return 1;
    }
    if (c == 'x' || c == 'u') {
        bool is_braced = c == 'x' && pattern_peek(in, 1) == '{';
        size_t n_max = is_braced ? 8 : c == 'x' ? 2 : 4, n;

        in->at += is_braced ? 2 : 1;
        n = read_digits(in, 16, n_max, code_point);
        if (n == 0 || (c == 'u' && n != 4) || (is_braced && pattern_peek(in, 0) != '}'))
            return pattern_malformed(in, "a broken \\x or \\u");
        in->at += is_braced;
        if (*code_point >= CODE_SET_END || (*code_point >= 0xd800 && *code_point < 0xe000))
            return pattern_malformed(in, "\\x or \\u that is no code point");
        if (c == 'x' && !is_braced && *code_point >= 0x80)
            return pattern_refuse(in, "\\x of a single byte");
        return 1;
    }
    if (!isalnum((unsigned char)c)) {
        *code_point = pattern_code_point(in);
        return 1;
    }
    return 0;
}

int regex_set_fold(struct pattern_reader *in, struct code_set *set)
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
                rc = pattern_refuse(in, "a letter beyond ASCII under (?i)");
            }
        }
    code_set_unite(set, &folded);
    code_set_release(&folded);
    return rc;
}

/* [:name:] or [:^name:] at `in->at`: 1 when it was one, 0 when it does not look so, -1 on error. */
static int parse_posix(struct pattern_reader *in, struct code_set *set)
{
    struct code_set found = {0};
    const char *name = in->pattern + in->at + 2;
    size_t room = in->length - in->at - 2, length = 0;
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
        return pattern_malformed(in, "an unknown [:class:]");
    if (is_negated)
        code_set_invert(&found);
    code_set_unite(set, &found);
    code_set_release(&found);
    in->at = (size_t)(name - in->pattern) + length + 2;
    return 1;
}

/* One element of a class. 1: the code point *value, which may begin a range; 0: a set, added. */
static int parse_element(struct pattern_reader *in, struct code_set *set, uint32_t *value)
{
    char c = pattern_peek(in, 0);

    if (c == '[') {
        bool ignored;
        int rc = pattern_peek(in, 1) == ':' ? parse_posix(in, set) : 0;

        if (rc != 0)
            return rc < 0 ? -1 : 0;
        in->at++;
        return regex_set_class(in, false, set, &ignored);
    }
    if (c != '\\') {
        *value = pattern_code_point(in);
        return 1;
    }
    in->at++;
    if (pattern_at_end(in))
        return pattern_malformed(in, "a lone backslash");
    c = pattern_peek(in, 0);
    if (c == 'b') {
        in->at++;
        *value = '\b';
        return 1;
    }
    if (c == 'p' || c == 'P') {
        in->at++;
        return regex_set_property(in, c == 'P', true, set);
    }
    if (regex_set_shorthand(c, true, set)) {
        in->at++;
        return 0;
    }
    {
        int rc = regex_set_escape(in, value);

        return rc != 0 ? rc : pattern_refuse(in, "this escape in a class");
    }
}

/* `in->at` behind an element that was a code point: reads the end of a range, if one follows. */
static int parse_range(struct pattern_reader *in, struct code_set *set, uint32_t first)
{
    struct code_set unused = {0};
    uint32_t last = first;
    bool is_range = pattern_peek(in, 0) == '-' && pattern_peek(in, 1) != ']';

    if (is_range) {
        int rc;

        in->at++;
        if (pattern_at_end(in))
            return pattern_malformed(in, "a class without end");
        if (pattern_next_is(in, "&&") || pattern_peek(in, 0) == '[')
            return pattern_refuse(in, "'-' before && or [");
        rc = parse_element(in, &unused, &last);
        code_set_release(&unused);
        if (rc <= 0)
            return rc < 0 ? -1 : pattern_malformed(in, "a range that ends in a set");
        if (last < first)
            return pattern_malformed(in, "an empty range");
    }
    code_set_add(set, first, last);
    if (is_range && pattern_peek(in, 0) == '-') { /* [0-9-a] is [0-9\-a] */
        in->at++;
        code_set_add(set, '-', '-');
    }
    return 0;
}

/* What stands between '[' and '&&' or ']', united. */
static int parse_operand(struct pattern_reader *in, struct code_set *set, bool may_begin_closed)
{
    bool is_first = true;

    while (!pattern_at_end(in) && !pattern_next_is(in, "&&")) {
        uint32_t value = 0;
        int rc;

        if (pattern_peek(in, 0) == ']') {
            bool is_literal = is_first && may_begin_closed;

            if (!is_literal)
                return 0;
            if (!memchr(in->pattern + in->at + 1, ']', in->length - in->at - 1))
                return pattern_malformed(in, "an empty class");
        }
        is_first = false;
        rc = parse_element(in, set, &value);
        if (rc > 0)
            rc = parse_range(in, set, value);
        else if (rc == 0 && pattern_peek(in, 0) == '-' && pattern_peek(in, 1) != ']')
            rc = pattern_refuse(in, "'-' behind a set");
        if (rc < 0)
            return -1;
    }
    return 0;
}

int regex_set_class(struct pattern_reader *in, bool ignores_case, struct code_set *set,
                    bool *is_single)
{
    struct code_set whole = {0}, operand = {0};
    bool is_negated = pattern_peek(in, 0) == '^', has_operand = false;
    int rc = -1;

    if (++in->depth > PATTERN_DEPTH_MAX) {
        pattern_refuse(in, "so deep a nesting");
        goto done;
    }
    in->at += is_negated;
    for (;;) {
        code_set_clear(&operand);
        if (parse_operand(in, &operand, !has_operand))
            goto done;
        if (has_operand)
            code_set_intersect(&whole, &operand);
        else
            code_set_unite(&whole, &operand);
        has_operand = true;
        if (!pattern_next_is(in, "&&"))
            break;
        in->at += 2;
    }
    if (pattern_at_end(in)) {
        pattern_malformed(in, "a class without end");
        goto done;
    }
    in->at++;
    *is_single = !is_negated && code_set_count(&whole) == 1;
    if (ignores_case && regex_set_fold(in, &whole))
        goto done;
    if (is_negated)
        code_set_invert(&whole);
    code_set_unite(set, &whole);
    rc = 0;
done:
    in->depth--;
    code_set_release(&whole);
    code_set_release(&operand);
    return rc;
}
