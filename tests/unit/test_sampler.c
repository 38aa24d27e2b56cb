/* test_sampler.c - tokens drawn with the probabilities of transformers. */
#include "model/sampler.h"

#include <math.h>

#include "test.h"

enum { N = 10, N_DRAWS = 200000 };

static double scratch[N * 4];

static int pick(const struct sampler *sampler, const float *from, size_t at, uint32_t *id,
                struct error *err)
{
    const struct sampler_text text = {.n_ids = at}; /* whose ids nobody asks for */

    return sampler_pick(sampler, from, &text, scratch, id, err);
}

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
        struct sampling sampling = {.temperature = table[i].temperature,
                                    .top_k = table[i].top_k, .top_p = table[i].top_p,
                                    .seed = 7 + i};
        struct sampler sampler;
        struct error err = {0};
        size_t counts[N] = {0};

        sampler_init(&sampler, &sampling, N);
        CHECK(sampler_scratch_bytes(&sampler) <= sizeof scratch);
        for (size_t k = 0; k < N_DRAWS; k++) {
            uint32_t id = N;

            CHECK(pick(&sampler, logits, k, &id, &err) == 0 && id < N);
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
    struct sampling sampling = {.temperature = 0, .top_p = 1, .seed = 1};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, N);
    CHECK(pick(&sampler, logits, 0, &id, &err) == 0 && id == 2);
}

static void one_token_is_left_however_small_p_is(void)
{
    struct sampling sampling = {.temperature = 1, .top_p = 1e-300, .seed = 1};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, N);
    for (size_t i = 0; i < 100; i++)
        CHECK(pick(&sampler, logits, i, &id, &err) == 0 && id == 2);
}

static void a_seed_is_a_sequence(void)
{
    struct sampling sampling = {.temperature = 1, .top_p = 1, .seed = 3};
    struct sampler a, b, c;
    struct error err = {0};
    size_t n_unlike = 0;

    sampler_init(&a, &sampling, N);
    sampler_init(&b, &sampling, N);
    sampling.seed = 4;
    sampler_init(&c, &sampling, N);
    for (size_t i = 0; i < 100; i++) {
        uint32_t x = 0, y = 0, z = 0;

        CHECK(pick(&a, logits, i, &x, &err) == 0);
        CHECK(pick(&b, logits, i, &y, &err) == 0);
        CHECK(pick(&c, logits, i, &z, &err) == 0);
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
            struct sampling sampling = {.temperature = (double)temperature, .top_p = 1};
            struct sampler sampler;
            struct error err = {0};
            uint32_t id;

            sampler_init(&sampler, &sampling, 3);
            CHECK(pick(&sampler, bad[i], 0, &id, &err) == -1);
            CHECK(err.code == ERROR_INCOMPATIBLE);
        }
}

static void minus_infinity_is_never_drawn(void)
{
    static const float masked[4] = {-INFINITY, 1, -INFINITY, 0};
    struct sampling sampling = {.temperature = 1, .top_p = 1, .seed = 1};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, 4);
    for (size_t i = 0; i < 1000; i++)
        CHECK(pick(&sampler, masked, i, &id, &err) == 0 && id % 2 == 1);
}

/* Four of one probability, and three of them have the whole share: the fourth is left out, as in
 * transformers, which takes away all that have no more than 1 - P together. */
static void what_is_left_over_exactly_is_left_out(void)
{
    static const float equal[4] = {2, 2, 2, 2};
    struct sampling sampling = {.temperature = 1, .top_p = 0.75, .seed = 5};
    struct sampler sampler;
    struct error err = {0};
    size_t counts[4] = {0};

    sampler_init(&sampler, &sampling, 4);
    for (size_t k = 0; k < 1000; k++) {
        uint32_t id = 0;

        CHECK(pick(&sampler, equal, k, &id, &err) == 0 && id < 4);
        counts[id % 4]++;
    }
    CHECK(counts[0] > 200 && counts[1] > 200 && counts[2] > 200 && counts[3] == 0);
}

