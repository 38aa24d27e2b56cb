/* bpe.c - byte pair encoding, exactly and fast.
 *
 * A word begins as one symbol per character. Short words are searched for their best pair again
 * and again, long ones keep a heap of pairs. Models without a pre-tokenizer (Llama-2, Gemma) hand
 * over a whole text as one word; but where no merge joins the last character of one side with the
 * first of the other, the two sides cannot influence each other. There the text is cut, and what
 * lies between two cuts is most often a word that the cache knows. */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/bpe_joins.h"
#include "text/byte_hash.h"
#include "text/pretokenizer.h"
#include "text/subword_model.h"
#include "text/unicode.h"

enum { SHORT_SYMBOLS = 48, PAGE = 256, N_PAGES = 0x110000 / PAGE, N_AHEAD = 16 };
#define RANK_NONE UINT32_MAX

struct pair_slot {
    uint64_t pair; /* left << 32 | right */
    uint32_t rank; /* RANK_NONE: empty */
    uint32_t result;
};

struct bpe {
    struct subword base;
    struct pair_slot *pairs;
    size_t pairs_mask;
    uint64_t seed;
    uint32_t *results; /* by rank */
    size_t n_results;
    uint16_t page_of[N_PAGES]; /* characters that are tokens: their ids by code point */
    uint32_t *pages;           /* [n_pages][PAGE]; page 0 is empty */
    size_t n_pages;
    uint32_t symbol_of_byte[256]; /* of its display character */
    struct bpe_joins *joins;      /* NULL: words are not cut */
    uint32_t byte_ids[256];
    char *prefix, *suffix;
    size_t n_prefix, n_suffix;
    bool has_unk, fuse_unk, byte_fallback, ignore_merges;
    uint32_t unk_id; /* TOKEN_NONE: named but missing, an error when it is needed */
    /* One pair, one result: two pairs never give the same id at one place. Otherwise old entries of
     * the heap may come to life again, as they do in the reference. */
    bool is_plain;
};

/* ---- tables ---- */

static inline uint64_t pair_of(uint32_t left, uint32_t right)
{
    return (uint64_t)left << 32 | right;
}

static inline size_t place_of(const struct bpe *model, uint64_t pair)
{
    return byte_hash_mix(pair ^ model->seed, 0x9e3779b97f4a7c15u) & model->pairs_mask;
}

static inline const struct pair_slot *find_pair(const struct bpe *model, uint32_t left,
                                                uint32_t right)
{
    uint64_t pair = pair_of(left, right);
    size_t i = place_of(model, pair);

    while (model->pairs[i].rank != RANK_NONE && model->pairs[i].pair != pair)
        i = (i + 1) & model->pairs_mask;
    return &model->pairs[i];
}

static inline uint32_t rank_of(const struct bpe *model, uint32_t left, uint32_t right)
{
    return find_pair(model, left, right)->rank;
}

static int build_pairs(struct bpe *model, const struct bpe_merges *merges, struct error *err)
{
    size_t n_slots = 64;

    if (merges->problem)
        return error_set(err, ERROR_FORMAT, "BPE: cannot derive the merges: %s", merges->problem);
    if (merges->n_items >= RANK_NONE)
        return error_set(err, ERROR_FORMAT, "BPE: %zu merges", merges->n_items);
    while (3 * n_slots < 5 * merges->n_items)
        n_slots *= 2;
    model->pairs = memory_alloc(n_slots * sizeof *model->pairs);
    model->pairs_mask = n_slots - 1;
    model->seed = byte_hash_seed();
    model->results = memory_alloc(merges->n_items * sizeof *model->results);
    model->n_results = merges->n_items;
    memset(model->pairs, 0xff, n_slots * sizeof *model->pairs);
    for (size_t i = 0; i < merges->n_items; i++) {
        const struct bpe_merge *merge = &merges->items[i];
        const struct bpe_merge *later = merge + (i + N_AHEAD < merges->n_items ? N_AHEAD : 0);
        struct pair_slot *slot = (struct pair_slot *)find_pair(model, merge->left, merge->right);

        __builtin_prefetch(&model->pairs[place_of(model, pair_of(later->left, later->right))], 1);
        /* A pair that is there already gets the later rank. */
        *slot = (struct pair_slot){pair_of(merge->left, merge->right), (uint32_t)i,
                                   merge->result};
        model->results[i] = merge->result;
    }
    return 0;
}

