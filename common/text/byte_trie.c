#include "byte_trie.h"

#include <stdlib.h>

#include "base/memory.h"
#include "text/byte_hash.h"

enum { BLOCK = 256, OPEN_BLOCKS = 16 };
#define NOBODY (TOKEN_NONE - 1) /* parent of the root: in use, but the child of no node */

struct key {
    uint64_t head; /* the first eight bytes, so that order is most often decided here */
    const char *bytes;
    uint32_t length, entry;
};

struct task { /* keys[first, last) pass through the node, which stands behind `depth` bytes */
    size_t first, last;
    uint32_t node, depth;
};

struct builder {
    struct byte_trie *trie;
    struct key *keys;
    struct task *tasks;
    size_t n_tasks, tasks_capacity;
    uint32_t n_prefix;
    size_t open[OPEN_BLOCKS]; /* blocks of nodes in which there may be room */
    size_t n_open;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *left = a, *right = b;
    uint32_t shorter = left->length < right->length ? left->length : right->length;
    int order;

    if (left->head != right->head)
        return left->head < right->head ? -1 : 1;
    order = memcmp(left->bytes, right->bytes, shorter);
    if (order)
        return order;
    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return left->entry < right->entry ? -1 : left->entry > right->entry;
}

static uint64_t head_of(const char *bytes, size_t length)
{
    uint64_t word = length >= 8 ? byte_hash_load8(bytes) : byte_hash_load(bytes, length);

    return __builtin_bswap64(word);
}

