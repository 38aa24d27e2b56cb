#include "jinja_lexer.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja_big.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_unicode.h"
#include "jinja/jinja_value.h"

enum { NESTING_MAX = 1000 };

struct lexer {
    struct jinja_heap *heap;
    const char *text; /* [size], line feeds only */
    size_t size, at, line;
    bool is_line_start; /* what ended at `at` was a line feed, or nothing stands before it */
    struct jinja_tokens *tokens;
    size_t capacity;
    size_t n_open;
    char closers[NESTING_MAX];
};

/* ---- source and tokens ---- */

/* CR and CRLF become LF, and one line feed at the end goes. */
static char *normalize(struct jinja_heap *heap, const char *source, size_t size, size_t *n)
{
    char *text = jinja_alloc(heap, size + 1, 1);

    *n = 0;
    for (size_t i = 0; text && i < size; i++) {
        if (source[i] == '\r' && i + 1 < size && source[i + 1] == '\n')
            continue;
        text[(*n)++] = source[i] == '\r' ? '\n' : source[i];
    }
    if (*n > 0 && text[*n - 1] == '\n')
        (*n)--;
    return text;
}

static struct jinja_token *add_token(struct lexer *lexer, enum jinja_token_kind kind)
{
    struct jinja_tokens *tokens = lexer->tokens;
    struct jinja_token *token;

    if (tokens->n_items == lexer->capacity) {
        size_t capacity = lexer->capacity ? 2 * lexer->capacity : 64;
        struct jinja_token *items = jinja_alloc(lexer->heap, capacity, sizeof *items);

        if (!items)
            return NULL;
        if (tokens->n_items > 0)
            memcpy(items, tokens->items, tokens->n_items * sizeof *items);
        tokens->items = items;
        lexer->capacity = capacity;
    }
    token = &tokens->items[tokens->n_items++];
    *token = (struct jinja_token){.kind = kind, .line = lexer->line};
    return token;
}

static int add_data(struct lexer *lexer, size_t start, size_t size)
{
    struct jinja_token *token;

    if (size == 0)
        return 0;
    token = add_token(lexer, TOKEN_DATA);
    if (!token)
        return -1;
    return jinja_string_copy(lexer->heap, lexer->text + start, size, &token->value);
}

static int fail(struct lexer *lexer, const char *message)
{
    lexer->heap->line = lexer->line;
    return jinja_fail(lexer->heap, "%s", message);
}

/* Goes on to `end`, counting lines. */
static void move_to(struct lexer *lexer, size_t end)
{
    for (; lexer->at < end; lexer->at++)
        lexer->line += lexer->text[lexer->at] == '\n';
    lexer->is_line_start = end > 0 && lexer->text[end - 1] == '\n';
}

static bool stands_at(const struct lexer *lexer, size_t at, const char *text)
{
    size_t n = strlen(text);

    return at <= lexer->size && lexer->size - at >= n && memcmp(lexer->text + at, text, n) == 0;
}

static size_t skip_space(const struct lexer *lexer, size_t at)
{
    uint32_t code;

    while (at < lexer->size) {
        size_t n = jinja_decode(lexer->text, at, &code);

        if (!jinja_is_space(code))
            break;
        at += n;
    }
    return at;
}

/* The start of the white space that ends at `end`, not before `start`. */
static size_t before_space(const struct lexer *lexer, size_t start, size_t end)
{
    uint32_t code;

    while (end > start) {
        size_t at = jinja_previous(lexer->text, end);

        jinja_decode(lexer->text, at, &code);
        if (!jinja_is_space(code))
            break;
        end = at;
    }
    return end;
}

/* ---- text between tags ---- */

/* Where the text from `start` ends that is followed by a tag at `end` with this sign behind its
 * opening. */
static size_t end_of_text(const struct lexer *lexer, size_t start, size_t end, char sign,
                          bool is_variable)
{
    size_t line = end, stripped;

    if (sign == '-')
        return before_space(lexer, start, end);
    if (sign == '+' || is_variable)
        return end;
    while (line > start && lexer->text[line - 1] != '\n')
        line--;
    if (line == start && !lexer->is_line_start)
        return end;
    stripped = before_space(lexer, line, end);
    return stripped == line ? line : end;
}

/* Behind the end of a tag (of two bytes, at `at`): the white space that goes with it. */
static size_t behind_end(const struct lexer *lexer, size_t at, char sign, bool trims)
{
    if (sign == '-')
        return skip_space(lexer, at + 2);
    if (sign != '+' && trims && at + 2 < lexer->size && lexer->text[at + 2] == '\n')
        return at + 3;
    return at + 2;
}