static inline uint32_t symbol_of(const struct bpe *model, uint32_t code_point)
{
    return code_point < N_PAGES * PAGE
               ? model->pages[model->page_of[code_point / PAGE] * (size_t)PAGE + code_point % PAGE]
               : TOKEN_NONE;
}

static void add_page(struct bpe *model, uint32_t number)
{
    uint32_t *page;

    model->pages = memory_resize(model->pages, (model->n_pages + 1) * PAGE, sizeof *model->pages);
    page = model->pages + model->n_pages * PAGE;
    memset(page, 0xff, PAGE * sizeof *page);
    if (model->n_pages) /* the empty page belongs to nobody */
        model->page_of[number] = (uint16_t)model->n_pages;
    model->n_pages++;
}

static void build_symbols(struct bpe *model)
{
    const struct token_table *tokens = &model->base.tokens;

    add_page(model, 0);
    for (uint32_t i = 0; i < tokens->n_entries; i++) {
        size_t length;
        const char *token = token_table_bytes(tokens, i, &length);
        uint32_t code_point;

        if (length == 0 || length > 4 || subword_step(token, 4) != length)
            continue;
        code_point = subword_code_point(token, length);
        if (code_point >= N_PAGES * PAGE)
            continue;
        if (model->page_of[code_point / PAGE] == 0)
            add_page(model, code_point / PAGE);
        model->pages[model->page_of[code_point / PAGE] * (size_t)PAGE + code_point % PAGE] =
            tokens->entries[i].id;
    }
}

/* Needs pairs one of which gives one result, and a word's ids to be those of its parts: no prefix or
 * suffix, and bytes that all have tokens, or else their neighbours may come to touch. */
static void build_joins(struct bpe *model)
{
    const struct token_table *tokens = &model->base.tokens;
    bool *is_result = NULL;

    bpe_joins_free(model->joins);
    model->joins = NULL;
    model->base.caches_words = true;
    for (size_t i = 0; model->base.uses_bytes && i < 256; i++)
        if (model->symbol_of_byte[i] == TOKEN_NONE)
            return;
    if (!model->is_plain || model->n_suffix || !tokens->is_dense)
        return;
    if (!model->ignore_merges) { /* else any token may be a word */
        is_result = memory_zalloc((size_t)tokens->max_id + 1, sizeof *is_result);
        for (size_t i = 0; i < model->n_results; i++)
            is_result[model->results[i]] = true;
    }
    model->joins = bpe_joins_new(tokens, is_result, model->base.uses_bytes);
    /* Without a pre-tokenizer a word is a whole text. */
    model->base.caches_words = model->base.uses_bytes || model->ignore_merges;
    free(is_result);
}

/* ---- the first symbols ---- */

struct start { /* a word on its way to symbols */
    const struct bpe *model;
    struct subword_scratch *scratch;
    bool has_pending; /* an unknown token, held back to be joined with a following one */
};

static void push(struct subword_scratch *scratch, uint32_t symbol)
{
    if (scratch->n_symbols == scratch->symbols_capacity) {
        scratch->symbols_capacity = scratch->n_symbols ? 2 * scratch->n_symbols : 256;
        scratch->symbols =
            memory_resize(scratch->symbols, scratch->symbols_capacity, sizeof *scratch->symbols);
    }
    scratch->symbols[scratch->n_symbols++] = symbol;
}

static inline void flush_pending(struct start *start)
{
    if (start->has_pending)
        push(start->scratch, start->model->unk_id);
    start->has_pending = false;
}

/* A character that is no token: its bytes, the unknown token, or nothing. Bytes do not wait for an
 * unknown token before them: so it is in the reference. */
static int push_missing(struct start *start, const char *spelled, size_t length, struct error *err)
{
    const struct bpe *model = start->model;
    struct ids bytes = {start->scratch->symbols, start->scratch->n_symbols,
                        start->scratch->symbols_capacity};

    if (model->byte_fallback && subword_add_bytes(model->byte_ids, spelled, length, &bytes)) {
        start->scratch->symbols = bytes.items;
        start->scratch->n_symbols = bytes.n_items;
        start->scratch->symbols_capacity = bytes.capacity;
        return 0;
    }
    if (!model->has_unk)
        return 0;
    if (model->unk_id == TOKEN_NONE)
        return error_set(err, ERROR_FORMAT, "BPE: the unk_token is not in the vocabulary");
    if (!model->fuse_unk)
        flush_pending(start);
    start->has_pending = true;
    return 0;
}

