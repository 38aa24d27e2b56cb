#include "router.h"

#include <math.h>

#include "math/vector.h"

static void softmax(float *x, size_t n)
{
    float sum = vector_exp(x, vector_max(x, n), n, x);

    vector_scale(x, 1 / sum, n, x);
}

/* Takes the largest k out, one after the other; NaN counts as the smallest. */
static void take_largest(float *scores, size_t n, size_t k, uint32_t *chosen, float *values)
{
    for (size_t i = 0; i < k; i++) {
        size_t best = 0;

        for (size_t e = 1; e < n; e++)
            if (scores[e] > scores[best] || isnan(scores[best]))
                best = e;
        chosen[i] = (uint32_t)best;
        values[i] = scores[best];
        scores[best] = NAN;
    }
}

void router_choose(const struct moe_spec *moe, float *logits, uint32_t *experts, float *weights)
{
    float sum = 0;

    if (moe->router != ROUTER_TOP_LOGITS)
        softmax(logits, moe->n_experts);
    take_largest(logits, moe->n_experts, moe->n_chosen, experts, weights);
    if (moe->router == ROUTER_TOP_LOGITS)
        softmax(weights, moe->n_chosen);
    if (moe->router != ROUTER_TOP_P_SUM_1)
        return;
    for (size_t i = 0; i < moe->n_chosen; i++)
        sum += weights[i];
    for (size_t i = 0; i < moe->n_chosen; i++)
        weights[i] /= sum;
}
