#include "router.h"

#include <math.h>

#include "math/vector.h"

static void softmax(float *x, size_t n)
{
    float sum = vector_exp(x, vector_max(x, n), n, x);

    vector_scale(x, 1 / sum, n, x);
}

static bool is_among(const uint32_t *chosen, size_t n, size_t e)
{
    for (size_t i = 0; i < n; i++)
        if (chosen[i] == e)
            return true;
    return false;
}

/* Takes the largest k out, one after the other, none twice; NaN counts as the smallest. */
static void take_largest(float *scores, size_t n, size_t k, uint32_t *chosen, float *values)
{
    for (size_t i = 0; i < k; i++) {
        size_t best = 0;

        for (size_t e = 1; e < n; e++)
            if (scores[e] > scores[best] || isnan(scores[best]))
                best = e;
        /* Only NaN is left, among them what was taken: weights that are not numbers. */
        for (size_t e = 0; isnan(scores[best]) && is_among(chosen, i, best); e++)
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

static void choose_sparsemixer(const struct moe_spec *spec, float *logits, uint32_t *experts,
                               float *weights)
{
    mix_one(logits, spec->n_experts, spec->jitter, &experts[0], &weights[0]);
    logits[experts[0]] = -INFINITY; /* exp makes it 0 */
    mix_one(logits, spec->n_experts, spec->jitter, &experts[1], &weights[1]);
    if (experts[1] == experts[0]) /* nothing but NaN */
        experts[1] = experts[0] ? 0 : 1;
}

/* The largest that comes behind number `last` in their order: by size, then by number. */
static size_t find_next(const float *scores, size_t n, size_t last)
{
    size_t best = SIZE_MAX;

    for (size_t e = 0; e < n; e++) {
        bool is_behind = last == SIZE_MAX || scores[e] < scores[last] ||
                         (e > last && scores[e] == scores[last]);

        if (is_behind && (best == SIZE_MAX || scores[e] > scores[best]))
            best = e;
    }
    return best;
}

/* What a group counts: the sum of its best, with a softmax usually of one, else of two. */
static float judge_group(const struct moe_spec *spec, const float *scores, size_t n)
{
    size_t n_best = spec->n_judging ? spec->n_judging : spec->router == ROUTER_TOP_P ? 1 : 2;
    size_t last = SIZE_MAX;
    float sum = 0;

    for (size_t i = 0; i < n_best; i++) {
        last = find_next(scores, n, last);
        if (last == SIZE_MAX)
            return sum;
        sum += scores[last];
    }
    return sum;
}

/* No expert of the groups that are not among the best can be chosen. judged [n_groups]: scratch. */
static void drop_groups(const struct moe_spec *spec, float *scores, float *judged)
{
    size_t size = spec->n_experts / spec->n_groups;

    for (size_t g = 0; g < spec->n_groups; g++)
        judged[g] = judge_group(spec, scores + g * size, size);
    for (size_t g = 0; g < spec->n_groups; g++) {
        size_t n_better = 0;

        for (size_t other = 0; other < spec->n_groups; other++)
            n_better += judged[other] > judged[g] || (other < g && judged[other] == judged[g]);
        for (size_t e = 0; n_better >= spec->n_kept_groups && e < size; e++)
            scores[g * size + e] = -INFINITY;
    }
}

static void take_sqrt_softplus(float *logits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double x = (double)logits[i];

        logits[i] = (float)sqrt(fmax(x, 0) + log1p(exp(-fabs(x))));
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

size_t router_scratch(const struct moe_spec *spec)
{
    return spec->n_experts + spec->n_groups;
}

void router_choose(const struct moe_spec *spec, const float *bias, float *logits, float *scratch,
                   uint32_t *experts, float *weights)
{
    bool scores_each = router_scores_each(spec->router);
    size_t n = spec->n_experts, k = spec->n_chosen;
    float *scores = logits;

    if (spec->router == ROUTER_SPARSEMIXER) {
        choose_sparsemixer(spec, logits, experts, weights);
        return;
    }
    if (spec->router == ROUTER_SIGMOID || spec->router == ROUTER_SIGMOID_SUM_1)
        vector_activate(ACTIVATION_SIGMOID, logits, n, logits);
    else if (scores_each)
        take_sqrt_softplus(logits, n);
    else if (spec->router != ROUTER_TOP_LOGITS)
        softmax(logits, n);
    if (bias) {
        scores = scratch;
        for (size_t e = 0; e < n; e++)
            scores[e] = logits[e] + bias[e];
    }
    if (spec->n_groups)
        drop_groups(spec, scores, scratch + n);
    take_largest(scores, n, k, experts, weights);
    for (size_t i = 0; bias && i < k; i++)
        weights[i] = logits[experts[i]];
    if (spec->router == ROUTER_TOP_LOGITS)
        softmax(weights, k);
    if (spec->router == ROUTER_TOP_P_SUM_1 || spec->router == ROUTER_SIGMOID_SUM_1 ||
        spec->router == ROUTER_SQRT_SOFTPLUS_SUM_1)
        divide_by_sum(weights, k, scores_each ? 1e-20f : 0);
    if (spec->routed_scaling_factor != 1)
        vector_scale(weights, spec->routed_scaling_factor, k, weights);
}
