/* test_bpe.c - byte pair encoding, cut and cached, against the rule itself: merge the neighbours of
 * the lowest rank, leftmost first, until there are none.
 *
 * Vocabularies grow by merges of what random words consist of, as in training: so there are tokens
 * of several characters and such that begin or end inside of one. */
#include "text/bpe.h"

#include <stdint.h>

#include "base/buffer.h"
#include "test.h"
#include "text/bpe_joins.h"
#include "text/unicode.h"

enum { MAX_TOKENS = 700, MAX_SYMBOLS = 256, NO_MERGE = UINT16_MAX };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

/* ---- words ---- */

/* Han, kana, Hangul in one piece and in jamo, combining marks, Thai, what has four bytes; some of
 * them differ in the last byte alone, or agree in it. */
static const char *const characters[] = {
    "\xe4\xb8\xad", "\xe5\x9b\xbd", "\xe4\xba\xba", "\xe4\xba\xbd", "\xe6\x97\xa5", "\xe6\x9c\xac",
    "\xe7\x9a\x84", "\xe3\x81\x97", "\xe3\x81\x9f", "\xe3\x82\xab", "\xe3\x83\xab", "\xe3\x83\xbc",
    "\xed\x95\x9c", "\xea\xb5\xad", "\xe1\x84\x92", "\xe1\x85\xa1", "\xcc\x81", "\xe3\x82\x99",
    "\xe0\xb8\x81", "\xe0\xb8\xb4", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x81", "\xf0\xa0\x80\x80",
    "\xd0\xb0", "\xd7\x99", "\xc3\xa9", "a", "b", " ", "-",
};
enum { N_CHARACTERS = sizeof characters / sizeof *characters };

static void make_word(struct buffer *word, size_t n_characters, uint32_t *random)
{
    buffer_clear(word);
    for (size_t i = 0; i < n_characters; i++) {
        uint32_t which = next_random(random);

        /* The square of a fraction: the first ones are frequent, so that merges meet. */
        which = which % N_CHARACTERS * (which / N_CHARACTERS % N_CHARACTERS) / N_CHARACTERS;
        buffer_add_text(word, characters[which]);
    }
}

/* Cuts characters in two, and puts in bytes that are none. */
static void spoil(struct buffer *word, uint32_t *random)
{
    static const char bad[] = "\x80\xbf\xe4\xed\xf0\xff\xc3\xb8";

    for (size_t n = next_random(random) % 4; n > 0 && word->size > 1; n--) {
        size_t at = next_random(random) % word->size;

        if (next_random(random) % 2)
            word->data[at] = bad[next_random(random) % (sizeof bad - 1)];
        else
            memmove(word->data + at, word->data + at + 1, --word->size - at);
    }
}

/* ---- the rule ---- */

struct rule {
    struct token_table tokens;
    uint16_t ranks[MAX_TOKENS][MAX_TOKENS], results[MAX_TOKENS];
    struct buffer merges; /* as merges.txt */
    uint16_t n_merges;
    bool of_bytes;
};

static uint32_t id_of(const struct rule *rule, const char *bytes, size_t n)
{
    struct buffer spelling = {0};
    uint32_t id;

    if (rule->of_bytes)
        subword_spell(bytes, n, &spelling);
    else
        buffer_add(&spelling, bytes, n);
    id = token_table_id(&rule->tokens, spelling.data, spelling.size);
    buffer_release(&spelling);
    return id;
}

static size_t step(const struct rule *rule, const char *bytes, size_t n)
{
    return rule->of_bytes ? 1 : utf8_sequence((const unsigned char *)bytes, n);
}

/* What has no token is dropped. */
static size_t start(const struct rule *rule, const char *word, size_t n, uint32_t *symbols)
{
    size_t n_symbols = 0, length;

    for (size_t at = 0; at < n; at += length) {
        uint32_t id = id_of(rule, word + at, length = step(rule, word + at, n - at));

        if (id != TOKEN_NONE)
            symbols[n_symbols++] = id;
    }
    return n_symbols;
}

static size_t merge(const struct rule *rule, uint32_t *symbols, size_t n)
{
    for (;;) {
        size_t best = 0;
        uint16_t rank = NO_MERGE;

        for (size_t i = 0; i + 1 < n; i++)
            if (rule->ranks[symbols[i]][symbols[i + 1]] < rank)
                rank = rule->ranks[symbols[best = i]][symbols[i + 1]];
        if (rank == NO_MERGE)
            return n;
        symbols[best] = rule->results[rank];
        memmove(symbols + best + 1, symbols + best + 2, (--n - best - 1) * sizeof *symbols);
    }
}

