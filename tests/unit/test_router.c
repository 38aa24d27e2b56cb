#include "model/router.h"

#include <math.h>

#include "test.h"

enum { E = 6, K = 2 };

static bool is_near(float a, double b)
{
    return fabs((double)a - b) <= 1e-6 * fabs(b);
}

static float logit(double p)
{
    return (float)log(p / (1 - p));
}

/* Probabilities in groups of two: (.30 .05) (.28 .02) (.18 .17). */
static void a_group_counts_as_much_as_its_best_expert(void)
{
    static const double p[E] = {.30, .05, .28, .02, .18, .17};
    struct moe_spec moe = {.n_experts = E, .n_chosen = 3, .router = ROUTER_TOP_P, .n_groups = 3,
                           .n_kept_groups = 2, .routed_scaling_factor = 4};
    float logits[E], scratch[E + 3], weights[3];
    uint32_t experts[3];

    for (size_t e = 0; e < E; e++)
        logits[e] = (float)log(p[e]);
    CHECK(router_scratch(&moe) == E + 3);
    router_choose(&moe, NULL, logits, scratch, experts, weights);
    CHECK(experts[0] == 0 && experts[1] == 2 && experts[2] == 1);
    CHECK(is_near(weights[0], 4 * .30) && is_near(weights[1], 4 * .28));
    CHECK(is_near(weights[2], 4 * .05));
}

/* The sum decides, so the first group, with the best single expert, is left out; all scores are
 * below 0, and what is left out does not count as 0. */
static void with_sigmoids_a_group_counts_as_much_as_its_best_two(void)
{
    static const double s[E] = {.9, .1, .5, .6, .7, .2};
    static const float bias[E] = {-1, -1, -1, -1, -1, -1};
    struct moe_spec moe = {.n_experts = E, .n_chosen = K, .router = ROUTER_SIGMOID, .n_groups = 3,
                           .n_kept_groups = 1, .routed_scaling_factor = 1};
    float logits[E], scratch[E + 3], weights[K];
    uint32_t experts[K];

    for (size_t e = 0; e < E; e++)
        logits[e] = logit(s[e]);
    router_choose(&moe, bias, logits, scratch, experts, weights);
    CHECK(experts[0] == 3 && experts[1] == 2);
    CHECK(is_near(weights[0], .6) && is_near(weights[1], .5));
}

/* Of twelve in two groups the best three count: 2.2 against 2.4, though the first has the best two. */
static void a_group_counts_as_much_as_so_many_of_its_best(void)
{
    static const double s[2 * E] = {.99, .98, .23, .1, .1, .1, .8, .8, .8, .1, .1, .1};
    struct moe_spec moe = {.n_experts = 2 * E, .n_chosen = 3, .router = ROUTER_SIGMOID_SUM_1,
                           .n_groups = 2, .n_kept_groups = 1, .n_judging = 3,
                           .routed_scaling_factor = 1};
    float logits[2 * E], scratch[2 * E + 2], weights[3];
    uint32_t experts[3];

    for (size_t e = 0; e < 2 * E; e++)
        logits[e] = logit(s[e]);
    router_choose(&moe, NULL, logits, scratch, experts, weights);
    CHECK(experts[0] == 6 && experts[1] == 7 && experts[2] == 8);
    CHECK(is_near(weights[0], 1. / 3) && is_near(weights[2], 1. / 3));
}

/* log(1 + exp(x)) is x far above 0 and exp(x) far below. */
static void a_square_root_of_softplus_neither_overflows_nor_vanishes(void)
{
    struct moe_spec moe = {.n_experts = 4, .n_chosen = 4, .router = ROUTER_SQRT_SOFTPLUS,
                           .routed_scaling_factor = 1};
    float logits[4] = {-60, 100, 0, 2}, scratch[4], weights[4];
    uint32_t experts[4];

    router_choose(&moe, NULL, logits, scratch, experts, weights);
    CHECK(experts[0] == 1 && experts[1] == 3 && experts[2] == 2 && experts[3] == 0);
    CHECK(is_near(weights[0], 10) && is_near(weights[1], sqrt(log1p(exp(2)))));
    CHECK(is_near(weights[2], sqrt(log(2))) && is_near(weights[3], exp(-30)));
}

