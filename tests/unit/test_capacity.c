#include "model/capacity.h"

#include <string.h>

#include "test.h"

static void it_is_an_even_share_of_the_choices(void)
{
    struct moe_spec moe = {.n_experts = 6, .n_chosen = 2, .capacity_factor = 2,
                           .min_capacity = 4};

    CHECK(capacity_is_limited(&moe));
    CHECK(capacity_for(&moe, 1) == 4 && capacity_for(&moe, 7) == 4);
    CHECK(capacity_for(&moe, 8) == 6); /* 5 1/3 */
    CHECK(capacity_for(&moe, 9) == 6);
    CHECK(capacity_for(&moe, 11) == 8); /* 7 1/3 */
    CHECK(capacity_for(&moe, 24) == 16);
    moe.min_capacity = 0;
    CHECK(capacity_for(&moe, 1) == 0 && capacity_for(&moe, 2) == 2);
    moe.capacity_factor = 1e15;
    CHECK(capacity_for(&moe, 1000) == 1000);
}

static void it_may_be_a_number_of_tokens(void)
{
    struct moe_spec moe = {.n_experts = 4, .n_chosen = 1, .capacity = 3};

    CHECK(capacity_is_limited(&moe));
    CHECK(capacity_for(&moe, 1) == 3 && capacity_for(&moe, 1000) == 3);
    moe.capacity = 0;
    CHECK(!capacity_is_limited(&moe));
}

static void drop(const struct moe_spec *moe, const uint32_t *experts, size_t n_tokens,
                 const char *expected)
{
    char text[32] = "";
    float weights[16];
    size_t counts[4];

    for (size_t i = 0; i < 16; i++)
        weights[i] = 0.5f;
    capacity_drop(moe, experts, n_tokens, counts, weights);
    for (size_t i = 0; i < n_tokens * moe->n_chosen; i++)
        strcat(text, weights[i] == 0 ? "-" : weights[i] == 0.5f ? "+" : "?");
    CHECK(strcmp(text, expected) == 0);
}

static void later_tokens_find_an_expert_full(void)
{
    static const uint32_t experts[] = {2, 2, 1, 2, 2, 1};
    struct moe_spec moe = {.n_experts = 4, .n_chosen = 1, .capacity = 2};

    drop(&moe, experts, 6, "+++--+");
}

/* Expert 0 has two places: the first choices of tokens 1 and 2 take them, though token 0 comes
 * before; expert 1 has one left for the second choices, and token 1 is nearer to it than 2. */
static void second_choices_queue_behind_all_first_ones(void)
{
    static const uint32_t experts[] = {1, 0, 0, 1, 0, 1};
    struct moe_spec moe = {.n_experts = 4, .n_chosen = 2, .capacity = 2};

    drop(&moe, experts, 3, "+-+++-");
}

/* Three first choices of an expert with two places: nothing is left for a second one. */
static void who_found_no_place_frees_none(void)
{
    static const uint32_t experts[] = {3, 1, 3, 1, 3, 2, 2, 3};
    struct moe_spec moe = {.n_experts = 4, .n_chosen = 2, .capacity = 2};

    drop(&moe, experts, 4, "++++-++-");
}

TESTS(TEST(it_is_an_even_share_of_the_choices), TEST(it_may_be_a_number_of_tokens),
      TEST(later_tokens_find_an_expert_full), TEST(second_choices_queue_behind_all_first_ones),
      TEST(who_found_no_place_frees_none))
