/* normal_forms.c - the four normal forms, copying what is normal already.
 *
 * A code point is stable when text may be cut before it: it starts a new block whatever comes
 * before, and stands for itself. Runs of stable code points are copied. Where an unstable one
 * turns up, the block from the stable one before it (which it may combine with) to the next stable
 * one is taken apart, put in canonical order and composed again. */
#include "normal_forms.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/unicode.h"

/* Hangul syllables are arithmetic: leading consonants L, vowels V, trailing consonants T. */
enum {
    HANGUL = 0xac00, HANGUL_L = 0x1100, HANGUL_V = 0x1161, HANGUL_T = 0x11a7,
    N_L = 19, N_V = 21, N_T = 28, N_HANGUL = N_L * N_V * N_T,
};

struct item {
    uint32_t code_point;
    uint8_t combining_class;
    long change; /* see rewrite.h */
    size_t order;
};

struct block {
    struct item *items;
    size_t n_items, capacity;
    struct item few[64]; /* longer blocks go to the heap */
};

static const struct form {
    uint32_t stable;
    bool with_compatibility, is_composed;
} forms[] = {
    [NORMAL_FORM_NFC] = {UNICODE_STABLE_NFC, false, true},
    [NORMAL_FORM_NFD] = {UNICODE_STABLE_NFD, false, false},
    [NORMAL_FORM_NFKC] = {UNICODE_STABLE_NFKC, true, true},
    [NORMAL_FORM_NFKD] = {UNICODE_STABLE_NFKD, true, false},
};

size_t normal_form_decompose(uint32_t code_point, bool with_compatibility,
                             uint32_t out[NORMAL_FORM_PARTS])
{
    const uint32_t *mapping;
    bool is_compatibility;
    size_t n_mapped, n = 0;

    if (code_point - HANGUL < N_HANGUL) {
        uint32_t index = code_point - HANGUL;

        out[0] = HANGUL_L + index / (N_V * N_T);
        out[1] = HANGUL_V + index % (N_V * N_T) / N_T;
        out[2] = HANGUL_T + index % N_T;
        return index % N_T ? 3 : 2;
    }
    n_mapped = unicode_decomposition(code_point, &mapping, &is_compatibility);
    if (n_mapped == 0 || (is_compatibility && !with_compatibility)) {
        out[0] = code_point;
        return 1;
    }
    for (size_t i = 0; i < n_mapped; i++)
        n += normal_form_decompose(mapping[i], with_compatibility, out + n);
    return n;
}

static uint32_t compose(uint32_t first, uint32_t second)
{
    if (first - HANGUL_L < N_L && second - HANGUL_V < N_V)
        return HANGUL + ((first - HANGUL_L) * N_V + (second - HANGUL_V)) * N_T;
    if (first - HANGUL < N_HANGUL && (first - HANGUL) % N_T == 0 &&
        second - HANGUL_T - 1 < N_T - 1)
        return first + (second - HANGUL_T);
    return unicode_compose(first, second);
}

static void block_add(struct block *block, uint32_t code_point, long change)
{
    if (block->n_items == block->capacity) {
        struct item *old = block->items == block->few ? NULL : block->items;

        block->capacity *= 2;
        block->items = memory_resize(old, block->capacity, sizeof *block->items);
        if (!old)
            memcpy(block->items, block->few, sizeof block->few);
    }
    block->items[block->n_items] = (struct item){
        code_point, unicode_combining_class(code_point), change, block->n_items};
    block->n_items++;
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left, *b = right;

    if (a->combining_class != b->combining_class)
        return a->combining_class < b->combining_class ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Canonical order: runs of marks sorted by class, equal ones staying as they came. */
static void sort_marks(struct item *items, size_t n)
{
    if (n > 32) {
        qsort(items, n, sizeof *items, compare_items);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct item item = items[i];
        size_t at = i;

        for (; at > 0 && items[at - 1].combining_class > item.combining_class; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void block_sort(struct block *block)
{
    for (size_t start = 0, end; start < block->n_items; start = end) {
        end = start + 1;
        if (block->items[start].combining_class == 0)
            continue;
        while (end < block->n_items && block->items[end].combining_class)
            end++;
        sort_marks(block->items + start, end - start);
    }
}

/* Each character joins the last starter if they have a composite and nothing between them blocks:
 * no other starter, no mark of the same or a higher class. */
static void block_compose(struct block *block)
{
    struct item *starter = NULL;
    size_t n_kept = 0;

    for (size_t i = 0; i < block->n_items; i++) {
        struct item item = block->items[i];
        struct item *last = n_kept ? &block->items[n_kept - 1] : NULL;
        uint32_t composite = 0;

        if (starter && (last == starter || last->combining_class < item.combining_class))
            composite = compose(starter->code_point, item.code_point);
        if (composite) {
            starter->code_point = composite;
            starter->change += item.change - 1;
            continue;
        }
        block->items[n_kept] = item;
        if (item.combining_class == 0)
            starter = &block->items[n_kept];
        n_kept++;
    }
    block->n_items = n_kept;
}

static void add_block(const struct form *form, const char *text, size_t n, struct buffer *out,
                      struct origin *origin)
{
    struct block block;
    uint32_t parts[NORMAL_FORM_PARTS], code_point;

    block.items = block.few;
    block.n_items = 0;
    block.capacity = sizeof block.few / sizeof *block.few;
    for (size_t at = 0; at < n;) {
        size_t n_parts;

        at += unicode_decode(text, at, &code_point);
        n_parts = normal_form_decompose(code_point, form->with_compatibility, parts);
        for (size_t i = 0; i < n_parts; i++)
            block_add(&block, parts[i], i > 0);
    }
    block_sort(&block);
    if (form->is_composed)
        block_compose(&block);
    for (size_t i = 0; i < block.n_items; i++) {
        char *end = rewrite_room(out, 4);
        size_t length = unicode_encode(block.items[i].code_point, end);

        rewrite_end(out, end + length);
        if (origin)
            origin_add(origin, length, block.items[i].change);
    }
    if (block.items != block.few)
        free(block.items);
}

static void copy(const char *text, size_t n, struct buffer *out, struct origin *origin)
{
    buffer_add(out, text, n);
    if (origin)
        origin_copy(origin, n);
}

void normal_form_add(enum normal_form which, const char *text, size_t n, struct buffer *out,
                     struct origin *origin)
{
    const struct form *form = &forms[which];
    size_t n_done = 0, last = 0; /* last: where the stable code point before `at` begins */

    for (size_t at = 0; at < n;) {
        uint32_t code_point;
        size_t start, length;

        if ((unsigned char)text[at] < 0x80) {
            at += unicode_ascii_prefix(text + at, n - at);
            last = at - 1;
            continue;
        }
        length = unicode_decode(text, at, &code_point);
        if (unicode_flags(code_point) & form->stable) {
            last = at;
            at += length;
            continue;
        }
        start = form->is_composed ? last : at;
        for (at += length; at < n; at += length) {
            length = unicode_decode(text, at, &code_point);
            if (unicode_flags(code_point) & form->stable)
                break;
        }
        copy(text + n_done, start - n_done, out, origin);
        add_block(form, text + start, at - start, out, origin);
        n_done = last = at;
    }
    copy(text + n_done, n - n_done, out, origin);
}
