#include "mix/weights.h"

#include <float.h>
#include <math.h>

#include "test.h"

static double sum_of(const double *weights, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    return sum;
}

/* Parses and scales; the exit status. */
static int use(const char *text, size_t n, enum weights_rule rule, double *weights,
               struct error *err)
{
    *err = (struct error){0};
    if (weights_parse(text, weights, n, err) || weights_scale(weights, n, rule, err)) {
        CHECK(err->code != ERROR_NONE);
        return (int)err->code;
    }
    return 0;
}

static void numbers_are_read_as_they_stand(void)
{
    double weights[4];
    struct error err = {0};

    CHECK(weights_parse("0.7,0.3", weights, 2, &err) == 0);
    CHECK(weights[0] == 0.7 && weights[1] == 0.3);
    CHECK(weights_parse("1", weights, 1, &err) == 0 && weights[0] == 1);
    CHECK(weights_parse("-0.5,1.5,0,1e-3", weights, 4, &err) == 0);
    CHECK(weights[0] == -0.5 && weights[1] == 1.5 && weights[2] == 0 && weights[3] == 0.001);
}

static void what_is_no_finite_number_is_refused(void)
{
    static const char *const texts[] = {
        "nan,1", "inf,1", "-inf,1", "1,infinity", "1e999,1", "a,1", "0.5x,0.5", ",1", "1,", ",",
        "0.5,0.5 ", "0.5;0.5,1", "0,5,1", "--1,2", "0.5,,0.5", "",
    };
    double weights[4];

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error err = {0};

        CHECK(weights_parse(texts[i], weights, 2, &err) == -1 && err.code == ERROR_USAGE);
        CHECK_CONTAINS(err.text, "--weights");
    }
}

static void what_stands_between_weights_is_a_comma(void)
{
    static const char *const texts[][2] = {
        {"0.7 0.3", "'0.7 0.3'"}, {"0.7;0.3", "'0.7;0.3'"}, {"0.7 ; 0.3", "'0.7 ; 0.3'"},
        {"0.7:0.3", "'0.7:0.3'"}, {"1,0.7 0.3,2", "'0.7 0.3'"}, {"0.7\t0.3", "'0.7\t0.3'"},
    };
    double weights[3];
    struct error err = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        err = (struct error){0};
        CHECK(weights_parse(texts[i][0], weights, 2, &err) == -1 && err.code == ERROR_USAGE);
        CHECK_CONTAINS(err.text, "commas separate weights, as in 0.7,0.3, not ");
        CHECK_CONTAINS(err.text, texts[i][1]);
    }
    err = (struct error){0};
    CHECK(weights_parse("0.5", weights, 2, &err) == -1);
    CHECK_CONTAINS(err.text, "1 weight for 2 models; commas separate weights");
    err = (struct error){0};
    CHECK(weights_parse("0.7, 0.3", weights, 2, &err) == 0 && weights[1] == 0.3);
}

static void there_is_one_weight_per_model(void)
{
    double weights[3];
    struct error err = {0};

    CHECK(weights_parse("0.5,0.5", weights, 3, &err) == -1 && err.code == ERROR_USAGE);
    CHECK_CONTAINS(err.text, "2 weights for 3 models");
    err = (struct error){0};
    CHECK(weights_parse("0.5,0.5", weights, 1, &err) == -1 && err.code == ERROR_USAGE);
    CHECK_CONTAINS(err.text, "2 weights for 1 model");
}

static void a_sum_within_a_thousandth_of_one_is_taken(void)
{
    static const struct {
        const char *text;
        int status;
    } table[] = {
        {"0.5,0.5", 0},     {"0.5,0.499", 0},   {"0.5,0.501", 0},  {"0.999,0", 0},
        {"1.001,0", 0},     {"0.9,0.099", 0},   {"0.3,0.699", 0},  {"2.001,-1", 0},
        {"0.33,0.67", 0},   {"0.9989,0", 2},    {"1.0011,0", 2},   {"0.5,0.4989", 2},
        {"0.5,0.5011", 2},  {"0.5,0", 2},       {"1,1", 2},        {"0,0", 2},
        {"-0.5,-0.5", 2},   {"1e308,1e308", 2},
    };
    static const enum weights_rule rules[] = {WEIGHTS_SUM_TO_ONE, WEIGHTS_AS_GIVEN};

    for (size_t r = 0; r < 2; r++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            double weights[2];
            struct error err;

            if (use(table[i].text, 2, rules[r], weights, &err) != table[i].status)
                printf("# %s: %s\n", table[i].text, err.text);
            CHECK(use(table[i].text, 2, rules[r], weights, &err) == table[i].status);
        }
}

