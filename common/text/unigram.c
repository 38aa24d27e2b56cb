#include "unigram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/byte_trie.h"
#include "text/subword_model.h"

struct unigram {
    struct subword base;
    struct byte_trie trie;
    double *scores;
    double unk_score;
    uint32_t unk_id; /* TOKEN_NONE: there is none */
    bool byte_fallback;
    uint32_t byte_ids[256];
};

/* Where the best way to a byte comes from. When the ways have been found, `end` takes the place of
 * the score: where the piece that starts here ends. */
struct node {
    union {
        double score;
        size_t end;
    };
    uint32_t start; /* TOKEN_NONE: no way leads here yet */
    uint32_t id;
};

static void offer(struct node *node, double score, size_t start, uint32_t id)
{
    if (node->start != TOKEN_NONE && !(score > node->score))
        return;
    *node = (struct node){.score = score, .start = (uint32_t)start, .id = id};
}

static int fail_without_unk(struct error *err)
{
    return error_set(err, ERROR_FORMAT, "Unigram: a text needs an unknown token, and the file has "
                     "no unk_id");
}

static int find_ways(const struct unigram *model, struct node *nodes, const char *word, size_t n,
                     struct error *err)
{
    size_t step;

    for (size_t i = 0; i <= n; i++)
        nodes[i].start = TOKEN_NONE;
    nodes[0].score = 0.0;
    for (size_t at = 0; at < n; at += step) {
        struct byte_trie_walk walk = {0};
        double so_far = nodes[at].score;
        bool has_single = false;
        uint32_t entry;

        step = subword_step(word + at, n - at);
        while ((entry = byte_trie_next(&model->trie, &walk, word + at, n - at)) != TOKEN_NONE) {
            offer(&nodes[at + walk.length], model->scores[entry] + so_far, at, entry);
            has_single |= walk.length == step;
        }
        if (has_single)
            continue;
        /* Without unk_id it is an error only where the unknown token would be taken. */
        offer(&nodes[at + step], model->unk_score + so_far, at, model->unk_id);
        if (nodes[at + step].start == at && nodes[at + step].id == TOKEN_NONE)
            return fail_without_unk(err);
    }
    return 0;
}

/* What was unknown, neighbours joined: it may be a piece after all, or become bytes. */
static int add_unknown(const struct unigram *model, const char *text, size_t n, struct ids *ids,
                       struct error *err)
{
    uint32_t id = token_table_id(&model->base.tokens, text, n);

    if (id == TOKEN_NONE && model->byte_fallback &&
        subword_add_bytes(model->byte_ids, text, n, ids))
        return 0;
    if (id == TOKEN_NONE)
        id = model->unk_id;
    if (id == TOKEN_NONE)
        return fail_without_unk(err);
    ids_add(ids, id);
    return 0;
}

static int encode(const struct subword *subword, struct subword_scratch *scratch, const char *word,
                  size_t n, struct ids *ids, struct error *err)
{
    const struct unigram *model = (const struct unigram *)subword;
    struct node *nodes;
    size_t at, end;

    if (n >= TOKEN_NONE)
        return error_set(err, ERROR_UNSUPPORTED, "Unigram: a word of %zu bytes", n);
    nodes = subword_work(scratch, n + 1, sizeof *nodes, err);
    if (!nodes || find_ways(model, nodes, word, n, err))
        return -1;
    for (end = n; end > 0; end = at) {
        at = nodes[end].start;
        nodes[at].end = end;
    }
    for (at = 0; at < n; at = end) {
        end = nodes[at].end;
        if (nodes[end].id != model->unk_id) {
            ids_add(ids, nodes[end].id);
            continue;
        }
        while (end < n && nodes[nodes[end].end].id == model->unk_id)
            end = nodes[end].end;
        if (add_unknown(model, word + at, end - at, ids, err))
            return -1;
    }
    return 0;
}

static void release(struct subword *subword)
{
    struct unigram *model = (struct unigram *)subword;

    byte_trie_release(&model->trie);
    free(model->scores);
}

static void describe(const struct subword *subword, struct buffer *out)
{
    const struct unigram *model = (const struct unigram *)subword;

    buffer_format(out, "%u %d\n", (unsigned)model->unk_id, model->byte_fallback);
    buffer_add(out, model->scores, subword->tokens.n_entries * sizeof *model->scores);
}

static const struct subword_kind unigram_kind = {"Unigram", encode, NULL, release, describe};

struct subword *unigram_new(struct unigram_pieces *pieces, const struct unigram_settings *settings,
                            struct error *err)
{
    struct unigram *model = memory_zalloc(1, sizeof *model);
    struct subword *base = &model->base;
    double least = INFINITY;

