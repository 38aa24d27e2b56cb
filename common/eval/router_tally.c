#include "router_tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* In quarters of the even share. */
static const size_t limits[N_ROUTER_LIMITS] = {
    [ROUTER_LIMIT_1] = 4, [ROUTER_LIMIT_1_25] = 5, [ROUTER_LIMIT_2] = 8,
};

int router_tally_init(struct router_tally *tally, const struct moe_spec *spec, struct error *err)
{
    size_t n = spec->n_experts;

    *tally = (struct router_tally){.n_experts = n, .n_chosen = spec->n_chosen};
    tally->together = memory_try(n, n * sizeof *tally->together, "pairs of experts", err);
    tally->mass = memory_try(n, sizeof *tally->mass, "experts", err);
    tally->scratch = memory_try(n, 3 * sizeof *tally->scratch, "experts", err);
    tally->text_counts = memory_try(n, sizeof *tally->text_counts, "experts", err);
    if (!tally->together || !tally->mass || !tally->scratch || !tally->text_counts)
        return -1;
    memset(tally->together, 0, n * n * sizeof *tally->together);
    for (size_t e = 0; e < n; e++)
        tally->mass[e] = 0;
    return 0;
}

void router_tally_release(struct router_tally *tally)
{
    free(tally->together);
    free(tally->mass);
    free(tally->scratch);
    free(tally->text_counts);
    *tally = (struct router_tally){0};
}

size_t router_n_tokens(const struct routing *routing)
{
    const struct batch *batch = routing->batch;

    return batch->n_sequences ? batch->ends[batch->n_sequences - 1] : 0;
}

/* ---- probabilities ---- */

/* log(sum(exp(x))) */
static double log_sum_exp(const double *x, size_t n)
{
    double max = x[0], sum;

    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    sum = exp(x[0] - max);
    for (size_t i = 1; i < n; i++)
        sum += exp(x[i] - max);
    return max + log(sum);
}

static double log_sigmoid(double x)
{
    return x < 0 ? x - log1p(exp(x)) : -log1p(exp(-x));
}

/* -log_sigmoid(-x) is softplus; far below 0 it is exp(x). */
static double log_sqrt_softplus(double x)
{
    return x < -40 ? x / 2 : log(-log_sigmoid(-x)) / 2;
}

/* log_p[n_experts] = the logarithm of p. Returns log(sum(exp(logits))). */
static double find_log_p(const struct moe_spec *spec, const float *logits, double *log_p)
{
    bool is_sigmoid = spec->router == ROUTER_SIGMOID || spec->router == ROUTER_SIGMOID_SUM_1;
    bool scores_each = router_scores_each(spec->router);
    size_t n = spec->n_experts;
    double of_logits, total;

    for (size_t e = 0; e < n; e++)
        log_p[e] = (double)logits[e];
    of_logits = total = log_sum_exp(log_p, n);
    if (scores_each) {
        for (size_t e = 0; e < n; e++)
            log_p[e] = is_sigmoid ? log_sigmoid(log_p[e]) : log_sqrt_softplus(log_p[e]);
        total = log_sum_exp(log_p, n);
    }
    for (size_t e = 0; e < n; e++)
        log_p[e] -= total;
    return of_logits;
}

/* What p log q adds to a sum: nothing where p is 0. */
static double times_log(double p, double log_q)
{
    return p == 0 ? 0 : p * log_q;
}

/* The k-th largest of p less the next one; there is one. rest [n]: scratch. */
static double margin_of(const double *p, size_t n, size_t k, double *rest)
{
    double last = 0, next = 0;

    memcpy(rest, p, n * sizeof *rest);
    for (size_t i = 0; i <= k; i++) {
        size_t best = 0;

        for (size_t e = 1; e < n; e++)
            if (rest[e] > rest[best])
                best = e;
        last = next;
        next = rest[best];
        rest[best] = -1;
    }
    return last - next;
}

/* ---- choices ---- */

static bool has_chosen(const uint32_t *experts, size_t k, uint32_t expert)
{
    for (size_t i = 0; i < k; i++)
        if (experts[i] == expert)
            return true;
    return false;
}

static size_t count_common(const uint32_t *a, const uint32_t *b, size_t k)
{
    size_t n = 0;

    for (size_t i = 0; i < k; i++)
        n += has_chosen(b, k, a[i]);
    return n;
}

