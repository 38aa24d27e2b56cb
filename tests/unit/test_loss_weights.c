/* test_loss_weights.c - weights are softmax(-loss / T), however large the losses and small T. */
#include "eval/loss_weights.h"

#include <math.h>

#include "test.h"

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-15;
}

static void are_the_softmax_of_the_losses(void)
{
    const double losses[] = {0.8610, 0.3878, 14.1404, 3.7666};
    double weights[4], sum = 0;

    for (size_t i = 0; i < 4; i++)
        sum += exp(-losses[i] / 5);
    loss_weights(losses, 4, 5, weights);
    for (size_t i = 0; i < 4; i++)
        CHECK(is_near(weights[i], exp(-losses[i] / 5) / sum));
}

static void one_model_gets_everything(void)
{
    double loss = 7.5, weight = 0;

    loss_weights(&loss, 1, 5, &weight);
    CHECK(weight == 1);
}

static void equal_losses_share(void)
{
    const double losses[] = {3, 3, 3, 3};
    double weights[4];

    loss_weights(losses, 4, 1e-6, weights);
    for (size_t i = 0; i < 4; i++)
        CHECK(weights[i] == 0.25);
}

/* exp(-1e4) is 0 in double: the plain formula would divide 0 by 0. */
static void large_losses_do_not_vanish(void)
{
    const double large[] = {1e4, 1e4 + 5, 1e4 + 10}, small[] = {0, 5, 10};
    double weights[3], wanted[3];

    loss_weights(large, 3, 5, weights);
    loss_weights(small, 3, 5, wanted);
    for (size_t i = 0; i < 3; i++)
        CHECK(is_near(weights[i], wanted[i]));
    CHECK(is_near(weights[0], 1 / (1 + exp(-1) + exp(-2))));
}

static void a_small_temperature_chooses_the_best(void)
{
    const double losses[] = {1e4, 9999, 1e4}, wanted[] = {0, 1, 0};
    double weights[3];

    loss_weights(losses, 3, 1e-6, weights);
    CHECK(memcmp(weights, wanted, sizeof weights) == 0);
    loss_weights(losses, 3, 5e-324, weights);
    CHECK(memcmp(weights, wanted, sizeof weights) == 0);
    loss_weights((const double[]){2, 2 + 1e-6, 3}, 3, 1e-6, weights);
    CHECK(fabs(weights[0] - 1 / (1 + exp(-1))) < 1e-9 && weights[2] == 0); /* 2 + 1e-6 is rounded */
}

static void a_large_temperature_shares_evenly(void)
{
    const double losses[] = {0, 1e4};
    double weights[2];

    loss_weights(losses, 2, 1e308, weights);
    CHECK(weights[0] == 0.5 && weights[1] == 0.5);
}

TESTS(TEST(are_the_softmax_of_the_losses), TEST(one_model_gets_everything),
      TEST(equal_losses_share), TEST(large_losses_do_not_vanish),
      TEST(a_small_temperature_chooses_the_best), TEST(a_large_temperature_shares_evenly))