/* As the vocabulary writes it: bytes in display characters, with prefix and suffix. */
static void spell(struct start *start, const char *bytes, size_t length, bool is_first,
                  bool is_last)
{
    const struct bpe *model = start->model;
    struct buffer *out = &start->scratch->character;

    buffer_clear(out);
    if (!is_first)
        buffer_add(out, model->prefix, model->n_prefix);
    if (model->base.uses_bytes)
        subword_spell(bytes, length, out);
    else
        buffer_add(out, bytes, length);
    if (is_last)
        buffer_add(out, model->suffix, model->n_suffix);
}

/* Adds the symbols of the character at word[at] and returns its length in bytes, 0 on failure. */
static inline size_t start_character(struct start *start, const char *word, size_t n, size_t at,
                                     struct error *err)
{
    const struct bpe *model = start->model;
    size_t length = model->base.uses_bytes ? 1 : subword_step(word + at, n - at);
    bool is_first = at == 0, is_last = at + length == n;
    uint32_t symbol;

    if ((model->n_prefix && !is_first) || (model->n_suffix && is_last)) {
        spell(start, word + at, length, is_first, is_last);
        symbol = token_table_id(&model->base.tokens, start->scratch->character.data,
                                start->scratch->character.size);
    } else if (model->base.uses_bytes) {
        symbol = model->symbol_of_byte[(unsigned char)word[at]];
    } else {
        symbol = symbol_of(model, subword_code_point(word + at, length));
    }
    if (symbol != TOKEN_NONE) {
        flush_pending(start);
        push(start->scratch, symbol);
        return length;
    }
    spell(start, word + at, length, is_first, is_last);
    return push_missing(start, start->scratch->character.data, start->scratch->character.size, err)
               ? 0
               : length;
}

/* ---- merging ---- */

/* symbols[n], n <= SHORT_SYMBOLS; returns how many are left. */
static size_t merge_short(const struct bpe *model, uint32_t *symbols, size_t n)
{
    uint32_t ranks[SHORT_SYMBOLS];

    for (size_t i = 0; i + 1 < n; i++)
        ranks[i] = rank_of(model, symbols[i], symbols[i + 1]);
    while (n > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < n; i++)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == RANK_NONE)
            break;
        symbols[best] = model->results[ranks[best]];
        n--;
        memmove(symbols + best + 1, symbols + best + 2, (n - best - 1) * sizeof *symbols);
        if (best + 1 < n) {
            memmove(ranks + best + 1, ranks + best + 2, (n - best - 2) * sizeof *ranks);
            ranks[best] = rank_of(model, symbols[best], symbols[best + 1]);
        }
        if (best > 0)
            ranks[best - 1] = rank_of(model, symbols[best - 1], symbols[best]);
    }
    return n;
}

/* The pairs of a long word, the smallest rank << 32 | position on top. */
struct heap {
    uint64_t *items;
    size_t n_items;
};

static void sift_down(struct heap *heap, size_t at, uint64_t item)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= heap->n_items)
            break;
        if (child + 1 < heap->n_items && heap->items[child + 1] < heap->items[child])
            child++;
        if (heap->items[child] >= item)
            break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = item;
}

static void heap_push(struct heap *heap, uint64_t item)
{
    size_t at = heap->n_items++;

    for (; at > 0 && heap->items[(at - 1) / 2] > item; at = (at - 1) / 2)
        heap->items[at] = heap->items[(at - 1) / 2];
    heap->items[at] = item;
}

static uint64_t heap_pop(struct heap *heap)
{
    uint64_t top = heap->items[0];

    if (--heap->n_items)
        sift_down(heap, 0, heap->items[heap->n_items]);
    return top;
}

struct chain { /* symbols as a linked list; the pair at i is (i, next[i]) */
    uint32_t *symbols, *next, *previous;
    uint32_t *ranks; /* of the pair at i; RANK_NONE for none, and when i has been merged away */
    uint32_t n;
    struct heap heap;
};

static void look_at_pair(const struct bpe *model, struct chain *chain, uint32_t at)
{
    uint32_t next = chain->next[at];
    uint32_t rank =
        next < chain->n ? rank_of(model, chain->symbols[at], chain->symbols[next]) : RANK_NONE;

    chain->ranks[at] = rank;
    if (rank != RANK_NONE)
        heap_push(&chain->heap, (uint64_t)rank << 32 | at);
}

