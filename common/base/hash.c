#include "hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t seed, const char *key, size_t length)
{
    uint64_t hash = seed ^ (length * 0x9e3779b97f4a7c15u), word;

    for (; length >= 8; key += 8, length -= 8) {
        memcpy(&word, key, 8);
        hash = mix(hash ^ word, 0xd6e8feb86659fd93u);
    }
    word = 0;
    memcpy(&word, key, length);
    return mix(hash ^ word ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
}

static struct hash_entry *find_slot(const struct hash_map *map, const char *key, size_t length)
{
    size_t mask = map->n_slots - 1;
    size_t i = hash_bytes(map->seed, key, length) & mask;

    while (map->slots[i].key &&
           (map->slots[i].length != length || memcmp(map->slots[i].key, key, length) != 0))
        i = (i + 1) & mask;
    return &map->slots[i];
}

static void grow(struct hash_map *map)
{
    struct hash_map larger = {.n_slots = map->n_slots ? 2 * map->n_slots : 64,
                              .n_entries = map->n_entries,
                              .seed = map->seed};

    if (!larger.seed && getrandom(&larger.seed, sizeof larger.seed, GRND_NONBLOCK) < 0)
        larger.seed = (uintptr_t)map;
    larger.slots = memory_zalloc(larger.n_slots, sizeof *larger.slots);
    for (size_t i = 0; i < map->n_slots; i++)
        if (map->slots[i].key)
            *find_slot(&larger, map->slots[i].key, map->slots[i].length) = map->slots[i];
    free(map->slots);
    *map = larger;
}

size_t hash_map_add(struct hash_map *map, const char *key, size_t length, size_t value)
{
    struct hash_entry *slot;

    if (2 * (map->n_entries + 1) > map->n_slots)
        grow(map);
    slot = find_slot(map, key, length);
    if (!slot->key) {
        *slot = (struct hash_entry){key, length, value};
        map->n_entries++;
    }
    return slot->value;
}

size_t *hash_map_find(const struct hash_map *map, const char *key, size_t length)
{
    struct hash_entry *slot = map->n_slots ? find_slot(map, key, length) : NULL;

    return slot && slot->key ? &slot->value : NULL;
}

void hash_map_release(struct hash_map *map)
{
    free(map->slots);
    *map = (struct hash_map){0};
}