static void add_choices(struct router_tally *tally, const uint32_t *experts, const float *weights)
{
    size_t k = tally->n_chosen;
    float largest = weights[0];

    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < k; j++)
            tally->together[experts[i] * tally->n_experts + experts[j]]++;
        tally->n_dropped += weights[i] == 0;
        largest = weights[i] > largest ? weights[i] : largest;
    }
    tally->top_weight += (double)largest;
}

static void add_probabilities(struct router_tally *tally, const struct moe_spec *spec,
                              const float *logits, const uint32_t *experts)
{
    size_t n = tally->n_experts;
    double *log_p = tally->scratch, *p = log_p + n, *rest = p + n;
    double log_sum = find_log_p(spec, logits, log_p);

    tally->square_log_sum += log_sum * log_sum;
    for (size_t e = 0; e < n; e++) {
        p[e] = exp(log_p[e]);
        tally->mass[e] += p[e];
        tally->entropy -= times_log(p[e], log_p[e]);
        tally->square_logits += (double)logits[e] * (double)logits[e];
    }
    for (size_t i = 0; i < tally->n_chosen; i++)
        tally->kept_mass += p[experts[i]];
    if (tally->n_chosen < n)
        tally->margin += margin_of(p, n, tally->n_chosen, rest);
}

/* Choices of the n tokens of a text that an expert would have no room for. As in Megatron, there is
 * room for the even share times the factor, rounded up; which choices go does not matter here. */
static void add_text(struct router_tally *tally, const uint32_t *experts, size_t n)
{
    size_t n_choices = n * tally->n_chosen, *counts = tally->text_counts;

    memset(counts, 0, tally->n_experts * sizeof *counts);
    for (size_t i = 0; i < n_choices; i++)
        counts[experts[i]]++;
    for (size_t l = 0; l < N_ROUTER_LIMITS; l++) {
        size_t quarters = 4 * tally->n_experts;
        size_t room = (n_choices * limits[l] + quarters - 1) / quarters;

        for (size_t e = 0; e < tally->n_experts; e++)
            tally->n_over[l] += counts[e] > room ? counts[e] - room : 0;
    }
    for (size_t t = 1; t < n; t++)
        tally->n_kept_neighbours += count_common(experts + t * tally->n_chosen,
                                                 experts + (t - 1) * tally->n_chosen,
                                                 tally->n_chosen);
    tally->n_neighbours += n ? n - 1 : 0;
}

void router_tally_add(struct router_tally *tally, const struct routing *routing,
                      const uint32_t *above)
{
    const struct batch *batch = routing->batch;
    size_t n_tokens = router_n_tokens(routing), k = tally->n_chosen;

    for (size_t t = 0; t < n_tokens; t++) {
        const uint32_t *experts = routing->experts + t * k;

        add_choices(tally, experts, routing->weights + t * k);
        add_probabilities(tally, routing->spec, routing->logits + t * tally->n_experts, experts);
        if (above)
            tally->n_kept_above += count_common(experts, above + t * k, k);
    }
    tally->n_tokens += n_tokens;
    tally->n_above += above ? n_tokens : 0;
    for (size_t s = 0, start = 0; s < batch->n_sequences; start = batch->ends[s++])
        add_text(tally, routing->experts + start * k, batch->ends[s] - start);
}

/* ---- two routers ---- */

/* KL(p || q) = sum of p (log p - log q) */
static double divergence_of(const double *log_p, const double *log_q, size_t n)
{
    double sum = 0;

    for (size_t e = 0; e < n; e++)
        sum += times_log(exp(log_p[e]), log_p[e] - log_q[e]);
    return sum;
}

int router_agreement_add(struct router_agreement *agreement, const struct routing *first,
                         const struct routing *second, struct error *err)
{
    size_t n_tokens = router_n_tokens(first), n = first->spec->n_experts;
    size_t k = first->spec->n_chosen;
    double *log_p = memory_try(n, 2 * sizeof *log_p, "experts", err);

    if (!log_p)
        return -1;
    for (size_t t = 0; t < n_tokens; t++) {
        const uint32_t *a = first->experts + t * k, *b = second->experts + t * k;
        size_t n_common = count_common(a, b, k);

        agreement->n_same_first += a[0] == b[0];
        agreement->jaccard += (double)n_common / (double)(2 * k - n_common);
        find_log_p(first->spec, first->logits + t * n, log_p);
        find_log_p(second->spec, second->logits + t * n, log_p + n);
        agreement->divergence += divergence_of(log_p, log_p + n, n);
    }
    agreement->n_tokens += n_tokens;
    free(log_p);
    return 0;
}