/* By the definitions, in Python's floats, of the text 2 5 | 4 4 0. */
static void penalties_and_biases_come_first_and_min_p_last(void)
{
    static const uint32_t ids[] = {2, 5, 4, 4, 0, 77};
    static const struct logit_bias biases[] = {{5, 4}, {9, -100}};
    static const struct {
        struct sampling sampling;
        double expected[N];
    } table[] = {
        /* 1.3 for 0, 2, 4 and 5 */
        {{.temperature = 1, .top_p = 1, .repetition_penalty = 1.3},
         {0.068780, 0.013159, 0.218058, 0.027857, 0.218058, 0.001611, 0.160304, 0.027857, 0.000020, 0.264296}},
        /* once for 4, which came twice */
        {{.temperature = 0.5, .top_p = 1, .top_k = 4,
          .repetition_penalty = 1.3},
         {0, 0, 0.249409, 0, 0.249409, 0, 0.134789, 0, 0, 0.366394}},
        /* 0.5 twice for 4, once for 0; nothing for the prompt */
        {{.temperature = 1, .top_p = 1, .frequency_penalty = 0.5},
         {0.051216, 0.011428, 0.378435, 0.024193, 0.139218, 0.002550, 0.139218, 0.024193, 0.000017, 0.229532}},
        /* 1 for 4 and 0 */
        {{.temperature = 1, .top_p = 1, .presence_penalty = 1},
         {0.031703, 0.011663, 0.386218, 0.024690, 0.142082, 0.002602, 0.142082, 0.024690, 0.000018, 0.234253}},
        /* both, and after the repetition */
        {{.temperature = 0.7, .top_p = 1, .repetition_penalty = 2,
          .frequency_penalty = -0.5, .presence_penalty = 1.5},
         {0.010035, 0.007021, 0.122245, 0.020498, 0.059844, 0.000047, 0.249714, 0.020498, 0.000001, 0.510098}},
        /* a bias before the repetition: 5 is divided */
        {{.temperature = 1, .top_p = 1, .repetition_penalty = 1.5,
          .biases = biases, .n_biases = 2},
         {0.085334, 0.019041, 0.231962, 0.040309, 0.231962, 0.119093, 0.231962, 0.040309, 0.000029, 0}},
        /* those of at least 0.3 of the largest */
        {{.temperature = 1, .top_p = 1, .min_p = 0.3},
         {0, 0, 0.336201, 0, 0.336201, 0, 0.123681, 0, 0, 0.203916}},
        /* of the largest that top-p left, in the tempered distribution */
        {{.temperature = 2, .top_p = 0.9, .top_k = 6,
          .min_p = 0.6},
         {0, 0, 0.295392, 0, 0.295392, 0, 0.179164, 0, 0, 0.230052}},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sampler sampler;
        struct error err = {0};
        size_t counts[N] = {0};

        for (size_t k = 0; k < N_DRAWS; k++) {
            const struct sampler_text text = {.ids = ids, .n_ids = 5, .n_given = 2};
            struct sampling sampling = table[i].sampling;
            uint32_t id = N;

            sampling.seed = k; /* and not the length of the text */
            sampler_init(&sampler, &sampling, N);
            CHECK(sampler_pick(&sampler, logits, &text, scratch, &id, &err) == 0 && id < N);
            counts[id < N ? id : 0]++;
        }
        for (size_t id = 0; id < N; id++) {
            double p = table[i].expected[id], share = (double)counts[id] / N_DRAWS;
            bool is_near = fabs(share - p) <= 5 * sqrt(p * (1 - p) / N_DRAWS) + 1e-6;

            CHECK(is_near);
            if (!is_near)
                printf("# row %zu, token %zu: %g, not %g\n", i, id, share, p);
        }
    }
}

static void penalties_count_for_the_greedy_choice(void)
{
    static const uint32_t ids[] = {2, 4, 200};
    static const struct logit_bias bias = {8, 10.5};
    const struct sampler_text text = {.ids = ids, .n_ids = 3, .n_given = 1};
    struct sampling sampling = {.presence_penalty = 1};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, N);
    CHECK(sampler_pick(&sampler, logits, &text, scratch, &id, &err) == 0 && id == 2);
    sampling.repetition_penalty = 2;
    sampler_init(&sampler, &sampling, N);
    CHECK(sampler_pick(&sampler, logits, &text, scratch, &id, &err) == 0 && id == 9);
    sampling.biases = &bias;
    sampling.n_biases = 1;
    sampler_init(&sampler, &sampling, N);
    CHECK(sampler_pick(&sampler, logits, &text, scratch, &id, &err) == 0 && id == 8);
}

static void what_is_banned_does_not_come(void)
{
    static const uint32_t banned[] = {2, 4, 1000};
    const struct sampler_text text = {.banned = banned, .n_banned = 3};
    static const uint32_t all[] = {0, 1};
    const struct sampler_text nothing = {.banned = all, .n_banned = 2};
    struct sampling sampling = {0};
    struct sampler sampler;
    struct error err = {0};
    uint32_t id;

    sampler_init(&sampler, &sampling, N);
    CHECK(sampler_pick(&sampler, logits, &text, scratch, &id, &err) == 0 && id == 9);
    sampler_init(&sampler, &sampling, 2);
    CHECK(sampler_pick(&sampler, logits, &nothing, scratch, &id, &err) == -1);
    CHECK(err.code == ERROR_INCOMPATIBLE);
}

