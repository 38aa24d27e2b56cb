/* token_table.h - a vocabulary: from the bytes of a token to its id and back.
 *
 * All tokens lie behind one another in one array of bytes; what finds them is 8 bytes a token for
 * either direction. Ids may have holes; nothing is ever sized by the largest id. */
#ifndef COCKTAIL_TOKEN_TABLE_H
#define COCKTAIL_TOKEN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_reader.h"

#define TOKEN_NONE UINT32_MAX
#define TOKEN_ID_MAX INT32_MAX

struct token_entry {
    uint32_t start; /* in bytes; the token ends one before the start of the next (a NUL) */
    uint32_t id;
};

struct token_slot {
    uint32_t hash;
    uint32_t entry; /* number of the entry + 1; 0: empty */
};

struct token_table { /* a zeroed struct is an empty vocabulary */
    char *bytes;
    size_t n_bytes, bytes_capacity;
    struct token_entry *entries; /* [n_entries + 1] */
    size_t n_entries, capacity;
    struct token_slot *slots;
    size_t n_slots;
    uint64_t seed;
    uint32_t *by_id; /* after token_table_seal: entries by id, or in the order of ids */
    size_t n_by_id;
    uint32_t max_id; /* 0 when empty */
    bool is_dense, has_shared_ids, has_empty_token, has_equal_tokens;
    size_t longest; /* bytes */
};

void token_table_release(struct token_table *table);

/* token -> id as in a JSON object: a token that is there already gets the new id. *entry (may be
 * NULL) is its number. ERROR_FORMAT for an id above TOKEN_ID_MAX. */
int token_table_put(struct token_table *table, const char *token, size_t length, size_t id,
                    uint32_t *entry, struct error *err);
/* The next of a list, its id being its number in it. Of equal tokens all keep their ids and the
 * last is found. */
int token_table_append(struct token_table *table, const char *token, size_t length,
                       struct error *err);
/* {"token": id, …}, the reader standing before it, in place of what the table holds. */
int token_table_read(struct token_table *table, struct json_reader *reader, struct error *err);
/* To be called once after the last token and before token_table_token. */
void token_table_seal(struct token_table *table);

/* The id, or TOKEN_NONE. */
uint32_t token_table_id(const struct token_table *table, const char *token, size_t length);
/* The same for many, which is faster than one after the other: a vocabulary does not fit into the
 * processor's caches. */
struct token_query {
    const char *token;
    size_t length;
    uint32_t entry; /* what is found: the number of an entry, or TOKEN_NONE */
};
void token_table_find(const struct token_table *table, struct token_query *queries, size_t n);
/* Borrowed and NUL-terminated; NULL when no token has the id. */
const char *token_table_token(const struct token_table *table, uint32_t id, size_t *length);

static inline const char *token_table_bytes(const struct token_table *table, uint32_t entry,
                                            size_t *length)
{
    const struct token_entry *found = &table->entries[entry];

    *length = found[1].start - found[0].start - 1;
    return table->bytes + found->start;
}

#endif
