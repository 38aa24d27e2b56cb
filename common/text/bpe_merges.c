#include "bpe_merges.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void bpe_merges_release(struct bpe_merges *merges)
{
    free(merges->items);
    *merges = (struct bpe_merges){0};
}

static void add_merge(struct bpe_merges *merges, struct bpe_merge merge)
{
    if (merges->n_items == merges->capacity) {
        merges->capacity = merges->capacity ? 2 * merges->capacity : 1024;
        merges->items = memory_resize(merges->items, merges->capacity, sizeof *merges->items);
    }
    merges->items[merges->n_items++] = merge;
}

/* ---- as they are written ---- */

enum { BATCH = 64 };

struct merge_text { /* bytes in reading->text */
    size_t start, n_left, n_right, result, n_result;
    uint32_t result_entry; /* TOKEN_NONE: none yet */
    bool has_result;       /* false: the right half is shorter than the prefix */
    size_t n_queries;
};

/* Merges are looked up by the batch (token_table_find). */
struct reading {
    struct bpe_merges *merges;
    const struct token_table *tokens;
    size_t n_prefix;
    struct buffer text;
    struct merge_text batch[BATCH];
    size_t n_batch;
    uint32_t last_result; /* entry */
};

static size_t merge_number(const struct reading *reading)
{
    return reading->merges->n_items + reading->n_batch;
}

/* Most files have merges and vocabulary in one order: then a merge makes the token that the one
 * before made, or the next. TOKEN_NONE: it does not. */
static uint32_t guess_result(struct reading *reading, const char *result, size_t n)
{
    const struct token_table *tokens = reading->tokens;

    for (uint32_t i = 0; i < 2 && !tokens->has_equal_tokens; i++) {
        uint32_t entry = reading->last_result + i;
        size_t length;
        const char *token;

        if (entry >= tokens->n_entries)
            break;
        token = token_table_bytes(tokens, entry, &length);
        if (length == n && (n == 0 || memcmp(token, result, n) == 0))
            return reading->last_result = entry;
    }
    return TOKEN_NONE;
}

static int take_merge(struct reading *reading, const struct merge_text *text,
                      const struct token_query parts[3], struct error *err)
{
    const struct token_entry *entries = reading->tokens->entries;
    uint32_t left = parts[0].entry, right = parts[1].entry, result = text->result_entry;

    if (text->n_queries == 3)
        reading->last_result = result = parts[2].entry;
    if (left == TOKEN_NONE || right == TOKEN_NONE || result == TOKEN_NONE)
        return error_set(err, ERROR_FORMAT, "merge %zu of '%.*s' and '%.*s': %s is not in the "
                         "vocabulary", reading->merges->n_items,
                         text->n_left < 160 ? (int)text->n_left : 160, parts[0].token,
                         text->n_right < 160 ? (int)text->n_right : 160, parts[1].token,
                         left == TOKEN_NONE    ? "the first"
                         : right == TOKEN_NONE ? "the second"
                                               : "the result");
    add_merge(reading->merges,
              (struct bpe_merge){entries[left].id, entries[right].id, entries[result].id});
    return 0;
}

static int take_batch(struct reading *reading, struct error *err)
{
    struct token_query queries[3 * BATCH];
    const char *bytes = reading->text.data;
    size_t n = reading->n_batch, n_queries = 0;

    reading->n_batch = 0;
    for (size_t i = 0; i < n; i++) {
        struct merge_text *text = &reading->batch[i];
        const char *left = bytes + text->start;

        if (text->has_result)
            text->result_entry = guess_result(reading, bytes + text->result, text->n_result);
        text->n_queries = text->has_result && text->result_entry == TOKEN_NONE ? 3 : 2;
        queries[n_queries++] = (struct token_query){left, text->n_left, 0};
        queries[n_queries++] = (struct token_query){left + text->n_left, text->n_right, 0};
        if (text->n_queries == 3)
            queries[n_queries++] = (struct token_query){bytes + text->result, text->n_result, 0};
    }
    token_table_find(reading->tokens, queries, n_queries);
    n_queries = 0;
    for (size_t i = 0; i < n; i++) {
        const struct merge_text *text = &reading->batch[i];

        if (take_merge(reading, text, queries + n_queries, err))
            return -1;
        n_queries += text->n_queries;
    }
    buffer_clear(&reading->text);
    return 0;
}

