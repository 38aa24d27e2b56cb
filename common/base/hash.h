/* hash.h - from names to indices. Keys are borrowed: they must outlive the map. */
#ifndef COCKTAIL_HASH_H
#define COCKTAIL_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_entry {
    const char *key;
    size_t length, value;
};

struct hash_map { /* a zeroed struct is an empty map */
    struct hash_entry *slots;
    size_t n_slots, n_entries;
    uint64_t seed; /* random: names come from strangers, who could prepare collisions */
};

/* Adds key -> value unless the key is there. Returns the key's value in the map: a caller
 * that gets back another value than it gave knows that the key was there before. */
size_t hash_map_add(struct hash_map *map, const char *key, size_t length, size_t value);
/* The value, or NULL: absent is not an error. Valid until the next addition. */
size_t *hash_map_find(const struct hash_map *map, const char *key, size_t length);
void hash_map_release(struct hash_map *map);

#endif
