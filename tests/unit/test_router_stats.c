/* Statistics of hand-made routings, computed by hand. Probabilities are halves, quarters and
 * eighths, so that entropies are whole bits. */
#include "eval/router_stats.h"

#include <math.h>

#include "test.h"

enum { E = 4, K = 2, N_TOKENS = 4 };

static const struct moe_spec spec = {.n_experts = E, .n_chosen = K, .router = ROUTER_TOP_P_SUM_1,
                                     .routed_scaling_factor = 1};

static bool is_near(double a, double b)
{
    if (fabs(a - b) <= 1e-6 * fmax(1, fabs(b)))
        return true;
    printf("# %.9g, expected %.9g\n", a, b);
    return false;
}

/* Logits whose softmax is p, and their logarithm of the sum of exponentials 2. */
static void find_logits(const double *p, size_t n, float *logits)
{
    for (size_t i = 0; i < n; i++)
        logits[i] = (float)(log(p[i]) + 2);
}

static const double p[N_TOKENS * E] = {
    .5, .25, .125, .125, .25, .5, .125, .125, .125, .125, .25, .5, .5, .125, .25, .125,
};
static const uint32_t experts[N_TOKENS * K] = {0, 1, 1, 0, 3, 2, 0, 2};
static const float weights[N_TOKENS * K] = {.5f, .25f, .5f, .25f, .5f, 0, .5f, .25f};
static const size_t ends[] = {3, 4};
static const struct batch texts = {.ends = ends, .n_sequences = 2};

/* The four tokens above, in two texts, and the choices of a router before this one. */
static void add_texts(struct router_tally *tally)
{
    static const uint32_t above[] = {0, 2, 1, 0, 3, 2, 1, 3};
    float logits[N_TOKENS * E];
    struct routing routing = {.spec = &spec, .batch = &texts, .logits = logits,
                              .experts = experts, .weights = weights};
    struct error err = {0};

    find_logits(p, N_TOKENS * E, logits);
    CHECK(router_tally_init(tally, &spec, &err) == 0);
    router_tally_add(tally, &routing, above);
}

static void loads_count_choices(void)
{
    const double bits = log(2), entropy = 3. / 8 * log(8. / 3) + (1 + 3. / 8) * bits;
    struct router_tally tally;
    struct router_stats stats;

    add_texts(&tally);
    router_stats_find(&stats, &tally, NULL);
    CHECK(tally.n_tokens == N_TOKENS);
    CHECK(router_load(&tally, 0) == 3. / 8 && router_load(&tally, 3) == 1. / 8);
    CHECK(stats.load_min == 1. / 8 && stats.load_max == 3. / 8 && stats.n_unused == 0);
    CHECK(is_near(stats.cv, sqrt(2) / 4));
    CHECK(is_near(stats.max_violation, .5));
    CHECK(is_near(stats.load_entropy, entropy / (2 * bits)));
    CHECK(is_near(stats.effective_experts, exp(entropy)));
    CHECK(stats.busiest_quarter == 3. / 8 && stats.busiest_half == 5. / 8);
    CHECK(is_near(stats.aux_loss, 1.0625));
    router_tally_release(&tally);
}

/* A quarter of six experts is two, half of them three; of five, two and three. */
static void parts_of_experts_are_rounded_up(void)
{
    static const size_t chosen[][6] = {{1, 4, 0, 2, 1, 2}, {3, 1, 1, 4, 1}};
    static const double quarter[] = {6. / 10, 7. / 10}, half[] = {8. / 10, 8. / 10};

    for (size_t i = 0; i < 2; i++) {
        size_t n = 6 - i;
        const struct moe_spec several = {.n_experts = n, .n_chosen = 1, .router = ROUTER_TOP_P};
        struct router_tally tally;
        struct router_stats stats;
        struct error err = {0};

        CHECK(router_tally_init(&tally, &several, &err) == 0);
        tally.n_tokens = 10;
        for (size_t e = 0; e < n; e++)
            tally.together[e * n + e] = chosen[i][e];
        router_stats_find(&stats, &tally, NULL);
        CHECK(is_near(stats.busiest_quarter, quarter[i]) && is_near(stats.busiest_half, half[i]));
        router_tally_release(&tally);
    }
}

static void pairs_are_counted_both_ways(void)
{
    static const size_t together[E * E] = {3, 2, 1, 0, 2, 2, 0, 0, 1, 0, 2, 1, 0, 0, 1, 1};
    struct router_tally tally;

    add_texts(&tally);
    CHECK(memcmp(tally.together, together, sizeof together) == 0);
    router_tally_release(&tally);
}