    *base = (struct subword){
        .kind = &unigram_kind, .tokens = pieces->tokens, .caches_words = true};
    model->scores = pieces->scores;
    *pieces = (struct unigram_pieces){0};
    token_table_seal(&base->tokens);
    for (size_t i = 0; i < base->tokens.n_entries; i++)
        least = model->scores[i] < least ? model->scores[i] : least;
    model->unk_score = least - 10.0;
    model->unk_id = settings->has_unk ? (uint32_t)settings->unk_id : TOKEN_NONE;
    model->byte_fallback = settings->byte_fallback;
    subword_find_bytes(&base->tokens, model->byte_ids);
    if (settings->has_unk && settings->unk_id >= base->tokens.n_entries)
        error_set(err, ERROR_FORMAT, "Unigram: unk_id is %zu, and there are %zu pieces",
                  settings->unk_id, base->tokens.n_entries);
    else if (byte_trie_init(&model->trie, &base->tokens, "", 0, err) == 0)
        return base;
    subword_free(base);
    return NULL;
}

int unigram_add_piece(struct unigram_pieces *pieces, const char *piece, size_t length,
                      double score, struct error *err)
{
    size_t n = pieces->tokens.n_entries;

    if (!isfinite(score))
        return error_set(err, ERROR_FORMAT, "piece %zu: its score is not a finite number", n);
    if (n == pieces->capacity) {
        pieces->capacity = n ? 2 * n : 1024;
        pieces->scores = memory_resize(pieces->scores, pieces->capacity, sizeof *pieces->scores);
    }
    pieces->scores[n] = score;
    return token_table_append(&pieces->tokens, piece, length, err);
}

/* 10^n, n <= 308, to the nearest double. */
static double power_of_ten(unsigned n)
{
    char text[8];

    snprintf(text, sizeof text, "1e%u", n);
    return strtod(text, NULL);
}

/* significand * 10^exponent as the reference computes it (serde_json without its exact mode): both
 * factors are rounded before they meet. A quarter of T5's scores come out one unit in the last
 * place off, and that decides between ways whose sums are equal but for rounding. */
static double scale(uint64_t significand, long exponent)
{
    double value = (double)significand;

    for (; exponent < -308 && value != 0.0; exponent += 308)
        value /= power_of_ten(308);
    if (value == 0.0)
        return value;
    if (exponent > 308)
        return INFINITY;
    return exponent < 0 ? value / power_of_ten((unsigned)-exponent)
                        : value * power_of_ten((unsigned)exponent);
}

/* A JSON number, its grammar having been checked. Digits that do not fit 64 bits are dropped. */
static double parse_score(const char *text, size_t n)
{
    bool is_negative = text[0] == '-', is_fraction = false, is_full = false;
    uint64_t significand = 0, next;
    long exponent = 0, written = 0;
    size_t i = is_negative;

    for (; i < n && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            is_fraction = true;
            is_full = false; /* the digits behind the point are tried anew */
            continue;
        }
        if (!is_full && (__builtin_mul_overflow(significand, (uint64_t)10, &next) ||
                         __builtin_add_overflow(next, (uint64_t)(text[i] - '0'), &next)))
            is_full = true;
        if (!is_full)
            significand = next;
        exponent += is_fraction ? (is_full ? 0 : -1) : (is_full ? 1 : 0);
    }
    if (i < n)
        written = strtol(text + i + 1, NULL, 10); /* at most 60 digits: it saturates */
    if (written > 100000 || written < -100000)
        written = written > 0 ? 100000 : -100000;
    return (is_negative ? -1.0 : 1.0) * scale(significand, exponent + written);
}

/* The reader stands before a number. */
static int read_score(struct json_reader *reader, double *score, struct error *err)
{
    char digits[64];
    size_t start, n;

    json_reader_peek(reader); /* skips white space */
    start = reader->position;
    if (json_reader_number(reader, score, err))
        return -1;
    n = reader->position - start;
    if (n >= sizeof digits)
        return error_set(err, ERROR_FORMAT, "at byte %zu: a number of %zu characters", start, n);
    memcpy(digits, reader->text + start, n);
    digits[n] = '\0';
    *score = parse_score(digits, n);
    return 0;
}

int unigram_read_pieces(struct unigram_pieces *pieces, struct json_reader *reader,
                        struct error *err)
{
    struct json_text piece;
    double score;
    int more, end;

    if (json_reader_array(reader, err))
        return -1;
    while ((more = json_reader_item(reader, err)) > 0) {
        if (json_reader_array(reader, err) || (end = json_reader_item(reader, err)) < 0)
            return -1;
        if (end == 0)
            return error_set(err, ERROR_FORMAT, "piece %zu is an empty list",
                             pieces->tokens.n_entries);
        /* A number leaves the text of the piece alone, so that it need not be copied. */
        if (json_reader_string(reader, &piece, err) || (end = json_reader_item(reader, err)) < 0)
            return -1;
        if (end == 0)
            return error_set(err, ERROR_FORMAT, "piece '" ERROR_NAME "' has no score", piece.bytes);
        if (read_score(reader, &score, err) ||
            unigram_add_piece(pieces, piece.bytes, piece.length, score, err) ||
            (end = json_reader_item(reader, err)) < 0)
            return -1;
        if (end > 0)
            return error_set(err, ERROR_FORMAT, "piece '" ERROR_NAME "' is not a pair of text and "
                             "score", piece.bytes);
    }
    return more;
}

void unigram_release_pieces(struct unigram_pieces *pieces)
{
    token_table_release(&pieces->tokens);
    free(pieces->scores);
    *pieces = (struct unigram_pieces){0};
}
