#include "token_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/byte_hash.h"

/* How many look-ups are on their way to memory at a time. */
enum { FEWEST_SLOTS = 1024, N_AHEAD = 16 };

void token_table_release(struct token_table *table)
{
    free(table->bytes);
    free(table->entries);
    free(table->slots);
    free(table->by_id);
    *table = (struct token_table){0};
}

/* The slot of the token, or the empty one where it belongs. */
static struct token_slot *find_slot(const struct token_table *table, const char *token,
                                    size_t length, uint32_t hash)
{
    size_t mask = table->n_slots - 1, i = hash & mask;

    for (; table->slots[i].entry; i = (i + 1) & mask) {
        const char *bytes;
        size_t there;

        if (table->slots[i].hash != hash)
            continue;
        bytes = token_table_bytes(table, table->slots[i].entry - 1, &there);
        if (there == length && (length == 0 || memcmp(bytes, token, length) == 0))
            break;
    }
    return &table->slots[i];
}

/* The hash kept in each slot is all that is needed to move it. */
static void grow_slots(struct token_table *table, size_t n_slots)
{
    struct token_slot *slots = memory_zalloc(n_slots, sizeof *slots);

    for (size_t i = 0; i < table->n_slots; i++) {
        size_t at = table->slots[i].hash & (n_slots - 1);

        if (!table->slots[i].entry)
            continue;
        while (slots[at].entry)
            at = (at + 1) & (n_slots - 1);
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->n_slots = n_slots;
}

static int add_entry(struct token_table *table, const char *token, size_t length, uint32_t id,
                     struct error *err)
{
    size_t end = table->n_bytes + length + 1;

    if (table->n_entries >= TOKEN_ID_MAX || end >= UINT32_MAX)
        return error_set(err, ERROR_FORMAT, "a vocabulary of more than 4 GiB");
    if (end > table->bytes_capacity) {
        table->bytes_capacity = end < 8192 ? 16384 : 2 * end;
        table->bytes = memory_resize(table->bytes, table->bytes_capacity, 1);
    }
    if (table->n_entries + 2 > table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : 1024;
        table->entries = memory_resize(table->entries, table->capacity, sizeof *table->entries);
    }
    if (length)
        memcpy(table->bytes + table->n_bytes, token, length);
    table->bytes[end - 1] = '\0';
    table->entries[table->n_entries++] = (struct token_entry){(uint32_t)table->n_bytes, id};
    table->entries[table->n_entries] = (struct token_entry){(uint32_t)end, 0};
    table->n_bytes = end;
    table->has_empty_token |= length == 0;
    if (length > table->longest)
        table->longest = length;
    return 0;
}

static struct token_slot *slot_for(struct token_table *table, const char *token, size_t length,
                                   uint32_t *hash)
{
    if (!table->seed)
        table->seed = byte_hash_seed();
    if (2 * (table->n_entries + 1) > table->n_slots)
        grow_slots(table, table->n_slots ? 2 * table->n_slots : FEWEST_SLOTS);
    *hash = (uint32_t)byte_hash(table->seed, token, length);
    return find_slot(table, token, length, *hash);
}

static int check_id(const char *token, size_t length, size_t id, struct error *err)
{
    if (id > TOKEN_ID_MAX)
        return error_set(err, ERROR_FORMAT, "token '%.*s': its id %zu is above %d",
                         length < 160 ? (int)length : 160, token, id, TOKEN_ID_MAX);
    return 0;
}

int token_table_put(struct token_table *table, const char *token, size_t length, size_t id,
                    uint32_t *entry, struct error *err)
{
    uint32_t hash;
    struct token_slot *slot = slot_for(table, token, length, &hash);

    if (check_id(token, length, id, err))
        return -1;
    if (slot->entry) {
        table->entries[slot->entry - 1].id = (uint32_t)id;
    } else {
        if (add_entry(table, token, length, (uint32_t)id, err))
            return -1;
        *slot = (struct token_slot){hash, (uint32_t)table->n_entries};
    }
    if (entry)
        *entry = slot->entry - 1;
    return 0;
}

int token_table_append(struct token_table *table, const char *token, size_t length,
                       struct error *err)
{
    uint32_t hash;
    struct token_slot *slot = slot_for(table, token, length, &hash);

    table->has_equal_tokens |= slot->entry != 0;
    if (add_entry(table, token, length, (uint32_t)table->n_entries, err))
        return -1;
    *slot = (struct token_slot){hash, (uint32_t)table->n_entries};
    return 0;
}

/* Puts all entries into slots at once; false when two are equal. */
static bool fill_slots(struct token_table *table, const uint32_t *hashes)
{
    size_t n_slots = FEWEST_SLOTS, mask;

    while (2 * (table->n_entries + 1) > n_slots)
        n_slots *= 2;
    mask = n_slots - 1;
    grow_slots(table, n_slots);
    for (size_t i = 0; i < table->n_entries; i++) {
        struct token_slot *slot;
        size_t length;
        const char *token = token_table_bytes(table, (uint32_t)i, &length);

        if (i + N_AHEAD < table->n_entries)
            __builtin_prefetch(&table->slots[hashes[i + N_AHEAD] & mask], 1);
        slot = find_slot(table, token, length, hashes[i]);
        if (slot->entry)
            return false;
        *slot = (struct token_slot){hashes[i], (uint32_t)i + 1};
    }
    return true;
}

/* The entries one after the other, equal ones becoming one. */
static int put_again(struct token_table *table, struct error *err)
{
    struct token_table again = {0};
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < table->n_entries; i++) {
        size_t length;
        const char *token = token_table_bytes(table, i, &length);

        rc = token_table_put(&again, token, length, table->entries[i].id, NULL, err);
    }
    token_table_release(table);
    *table = again;
    return rc;
}