static void choices_are_judged_by_probabilities(void)
{
    const double bits = log(2);
    static const double mean_p[E] = {.34375, .25, .1875, .21875};
    struct router_tally tally;
    struct router_stats stats;
    double entropy = 0, squares = 0;

    add_texts(&tally);
    router_stats_find(&stats, &tally, (const double[]){3, 1, 2, 2});
    for (size_t e = 0; e < E; e++) {
        entropy -= mean_p[e] * log(mean_p[e]);
        squares += (log(p[e]) + 2) * (log(p[e]) + 2) / E;
    }
    CHECK(is_near(stats.token_entropy, 1.75 / 2));
    CHECK(is_near(stats.mutual_information, entropy - 1.75 * bits));
    CHECK(is_near(stats.top_weight, .5));
    CHECK(is_near(stats.margin, .125));
    CHECK(is_near(stats.kept_mass, .75));
    CHECK(is_near(stats.z_loss, 4));
    CHECK(is_near(stats.logit_rms, sqrt(squares)));
    CHECK(stats.row_norm_min == 1 && stats.row_norm_max == 3);
    router_tally_release(&tally);
}

/* The first of the second text has nobody before it. */
static void what_goes_on_is_compared_within_a_text(void)
{
    struct router_tally tally;
    struct router_stats stats;

    add_texts(&tally);
    router_stats_find(&stats, &tally, NULL);
    CHECK(stats.dropped == 1. / 8);
    CHECK(stats.token_overlap == 2. / 4);
    CHECK(stats.layer_overlap == 5. / 8);
    router_tally_release(&tally);
}

/* Four tokens that all want the same two of four experts: 8 choices, an even share of 2. */
static void limits_are_those_of_a_text(void)
{
    static const uint32_t same[] = {0, 1, 1, 0, 0, 1, 0, 1};
    static const size_t one[] = {4}, four[] = {1, 2, 3, 4};
    struct batch batch = {.ends = one, .n_sequences = 1};
    const float logits[N_TOKENS * E] = {0};
    struct routing routing = {.spec = &spec, .batch = &batch, .logits = logits,
                              .experts = same, .weights = weights};
    struct router_tally tally;
    struct router_stats stats;
    struct error err = {0};

    CHECK(router_tally_init(&tally, &spec, &err) == 0);
    router_tally_add(&tally, &routing, NULL);
    router_stats_find(&stats, &tally, NULL);
    CHECK(stats.dropped_1 == 4. / 8);
    CHECK(stats.dropped_1_25 == 2. / 8); /* 2.5 is rounded up */
    CHECK(stats.dropped_2 == 0);
    CHECK(stats.n_unused == 2 && isnan(stats.layer_overlap));
    router_tally_release(&tally);

    batch = (struct batch){.ends = four, .n_sequences = 4};
    CHECK(router_tally_init(&tally, &spec, &err) == 0);
    router_tally_add(&tally, &routing, NULL);
    router_stats_find(&stats, &tally, NULL);
    CHECK(stats.dropped_1 == 0 && isnan(stats.token_overlap));
    router_tally_release(&tally);
}

static void sigmoids_are_divided_by_their_sum(void)
{
    static const double s[E] = {.8, .4, .4, .4};
    static const uint32_t chosen[K] = {1, 2}; /* as a bias would have it */
    static const size_t end = 1;
    const struct moe_spec sigmoid = {.n_experts = E, .n_chosen = K, .router = ROUTER_SIGMOID};
    const struct batch batch = {.ends = &end, .n_sequences = 1};
    float logits[E];
    struct routing routing = {.spec = &sigmoid, .batch = &batch, .logits = logits,
                              .experts = chosen, .weights = weights};
    struct router_tally tally;
    struct router_stats stats;
    struct error err = {0};

    for (size_t e = 0; e < E; e++)
        logits[e] = (float)log(s[e] / (1 - s[e]));
    CHECK(router_tally_init(&tally, &sigmoid, &err) == 0);
    router_tally_add(&tally, &routing, NULL);
    router_stats_find(&stats, &tally, NULL);
    CHECK(is_near(tally.mass[0], .4) && is_near(tally.mass[3], .2));
    CHECK(is_near(stats.kept_mass, .4));
    CHECK(is_near(stats.margin, 0));
    CHECK(is_near(stats.z_loss, log(4 + 3 * 2. / 3) * log(4 + 3 * 2. / 3)));
    router_tally_release(&tally);
}

static void extreme_logits_give_numbers(void)
{
    static const float logits[] = {3e38f, -3e38f, 0, 0, -200, -200, -200, 1e4f};
    static const size_t end = 2;
    const struct moe_spec specs[] = {
        spec, {.n_experts = E, .n_chosen = K, .router = ROUTER_SIGMOID},
    };
    const struct batch batch = {.ends = &end, .n_sequences = 1};
    struct error err = {0};

    for (size_t i = 0; i < 2; i++) {
        struct routing routing = {.spec = &specs[i], .batch = &batch, .logits = logits,
                                  .experts = experts, .weights = weights};
        struct router_tally tally;
        struct router_stats stats;
        struct router_agreement agreement = {0};

        CHECK(router_tally_init(&tally, &specs[i], &err) == 0);
        router_tally_add(&tally, &routing, NULL);
        router_stats_find(&stats, &tally, NULL);
        CHECK(isfinite(stats.token_entropy) && stats.token_entropy >= 0);
        CHECK(isfinite(stats.kept_mass) && isfinite(stats.aux_loss));
        CHECK(router_agreement_add(&agreement, &routing, &routing, &err) == 0);
        CHECK(agreement.divergence == 0 && agreement.jaccard == 2);
        router_tally_release(&tally);
    }
}