static char sign_at(const struct lexer *lexer, size_t at)
{
    char c = at < lexer->size ? lexer->text[at] : '\0';

    return c == '-' || c == '+' ? c : '\0';
}

/* A comment, whose opening and sign end at `at`. */
static int skip_comment(struct lexer *lexer, size_t at)
{
    const char *end = memmem(lexer->text + at, lexer->size - at, "#}", 2);
    size_t stop;
    char sign;

    if (!end)
        return fail(lexer, "a comment without its end '#}'");
    stop = (size_t)(end - lexer->text);
    sign = stop > at ? sign_at(lexer, stop - 1) : '\0';
    move_to(lexer, behind_end(lexer, stop, sign, true));
    return 0;
}

/* "{%", sign, white space, "raw", white space, "%}" or "-%}": the end of it, or 0. */
static size_t match_tag(const struct lexer *lexer, size_t at, const char *word, bool takes_plus,
                        char *sign_before, char *sign_behind)
{
    if (!stands_at(lexer, at, "{%"))
        return 0;
    *sign_before = sign_at(lexer, at + 2);
    at = skip_space(lexer, at + 2 + (*sign_before != '\0'));
    if (!stands_at(lexer, at, word))
        return 0;
    at = skip_space(lexer, at + strlen(word));
    *sign_behind = sign_at(lexer, at);
    if (*sign_behind == '+' && !takes_plus)
        return 0;
    at += *sign_behind != '\0';
    return stands_at(lexer, at, "%}") ? at : 0;
}

/* Everything up to {% endraw %}; the opening tag ends at `at`. */
static int read_raw(struct lexer *lexer, size_t at)
{
    size_t start = at;
    char before, behind;

    move_to(lexer, at);
    for (; at < lexer->size; at++) {
        size_t end = lexer->text[at] == '{'
                         ? match_tag(lexer, at, "endraw", true, &before, &behind) : 0;

        if (end) {
            if (add_data(lexer, start,
                         end_of_text(lexer, start, at, before, false) - start))
                return -1;
            move_to(lexer, behind_end(lexer, end, behind, true));
            return 0;
        }
    }
    return fail(lexer, "'raw' without its 'endraw'");
}

/* ---- inside of tags ---- */

