#include "model/wanted.h"

#include "test.h"

enum { N = 2, N_TOKENS = 9 };

/* Sequences of 3, 0, 2 and 4 tokens, of which some, none, all and the last are wanted. */
static void rows_come_together_and_go_back(void)
{
    static const size_t ends[] = {3, 3, 5, 9};
    static const struct batch_rows wanted[] = {{1, 3}, {0, 0}, {0, 2}, {3, 4}};
    static const size_t places[] = {1, 2, 3, 4, 8};
    const struct batch batch = {.ends = ends, .n_sequences = 4, .wanted = wanted};
    float rows[N_TOKENS][N];

    for (size_t i = 0; i < N_TOKENS; i++)
        rows[i][0] = (float)i, rows[i][1] = -(float)i;
    CHECK(wanted_gather(&batch, N, rows[0]) == 5);
    for (size_t i = 0; i < 5; i++)
        CHECK(rows[i][0] == (float)places[i] && rows[i][1] == -(float)places[i]);
    wanted_scatter(&batch, N, rows[0]);
    for (size_t i = 0; i < 5; i++)
        CHECK(rows[places[i]][0] == (float)places[i] && rows[places[i]][1] == -(float)places[i]);
}

static void nothing_may_be_wanted(void)
{
    static const size_t ends[] = {2, 3};
    static const struct batch_rows wanted[] = {{2, 2}, {0, 0}};
    const struct batch batch = {.ends = ends, .n_sequences = 2, .wanted = wanted};
    float rows[3][N] = {{0}};

    CHECK(wanted_gather(&batch, N, rows[0]) == 0);
    wanted_scatter(&batch, N, rows[0]);
}

TESTS(TEST(rows_come_together_and_go_back), TEST(nothing_may_be_wanted))
