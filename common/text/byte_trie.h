/* byte_trie.h - all tokens that a text begins with, found in one walk over its bytes.
 *
 * A double array: the child of node s by byte c is node base[s] ^ c, if that node says that s is
 * its parent. Where only one token is left, its remaining bytes are compared instead of becoming
 * nodes; so there are hardly more nodes than tokens, however long these are. */
#ifndef COCKTAIL_BYTE_TRIE_H
#define COCKTAIL_BYTE_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "text/token_table.h"

/* Longer tokens are refused: each position of a text may be compared with that many bytes. */
enum { BYTE_TRIE_LONGEST = 8192 };

struct byte_trie_node {
    uint32_t base;   /* with BYTE_TRIE_TAIL: the rest of `entry` begins so many bytes into it */
    uint32_t parent; /* TOKEN_NONE: not in use */
    uint32_t entry;  /* that ends here, or TOKEN_NONE */
};
#define BYTE_TRIE_TAIL 0x80000000u

struct byte_trie { /* a zeroed struct may be released, not searched */
    struct byte_trie_node *nodes;
    size_t n_nodes;
    const struct token_table *tokens; /* borrowed */
};

/* Of the tokens that begin with prefix[n_prefix] what stands behind it; empty ones are left out, of
 * equal ones the last is taken. `tokens` must stay where they are. ERROR_FORMAT when a token is too
 * long. */
int byte_trie_init(struct byte_trie *trie, const struct token_table *tokens, const char *prefix,
                   size_t n_prefix, struct error *err);
void byte_trie_release(struct byte_trie *trie);

struct byte_trie_walk { /* zeroed to begin */
    uint32_t node;
    size_t length; /* bytes of the token found */
};

/* The next longer token that text[n] begins with: its entry, or TOKEN_NONE when there is none. */
static inline uint32_t byte_trie_next(const struct byte_trie *trie, struct byte_trie_walk *walk,
                                      const char *text, size_t n)
{
    const struct byte_trie_node *nodes = trie->nodes;

    while (walk->length < n && !(nodes[walk->node].base & BYTE_TRIE_TAIL)) {
        uint32_t child = nodes[walk->node].base ^ (unsigned char)text[walk->length];

        if (nodes[child].parent != walk->node)
            return TOKEN_NONE;
        walk->node = child;
        walk->length++;
        if (nodes[child].base & BYTE_TRIE_TAIL) {
            size_t start = nodes[child].base ^ BYTE_TRIE_TAIL, length;
            const char *token = token_table_bytes(trie->tokens, nodes[child].entry, &length);

            length -= start;
            if (length > n - walk->length ||
                memcmp(token + start, text + walk->length, length) != 0)
                return TOKEN_NONE;
            walk->length += length;
            return nodes[child].entry;
        }
        if (nodes[child].entry != TOKEN_NONE)
            return nodes[child].entry;
    }
    return TOKEN_NONE;
}

#endif