static int add_escape_bytes(struct lexer *lexer, struct buffer *out, uint32_t code)
{
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return fail(lexer, "a string has an escape that stands for no character");
    utf8_add(out, code);
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xHH, \uHHHH, \UHHHHHHHH: n digits from `at`. */
static int add_hex(struct lexer *lexer, struct buffer *out, size_t *at, size_t end, size_t n)
{
    uint32_t code = 0;

    for (size_t i = 0; i < n; i++) {
        int digit = *at < end ? hex_value(lexer->text[*at]) : -1;

        if (digit < 0 || code > 0x10ffff)
            return fail(lexer, "a string has an escape with too few hexadecimal digits");
        code = code << 4 | (uint32_t)digit;
        ++*at;
    }
    return add_escape_bytes(lexer, out, code);
}

static int add_octal(struct lexer *lexer, struct buffer *out, size_t *at, size_t end)
{
    uint32_t code = 0;

    for (int i = 0; i < 3 && *at < end && lexer->text[*at] >= '0' && lexer->text[*at] <= '7'; i++)
        code = code << 3 | (uint32_t)(lexer->text[(*at)++] - '0');
    return add_escape_bytes(lexer, out, code);
}

/* Python decodes the text as if what is not ASCII were written in escapes; so a backslash before
 * such a character makes that escape visible. */
static void add_visible(struct lexer *lexer, struct buffer *out, size_t *at)
{
    uint32_t code;

    *at += jinja_decode(lexer->text, *at, &code);
    buffer_format(out, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
}

/* The escape whose backslash is at *at - 1. */
static int add_escape(struct lexer *lexer, struct buffer *out, size_t *at, size_t end)
{
    static const char plain[128] = {
        ['\\'] = '\\', ['\''] = '\'', ['"'] = '"', ['a'] = '\a', ['b'] = '\b', ['f'] = '\f',
        ['n'] = '\n', ['r'] = '\r', ['t'] = '\t', ['v'] = '\v',
    };
    unsigned char c = (unsigned char)lexer->text[*at];

    if (c >= 0x80) {
        add_visible(lexer, out, at);
        return 0;
    }
    if (c >= '0' && c <= '7')
        return add_octal(lexer, out, at, end);
    ++*at;
    switch (c) {
    case '\n': return 0;
    case 'x': return add_hex(lexer, out, at, end, 2);
    case 'u': return add_hex(lexer, out, at, end, 4);
    case 'U': return add_hex(lexer, out, at, end, 8);
    case 'N':
        lexer->heap->line = lexer->line;
        return jinja_unsupported(lexer->heap, "'\\N{...}' in a string is not supported; write the "
                                              "character");
    default: break;
    }
    if (!plain[c])
        buffer_add_char(out, '\\');
    buffer_add_char(out, plain[c] ? plain[c] : (char)c);
    return 0;
}

static int unescape(struct lexer *lexer, size_t at, size_t end, struct buffer *out)
{
    buffer_add(out, "", 0);
    while (at < end) {
        if (lexer->text[at] != '\\') {
            buffer_add_char(out, lexer->text[at++]);
            continue;
        }
        at++;
        if (add_escape(lexer, out, &at, end))
            return -1;
    }
    return 0;
}

/* Returns where it ends, or 0 when there is no end. */
static size_t end_of_string(const struct lexer *lexer)
{
    char quote = lexer->text[lexer->at];

    for (size_t at = lexer->at + 1; at < lexer->size; at++) {
        if (lexer->text[at] == quote)
            return at + 1;
        at += lexer->text[at] == '\\';
    }
    return 0;
}

static int read_string(struct lexer *lexer)
{
    size_t end = end_of_string(lexer);
    struct jinja_token *token;
    struct buffer text = {0};

    if (!end)
        return fail(lexer, "a string without its end");
    token = add_token(lexer, TOKEN_STRING);
    if (!token)
        return -1;
    if (unescape(lexer, lexer->at + 1, end - 1, &text)) {
        buffer_release(&text);
        return -1;
    }
    move_to(lexer, end);
    return jinja_take_buffer(lexer->heap, &text, &token->value);
}

static bool is_digit_of(char c, unsigned base)
{
    int value = hex_value(c);

    return value >= 0 && (unsigned)value < base;
}

/* Digits of a base with single underscores between them (and one in front where `leads`). */
static size_t end_of_digits(const struct lexer *lexer, size_t at, unsigned base, bool leads)
{
    size_t start = at;

    for (;;) {
        size_t next = at + (at < lexer->size && lexer->text[at] == '_' && (at > start || leads));

        if (next >= lexer->size || !is_digit_of(lexer->text[next], base))
            return at;
        at = next + 1;
    }
}

/* The digits from `start` without underscores. */
static size_t collect(const struct lexer *lexer, size_t start, size_t end, char *out)
{
    size_t n = 0;

    for (size_t i = start; i < end; i++)
        if (lexer->text[i] != '_')
            out[n++] = lexer->text[i];
    out[n] = '\0';
    return n;
}

/* The end of a float that begins here; 0: it is none. */
static size_t end_of_float(const struct lexer *lexer)
{
    size_t at = end_of_digits(lexer, lexer->at, 10, false), end = 0;

    if (lexer->at > 0 && lexer->text[lexer->at - 1] == '.')
        return 0;
    if (at + 1 < lexer->size && lexer->text[at] == '.') {
        size_t behind = end_of_digits(lexer, at + 1, 10, false);

        if (behind > at + 1)
            at = end = behind;
    }
    if (at + 1 < lexer->size && (lexer->text[at] | 0x20) == 'e') {
        size_t digits = at + 1 + (lexer->text[at + 1] == '+' || lexer->text[at + 1] == '-');
        size_t behind = end_of_digits(lexer, digits, 10, false);

        if (behind > digits)
            end = behind;
    }
    return end;
}

/* Of an integer: its base, and where its digits begin and end. */
static unsigned find_integer(const struct lexer *lexer, size_t *start, size_t *end)
{
    char mark = lexer->at + 1 < lexer->size ? (char)(lexer->text[lexer->at + 1] | 0x20) : '\0';
    unsigned base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;

    *start = lexer->at;
    if (lexer->text[lexer->at] == '0' && base != 10) {
        *start = lexer->at + 2;
        *end = end_of_digits(lexer, *start, base, true);
        if (*end > *start)
            return base;
        *start = lexer->at;
    }
    *end = end_of_digits(lexer, *start, lexer->text[lexer->at] == '0' ? 1 : 10, false);
    return 10;
}

static int read_number(struct lexer *lexer)
{
    struct jinja_token *token = add_token(lexer, TOKEN_NUMBER);
    size_t end = end_of_float(lexer), start = lexer->at, n;
    unsigned base = 10;
    char *digits;

    if (!token)
        return -1;
    token->is_integer = end == 0;
    if (token->is_integer)
        base = find_integer(lexer, &start, &end);
    digits = jinja_alloc(lexer->heap, end - start + 1, 1);
    if (!digits)
        return -1;
    n = collect(lexer, start, end, digits);
    lexer->heap->line = lexer->line;
    move_to(lexer, end);
    if (token->is_integer)
        return jinja_big_parse(lexer->heap, digits, n, base, false, &token->value);
    token->value = jinja_float(strtod(digits, NULL));
    return 0;
}

static int read_name(struct lexer *lexer)
{
    struct jinja_token *token = add_token(lexer, TOKEN_NAME);
    size_t end = lexer->at;
    uint32_t code;

    if (!token)
        return -1;
    while (end < lexer->size) {
        size_t n = jinja_decode(lexer->text, end, &code);

        if (!jinja_continues_identifier(code))
            break;
        end += n;
    }
    if (jinja_string_copy(lexer->heap, lexer->text + lexer->at, end - lexer->at, &token->value))
        return -1;
    move_to(lexer, end);
    return 0;
}

/* Longer ones first. */
static const struct operator {
    const char *text;
    enum jinja_token_kind kind;
    char closer; /* what has to follow an opening bracket */
} operators[] = {
    {"//", TOKEN_FLOORDIV, 0}, {"**", TOKEN_POW, 0}, {"==", TOKEN_EQ, 0}, {"!=", TOKEN_NE, 0},
    {">=", TOKEN_GE, 0}, {"<=", TOKEN_LE, 0}, {"+", TOKEN_ADD, 0}, {"-", TOKEN_SUB, 0},
    {"/", TOKEN_DIV, 0}, {"*", TOKEN_MUL, 0}, {"%", TOKEN_MOD, 0}, {"~", TOKEN_TILDE, 0},
    {"[", TOKEN_LBRACKET, ']'}, {"]", TOKEN_RBRACKET, 0}, {"(", TOKEN_LPAREN, ')'},
    {")", TOKEN_RPAREN, 0}, {"{", TOKEN_LBRACE, '}'}, {"}", TOKEN_RBRACE, 0},
    {">", TOKEN_GT, 0}, {"<", TOKEN_LT, 0}, {"=", TOKEN_ASSIGN, 0}, {".", TOKEN_DOT, 0},
    {":", TOKEN_COLON, 0}, {"|", TOKEN_PIPE, 0}, {",", TOKEN_COMMA, 0}, {";", TOKEN_SEMICOLON, 0},
};

static int balance(struct lexer *lexer, const struct operator *found)
{
    if (found->closer) {
        if (lexer->n_open == NESTING_MAX)
            return fail(lexer, "brackets nested too deep");
        lexer->closers[lexer->n_open++] = found->closer;
    } else if (strchr("])}", found->text[0])) {
        lexer->heap->line = lexer->line;
        if (lexer->n_open == 0)
            return jinja_fail(lexer->heap, "'%s' without an opening bracket", found->text);
        if (lexer->closers[--lexer->n_open] != found->text[0])
            return jinja_fail(lexer->heap, "'%s' where '%c' was expected", found->text,
                              lexer->closers[lexer->n_open]);
    }
    return 0;
}

static int read_operator(struct lexer *lexer)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!stands_at(lexer, lexer->at, operators[i].text))
            continue;
        if (balance(lexer, &operators[i]) || !add_token(lexer, operators[i].kind))
            return -1;
        move_to(lexer, lexer->at + strlen(operators[i].text));
        return 0;
    }
    lexer->heap->line = lexer->line;
    return jinja_fail(lexer->heap, "unexpected character '%.*s'",
                      (int)utf8_sequence((const unsigned char *)lexer->text + lexer->at,
                                         lexer->size - lexer->at),
                      lexer->text + lexer->at);
}