static void a_bias_changes_the_choice_but_not_the_weight(void)
{
    static const double s[E] = {.9, .1, .5, .6, .7, .2};
    static const float bias[E] = {0, 1, 0, 0, 0, 0};
    struct moe_spec moe = {.n_experts = E, .n_chosen = K, .router = ROUTER_SIGMOID_SUM_1,
                           .routed_scaling_factor = 2.5};
    float logits[E], scratch[E], weights[K];
    uint32_t experts[K];

    for (size_t e = 0; e < E; e++)
        logits[e] = logit(s[e]);
    router_choose(&moe, bias, logits, scratch, experts, weights);
    CHECK(experts[0] == 1 && experts[1] == 0);
    CHECK(is_near(weights[0], 2.5 * .1) && is_near(weights[1], 2.5 * .9));
}

static void of_equals_the_first_are_taken(void)
{
    struct moe_spec moe = {.n_experts = E, .n_chosen = K, .router = ROUTER_TOP_P, .n_groups = 3,
                           .n_kept_groups = 1, .routed_scaling_factor = 1};
    float logits[E] = {0}, scratch[E + 3], weights[K];
    uint32_t experts[K];

    router_choose(&moe, NULL, logits, scratch, experts, weights);
    CHECK(experts[0] == 0 && experts[1] == 1);
}

/* However good the second expert of a later one is: no more groups are kept than should be. */
static void of_equal_groups_the_first_are_kept(void)
{
    static const double p[E] = {.30, .05, .30, .20, .10, .05};
    struct moe_spec moe = {.n_experts = E, .n_chosen = K, .router = ROUTER_TOP_P, .n_groups = 3,
                           .n_kept_groups = 1, .routed_scaling_factor = 1};
    float logits[E], scratch[E + 3], weights[K];
    uint32_t experts[K];

    for (size_t e = 0; e < E; e++)
        logits[e] = (float)log(p[e]);
    router_choose(&moe, NULL, logits, scratch, experts, weights);
    CHECK(experts[0] == 0 && experts[1] == 1);
}

/* Room is for each expert once: of NaN, too. */
static void no_expert_is_chosen_twice(void)
{
    static const enum router_kind routers[] = {ROUTER_TOP_P, ROUTER_TOP_LOGITS, ROUTER_SIGMOID,
                                               ROUTER_SPARSEMIXER};

    for (size_t r = 0; r < sizeof routers / sizeof *routers; r++)
        for (size_t n_numbers = 0; n_numbers <= E; n_numbers++) {
            size_t k = routers[r] == ROUTER_SPARSEMIXER ? 2 : E;
            struct moe_spec moe = {.n_experts = E, .n_chosen = k, .router = routers[r],
                                   .jitter = 0.01f, .routed_scaling_factor = 1};
            float logits[E], weights[E];
            uint32_t experts[E];
            unsigned seen = 0;

            for (size_t e = 0; e < E; e++)
                logits[e] = e < n_numbers ? (float)e : NAN;
            router_choose(&moe, NULL, logits, NULL, experts, weights);
            for (size_t i = 0; i < k; i++) {
                CHECK(experts[i] < E && !(seen & 1u << experts[i]));
                seen |= 1u << experts[i];
            }
        }
}

TESTS(TEST(a_group_counts_as_much_as_its_best_expert),
      TEST(with_sigmoids_a_group_counts_as_much_as_its_best_two),
      TEST(a_group_counts_as_much_as_so_many_of_its_best),
      TEST(a_square_root_of_softplus_neither_overflows_nor_vanishes),
      TEST(a_bias_changes_the_choice_but_not_the_weight), TEST(of_equals_the_first_are_taken),
      TEST(of_equal_groups_the_first_are_kept), TEST(no_expert_is_chosen_twice))
