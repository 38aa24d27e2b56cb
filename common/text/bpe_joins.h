/* bpe_joins.h - where a merge may reach across: elsewhere a word can be cut before it is merged.
 *
 * A merge across the boundary between two characters makes a token in which they are neighbours, or
 * one that begins or ends inside of one of them. Where there is no such token, what stands on one
 * side cannot influence the other. The pairs are kept as hashes: the set may hold two that never
 * join, and lacks none that do. */
#ifndef COCKTAIL_BPE_JOINS_H
#define COCKTAIL_BPE_JOINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/utf8.h"
#include "text/token_table.h"

struct bpe_joins {
    uint64_t *bits; /* of pairs */
    unsigned shift;
    /* By the low 12 bits of a code point: it stands before the first part of a character at the end
     * of a token, or behind the last part of one at the beginning. */
    uint64_t before_part[64], behind_part[64];
    uint64_t part_leads[4]; /* first bytes of characters of which a token has parts of two alone */
    bool of_bytes;
};

/* Of the tokens with is_used[id], or of all when that is NULL. of_bytes: they are spelled in display
 * characters, and words are raw bytes. Then ASCII characters beside one another are left out: they
 * are taken for joined. */
struct bpe_joins *bpe_joins_new(const struct token_table *tokens, const bool *is_used,
                                bool of_bytes);
void bpe_joins_free(struct bpe_joins *joins);

static inline bool bpe_joins_has(const struct bpe_joins *joins, uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    size_t bit = (hash ^ hash << 31) * 0xd6e8feb86659fd93u >> joins->shift;

    return joins->bits[bit / 64] >> bit % 64 & 1;
}

/* Whether a token has a part of one of two characters beside the other, or parts of both. The right
 * one begins at right[0]; it has n_right bytes, the left one n_left; both are well-formed. */
bool bpe_joins_has_parts(const struct bpe_joins *joins, const char *right, size_t n_left,
                         uint32_t left_code_point, size_t n_right, uint32_t right_code_point);

/* Whether a merge may reach across the boundary between the two. */
static inline bool bpe_joins_may(const struct bpe_joins *joins, const char *right, size_t n_left,
                                 uint32_t left_code_point, size_t n_right,
                                 uint32_t right_code_point)
{
    unsigned lead = (unsigned char)right[0];

    if (bpe_joins_has(joins, left_code_point, right_code_point))
        return true;
    return ((joins->before_part[left_code_point / 64 % 64] >> left_code_point % 64 |
             joins->behind_part[right_code_point / 64 % 64] >> right_code_point % 64 |
             joins->part_leads[lead / 64] >> lead % 64) & 1) &&
           bpe_joins_has_parts(joins, right, n_left, left_code_point, n_right, right_code_point);
}

#endif