/* 1: the tag ended here and has been passed, 0: it goes on, -1: error. */
static int read_end(struct lexer *lexer, bool is_variable)
{
    const char *end = is_variable ? "}}" : "%}";
    char sign = sign_at(lexer, lexer->at);

    if (lexer->n_open > 0 || (sign == '+' && is_variable) ||
        !stands_at(lexer, lexer->at + (sign != '\0'), end))
        return 0;
    if (!add_token(lexer, is_variable ? TOKEN_VARIABLE_END : TOKEN_BLOCK_END))
        return -1;
    move_to(lexer, behind_end(lexer, lexer->at + (sign != '\0'), sign, !is_variable));
    return 1;
}

static int read_part(struct lexer *lexer)
{
    char c = lexer->text[lexer->at];
    uint32_t code;

    jinja_decode(lexer->text, lexer->at, &code);
    if (jinja_is_space(code)) {
        move_to(lexer, skip_space(lexer, lexer->at));
        return 0;
    }
    if (c >= '0' && c <= '9')
        return read_number(lexer);
    if (jinja_starts_identifier(code))
        return read_name(lexer);
    return c == '\'' || c == '"' ? read_string(lexer) : read_operator(lexer);
}

/* What stands in a tag, whose opening and sign end at `at`, and its end. */
static int read_tag(struct lexer *lexer, size_t at, bool is_variable)
{
    if (!add_token(lexer, is_variable ? TOKEN_VARIABLE_BEGIN : TOKEN_BLOCK_BEGIN))
        return -1;
    lexer->n_open = 0;
    move_to(lexer, at);
    while (lexer->at < lexer->size) {
        int has_ended = read_end(lexer, is_variable);

        if (has_ended)
            return has_ended < 0 ? -1 : 0;
        if (read_part(lexer))
            return -1;
    }
    return fail(lexer, is_variable ? "a tag without its end '}}'" : "a tag without its end '%}'");
}