static void merge_pair(const struct bpe *model, struct chain *chain, uint32_t at, uint32_t result)
{
    uint32_t right = chain->next[at];

    chain->symbols[at] = result;
    chain->next[at] = chain->next[right];
    if (chain->next[at] < chain->n)
        chain->previous[chain->next[at]] = at;
    chain->ranks[right] = RANK_NONE;
    if (at > 0)
        look_at_pair(model, chain, chain->previous[at]);
    look_at_pair(model, chain, at);
}

static int merge_long(const struct bpe *model, struct subword_scratch *scratch, struct error *err)
{
    size_t n = scratch->n_symbols, n_left = 0;
    struct chain chain = {.symbols = scratch->symbols, .n = (uint32_t)n};
    uint32_t *work;

    if (n >= RANK_NONE / 2)
        return error_set(err, ERROR_UNSUPPORTED, "BPE: a word of %zu characters", n);
    /* Each merge takes one item from the heap and adds two at most; there are n - 1 merges. */
    work = subword_work(scratch, n, 3 * sizeof *work + 2 * sizeof *chain.heap.items, err);
    if (!work)
        return -1;
    chain.heap.items = (uint64_t *)work;
    chain.next = work + 4 * n;
    chain.previous = work + 5 * n;
    chain.ranks = work + 6 * n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t rank = i + 1 < n ? rank_of(model, chain.symbols[i], chain.symbols[i + 1])
                                  : RANK_NONE;

        chain.next[i] = i + 1;
        chain.previous[i] = i - 1;
        chain.ranks[i] = rank;
        if (rank != RANK_NONE)
            chain.heap.items[chain.heap.n_items++] = (uint64_t)rank << 32 | i;
    }
    for (size_t i = chain.heap.n_items / 2; i-- > 0;)
        sift_down(&chain.heap, i, chain.heap.items[i]);
    while (chain.heap.n_items) {
        uint64_t top = heap_pop(&chain.heap);
        uint32_t at = (uint32_t)top, rank = (uint32_t)(top >> 32), now = chain.ranks[at];

        if (now == rank ||
            (!model->is_plain && now != RANK_NONE && model->results[now] == model->results[rank]))
            merge_pair(model, &chain, at, model->results[rank]);
    }
    for (uint32_t i = 0; i < n; i = chain.next[i])
        chain.symbols[n_left++] = chain.symbols[i];
    scratch->n_symbols = n_left;
    return 0;
}

/* scratch->symbols -> ids; the symbols are used up. */
static int merge_symbols(const struct bpe *model, struct subword_scratch *scratch, struct ids *ids,
                         struct error *err)
{
    size_t n = scratch->n_symbols;

    if (n > 1 && (n > SHORT_SYMBOLS || !model->is_plain)) {
        if (merge_long(model, scratch, err))
            return -1;
        n = scratch->n_symbols;
    } else {
        n = merge_short(model, scratch->symbols, n);
    }
    scratch->n_symbols = 0;
    if (n == 0)
        return 0;
    ids_reserve(ids, n);
    memcpy(ids->items + ids->n_items, scratch->symbols, n * sizeof *ids->items);
    ids->n_items += n;
    return 0;
}

/* ---- words ---- */

static int encode_whole(const struct bpe *model, struct subword_scratch *scratch, const char *word,
                        size_t n, struct ids *ids, struct error *err)
{
    struct start start = {model, scratch, false};
    size_t step;

    scratch->n_symbols = 0;
    for (size_t at = 0; at < n; at += step)
        if ((step = start_character(&start, word, n, at, err)) == 0)
            return -1;
    flush_pending(&start);
    return merge_symbols(model, scratch, ids, err);
}

static uint32_t find_word(const struct bpe *model, struct subword_scratch *scratch,
                          const char *word, size_t n)
{
    const struct token_table *tokens = &model->base.tokens;

    if (!model->base.uses_bytes || n > tokens->longest)
        return token_table_id(tokens, word, n);
    buffer_clear(&scratch->spelling);
    subword_spell(word, n, &scratch->spelling);
    return token_table_id(tokens, scratch->spelling.data, scratch->spelling.size);
}