/* What came before, and how often one asks, does not matter: only where one stands. */
static void chance_is_looked_up(void)
{
    struct sampling sampling = {.temperature = 1, .top_p = 1, .seed = 11};
    struct sampler sampler, other;
    struct error err = {0};
    uint32_t forwards[50], id;
    size_t n_unlike = 0;

    sampler_init(&sampler, &sampling, N);
    sampling.number = 1;
    sampler_init(&other, &sampling, N);
    for (size_t i = 0; i < 50; i++)
        CHECK(pick(&sampler, logits, i, &forwards[i], &err) == 0);
    for (size_t i = 50; i-- > 0;) {
        CHECK(pick(&sampler, logits, i, &id, &err) == 0 && id == forwards[i]);
        CHECK(pick(&other, logits, i, &id, &err) == 0);
        n_unlike += id != forwards[i];
    }
    CHECK(n_unlike > 10);
}

/* The k-th largest is found without sorting: the same as by sorting, with equal ones among them. */
static void top_k_keeps_those_of_a_sort(void)
{
    enum { MANY = 500 };
    static float many[MANY];
    static double room[MANY * 4];
    struct error err = {0};

    for (size_t i = 0; i < MANY; i++)
        many[i] = (float)(i * 7919 % 211) / 64;
    for (size_t k = 1; k < MANY; k += 13) {
        struct sampling sampling = {.temperature = 50, .top_k = k, .top_p = 1, .seed = k};
        struct sampler sampler;
        bool is_seen[211] = {0};
        size_t lowest = 211, n_at_least = 0;

        sampler_init(&sampler, &sampling, MANY);
        for (size_t at = 0; at < 4000; at++) {
            const struct sampler_text text = {.n_ids = at};
            uint32_t id = 0;
            size_t value;

            CHECK(sampler_pick(&sampler, many, &text, room, &id, &err) == 0);
            value = id * 7919 % 211;
            is_seen[value] = true;
            lowest = value < lowest ? value : lowest;
        }
        for (size_t i = 0; i < MANY; i++)
            n_at_least += i * 7919 % 211 > lowest;
        CHECK(n_at_least < k && is_seen[lowest]); /* nothing below the k-th largest … */
        for (size_t i = 0; i < MANY; i++)
            n_at_least += i * 7919 % 211 == lowest;
        CHECK(n_at_least >= k);                   /* … and that one, too */
    }
}

static void log_probabilities_are_those_of_the_plain_softmax(void)
{
    struct token_logprob out[1 + N];
    double sum = 0, total = 0;

    for (size_t i = 0; i < N; i++)
        sum += exp(logits[i]);
    sampler_logprobs(logits, N, 8, 4, out);
    CHECK(out[0].id == 8 && fabs(out[0].logprob - (-7.0 - log(sum))) < 1e-6);
    CHECK(out[1].id == 2 && out[2].id == 4 && out[3].id == 9 && out[4].id == 6);
    CHECK(fabs(out[3].logprob - (2.5 - log(sum))) < 1e-6);
    sampler_logprobs(logits, N, 0, N, out);
    for (size_t i = 1; i <= N; i++) {
        total += exp(out[i].logprob);
        CHECK(i == 1 || out[i].logprob <= out[i - 1].logprob);
    }
    CHECK(fabs(total - 1) < 1e-6 && out[N].id == 8);
    sampler_logprobs(logits, N, 3, 0, out);
    CHECK(out[0].id == 3 && fabs(out[0].logprob - (0.25 - log(sum))) < 1e-6);
}

TESTS(TEST(probabilities_are_those_of_transformers),
      TEST(temperature_0_takes_the_largest_and_of_equal_ones_the_first),
      TEST(one_token_is_left_however_small_p_is), TEST(a_seed_is_a_sequence),
      TEST(what_is_no_number_is_refused), TEST(minus_infinity_is_never_drawn),
      TEST(what_is_left_over_exactly_is_left_out),
      TEST(penalties_and_biases_come_first_and_min_p_last),
      TEST(penalties_count_for_the_greedy_choice), TEST(what_is_banned_does_not_come),
      TEST(chance_is_looked_up), TEST(top_k_keeps_those_of_a_sort),
      TEST(log_probabilities_are_those_of_the_plain_softmax))