/* ---- all of it ---- */

/* Where the next tag begins; `size` when there is none. */
static size_t find_tag(const struct lexer *lexer)
{
    for (size_t at = lexer->at; at + 1 < lexer->size; at++)
        if (lexer->text[at] == '{' && strchr("{%#", lexer->text[at + 1]) && lexer->text[at + 1])
            return at;
    return lexer->size;
}

static int read_text_and_tag(struct lexer *lexer)
{
    size_t start = lexer->at, tag = find_tag(lexer), raw;
    char kind = tag < lexer->size ? lexer->text[tag + 1] : '\0', before, behind;

    if (kind == '\0') {
        if (add_data(lexer, start, tag - start))
            return -1;
        move_to(lexer, tag);
        return 0;
    }
    before = sign_at(lexer, tag + 2);
    if (add_data(lexer, start,
                 end_of_text(lexer, start, tag, before, kind == '{') - start))
        return -1;
    move_to(lexer, tag);
    raw = kind == '%' ? match_tag(lexer, tag, "raw", false, &before, &behind) : 0;
    if (raw)
        return read_raw(lexer, behind_end(lexer, raw, behind, false));
    tag += 2 + (before != '\0');
    return kind == '#' ? skip_comment(lexer, tag) : read_tag(lexer, tag, kind == '{');
}

int jinja_lex(struct jinja_heap *heap, const char *source, size_t size,
              struct jinja_tokens *tokens)
{
    struct lexer *lexer = jinja_alloc(heap, 1, sizeof *lexer);

    *tokens = (struct jinja_tokens){0};
    if (!lexer)
        return -1;
    *lexer = (struct lexer){.heap = heap, .line = 1, .is_line_start = true, .tokens = tokens};
    lexer->text = normalize(heap, source, size, &lexer->size);
    if (!lexer->text)
        return -1;
    while (lexer->at < lexer->size)
        if (read_text_and_tag(lexer))
            return -1;
    for (size_t i = 0; i < tokens->n_items; i++)
        if (tokens->items[i].value.kind == JINJA_STRING)
            jinja_string_chars(tokens->items[i].value.string);
    return add_token(lexer, TOKEN_END) ? 0 : -1;
}

const char *jinja_token_name(enum jinja_token_kind kind)
{
    static const char *const names[] = {
        [TOKEN_END] = "the end of the template", [TOKEN_DATA] = "text",
        [TOKEN_VARIABLE_BEGIN] = "'{{'", [TOKEN_VARIABLE_END] = "'}}'",
        [TOKEN_BLOCK_BEGIN] = "'{%'", [TOKEN_BLOCK_END] = "'%}'", [TOKEN_NAME] = "a name",
        [TOKEN_STRING] = "a string", [TOKEN_NUMBER] = "a number",
    };

    if (kind <= TOKEN_NUMBER)
        return names[kind];
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].kind == kind)
            return operators[i].text;
    return "?";
}
