#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "test.h"

static void gives_zeroed_aligned_memory_that_does_not_overlap(void)
{
    enum { N = 5000 };
    static unsigned char *places[N];
    struct arena arena = {0};
    size_t n_wrong = 0;

    for (size_t i = 0; i < N; i++) {
        size_t size = i * 37 % 300;

        places[i] = arena_alloc(&arena, size);
        n_wrong += (uintptr_t)places[i] % alignof(max_align_t) != 0;
        for (size_t k = 0; k < size; k++)
            n_wrong += places[i][k] != 0;
        memset(places[i], (int)(i % 251 + 1), size);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < i * 37 % 300; k++)
            n_wrong += places[i][k] != i % 251 + 1;
    CHECK(n_wrong == 0);
    arena_release(&arena);
}

static void one_piece_may_be_larger_than_a_block(void)
{
    struct arena arena = {0};
    char *small = arena_alloc(&arena, 10), *large = arena_alloc(&arena, 3000000), *last;

    memset(small, 1, 10);
    memset(large, 2, 3000000);
    last = arena_alloc(&arena, 10);
    CHECK(small[9] == 1 && large[2999999] == 2 && last[0] == 0);
    arena_release(&arena);
}

/* Its end is not aligned: the next piece begins in a block of its own, not behind that end. */
static void a_full_block_has_no_room_behind_its_end(void)
{
    enum { SIZE = 70001 };
    struct arena arena = {0};
    char *full = arena_alloc(&arena, SIZE), *next = arena_alloc(&arena, 8);
    struct arena_block *block = arena.blocks;

    CHECK(next < full || next >= full + SIZE + alignof(max_align_t));
    CHECK(arena_alloc(&arena, 8) == next + alignof(max_align_t) && arena.blocks == block);
    arena_release(&arena);
}

static void a_copy_gets_a_nul(void)
{
    struct arena arena = {0};

    CHECK(strcmp(arena_copy(&arena, "abcdef", 3), "abc") == 0);
    CHECK(strcmp(arena_copy(&arena, "", 0), "") == 0);
    CHECK(memcmp(arena_copy(&arena, "a\0b", 3), "a\0b", 4) == 0);
    arena_release(&arena);
    CHECK(!arena.blocks && arena.used == 0);
    arena_release(&arena);
}

TESTS(TEST(gives_zeroed_aligned_memory_that_does_not_overlap),
      TEST(one_piece_may_be_larger_than_a_block), TEST(a_full_block_has_no_room_behind_its_end),
      TEST(a_copy_gets_a_nul))
