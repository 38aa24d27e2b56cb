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

/* What a group counts: its best expert, or the sum of its best two. */
static float judge_group(const struct moe_spec *moe, const float *scores, size_t n)
{
    float best = -INFINITY, second = -INFINITY;

    for (size_t e = 0; e < n; e++) {
        if (scores[e] > best) {
            second = best;
            best = scores[e];
        } else if (scores[e] > second) {
            second = scores[e];
        }
    }
    return moe->router == ROUTER_TOP_P ? best : best + second;
}

/* No expert of the groups that are not among the best can be chosen. judged [n_groups]: scratch. */
static void drop_groups(const struct moe_spec *moe, float *scores, float *judged)
{
    size_t size = moe->n_experts / moe->n_groups;

    for (size_t g = 0; g < moe->n_groups; g++)
        judged[g] = judge_group(moe, scores + g * size, size);
    for (size_t g = 0; g < moe->n_groups; g++) {
        size_t n_better = 0;

        for (size_t other = 0; other < moe->n_groups; other++)
            n_better += judged[other] > judged[g] || (other < g && judged[other] == judged[g]);
        for (size_t e = 0; n_better >= moe->n_kept_groups && e < size; e++)
            scores[g * size + e] = -INFINITY;
    }
}

static void divide_by_sum(float *weights, size_t n, float least)
{
    float sum = least;

    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    for (size_t i = 0; i < n; i++)
        weights[i] /= sum;
}

size_t router_scratch(const struct moe_spec *moe)
{
    return moe->n_experts + moe->n_groups;
}

void router_choose(const struct moe_spec *moe, const float *bias, float *logits, float *scratch,
                   uint32_t *experts, float *weights)
{
    bool is_sigmoid = moe->router == ROUTER_SIGMOID || moe->router == ROUTER_SIGMOID_SUM_1;
    size_t n = moe->n_experts, k = moe->n_chosen;
    float *scores = logits;

    if (moe->router == ROUTER_SPARSEMIXER) {
        choose_sparsemixer(moe, logits, experts, weights);
        return;
    }
    if (is_sigmoid)
        vector_activate(ACTIVATION_SIGMOID, logits, n, logits);
    else if (moe->router != ROUTER_TOP_LOGITS)
        softmax(logits, n);
    if (bias) {
        scores = scratch;
        for (size_t e = 0; e < n; e++)
            scores[e] = logits[e] + bias[e];
    }
    if (moe->n_groups)
        drop_groups(moe, scores, scratch + n);
    take_largest(scores, n, k, experts, weights);
    for (size_t i = 0; bias && i < k; i++)
        weights[i] = logits[experts[i]];
    if (moe->router == ROUTER_TOP_LOGITS)
        softmax(weights, k);
    if (moe->router == ROUTER_TOP_P_SUM_1 || moe->router == ROUTER_SIGMOID_SUM_1)
        divide_by_sum(weights, k, is_sigmoid ? 1e-20f : 0);
    if (moe->routed_scaling_factor != 1)
        vector_scale(weights, moe->routed_scaling_factor, k, weights);
}