/* reading->text has grown by the two halves, the left one n_left bytes long. */
static int add_joined(struct reading *reading, size_t start, size_t n_left, struct error *err)
{
    size_t n_right = reading->text.size - start - n_left, n_prefix = reading->n_prefix;
    struct merge_text *text = &reading->batch[reading->n_batch++];

    *text = (struct merge_text){
        start, n_left, n_right, start, n_left + n_right, TOKEN_NONE, n_right >= n_prefix, 0};
    if (n_prefix && text->has_result) {
        text->result = reading->text.size;
        text->n_result = n_left + n_right - n_prefix;
        for (size_t i = 0; i < text->n_result; i++)
            buffer_add_char(&reading->text,
                            reading->text.data[start + i + (i < n_left ? 0 : n_prefix)]);
    }
    return reading->n_batch == BATCH ? take_batch(reading, err) : 0;
}

/* "a b" */
static int add_line(struct reading *reading, const char *line, size_t length, struct error *err)
{
    const char *space = memchr(line, ' ', length);
    size_t n_left = space ? (size_t)(space - line) : length, start = reading->text.size;

    if (length >= 8 && memcmp(line, "#version", 8) == 0)
        return 0;
    if (!space || memchr(space + 1, ' ', length - n_left - 1))
        return error_set(err, ERROR_FORMAT, "merge %zu, '%.*s': not two tokens with one space "
                         "between them", merge_number(reading),
                         length < 160 ? (int)length : 160, line);
    buffer_add(&reading->text, line, n_left);
    buffer_add(&reading->text, space + 1, length - n_left - 1);
    return add_joined(reading, start, n_left, err);
}

/* ["a", "b"], the reader standing before it */
static int read_pair(struct reading *reading, struct json_reader *reader, struct error *err)
{
    size_t n_left = 0, start = reading->text.size;
    struct json_text part;
    int more, n = 0;

    if (json_reader_array(reader, err))
        return -1;
    for (; (more = json_reader_item(reader, err)) > 0 && n < 2; n++) {
        if (json_reader_string(reader, &part, err))
            return -1;
        buffer_add(&reading->text, part.bytes, part.length);
        if (n == 0)
            n_left = part.length;
    }
    if (more < 0)
        return -1;
    if (more > 0 || n < 2)
        return error_set(err, ERROR_FORMAT, "merge %zu is not a pair of tokens",
                         merge_number(reading));
    return add_joined(reading, start, n_left, err);
}

static int read_list(struct reading *reading, struct json_reader *reader, struct error *err)
{
    enum json_kind kind = JSON_NONE;
    struct json_text line;
    int more;

    if (json_reader_array(reader, err))
        return -1;
    while ((more = json_reader_item(reader, err)) > 0) {
        enum json_kind item = json_reader_peek(reader);

        if (kind != JSON_NONE && item != kind)
            return error_set(err, ERROR_FORMAT, "merge %zu is not written as those before it",
                             merge_number(reading));
        kind = item;
        if (kind == JSON_ARRAY ? read_pair(reading, reader, err)
                               : json_reader_string(reader, &line, err) ||
                                     add_line(reading, line.bytes, line.length, err))
            return -1;
    }
    return more;
}

static int read_lines(struct reading *reading, const char *text, size_t size, struct error *err)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size, step = end ? length + 1 : length;

        if (length && text[length - 1] == '\r')
            length--;
        if (length && add_line(reading, text, length, err))
            return -1;
        text += step;
        size -= step;
    }
    return 0;
}

