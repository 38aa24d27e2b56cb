#include "bpe_merges.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void bpe_merges_release(struct bpe_merges *merges)
{
    free(merges->items);
    buffer_release(&merges->joined);
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

/* merges->joined holds both halves, the left one n_left bytes long; it is overwritten. */
static int add_joined(struct bpe_merges *merges, const struct token_table *tokens, size_t n_left,
                      size_t n_prefix, struct error *err)
{
    char *joined = merges->joined.data;
    size_t n_right = merges->joined.size - n_left;
    struct bpe_merge merge;

    merge.left = token_table_id(tokens, joined, n_left);
    merge.right = token_table_id(tokens, joined + n_left, n_right);
    merge.result = TOKEN_NONE;
    if (n_prefix == 0) {
        merge.result = token_table_id(tokens, joined, n_left + n_right);
    } else if (n_right >= n_prefix) {
        char *kept = memory_alloc(n_left + n_right);

        memcpy(kept, joined, n_left);
        memcpy(kept + n_left, joined + n_left + n_prefix, n_right - n_prefix);
        merge.result = token_table_id(tokens, kept, n_left + n_right - n_prefix);
        free(kept);
    }
    if (merge.left == TOKEN_NONE || merge.right == TOKEN_NONE || merge.result == TOKEN_NONE)
        return error_set(err, ERROR_FORMAT, "merge %zu of '%.*s' and '%.*s': %s is not in the "
                         "vocabulary", merges->n_items, n_left < 160 ? (int)n_left : 160, joined,
                         n_right < 160 ? (int)n_right : 160, joined + n_left,
                         merge.left == TOKEN_NONE    ? "the first"
                         : merge.right == TOKEN_NONE ? "the second"
                                                     : "the result");
    add_merge(merges, merge);
    return 0;
}

/* "a b" */
static int add_line(struct bpe_merges *merges, const struct token_table *tokens, const char *line,
                    size_t length, size_t n_prefix, struct error *err)
{
    const char *space = memchr(line, ' ', length);
    size_t n_left = space ? (size_t)(space - line) : length;

    if (length >= 8 && memcmp(line, "#version", 8) == 0)
        return 0;
    if (!space || memchr(space + 1, ' ', length - n_left - 1))
        return error_set(err, ERROR_FORMAT, "merge %zu, '%.*s': not two tokens with one space "
                         "between them", merges->n_items, length < 160 ? (int)length : 160, line);
    buffer_clear(&merges->joined);
    buffer_add(&merges->joined, line, n_left);
    buffer_add(&merges->joined, space + 1, length - n_left - 1);
    return add_joined(merges, tokens, n_left, n_prefix, err);
}

/* ["a", "b"], the reader standing before it */
static int read_pair(struct bpe_merges *merges, struct json_reader *reader,
                     const struct token_table *tokens, size_t n_prefix, struct error *err)
{
    size_t n_left = 0;
    struct json_text part;
    int more, n = 0;

    if (json_reader_array(reader, err))
        return -1;
    buffer_clear(&merges->joined);
    for (; (more = json_reader_item(reader, err)) > 0 && n < 2; n++) {
        if (json_reader_string(reader, &part, err))
            return -1;
        buffer_add(&merges->joined, part.bytes, part.length);
        if (n == 0)
            n_left = part.length;
    }
    if (more < 0)
        return -1;
    if (more > 0 || n < 2)
        return error_set(err, ERROR_FORMAT, "merge %zu is not a pair of tokens", merges->n_items);
    return add_joined(merges, tokens, n_left, n_prefix, err);
}

int bpe_merges_read(struct bpe_merges *merges, struct json_reader *reader,
                    const struct token_table *tokens, size_t n_prefix, struct error *err)
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
                             merges->n_items);
        kind = item;
        if (kind == JSON_ARRAY ? read_pair(merges, reader, tokens, n_prefix, err)
                               : json_reader_string(reader, &line, err) ||
                                     add_line(merges, tokens, line.bytes, line.length, n_prefix,
                                              err))
            return -1;
    }
    return more;
}

int bpe_merges_read_lines(struct bpe_merges *merges, const char *text, size_t size,
                          const struct token_table *tokens, struct error *err)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size, step = end ? length + 1 : length;

        if (length && text[length - 1] == '\r')
            length--;
        if (length && add_line(merges, tokens, text, length, 0, err))
            return -1;
        text += step;
        size -= step;
    }
    return 0;
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