static int read_entries(struct token_table *table, struct json_reader *reader, uint32_t **hashes,
                        struct error *err)
{
    size_t capacity = 0, id;
    struct json_text token;
    int more;

    /* A number leaves the text of the key alone, so that it need not be copied. */
    while ((more = json_reader_member(reader, &token, err)) > 0) {
        if (table->n_entries == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            *hashes = memory_resize(*hashes, capacity, sizeof **hashes);
        }
        (*hashes)[table->n_entries] = (uint32_t)byte_hash(table->seed, token.bytes, token.length);
        if (json_reader_size(reader, &id, err) ||
            check_id(token.bytes, token.length, id, err) ||
            add_entry(table, token.bytes, token.length, (uint32_t)id, err))
            return -1;
    }
    return more;
}

int token_table_read(struct token_table *table, struct json_reader *reader, struct error *err)
{
    struct token_table read = {.seed = byte_hash_seed()};
    uint32_t *hashes = NULL;
    int rc = -1;

    if (json_reader_object(reader, err) == 0)
        rc = read_entries(&read, reader, &hashes, err);
    if (rc == 0 && !fill_slots(&read, hashes))
        rc = put_again(&read, err);
    free(hashes);
    token_table_release(table);
    *table = read;
    return rc;
}

static int compare_ids(const void *a, const void *b, void *context)
{
    const struct token_entry *entries = context;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    if (entries[left].id != entries[right].id)
        return entries[left].id < entries[right].id ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* Where two tokens share an id, the later one is what the id means. */
void token_table_seal(struct token_table *table)
{
    size_t n_wanted;

    table->max_id = 0;
    for (size_t i = 0; i < table->n_entries; i++)
        if (table->entries[i].id > table->max_id)
            table->max_id = table->entries[i].id;
    n_wanted = table->n_entries ? (size_t)table->max_id + 1 : 0;
    table->is_dense = n_wanted <= 4 * table->n_entries + 1024;
    table->has_shared_ids = false;
    table->n_by_id = table->is_dense ? n_wanted : table->n_entries;
    free(table->by_id);
    table->by_id = memory_alloc(table->n_by_id * sizeof *table->by_id);
    if (table->is_dense) {
        memset(table->by_id, 0xff, table->n_by_id * sizeof *table->by_id);
        for (uint32_t i = 0; i < table->n_entries; i++) {
            uint32_t *place = &table->by_id[table->entries[i].id];

            table->has_shared_ids |= *place != TOKEN_NONE;
            *place = i;
        }
        return;
    }
    for (uint32_t i = 0; i < table->n_entries; i++)
        table->by_id[i] = i;
    qsort_r(table->by_id, table->n_by_id, sizeof *table->by_id, compare_ids, table->entries);
    for (size_t i = 1; i < table->n_by_id; i++)
        table->has_shared_ids |=
            table->entries[table->by_id[i - 1]].id == table->entries[table->by_id[i]].id;
}

uint32_t token_table_id(const struct token_table *table, const char *token, size_t length)
{
    uint32_t entry;

    if (!table->n_slots || length > table->longest)
        return TOKEN_NONE;
    /* An empty slot holds 0, which gives TOKEN_NONE. */
    entry = find_slot(table, token, length, (uint32_t)byte_hash(table->seed, token, length))->entry -
            1;
    return entry == TOKEN_NONE ? TOKEN_NONE : table->entries[entry].id;
}

/* The first slot with the hash, or an empty one. */
static size_t first_slot(const struct token_table *table, uint32_t hash)
{
    size_t mask = table->n_slots - 1, i = hash & mask;

    while (table->slots[i].entry && table->slots[i].hash != hash)
        i = (i + 1) & mask;
    return i;
}

/* Each step asks for the memory that the next one needs, for all queries, before any waits for it. */
static void find_some(const struct token_table *table, struct token_query *queries, size_t n)
{
    uint32_t hashes[N_AHEAD];
    size_t length;

    for (size_t i = 0; i < n; i++) {
        hashes[i] = (uint32_t)byte_hash(table->seed, queries[i].token, queries[i].length);
        __builtin_prefetch(&table->slots[hashes[i] & (table->n_slots - 1)]);
    }
    for (size_t i = 0; i < n; i++) {
        queries[i].entry = table->slots[first_slot(table, hashes[i])].entry - 1;
        if (queries[i].entry != TOKEN_NONE)
            __builtin_prefetch(&table->entries[queries[i].entry]);
    }
    for (size_t i = 0; i < n; i++)
        if (queries[i].entry != TOKEN_NONE)
            __builtin_prefetch(table->bytes + table->entries[queries[i].entry].start);
    for (size_t i = 0; i < n; i++) {
        struct token_query *query = &queries[i];
        const char *token =
            query->entry == TOKEN_NONE ? NULL : token_table_bytes(table, query->entry, &length);

        /* Another token may have this hash. */
        if (token && (length != query->length ||
                      (length && memcmp(token, query->token, length) != 0)))
            query->entry =
                find_slot(table, query->token, query->length, hashes[i])->entry - 1;
    }
}

void token_table_find(const struct token_table *table, struct token_query *queries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        queries[i].entry = TOKEN_NONE;
    for (size_t i = 0; table->n_slots && i < n; i += N_AHEAD)
        find_some(table, queries + i, n - i < N_AHEAD ? n - i : N_AHEAD);
}

/* The last entry with the id, by halving. */
static uint32_t find_sparse(const struct token_table *table, uint32_t id)
{
    size_t low = 0, high = table->n_by_id;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->entries[table->by_id[middle]].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || table->entries[table->by_id[low - 1]].id != id)
        return TOKEN_NONE;
    return table->by_id[low - 1];
}

const char *token_table_token(const struct token_table *table, uint32_t id, size_t *length)
{
    uint32_t entry;

    if (!table->is_dense)
        entry = find_sparse(table, id);
    else
        entry = id < table->n_by_id ? table->by_id[id] : TOKEN_NONE;
    return entry == TOKEN_NONE ? NULL : token_table_bytes(table, entry, length);
}