static inline size_t character_length(const char *bytes, size_t n)
{
    const unsigned char *at = (const unsigned char *)bytes;

    if (at[0] < 0x80)
        return 1;
    if (n > 2 && at[0] > 0xe0 && at[0] < 0xed && (at[1] & 0xc0) == 0x80 && (at[2] & 0xc0) == 0x80)
        return 3;
    return utf8_sequence(at, n);
}

static int encode_part(const struct bpe *model, struct subword_scratch *scratch, const char *part,
                       size_t n, struct ids *ids, struct error *err)
{
    size_t n_before = ids->n_items;
    struct word_key key;

    if (n > WORD_CACHE_BYTES)
        return encode_whole(model, scratch, part, n, ids, err);
    /* With ignore_merges a word may have other ids than the same bytes within a longer one. */
    if (word_cache_find(&scratch->cache, part, n, model->ignore_merges, &key, ids))
        return 0;
    if (encode_whole(model, scratch, part, n, ids, err))
        return -1;
    word_cache_add(&scratch->cache, &key, ids, n_before);
    return 0;
}

/* A word that does not come apart. */
static int encode_joined(const struct bpe *model, struct subword_scratch *scratch,
                         const char *word, size_t n, struct ids *ids, struct error *err)
{
    uint32_t id = model->ignore_merges ? find_word(model, scratch, word, n) : TOKEN_NONE;

    if (id == TOKEN_NONE)
        return encode_whole(model, scratch, word, n, ids, err);
    ids_add(ids, id);
    return 0;
}

/* Words of bytes. Next to what is no character none is cut. */
static int encode_bytes(const struct bpe *model, struct subword_scratch *scratch, const char *word,
                        size_t n, struct ids *ids, struct error *err)
{
    uint32_t before = 0, code_point = 0;
    size_t begin = 0, length_before = 0, length, step;

    for (size_t at = 0; at < n; at += step) {
        length = character_length(word + at, n - at);
        step = length ? length : 1;
        if (length)
            unicode_decode(word, at, &code_point);
        if (length && length_before && (before | code_point) > 0x7f &&
            !bpe_joins_may(model->joins, word + at, length_before, before, length, code_point)) {
            if (encode_part(model, scratch, word + begin, at - begin, ids, err))
                return -1;
            begin = at;
        }
        before = code_point;
        length_before = length;
    }
    scratch->came_apart = begin > 0;
    if (begin == 0) /* what comes apart is no token */
        return encode_joined(model, scratch, word, n, ids, err);
    return encode_part(model, scratch, word + begin, n - begin, ids, err);
}

/* Words of characters. Next to what is none of the model's no word is cut: it may be dropped, or
 * become an unknown token that the next one joins. */
static int encode_characters(const struct bpe *model, struct subword_scratch *scratch,
                             const char *word, size_t n, struct ids *ids, struct error *err)
{
    uint32_t before = 0, code_point = 0, symbol_before = TOKEN_NONE, symbol;
    size_t begin = 0, last = 0, length;

    for (size_t at = 0; at < n; last = at, at += length) {
        length = subword_step(word + at, n - at);
        code_point = subword_code_point(word + at, length);
        symbol = symbol_of(model, code_point);
        if (symbol != TOKEN_NONE && symbol_before != TOKEN_NONE &&
            !bpe_joins_has(model->joins, before, code_point)) {
            if (last == begin)
                ids_add(ids, symbol_before);
            else if (encode_part(model, scratch, word + begin, at - begin, ids, err))
                return -1;
            begin = at;
        }
        before = code_point;
        symbol_before = symbol;
    }
    scratch->came_apart = begin > 0;
    if (begin == 0 && model->ignore_merges)
        return encode_joined(model, scratch, word, n, ids, err);
    return encode_part(model, scratch, word + begin, n - begin, ids, err);
}

static int encode(const struct subword *subword, struct subword_scratch *scratch, const char *word,
                  size_t n, struct ids *ids, struct error *err)
{
    const struct bpe *model = (const struct bpe *)subword;

    if (!model->joins)
        return encode_joined(model, scratch, word, n, ids, err);
    return (subword->uses_bytes ? encode_bytes : encode_characters)(model, scratch, word, n, ids,
                                                                    err);
}

