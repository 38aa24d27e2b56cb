/* test_sampler.c - tokens drawn with the probabilities of transformers. */
#include "model/sampler.h"

#include <math.h>

#include "test.h"

enum { N = 10, N_DRAWS = 200000 };

static double scratch[N * 4];

static const float logits[N] = {1.5, -0.5, 3.0, 0.25, 3.0, -2.0, 2.0, 0.25, -7.0, 2.5};

static void probabilities_are_those_of_transformers(void)
{
    /* for T, K, P: s = logits.double()[None]; TemperatureLogitsWarper(T), TopKLogitsWarper(K),
     * TopPLogitsWarper(P), then s.softmax(-1); transformers 5.23. */
    static const struct {
        double temperature;
        size_t top_k;
        double top_p, expected[N];
    } table[] = {
        {1, 0, 1,
         {0.066361, 0.008981, 0.297409, 0.019013, 0.297409, 0.002004, 0.109411, 0.019013, 0.000014,
          0.180387}},
        {0.7, 0, 1,
         {0.040547, 0.002329, 0.345616, 0.006799, 0.345616, 0.000273, 0.082827, 0.006799, 0,
          0.169193}},
        {1, 4, 1, {0, 0, 0.336201, 0, 0.336201, 0, 0.123681, 0, 0, 0.203916}},
        /* two are equal to the seventh, and both stay */
        {1, 7, 1,
         {0.067099, 0, 0.300716, 0.019224, 0.300716, 0, 0.110627, 0.019224, 0, 0.182394}},
        {1, 0, 0.5, {0, 0, 0.5, 0, 0.5, 0, 0, 0, 0, 0}},
        {1, 0, 0.9, {0.069782, 0, 0.312740, 0, 0.312740, 0, 0.115051, 0, 0, 0.189687}},
        {0.5, 0, 0.95, {0, 0, 0.399486, 0, 0.399486, 0, 0.054065, 0, 0, 0.146963}},
        {1.5, 5, 0.8, {0, 0, 0.309602, 0, 0.309602, 0, 0.158955, 0, 0, 0.221840}},
        {2, 1, 1, {0, 0, 0.5, 0, 0.5, 0, 0, 0, 0, 0}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sampling sampling = {table[i].temperature, table[i].top_k, table[i].top_p, 7 + i};
        struct sampler sampler;
        struct error err = {0};
        size_t counts[N] = {0};

        sampler_init(&sampler, &sampling, N);
        CHECK(sampler_scratch_bytes(&sampler) <= sizeof scratch);
        for (size_t k = 0; k < N_DRAWS; k++) {
            uint32_t id = N;

            CHECK(sampler_pick(&sampler, logits, scratch, &id, &err) == 0 && id < N);
            counts[id < N ? id : 0]++;
        }
        for (size_t id = 0; id < N; id++) {
            double p = table[i].expected[id], share = (double)counts[id] / N_DRAWS;

            /* Five standard deviations, and the sixth digit of the table; 0 is never drawn where
             * K or P forbids it. */
            CHECK(fabs(share - p) <= 5 * sqrt(p * (1 - p) / N_DRAWS) + 1e-6);
        }
    }
}

static void temperature_0_takes_the_largest_and_of_equal_ones_the_first(void)
{
    struct sampling sampling = {0, 0, 1, 1};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, N);
    CHECK(sampler_pick(&sampler, logits, scratch, &id, &err) == 0 && id == 2);
}

static void one_token_is_left_however_small_p_is(void)
{
    struct sampling sampling = {1, 0, 1e-300, 1};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, N);
    for (size_t i = 0; i < 100; i++)
        CHECK(sampler_pick(&sampler, logits, scratch, &id, &err) == 0 && id == 2);
}

static void a_seed_is_a_sequence(void)
{
    struct sampling sampling = {1, 0, 1, 3};
    struct sampler a, b, c;
    struct error err = {0};
    size_t n_unlike = 0;

    sampler_init(&a, &sampling, N);
    sampler_init(&b, &sampling, N);
    sampling.seed = 4;
    sampler_init(&c, &sampling, N);
    for (size_t i = 0; i < 100; i++) {
        uint32_t x = 0, y = 0, z = 0;

        CHECK(sampler_pick(&a, logits, scratch, &x, &err) == 0);
        CHECK(sampler_pick(&b, logits, scratch, &y, &err) == 0);
        CHECK(sampler_pick(&c, logits, scratch, &z, &err) == 0);
        CHECK(x == y);
        n_unlike += x != z;
    }
    CHECK(n_unlike > 10);
}

static void what_is_no_number_is_refused(void)
{
    static const float bad[][3] = {
        {1, NAN, 2}, {1, INFINITY, 2}, {-INFINITY, -INFINITY, -INFINITY}};

    for (size_t i = 0; i < 3; i++)
        for (size_t temperature = 0; temperature < 2; temperature++) {
            struct sampling sampling = {(double)temperature, 0, 1, 1};
            struct sampler sampler;
            struct error err = {0};
            uint32_t id;

            sampler_init(&sampler, &sampling, 3);
            CHECK(sampler_pick(&sampler, bad[i], scratch, &id, &err) == -1);
            CHECK(err.code == ERROR_INCOMPATIBLE);
        }
}

static void minus_infinity_is_never_drawn(void)
{
    static const float masked[4] = {-INFINITY, 1, -INFINITY, 0};
    struct sampling sampling = {1, 0, 1, 1};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, 4);
    for (size_t i = 0; i < 1000; i++)
        CHECK(sampler_pick(&sampler, masked, scratch, &id, &err) == 0 && id % 2 == 1);
}

/* Four of one probability, and three of them have the whole share: the fourth is left out, as in
 * transformers, which takes away all that have no more than 1 - P together. */
static void what_is_left_over_exactly_is_left_out(void)
{
    static const float equal[4] = {2, 2, 2, 2};
    struct sampling sampling = {1, 0, 0.75, 5};
    struct sampler sampler;
    struct error err = {0};
    size_t counts[4] = {0};

    sampler_init(&sampler, &sampling, 4);
    for (size_t k = 0; k < 1000; k++) {
        uint32_t id = 0;

        CHECK(sampler_pick(&sampler, equal, scratch, &id, &err) == 0 && id < 4);
        counts[id % 4]++;
    }
    CHECK(counts[0] > 200 && counts[1] > 200 && counts[2] > 200 && counts[3] == 0);
}

TESTS(TEST(probabilities_are_those_of_transformers),
      TEST(temperature_0_takes_the_largest_and_of_equal_ones_the_first),
      TEST(one_token_is_left_however_small_p_is), TEST(a_seed_is_a_sequence),
      TEST(what_is_no_number_is_refused), TEST(minus_infinity_is_never_drawn),
      TEST(what_is_left_over_exactly_is_left_out))