static void all_experts_chosen_leave_no_margin(void)
{
    const struct moe_spec all = {.n_experts = 2, .n_chosen = 2, .router = ROUTER_TOP_P};
    static const size_t end = 1;
    static const float logits[2] = {1, 0};
    const struct batch batch = {.ends = &end, .n_sequences = 1};
    struct routing routing = {.spec = &all, .batch = &batch, .logits = logits,
                              .experts = experts, .weights = weights};
    struct router_tally tally;
    struct router_stats stats;
    struct error err = {0};

    CHECK(router_tally_init(&tally, &all, &err) == 0);
    router_tally_add(&tally, &routing, NULL);
    router_stats_find(&stats, &tally, NULL);
    CHECK(isnan(stats.margin));
    CHECK(is_near(stats.kept_mass, 1));
    router_tally_release(&tally);
}

static void two_routers_are_compared_token_by_token(void)
{
    static const double other_p[2 * E] = {.25, .25, .25, .25, .25, .5, .125, .125};
    static const uint32_t other[2 * K] = {0, 2, 0, 1};
    static const size_t end = 2;
    const struct batch batch = {.ends = &end, .n_sequences = 1};
    float logits[2][2 * E];
    struct routing a = {.spec = &spec, .batch = &batch, .logits = logits[0], .experts = experts,
                        .weights = weights};
    struct routing b = {.spec = &spec, .batch = &batch, .logits = logits[1], .experts = other,
                        .weights = weights};
    struct router_tally first, second;
    struct router_agreement agreement = {0};
    struct router_stats stats;
    struct error err = {0};

    find_logits(p, 2 * E, logits[0]);
    find_logits(other_p, 2 * E, logits[1]);
    CHECK(router_tally_init(&first, &spec, &err) == 0);
    CHECK(router_tally_init(&second, &spec, &err) == 0);
    router_tally_add(&first, &a, NULL);
    router_tally_add(&second, &b, NULL);
    CHECK(router_agreement_add(&agreement, &a, &b, &err) == 0);
    router_stats_find(&stats, &second, NULL);
    CHECK(isnan(stats.jaccard));
    router_stats_compare(&stats, &agreement, &first, &second);
    CHECK(is_near(stats.jaccard, (1. / 3 + 1) / 2));
    CHECK(stats.same_first == .5);
    CHECK(is_near(stats.divergence, log(2) / 8));
    CHECK(stats.load_shift == .25);
    router_tally_release(&first);
    router_tally_release(&second);
}

/* So that ranks that read a text each get the sums that one gets. In the order of the tokens 1 would
 * swallow what is half a bit of it, twice. */
static void sums_are_those_of_texts(void)
{
    static const float halves[3 * K] = {1, 0, 0x1p-53f, 0, 0x1p-53f, 0};
    static const uint32_t chosen[3 * K] = {0, 1, 0, 1, 0, 1};
    static const float logits[3 * E];
    static const size_t alone[] = {1, 3}, together[] = {3};
    const struct batch batches[] = {{.ends = alone, .n_sequences = 2},
                                    {.ends = together, .n_sequences = 1}};
    static const double expected[] = {1 + 0x1p-52, 1};

    for (size_t i = 0; i < 2; i++) {
        const struct routing routing = {.spec = &spec, .batch = &batches[i], .logits = logits,
                                        .experts = chosen, .weights = halves};
        struct router_tally tally;
        struct error err = {0};

        CHECK(router_tally_init(&tally, &spec, &err) == 0);
        router_tally_add(&tally, &routing, NULL);
        CHECK(tally.top_weight == expected[i]);
        CHECK(tally.n_tokens == 3);
        router_tally_release(&tally);
    }
}

static void layers_are_summed_up(void)
{
    struct router_stats a, b, overall;

    for (const struct router_stat *row = router_stat_rows; row->name; row++) {
        *(double *)((char *)&a + row->offset) = 1;
        *(double *)((char *)&b + row->offset) = 3;
    }
    a.layer_overlap = NAN;
    a.jaccard = b.jaccard = NAN;
    router_stats_sum_up(&overall, (const struct router_stats *[]){&a, &b}, 2);
    CHECK(overall.cv == 2 && overall.n_unused == 4);
    CHECK(overall.load_min == 1 && overall.load_max == 3);
    CHECK(overall.row_norm_min == 1 && overall.row_norm_max == 3);
    CHECK(overall.layer_overlap == 3 && isnan(overall.jaccard));
}

TESTS(TEST(loads_count_choices), TEST(parts_of_experts_are_rounded_up),
      TEST(pairs_are_counted_both_ways),
      TEST(choices_are_judged_by_probabilities), TEST(what_goes_on_is_compared_within_a_text),
      TEST(limits_are_those_of_a_text), TEST(sigmoids_are_divided_by_their_sum),
      TEST(extreme_logits_give_numbers), TEST(all_experts_chosen_leave_no_margin),
      TEST(two_routers_are_compared_token_by_token), TEST(sums_are_those_of_texts),
      TEST(layers_are_summed_up))
