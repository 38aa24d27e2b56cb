#include "base/hash.h"

#include "test.h"

enum { N_KEYS = 20000 };

static void an_empty_map_finds_nothing(void)
{
    struct hash_map map = {0};

    CHECK(!hash_map_find(&map, "a", 1));
    CHECK(!hash_map_find(&map, "", 0));
    hash_map_release(&map);
}

static void every_key_keeps_its_value_while_the_map_grows(void)
{
    static char keys[N_KEYS][16];
    struct hash_map map = {0};
    size_t n_wrong = 0;

    for (size_t i = 0; i < N_KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "layers.%zu", i);
        n_wrong += hash_map_add(&map, keys[i], strlen(keys[i]), i) != i;
    }
    CHECK(map.n_entries == N_KEYS);
    for (size_t i = 0; i < N_KEYS; i++) {
        char copy[16];
        const size_t *value;

        memcpy(copy, keys[i], sizeof copy);
        value = hash_map_find(&map, copy, strlen(copy));
        n_wrong += !value || *value != i;
    }
    CHECK(n_wrong == 0);
    CHECK(!hash_map_find(&map, "layers.20000", 12));
    hash_map_release(&map);
}

static void the_first_value_of_a_key_stays_and_is_told(void)
{
    struct hash_map map = {0};

    CHECK(hash_map_add(&map, "key", 3, 7) == 7);
    CHECK(hash_map_add(&map, "key", 3, 8) == 7);
    CHECK(map.n_entries == 1);
    CHECK(*hash_map_find(&map, "key", 3) == 7);
    *hash_map_find(&map, "key", 3) = 9;
    CHECK(*hash_map_find(&map, "key", 3) == 9);
    hash_map_release(&map);
}

static void keys_are_bytes_with_a_length(void)
{
    /* Prefixes of each other, NULs in them, and every length around a word of eight bytes. */
    static const char text[] = "abcdefgh\0\0\0\0\0\0\0\0\0\0\0\0zzzz";
    struct hash_map map = {0};

    for (size_t length = 0; length < sizeof text; length++)
        CHECK(hash_map_add(&map, text, length, length) == length);
    for (size_t length = 0; length < sizeof text; length++) {
        const size_t *value = hash_map_find(&map, text, length);

        CHECK(value && *value == length);
    }
    CHECK(map.n_entries == sizeof text);
    hash_map_release(&map);
}

static void a_released_map_is_empty_again(void)
{
    struct hash_map map = {0};

    hash_map_add(&map, "a", 1, 1);
    hash_map_release(&map);
    CHECK(!hash_map_find(&map, "a", 1));
    CHECK(map.n_entries == 0 && !map.slots);
    CHECK(hash_map_add(&map, "a", 1, 2) == 2);
    hash_map_release(&map);
    hash_map_release(&map);
}

TESTS(TEST(an_empty_map_finds_nothing), TEST(every_key_keeps_its_value_while_the_map_grows),
      TEST(the_first_value_of_a_key_stays_and_is_told), TEST(keys_are_bytes_with_a_length),
      TEST(a_released_map_is_empty_again))