/* A fault in a merge that still waits is named before one in what comes behind it. */
static int finish_reading(struct reading *reading, int rc, const struct error *problem,
                          struct error *err)
{
    if (take_batch(reading, err))
        rc = -1;
    else if (rc)
        *err = *problem;
    buffer_release(&reading->text);
    return rc;
}

int bpe_merges_read(struct bpe_merges *merges, struct json_reader *reader,
                    const struct token_table *tokens, size_t n_prefix, struct error *err)
{
    struct reading reading = {.merges = merges, .tokens = tokens, .n_prefix = n_prefix};
    struct error problem = {0};
    int rc = read_list(&reading, reader, &problem);

    return finish_reading(&reading, rc, &problem, err);
}

int bpe_merges_read_lines(struct bpe_merges *merges, const char *text, size_t size,
                          const struct token_table *tokens, struct error *err)
{
    struct reading reading = {.merges = merges, .tokens = tokens};
    struct error problem = {0};
    int rc = read_lines(&reading, text, size, &problem);

    return finish_reading(&reading, rc, &problem, err);
}

/* ---- derived ---- */

struct candidate {
    struct bpe_merge merge;
    double score; /* descending */
    uint32_t n_left, n_right; /* characters */
    size_t order;
};

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_local(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = compare(x->merge.left, y->merge.left);

    if (order == 0)
        order = compare(x->merge.right, y->merge.right);
    return order ? order : compare(x->order, y->order);
}

static int compare_scores(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = x->score > y->score ? -1 : x->score < y->score;

    if (order == 0)
        order = compare(y->n_left, x->n_left);
    if (order == 0)
        order = compare(y->n_right, x->n_right);
    return order ? order : compare(x->order, y->order);
}

static int compare_ranks(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = compare(x->merge.result, y->merge.result);

    return order ? order : compare(x->order, y->order);
}

struct candidates {
    struct candidate *items;
    size_t n_items, capacity;
};

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* All cuts of one token, in the order of their halves' ids. */
static void cut_token(struct candidates *all, const struct token_table *tokens, uint32_t entry,
                      double score)
{
    size_t length, first = all->n_items;
    const char *token = token_table_bytes(tokens, entry, &length);
    uint32_t n_characters = 0, n_left = 0;

    for (size_t i = 0; i < length; i++)
        n_characters += begins_character(token[i]);
    for (size_t i = 1; i < length; i++) {
        uint32_t left, right;

        if (!begins_character(token[i]))
            continue;
        n_left++;
        if ((left = token_table_id(tokens, token, i)) == TOKEN_NONE ||
            (right = token_table_id(tokens, token + i, length - i)) == TOKEN_NONE)
            continue;
        if (all->n_items == all->capacity) {
            all->capacity = all->capacity ? 2 * all->capacity : 1024;
            all->items = memory_resize(all->items, all->capacity, sizeof *all->items);
        }
        all->items[all->n_items] = (struct candidate){
            {left, right, tokens->entries[entry].id}, score, n_left, n_characters - n_left,
            all->n_items};
        all->n_items++;
    }
    if (all->n_items - first < 2)
        return;
    qsort(all->items + first, all->n_items - first, sizeof *all->items, compare_local);
    for (size_t i = first; i < all->n_items; i++)
        all->items[i].order = i;
}

void bpe_merges_derive(struct bpe_merges *merges, const struct token_table *tokens,
                       const double *scores)
{
    struct candidates all = {0};

    if (tokens->longest > BPE_DERIVE_LONGEST)
        merges->problem = "a token is longer than 1024 bytes";
    for (uint32_t i = 0; i < tokens->n_entries && !merges->problem; i++) {
        cut_token(&all, tokens, i, scores ? scores[i] : 0.0);
        if (all.n_items > BPE_DERIVE_MERGES)
            merges->problem = "there are more than 4194304 of them";
    }
    if (all.n_items && !merges->problem)
        qsort(all.items, all.n_items, sizeof *all.items, scores ? compare_scores : compare_ranks);
    for (size_t i = 0; i < all.n_items && !merges->problem; i++)
        add_merge(merges, all.items[i].merge);
    free(all.items);
}