static void the_refusal_names_the_sum_and_the_way_out(void)
{
    double weights[2];
    struct error err;

    CHECK(use("0.5,0.2", 2, WEIGHTS_SUM_TO_ONE, weights, &err) == 2);
    CHECK_CONTAINS(err.text, "0.7");
    CHECK_CONTAINS(err.text, "--normalize");
}

static void scaled_weights_sum_to_one_within_an_ulp(void)
{
    static const struct {
        const char *text;
        size_t n;
        enum weights_rule rule;
    } table[] = {
        {"0.7,0.3", 2, WEIGHTS_SUM_TO_ONE},
        {"0.5,0.4995", 2, WEIGHTS_SUM_TO_ONE},
        {"0.3333,0.3333,0.3333", 3, WEIGHTS_SUM_TO_ONE},
        {"0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1", 10, WEIGHTS_SUM_TO_ONE},
        {"0.3,0.2,0.2,0.3", 4, WEIGHTS_SUM_TO_ONE},
        {"1.7,-0.7", 2, WEIGHTS_SUM_TO_ONE},
        {"1,2,3", 3, WEIGHTS_NORMALIZE},
        {"1,1,1,1,1,1,1", 7, WEIGHTS_NORMALIZE},
        {"-1,-1", 2, WEIGHTS_NORMALIZE},
        {"1e-300,3e-300", 2, WEIGHTS_NORMALIZE},
        {"1e300,2e300", 2, WEIGHTS_NORMALIZE},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double weights[10];
        struct error err;

        CHECK(use(table[i].text, table[i].n, table[i].rule, weights, &err) == 0);
        CHECK(fabs(sum_of(weights, table[i].n) - 1) <= DBL_EPSILON);
    }
}

static void proportions_stay_and_ones_stay_exact(void)
{
    double weights[3];
    struct error err;

    CHECK(use("2,6", 2, WEIGHTS_NORMALIZE, weights, &err) == 0);
    CHECK(weights[0] == 0.25 && weights[1] == 0.75);
    CHECK(use("-1,3", 2, WEIGHTS_NORMALIZE, weights, &err) == 0);
    CHECK(weights[0] == -0.5 && weights[1] == 1.5);
    CHECK(use("1,0", 2, WEIGHTS_SUM_TO_ONE, weights, &err) == 0);
    CHECK(weights[0] == 1 && weights[1] == 0);
    CHECK(use("1.001,0", 2, WEIGHTS_SUM_TO_ONE, weights, &err) == 0);
    CHECK(weights[0] == 1 && weights[1] == 0);
    CHECK(use("0,0.25,0", 3, WEIGHTS_NORMALIZE, weights, &err) == 0);
    CHECK(weights[0] == 0 && weights[1] == 1 && weights[2] == 0);
}

static void what_has_no_sum_cannot_be_normalised(void)
{
    static const char *const texts[] = {"1,-1", "0,0", "0.5,-0.5", "1e308,1e308", "5e-324,0"};
    double weights[2];
    struct error err;

    for (size_t i = 0; i < 4; i++) {
        CHECK(use(texts[i], 2, WEIGHTS_NORMALIZE, weights, &err) == 2);
        CHECK_CONTAINS(err.text, "sum");
    }
    CHECK(use(texts[4], 2, WEIGHTS_NORMALIZE, weights, &err) == 0 && weights[0] == 1);
    CHECK(use("1e300,-1e300", 2, WEIGHTS_NORMALIZE, weights, &err) == 2);
    /* A sum so small that the quotients are not finite. */
    CHECK(use("1,-0.99999999999999989", 2, WEIGHTS_NORMALIZE, weights, &err) == 0);
    CHECK(isfinite(weights[0]));
}

static void as_given_they_are_not_touched(void)
{
    double weights[3];
    struct error err;

    CHECK(use("0.3333,0.3333,0.3333", 3, WEIGHTS_AS_GIVEN, weights, &err) == 0);
    CHECK(weights[0] == 0.3333 && weights[1] == 0.3333 && weights[2] == 0.3333);
    CHECK(use("1.5,-0.5005", 2, WEIGHTS_AS_GIVEN, weights, &err) == 0);
    CHECK(weights[0] == 1.5 && weights[1] == -0.5005);
    CHECK(use("0.5,0.2", 2, WEIGHTS_AS_GIVEN, weights, &err) == 2);
}

TESTS(TEST(numbers_are_read_as_they_stand), TEST(what_is_no_finite_number_is_refused),
      TEST(what_stands_between_weights_is_a_comma),
      TEST(there_is_one_weight_per_model), TEST(a_sum_within_a_thousandth_of_one_is_taken),
      TEST(the_refusal_names_the_sum_and_the_way_out),
      TEST(scaled_weights_sum_to_one_within_an_ulp), TEST(proportions_stay_and_ones_stay_exact),
      TEST(what_has_no_sum_cannot_be_normalised), TEST(as_given_they_are_not_touched))
