#include "base/shares.h"

#include "test.h"

/* Whether the shares of n things follow one another and cover all of them. */
static bool cover(const size_t *sizes, size_t n, size_t n_shares)
{
    size_t next = 0;

    for (size_t i = 0; i < n_shares; i++) {
        struct share share = share_of(sizes, n, i, n_shares);

        if (share.begin != next || share.end < share.begin)
            return false;
        next = share.end;
    }
    return next == n;
}

static void shares_cover_all_things(void)
{
    static const size_t sizes[] = {7, 1, 30, 2, 2, 9, 1, 1, 1, 40, 3}, nothing[3];

    for (size_t n = 0; n <= 11; n++)
        for (size_t n_shares = 1; n_shares <= 14; n_shares++)
            CHECK(cover(sizes, n, n_shares));
    CHECK(cover(nothing, 3, 4));
}

static void shares_are_even_by_size(void)
{
    static const size_t even[] = {5, 5, 5, 5, 5, 5}, uneven[] = {30, 1, 1, 1, 1, 26};
    struct share share;

    for (size_t i = 0; i < 3; i++) {
        share = share_of(even, 6, i, 3);
        CHECK(share.begin == 2 * i && share.end == 2 * i + 2);
    }
    share = share_of(uneven, 6, 0, 2);
    CHECK(share.begin == 0 && share.end == 1);
}

static void some_have_nothing_where_things_are_few(void)
{
    static const size_t sizes[] = {4, 4, 4};
    size_t n_empty = 0;

    for (size_t i = 0; i < 4; i++) {
        struct share share = share_of(sizes, 3, i, 4);

        CHECK(share.end - share.begin <= 1);
        n_empty += share.begin == share.end;
    }
    CHECK(n_empty == 1);
}

TESTS(TEST(shares_cover_all_things), TEST(shares_are_even_by_size),
      TEST(some_have_nothing_where_things_are_few))
