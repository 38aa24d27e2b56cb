/* scanners.c - one function per pattern; what they share comes first.
 *
 * Two observations make these rules short. What a character is to the patterns is a few bits of its
 * flags. And at every place the first branch that can match is known from one or two characters;
 * backtracking only ever gives one character back. */
#include "scanners.h"

#include <stdint.h>
#include <string.h>

#include "text/unicode.h"

enum {
    LETTER = UNICODE_LETTER,
    NUMBER = UNICODE_NUMBER,
    MARK = UNICODE_MARK,
    PUNCTUATION = UNICODE_PUNCTUATION,
    SYMBOL = UNICODE_SYMBOL,
    SPACE = UNICODE_SPACE,
    NEWLINE = 1 << 30, /* CR or LF; no flag of unicode.h */
    NOT_OTHER = LETTER | NUMBER | SPACE,
    /* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
    RISING = UNICODE_UPPER | UNICODE_TITLE | UNICODE_MODIFIER | UNICODE_OTHER_LETTER | MARK,
    FALLING = UNICODE_LOWER | UNICODE_MODIFIER | UNICODE_OTHER_LETTER | MARK,
};

#define UPPER_CASE (UNICODE_LETTER | UNICODE_UPPER)
#define LOWER_CASE (UNICODE_LETTER | UNICODE_LOWER)
#define SIGN UNICODE_SYMBOL
#define POINT UNICODE_PUNCTUATION

static const uint32_t ascii_flags[128] = {
    ['\t'] = SPACE, ['\n'] = SPACE | NEWLINE, ['\v'] = SPACE, ['\f'] = SPACE,
    ['\r'] = SPACE | NEWLINE, [' '] = SPACE,
    ['!' ... '#'] = POINT, ['$'] = SIGN, ['%' ... '*'] = POINT, ['+'] = SIGN, [',' ... '/'] = POINT,
    ['0' ... '9'] = NUMBER, [':' ... ';'] = POINT, ['<' ... '>'] = SIGN, ['?' ... '@'] = POINT,
    ['A' ... 'Z'] = UPPER_CASE, ['[' ... ']'] = POINT, ['^'] = SIGN, ['_'] = POINT, ['`'] = SIGN,
    ['a' ... 'z'] = LOWER_CASE, ['{'] = POINT, ['|'] = SIGN, ['}'] = POINT, ['~'] = SIGN,
};

/* The flags of the character at text[at] and its length in bytes. */
static inline uint32_t look(const char *text, size_t at, size_t *length)
{
    unsigned char byte = (unsigned char)text[at];
    uint32_t code_point;

    if (byte < 0x80) {
        *length = 1;
        return ascii_flags[byte];
    }
    *length = unicode_decode(text, at, &code_point);
    return unicode_flags(code_point);
}

/* As look(), 0 at the end of the text. 0 is also a control character: ask only for flags. */
static inline uint32_t look_ahead(const char *text, size_t n, size_t at)
{
    size_t length;

    return at < n ? look(text, at, &length) : 0;
}

/* Behind the run of characters with one of these flags. */
static inline size_t run_of(const char *text, size_t n, size_t at, uint32_t flags)
{
    size_t length;

    while (at < n && (look(text, at, &length) & flags))
        at += length;
    return at;
}

/* Behind the run of characters without any of these flags. */
static inline size_t run_without(const char *text, size_t n, size_t at, uint32_t flags)
{
    size_t length;

    while (at < n && !(look(text, at, &length) & flags))
        at += length;
    return at;
}

/* Behind at most `limit` numbers. */
static inline size_t run_of_numbers(const char *text, size_t n, size_t at, size_t limit)
{
    size_t length;

    for (; limit > 0 && at < n && (look(text, at, &length) & NUMBER); limit--)
        at += length;
    return at;
}

static inline size_t run_of_newlines(const char *text, size_t n, size_t at, bool with_slash)
{
    while (at < n && (text[at] == '\r' || text[at] == '\n' || (with_slash && text[at] == '/')))
        at++;
    return at;
}

/* White space at text[at]: \s*[\r\n]+|\s+(?!\S)|\s+, without the first branch if so wished. A run
 * between words leaves its last character to the next word. */
static inline size_t scan_space(const char *text, size_t n, size_t at, bool stops_at_newline)
{
    size_t end = at, last = at, behind_newline = 0, length;
    uint32_t flags;

    while (end < n && ((flags = look(text, end, &length)) & SPACE)) {
        last = end;
        end += length;
        if (flags & NEWLINE)
            behind_newline = end;
    }
    if (stops_at_newline && behind_newline)
        return behind_newline;
    return end == n || last == at ? end : last;
}

/* The length in bytes of 's 't 'm 'd 're 've 'll at text[at], 0 when there is none. Ignoring case,
 * U+017F is an s. */
static inline size_t contraction(const char *text, size_t n, size_t at, bool ignores_case)
{
    char first, second;

    if (n - at < 2 || text[at] != '\'')
        return 0;
    first = text[at + 1];
    second = n - at > 2 ? text[at + 2] : 0;
    if (ignores_case) {
        if (first == '\xc5' && second == '\xbf')
            return 3;
        first |= 0x20; /* no other character becomes one of these letters by it */
        second |= 0x20;
    }
    if (first == 's' || first == 't' || first == 'm' || first == 'd')
        return 2;
    if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l'))
        return 3;
    return 0;
}

size_t scanner_gpt2(const char *text, size_t n, size_t at)
{
    size_t start = at + (text[at] == ' '), length;
    uint32_t flags;

    if (text[at] == '\'') {
        length = contraction(text, n, at, false);
        if (length)
            return at + length;
    }
    if (start == n)
        return n;
    flags = look(text, start, &length);
    if (flags & LETTER)
        return run_of(text, n, start + length, LETTER);
    if (flags & NUMBER)
        return run_of(text, n, start + length, NUMBER);
    if (!(flags & SPACE))
        return run_without(text, n, start + length, NOT_OTHER);
    return scan_space(text, n, at, false);
}

/* What Llama-3 and its relatives have behind their words and numbers:
 *  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ (slash: [\r\n/]*) */
static inline size_t scan_tail(const char *text, size_t n, size_t at, bool with_slash)
{
    size_t start = at + (text[at] == ' '), length;

    if (start < n && !(look(text, start, &length) & NOT_OTHER))
        return run_of_newlines(text, n, run_without(text, n, start + length, NOT_OTHER),
                               with_slash);
    return scan_space(text, n, at, true);
}

/* [^\r\n\p{L}\p{N}]?\p{L}+ at a character with these flags; 0 when it does not match. */
static inline size_t scan_letters(const char *text, size_t n, size_t at, uint32_t flags,
                                  size_t length)
{
    if (flags & LETTER)
        return run_of(text, n, at + length, LETTER);
    if ((flags & (NEWLINE | NUMBER)) || !(look_ahead(text, n, at + length) & LETTER))
        return 0;
    return run_of(text, n, at + length, LETTER);
}

/* A contraction, a word, or up to n_numbers numbers; 0 when it is none of them. */
static inline size_t scan_head(const char *text, size_t n, size_t at, size_t n_numbers,
                               uint32_t *flags)
{
    size_t length, end;

    *flags = look(text, at, &length);
    if (text[at] == '\'' && (end = contraction(text, n, at, true)))
        return at + end;
    end = scan_letters(text, n, at, *flags, length);
    if (end)
        return end;
    return *flags & NUMBER ? run_of_numbers(text, n, at, n_numbers) : 0;
}

static inline size_t scan_llama3(const char *text, size_t n, size_t at, size_t n_numbers)
{
    uint32_t flags;
    size_t end = scan_head(text, n, at, n_numbers, &flags);

    return end ? end : scan_tail(text, n, at, false);
}

static size_t scan_llama3_word(const char *text, size_t n, size_t at)
{
    return scan_llama3(text, n, at, 3);
}

static size_t scan_qwen2_word(const char *text, size_t n, size_t at)
{
    return scan_llama3(text, n, at, 1);
}

/* cl100k with possessive repeats. In this syntax {1,3}+ is not one: it takes all numbers. White
 * space at the end of the text is one piece, also with a line feed in it. */
static size_t scan_cl100k_word(const char *text, size_t n, size_t at)
{
    uint32_t flags;
    size_t end = scan_head(text, n, at, SIZE_MAX, &flags);

    if (end)
        return end;
    if ((flags & SPACE) && run_of(text, n, at, SPACE) == n)
        return n;
    return scan_tail(text, n, at, false);
}

/* [rising]*[falling]+ at `at`; 0 when it does not match. Letters that are both are given back until
 * one falls. */
static inline size_t scan_falling(const char *text, size_t n, size_t at)
{
    size_t behind_falling = 0, length;
    uint32_t flags = 0;

    while (at < n && ((flags = look(text, at, &length)) & RISING)) {
        at += length;
        if (flags & FALLING)
            behind_falling = at;
    }
    if (at < n && (flags & FALLING))
        return run_of(text, n, at + length, FALLING);
    return behind_falling;
}

/* [rising]+[falling]* */
static inline size_t scan_rising(const char *text, size_t n, size_t at)
{
    size_t end = run_of(text, n, at, RISING);

    return end == at ? 0 : run_of(text, n, end, FALLING);
}

/* The words of o200k: each form of word with and without a character before it. */
static inline size_t scan_cased_word(const char *text, size_t n, size_t at, uint32_t flags,
                                     size_t length)
{
    bool may_skip = !(flags & (NEWLINE | LETTER | NUMBER));
    size_t end = may_skip ? scan_falling(text, n, at + length) : 0;

    if (!end && (flags & (LETTER | MARK)))
        end = scan_falling(text, n, at);
    if (!end && may_skip)
        end = scan_rising(text, n, at + length);
    if (!end && (flags & RISING))
        end = scan_rising(text, n, at);
    return end;
}

static size_t scan_o200k_word(const char *text, size_t n, size_t at)
{
    size_t length;
    uint32_t flags = look(text, at, &length);
    size_t end = scan_cased_word(text, n, at, flags, length);

    if (end)
        return end + (end < n && text[end] == '\'' ? contraction(text, n, end, true) : 0);
    if (flags & NUMBER)
        return run_of_numbers(text, n, at, 3);
    return scan_tail(text, n, at, true);
}

static size_t scan_tekken_word(const char *text, size_t n, size_t at)
{
    size_t length;
    uint32_t flags = look(text, at, &length);
    size_t end = scan_cased_word(text, n, at, flags, length);

    if (end)
        return end;
    if (flags & NUMBER)
        return at + length;
    return scan_tail(text, n, at, true);
}

/* \p{N}{1,3} */
static bool find_numbers(const char *text, size_t n, size_t from, size_t *start, size_t *end)
{
    *start = run_without(text, n, from, NUMBER);
    *end = run_of_numbers(text, n, *start, 3);
    return *start < n;
}

/* [一-龥぀-ゟ゠-ヿ], and how many bytes it has: always three. */
static inline bool is_cjk(const char *text, size_t at)
{
    uint32_t code_point;

    if ((unsigned char)text[at] < 0xe3 || (unsigned char)text[at] > 0xe9)
        return false;
    unicode_decode(text, at, &code_point);
    return (code_point >= 0x4e00 && code_point <= 0x9fa5) ||
           (code_point >= 0x3040 && code_point <= 0x30ff);
}

static bool find_cjk(const char *text, size_t n, size_t from, size_t *start, size_t *end)
{
    while (from < n && !is_cjk(text, from))
        from++;
    *start = from;
    while (from < n && is_cjk(text, from))
        from += 3;
    *end = from;
    return *start < n;
}

static inline bool is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The words of DeepSeek at `at`; 0 when none begins there. */
static inline size_t scan_deepseek(const char *text, size_t n, size_t at, uint32_t flags,
                                   size_t length)
{
    size_t start = at + (text[at] == ' ');

    if (length == 1 && (flags & (PUNCTUATION | SYMBOL)) && at + 1 < n &&
        is_ascii_letter(text[at + 1])) {
        while (++at < n && is_ascii_letter(text[at]))
            ;
        return at;
    }
    if (flags & (LETTER | MARK))
        return run_of(text, n, at + length, LETTER | MARK);
    if (!(flags & (NEWLINE | PUNCTUATION | SYMBOL)) &&
        (look_ahead(text, n, at + length) & (LETTER | MARK)))
        return run_of(text, n, at + length, LETTER | MARK);
    if (look_ahead(text, n, start) & (PUNCTUATION | SYMBOL))
        return run_of_newlines(text, n, run_of(text, n, start, PUNCTUATION | SYMBOL), false);
    return flags & SPACE ? scan_space(text, n, at, true) : 0;
}

static bool find_deepseek(const char *text, size_t n, size_t from, size_t *start, size_t *end)
{
    size_t length;

    for (; from < n; from += length) {
        uint32_t flags = look(text, from, &length);

        *start = from;
        *end = scan_deepseek(text, n, from, flags, length);
        if (*end)
            return true;
    }
    return false;
}

/*  {2,} */
static bool find_spaces(const char *text, size_t n, size_t from, size_t *start, size_t *end)
{
    while (from < n) {
        const char *found = memchr(text + from, ' ', n - from);

        if (!found)
            return false;
        *start = (size_t)(found - text);
        for (from = *start + 1; from < n && text[from] == ' ';)
            from++;
        *end = from;
        if (*end - *start >= 2)
            return true;
    }
    return false;
}

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define RISING_CLASS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define FALLING_CLASS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define FALLING_WORD "[^\\r\\n\\p{L}\\p{N}]?" RISING_CLASS "*" FALLING_CLASS "+"
#define RISING_WORD "[^\\r\\n\\p{L}\\p{N}]?" RISING_CLASS "+" FALLING_CLASS "*"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES
#define SLASH_TAIL " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES

static const struct {
    const char *pattern;
    struct scanner scanner;
} known[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     {scanner_gpt2, NULL}},
    {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" TAIL, {scan_llama3_word, NULL}},
    {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" TAIL, {scan_qwen2_word, NULL}},
    {FALLING_WORD CONTRACTIONS "?|" RISING_WORD CONTRACTIONS "?|\\p{N}{1,3}|" SLASH_TAIL,
     {scan_o200k_word, NULL}},
    {FALLING_WORD "|" RISING_WORD "|\\p{N}|" SLASH_TAIL, {scan_tekken_word, NULL}},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+|"
     " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
     {scan_cl100k_word, NULL}},
    {"\\p{N}{1,3}", {NULL, find_numbers}},
    {"[一-龥぀-ゟ゠-ヿ]+", {NULL, find_cjk}},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
     "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES,
     {NULL, find_deepseek}},
    {" {2,}", {NULL, find_spaces}},
};

/* Whether the pattern is that of a row. Some files have the characters CR and LF where the others
 * have \r and \n. */
static bool is_pattern(const char *pattern, const char *row)
{
    for (; *pattern; pattern++) {
        if (*pattern == '\r' || *pattern == '\n') {
            if (row[0] != '\\' || row[1] != (*pattern == '\r' ? 'r' : 'n'))
                return false;
            row += 2;
        } else if (*pattern != *row++) {
            return false;
        }
    }
    return *row == 0;
}

const struct scanner *scanner_for(const char *pattern)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_pattern(pattern, known[i].pattern))
            return &known[i].scanner;
    return NULL;
}

const char *scanner_spelling(const struct scanner *scanner)
{
    size_t i = 0;

    while (known[i].scanner.word != scanner->word || known[i].scanner.find != scanner->find)
        i++;
    return known[i].pattern;
}

const char *scanner_pattern(size_t i)
{
    return i < sizeof known / sizeof *known ? known[i].pattern : NULL;
}