static uint32_t add_token(struct rule *rule, const char *token, size_t n)
{
    struct error err = {0};
    uint32_t id = token_table_id(&rule->tokens, token, n);

    if (id != TOKEN_NONE)
        return id;
    id = (uint32_t)rule->tokens.n_entries;
    CHECK(token_table_put(&rule->tokens, token, n, id, NULL, &err) == 0);
    return id;
}

/* Joins two neighbours of a random word. */
static void learn(struct rule *rule, uint32_t *random)
{
    struct buffer word = {0}, joined = {0};
    uint32_t symbols[MAX_SYMBOLS];
    size_t n, at, n_left, n_right;
    const char *left, *right;

    make_word(&word, 2 + next_random(random) % 5, random);
    n = start(rule, word.data, word.size, symbols);
    n = merge(rule, symbols, n);
    if (n > 1) {
        at = next_random(random) % (n - 1);
        left = token_table_bytes(&rule->tokens, symbols[at], &n_left);
        right = token_table_bytes(&rule->tokens, symbols[at + 1], &n_right);
        buffer_add(&joined, left, n_left);
        buffer_add(&joined, right, n_right);
        buffer_format(&rule->merges, "%s %s\n", left, right);
        rule->ranks[symbols[at]][symbols[at + 1]] = rule->n_merges;
        rule->results[rule->n_merges++] = (uint16_t)add_token(rule, joined.data, joined.size);
    }
    buffer_release(&word);
    buffer_release(&joined);
}

/* Also some words that no merges make: ignore_merges finds them. */
static void add_words(struct rule *rule, uint32_t *random)
{
    struct buffer word = {0}, spelling = {0};

    for (int i = 0; i < 40; i++) {
        make_word(&word, 2 + next_random(random) % 3, random);
        buffer_clear(&spelling);
        subword_spell(word.data, word.size, &spelling);
        add_token(rule, rule->of_bytes ? spelling.data : word.data,
                  rule->of_bytes ? spelling.size : word.size);
    }
    buffer_release(&word);
    buffer_release(&spelling);
}

static struct rule *make_rule(bool of_bytes, uint32_t *random)
{
    struct rule *rule = calloc(1, sizeof *rule);

    rule->of_bytes = of_bytes;
    memset(rule->ranks, 0xff, sizeof rule->ranks);
    for (unsigned byte = 0; of_bytes && byte < 256; byte++) {
        struct buffer spelling = {0};
        char c = (char)byte;

        subword_spell(&c, 1, &spelling);
        add_token(rule, spelling.data, spelling.size);
        buffer_release(&spelling);
    }
    for (size_t i = 0; !of_bytes && i < N_CHARACTERS; i++)
        if (characters[i][0] != '-' && characters[i][0] != ' ' && i % 7 != 3)
            add_token(rule, characters[i], strlen(characters[i]));
    for (int i = 0; i < 300; i++)
        learn(rule, random);
    add_words(rule, random);
    CHECK(rule->tokens.n_entries <= MAX_TOKENS && rule->n_merges > 100);
    return rule;
}

static struct subword *make_subword(const struct rule *rule, bool ignore_merges)
{
    struct bpe_settings settings = {.ignore_merges = ignore_merges};
    struct bpe_merges merges = {0};
    struct token_table tokens = {0};
    struct error err = {0};
    struct subword *subword;

    for (uint32_t i = 0; i < rule->tokens.n_entries; i++) {
        size_t length;
        const char *token = token_table_bytes(&rule->tokens, i, &length);

        token_table_put(&tokens, token, length, i, NULL, &err);
    }
    CHECK(bpe_merges_read_lines(&merges, rule->merges.data, rule->merges.size, &tokens, &err) ==
          0);
    subword = bpe_new(&tokens, &merges, &settings, &err);
    subword_finish(subword, rule->of_bytes);
    bpe_merges_release(&merges);
    return subword;
}

static void free_rule(struct rule *rule)
{
    token_table_release(&rule->tokens);
    buffer_release(&rule->merges);
    free(rule);
}

/* ---- tests ---- */