static bool has_same_bytes(const struct key *a, const struct key *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static int collect_keys(struct builder *builder, const struct token_table *tokens,
                        const char *prefix, size_t n_prefix, size_t *n_keys, struct error *err)
{
    *n_keys = 0;
    for (uint32_t i = 0; i < tokens->n_entries; i++) {
        size_t length;
        const char *bytes = token_table_bytes(tokens, i, &length);

        if (length <= n_prefix || memcmp(bytes, prefix, n_prefix) != 0)
            continue;
        bytes += n_prefix;
        length -= n_prefix;
        if (length > BYTE_TRIE_LONGEST)
            return error_set(err, ERROR_FORMAT, "token '" ERROR_NAME "' has %zu bytes; the most is "
                             "%d", bytes, length, BYTE_TRIE_LONGEST);
        builder->keys[(*n_keys)++] =
            (struct key){head_of(bytes, length), bytes, (uint32_t)length, i};
    }
    qsort(builder->keys, *n_keys, sizeof *builder->keys, compare_keys);
    return 0;
}

static size_t add_block(struct builder *builder)
{
    struct byte_trie *trie = builder->trie;
    size_t start = trie->n_nodes;

    /* Room doubles: whenever the number of blocks reaches a power of two. */
    if ((start / BLOCK & (start / BLOCK - 1)) == 0)
        trie->nodes = memory_resize(trie->nodes, start ? 2 * start : BLOCK, sizeof *trie->nodes);
    for (size_t i = start; i < start + BLOCK; i++)
        trie->nodes[i] = (struct byte_trie_node){0, TOKEN_NONE, TOKEN_NONE};
    trie->n_nodes += BLOCK;
    if (builder->n_open == OPEN_BLOCKS)
        memmove(builder->open, builder->open + 1, --builder->n_open * sizeof *builder->open);
    builder->open[builder->n_open++] = start;
    return start;
}

/* A base in the block such that all children fall on free nodes, or TOKEN_NONE. */
static uint32_t fit_into(const struct byte_trie_node *block, size_t start,
                         const unsigned char *children, size_t n_children)
{
    for (uint32_t slot = 0; slot < BLOCK; slot++) {
        uint32_t base = slot ^ children[0];
        size_t i = 0;

        while (i < n_children && block[base ^ children[i]].parent == TOKEN_NONE)
            i++;
        if (i == n_children)
            return (uint32_t)start + base;
    }
    return TOKEN_NONE;
}

static uint32_t find_base(struct builder *builder, const unsigned char *children,
                          size_t n_children)
{
    for (size_t i = builder->n_open; i-- > 0;) {
        size_t start = builder->open[i];
        uint32_t base = fit_into(builder->trie->nodes + start, start, children, n_children);

        if (base != TOKEN_NONE)
            return base;
        if (n_children == 1) { /* full */
            memmove(builder->open + i, builder->open + i + 1,
                    (builder->n_open - i - 1) * sizeof *builder->open);
            builder->n_open--;
        }
    }
    return (uint32_t)add_block(builder);
}

static void add_task(struct builder *builder, struct task task)
{
    if (builder->n_tasks == builder->tasks_capacity) {
        builder->tasks_capacity = builder->tasks_capacity ? 2 * builder->tasks_capacity : 256;
        builder->tasks =
            memory_resize(builder->tasks, builder->tasks_capacity, sizeof *builder->tasks);
    }
    builder->tasks[builder->n_tasks++] = task;
}

/* The last key of the run that has the same byte at `depth` as keys[first], plus one. */
static size_t end_of_run(const struct key *keys, size_t first, size_t last, uint32_t depth)
{
    char byte = keys[first].bytes[depth];

    while (first < last && keys[first].bytes[depth] == byte)
        first++;
    return first;
}

static void build_node(struct builder *builder, struct task task)
{
    struct byte_trie_node *node = &builder->trie->nodes[task.node];
    const struct key *keys = builder->keys;
    unsigned char children[BLOCK];
    size_t ends[BLOCK], n_children = 0;
    uint32_t base;

    for (; task.first < task.last && keys[task.first].length == task.depth; task.first++)
        node->entry = keys[task.first].entry;
    /* The root stays a node with children, so that every walk takes a first step. */
    if (task.depth > 0 && node->entry == TOKEN_NONE &&
        has_same_bytes(&keys[task.first], &keys[task.last - 1])) {
        node->entry = keys[task.last - 1].entry;
        task.first = task.last;
    }
    if (task.first >= task.last) {
        node->base = BYTE_TRIE_TAIL | (task.depth + builder->n_prefix);
        return;
    }
    for (size_t at = task.first; at < task.last; at = ends[n_children++]) {
        children[n_children] = (unsigned char)keys[at].bytes[task.depth];
        ends[n_children] = end_of_run(keys, at, task.last, task.depth);
    }
    base = find_base(builder, children, n_children);
    builder->trie->nodes[task.node].base = base;
    for (size_t i = 0; i < n_children; i++) {
        builder->trie->nodes[base ^ children[i]].parent = task.node;
        add_task(builder, (struct task){i ? ends[i - 1] : task.first, ends[i],
                                        base ^ children[i], task.depth + 1});
    }
}

int byte_trie_init(struct byte_trie *trie, const struct token_table *tokens, const char *prefix,
                   size_t n_prefix, struct error *err)
{
    struct builder builder = {.trie = trie, .n_prefix = (uint32_t)n_prefix};
    size_t n_keys;
    int rc = -1;

    *trie = (struct byte_trie){.tokens = tokens};
    builder.keys = memory_try(tokens->n_entries, sizeof *builder.keys, "the tokens", err);
    if (!builder.keys || collect_keys(&builder, tokens, prefix, n_prefix, &n_keys, err))
        goto done;
    add_block(&builder);
    trie->nodes[0].parent = NOBODY;
    if (n_keys)
        add_task(&builder, (struct task){0, n_keys, 0, 0});
    while (builder.n_tasks)
        build_node(&builder, builder.tasks[--builder.n_tasks]);
    rc = 0;
done:
    if (rc)
        byte_trie_release(trie);
    free(builder.keys);
    free(builder.tasks);
    return rc;
}

void byte_trie_release(struct byte_trie *trie)
{
    free(trie->nodes);
    *trie = (struct byte_trie){0};
}
