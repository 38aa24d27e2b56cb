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

/* The largest score, and its share among those that are near it. Source: SparseMixer (arXiv
 * 2409.12136), as transformers' PhiMoE has it at inference. */
static void mix_one(const float *scores, size_t n, float jitter, uint32_t *expert, float *weight)
{
    size_t best = 0;
    double sum = 0;

    for (size_t e = 1; e < n; e++)
        if (scores[e] > scores[best])
            best = e;
    for (size_t e = 0; e < n; e++) {
        float factor = fmaxf(fabsf(scores[e]), scores[best]);

        if (!((scores[best] - scores[e]) / factor > 2 * jitter))
            sum += exp((double)scores[e] - (double)scores[best]);
    }
    *expert = (uint32_t)best;
    *weight = (float)(1 / sum);
}

static void choose_sparsemixer(const struct moe_spec *moe, float *logits, uint32_t *experts,
                               float *weights)
{
    mix_one(logits, moe->n_experts, moe->jitter, &experts[0], &weights[0]);
    logits[experts[0]] = -INFINITY; /* exp makes it 0 */
    mix_one(logits, moe->n_experts, moe->jitter, &experts[1], &weights[1]);
}

void router_choose(const struct moe_spec *moe, float *logits, uint32_t *experts, float *weights)
{
    float sum = 0;

    if (moe->router == ROUTER_SPARSEMIXER) {
        choose_sparsemixer(moe, logits, experts, weights);
        return;
    }
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