static void finish(struct subword *subword)
{
    struct bpe *model = (struct bpe *)subword;

    for (unsigned byte = 0; byte < 256; byte++)
        model->symbol_of_byte[byte] =
            symbol_of(model, pretokenizer_byte_to_display((unsigned char)byte));
    build_joins(model);
}

static void release(struct subword *subword)
{
    struct bpe *model = (struct bpe *)subword;

    free(model->pairs);
    free(model->results);
    free(model->pages);
    bpe_joins_free(model->joins);
    free(model->prefix);
    free(model->suffix);
}

/* The pairs in the order of their ranks, which may have holes; to be freed. */
static uint64_t *list_pairs(const struct bpe *model, size_t *n)
{
    uint64_t *pairs = memory_alloc((model->n_results + 1) * sizeof *pairs);

    memset(pairs, 0xff, model->n_results * sizeof *pairs);
    for (size_t i = 0; i <= model->pairs_mask; i++)
        if (model->pairs[i].rank != RANK_NONE)
            pairs[model->pairs[i].rank] = model->pairs[i].pair;
    *n = 0;
    for (size_t i = 0; i < model->n_results; i++)
        if (pairs[i] != UINT64_MAX)
            pairs[(*n)++] = pairs[i];
    return pairs;
}

static void describe(const struct subword *subword, struct buffer *out)
{
    const struct bpe *model = (const struct bpe *)subword;
    size_t n;
    uint64_t *pairs = list_pairs(model, &n);

    buffer_format(out, "%zu:%s %zu:%s %d %u %d %d %d\n", model->n_prefix, model->prefix,
                  model->n_suffix, model->suffix, model->has_unk,
                  model->has_unk ? (unsigned)model->unk_id : 0,
                  model->has_unk && model->fuse_unk, model->byte_fallback, model->ignore_merges);
    buffer_add(out, pairs, n * sizeof *pairs);
    free(pairs);
}

void bpe_facts(const struct subword *subword, struct bpe_facts *facts)
{
    const struct bpe *model = (const struct bpe *)subword;
    uint64_t *pairs = list_pairs(model, &facts->n_merges);

    facts->has_unk = model->has_unk;
    facts->fuse_unk = model->fuse_unk;
    facts->byte_fallback = model->byte_fallback;
    facts->ignore_merges = model->ignore_merges;
    facts->has_affixes = model->n_prefix || model->n_suffix;
    facts->unk_id = model->has_unk ? model->unk_id : TOKEN_NONE;
    facts->merges = memory_alloc((facts->n_merges + 1) * sizeof *facts->merges);
    for (size_t i = 0; i < facts->n_merges; i++) {
        uint32_t left = (uint32_t)(pairs[i] >> 32), right = (uint32_t)pairs[i];

        facts->merges[i] = (struct bpe_merge){left, right, find_pair(model, left, right)->result};
    }
    free(pairs);
}

static const struct subword_kind bpe_kind = {"BPE", encode, finish, release, describe};

static char *copy_text(struct json_text text, size_t *length)
{
    char *copy = memory_alloc(text.length + 1);

    if (text.length)
        memcpy(copy, text.bytes, text.length);
    copy[text.length] = '\0';
    *length = text.length;
    return copy;
}

struct subword *bpe_new(struct token_table *tokens, const struct bpe_merges *merges,
                        const struct bpe_settings *settings, struct error *err)
{
    struct bpe *model = memory_zalloc(1, sizeof *model);
    struct subword *base = &model->base;

    *base = (struct subword){.kind = &bpe_kind, .tokens = *tokens};
    *tokens = (struct token_table){0};
    tokens = &base->tokens;
    token_table_seal(tokens);
    model->prefix = copy_text(settings->continuing_subword_prefix, &model->n_prefix);
    model->suffix = copy_text(settings->end_of_word_suffix, &model->n_suffix);
    model->has_unk = settings->unk_token.bytes != NULL;
    model->unk_id =
        token_table_id(tokens, settings->unk_token.bytes, settings->unk_token.length);
    model->fuse_unk = settings->fuse_unk;
    model->byte_fallback = settings->byte_fallback;
    model->ignore_merges = settings->ignore_merges;
    model->is_plain = !model->n_prefix && !tokens->has_shared_ids && !tokens->has_empty_token;
    subword_find_bytes(tokens, model->byte_ids);
    build_symbols(model);
    if (build_pairs(model, merges, err)) {
        subword_free(base);
        return NULL;
    }
    base->caches_words = true;
    return base;
}
