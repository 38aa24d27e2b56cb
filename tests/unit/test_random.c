#include "math/random.h"

#include <math.h>

#include "test.h"

/* The first outputs of splitmix64 from seed 0, published with the algorithm's ports (Java's
 * SplittableRandom, Rosetta Code): they become the state. */
static void the_seed_passes_through_splitmix64(void)
{
    struct random random;

    random_init(&random, 0);
    CHECK(random.state[0] == 0xE220A8397B1DCDAF);
    CHECK(random.state[1] == 0x6E789E6AA1B965F4);
    CHECK(random.state[2] == 0x06C45D188009454F);
    CHECK(random.state[3] == 0xF88BB8A8724C81EC);
}

/* From the state {1, 2, 3, 4}: the values with which ports of xoshiro256** are tested (Rust's
 * rand_xoshiro, from the authors' C). */
static void numbers_are_those_of_xoshiro256_starstar(void)
{
    static const uint64_t expected[] = {
        11520,
        0,
        1509978240,
        1215971899390074240,
        1216172134540287360,
        607988272756665600,
        16172922978634559625u,
        8476171486693032832,
        10595114339597558777u,
        2904607092377533576,
    };
    struct random random = {{1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        CHECK(random_next(&random) == expected[i]);
}

static void uniform_numbers_have_53_bits(void)
{
    struct random random = {{1, 2, 3, 4}}, same = random;

    for (size_t i = 0; i < 100; i++) {
        double x = random_uniform(&random) * 0x1p53;

        CHECK(x == (double)(uint64_t)x && (uint64_t)x == random_next(&same) >> 11);
    }
}

static void uniform_numbers_fill_the_interval_evenly(void)
{
    enum { N = 100000, N_BINS = 10 };
    size_t counts[N_BINS] = {0};
    struct random random;
    bool is_inside = true;

    random_init(&random, 7);
    for (size_t i = 0; i < N; i++) {
        double x = random_uniform(&random);

        if (x >= 0 && x < 1)
            counts[(size_t)(x * N_BINS)]++;
        else
            is_inside = false;
    }
    CHECK(is_inside);
    /* Five standard deviations of a count: sqrt(N * 0.1 * 0.9) = 95. */
    for (size_t i = 0; i < N_BINS; i++)
        CHECK(counts[i] > N / N_BINS - 475 && counts[i] < N / N_BINS + 475);
}

static void numbers_below_n_are_equally_likely(void)
{
    static const size_t limits[] = {1, 2, 3, 7, 10};
    enum { N = 70000 };
    struct random random;

    random_init(&random, 3);
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        size_t counts[10] = {0}, mean = N / limits[l];

        for (size_t i = 0; i < N; i++) {
            size_t x = random_below(&random, limits[l]);

            CHECK(x < limits[l]);
            counts[x % 10]++;
        }
        /* More than five standard deviations: sqrt(N) is above each. */
        for (size_t i = 0; i < limits[l]; i++)
            CHECK(counts[i] + 1323 > mean && counts[i] < mean + 1323);
    }
    /* Two thirds of 2^64: without drawing again, the lower half would come twice as often. */
    size_t n_low = 0, limit = SIZE_MAX / 3 * 2;

    for (size_t i = 0; i < N; i++)
        n_low += random_below(&random, limit) < limit / 2;
    CHECK(n_low > N / 2 - 1323 && n_low < N / 2 + 1323);
}

/* Of splitmix64 seeded with 1, 2 and 3, computed with Python's integers. */
static void a_number_can_be_looked_up(void)
{
    double sum = 0;

    CHECK(random_uniform_at(1, 2, 3) == 0x1.a0e68ea1fbc6cp-1);
    CHECK(random_uniform_at(1, 2, 4) != random_uniform_at(1, 3, 3));
    CHECK(random_uniform_at(1, 2, 3) != random_uniform_at(2, 1, 3));
    for (uint64_t i = 0; i < 10000; i++) {
        double x = random_uniform_at(5, i % 7, i);

        CHECK(x >= 0 && x < 1);
        sum += x;
    }
    CHECK(sum > 4900 && sum < 5100);
}

static void normal_numbers_have_mean_0_and_variance_1(void)
{
    enum { N = 40000 };
    double sum = 0, squares = 0, fourths = 0;

    CHECK(random_normal_at(1, 2, 3) == random_normal_at(1, 2, 3));
    CHECK(random_normal_at(1, 2, 3) != random_normal_at(1, 2, 4));
    CHECK(random_normal_at(1, 2, 3) != random_normal_at(1, 3, 3));
    for (uint64_t i = 0; i < N; i++) {
        double x = random_normal_at(9, 4, i);

        sum += x;
        squares += x * x;
        fourths += x * x * x * x;
    }
    /* Five standard deviations of each: sqrt(1, 2, 96) / sqrt(N). */
    CHECK(fabs(sum / N) < 0.025 && fabs(squares / N - 1) < 0.036);
    CHECK(fabs(fourths / N - 3) < 0.25);
}

TESTS(TEST(normal_numbers_have_mean_0_and_variance_1), TEST(the_seed_passes_through_splitmix64), TEST(numbers_are_those_of_xoshiro256_starstar),
      TEST(uniform_numbers_have_53_bits), TEST(uniform_numbers_fill_the_interval_evenly),
      TEST(numbers_below_n_are_equally_likely),
      TEST(a_number_can_be_looked_up))