static bool check_word(const struct rule *rule, const struct subword *subword,
                       struct subword_scratch *scratch, const struct buffer *word,
                       bool ignore_merges)
{
    uint32_t symbols[MAX_SYMBOLS];
    struct ids ids = {0};
    struct error err = {0};
    size_t n = 1;
    bool is_same;

    symbols[0] = ignore_merges ? id_of(rule, word->data, word->size) : TOKEN_NONE;
    if (symbols[0] == TOKEN_NONE)
        n = merge(rule, symbols, start(rule, word->data, word->size, symbols));
    CHECK(subword_encode(subword, scratch, word->data, word->size, &ids, &err) == 0);
    is_same = ids.n_items == n && (n == 0 || memcmp(ids.items, symbols, n * sizeof *symbols) == 0);
    if (!is_same)
        printf("# '%.*s': %zu ids, not %zu\n", (int)word->size, word->data, ids.n_items, n);
    ids_release(&ids);
    return is_same;
}

static void check_words(bool of_bytes, bool ignore_merges, uint32_t random)
{
    struct rule *rule = make_rule(of_bytes, &random);
    struct subword *subword = make_subword(rule, ignore_merges);
    struct subword_scratch *scratch = subword_scratch_new(subword);
    struct buffer word = {0};
    int n_wrong = 0;

    for (int i = 0; i < 4000 && n_wrong < 3; i++) {
        make_word(&word, 1 + next_random(&random) % (i % 8 ? 12 : 50), &random);
        if (of_bytes && i % 5 == 0)
            spoil(&word, &random);
        n_wrong += !check_word(rule, subword, scratch, &word, ignore_merges);
    }
    CHECK(n_wrong == 0);
    buffer_release(&word);
    subword_scratch_free(scratch);
    subword_free(subword);
    free_rule(rule);
}

static void bytes_are_merged_as_the_rule_says(void)
{
    for (uint32_t seed = 1; seed <= 6; seed++)
        check_words(true, seed % 2, seed);
}

static void characters_are_merged_as_the_rule_says(void)
{
    for (uint32_t seed = 11; seed <= 16; seed++)
        check_words(false, seed % 2, seed);
}

/* Of the first two characters of the text. */
static bool may_join(const struct bpe_joins *joins, const char *text)
{
    uint32_t left, right;
    size_t n_left = unicode_decode(text, 0, &left), n_right = unicode_decode(text, n_left, &right);

    return bpe_joins_may(joins, text + n_left, n_left, left, n_right, right);
}

/* U+4E2D U+56FD; then U+3057 and the first two bytes of U+30AB; the last byte of U+4E2D and U+65E5;
 * the last two bytes of U+672C and the first of U+D55C. */
static void joins_are_those_of_the_tokens(void)
{
    static const char *const texts[] = {"x\xe4\xb8\xad\xe5\x9b\xbd", "\xe3\x81\x97\xe3\x82",
                                        "\xad\xe6\x97\xa5", "\x9c\xac\xed", "ab"};
    struct token_table tokens = {0};
    struct bpe_joins *joins;
    struct error err = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer spelling = {0};

        subword_spell(texts[i], strlen(texts[i]), &spelling);
        CHECK(token_table_put(&tokens, spelling.data, spelling.size, i, NULL, &err) == 0);
        buffer_release(&spelling);
    }
    token_table_seal(&tokens);
    joins = bpe_joins_new(&tokens, NULL, true);
    CHECK(may_join(joins, "x\xe4\xb8\xad"));
    CHECK(may_join(joins, "\xe4\xb8\xad\xe5\x9b\xbd"));
    CHECK(!may_join(joins, "\xe5\x9b\xbd\xe4\xb8\xad"));
    CHECK(may_join(joins, "\xe3\x81\x97\xe3\x82\xab"));
    CHECK(!may_join(joins, "\xe3\x81\x97\xe3\x83\xab"));
    CHECK(!may_join(joins, "\xe3\x82\xab\xe3\x81\x97"));
    CHECK(may_join(joins, "\xe4\xb8\xad\xe6\x97\xa5"));
    CHECK(!may_join(joins, "\xe5\x9b\xbd\xe6\x97\xa5"));
    CHECK(may_join(joins, "\xe6\x9c\xac\xed\x95\x9c"));
    CHECK(!may_join(joins, "\xe6\x97\xa5\xed\x95\x9c"));
    bpe_joins_free(joins);
    token_table_release(&tokens);
}

TESTS(TEST(bytes_are_merged_as_the_rule_says), TEST(characters_are_merged_as_the_rule_says),
      TEST(joins_are_those_of_the_tokens))
