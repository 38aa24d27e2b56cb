#include "router_tally.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/ranks.h"

/* Of a text: what is added up over its tokens, and behind it the mass of each expert. */
enum {
    SUM_ENTROPY,
    SUM_TOP_WEIGHT,
    SUM_MARGIN,
    SUM_KEPT_MASS,
    SUM_SQUARE_LOG_SUM,
    SUM_SQUARE_LOGITS,
    SUM_MASS,
};

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
    tally->text = memory_try(SUM_MASS + n, sizeof *tally->text, "experts", err);
    if (!tally->together || !tally->mass || !tally->scratch || !tally->text_counts || !tally->text)
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
    free(tally->text);
    buffer_release(&tally->kept);
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
    tally->text[SUM_TOP_WEIGHT] += (double)largest;
}

static void add_probabilities(struct router_tally *tally, const struct moe_spec *spec,
                              const float *logits, const uint32_t *experts)
{
    size_t n = tally->n_experts;
    double *log_p = tally->scratch, *p = log_p + n, *rest = p + n;
    double log_sum = find_log_p(spec, logits, log_p), *sums = tally->text;

    sums[SUM_SQUARE_LOG_SUM] += log_sum * log_sum;
    for (size_t e = 0; e < n; e++) {
        p[e] = exp(log_p[e]);
        sums[SUM_MASS + e] += p[e];
        sums[SUM_ENTROPY] -= times_log(p[e], log_p[e]);
        sums[SUM_SQUARE_LOGITS] += (double)logits[e] * (double)logits[e];
    }
    for (size_t i = 0; i < tally->n_chosen; i++)
        sums[SUM_KEPT_MASS] += p[experts[i]];
    if (tally->n_chosen < n)
        sums[SUM_MARGIN] += margin_of(p, n, tally->n_chosen, rest);
}

/* Choices of the n tokens of a text that an expert would have no room for. As in Megatron, there is
 * room for the even share times the factor, rounded up; which choices go does not matter here. */
static void count_text(struct router_tally *tally, const uint32_t *experts, size_t n)
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

/* The sums of a text. */
static void add_sums(struct router_tally *tally, const double *text)
{
    tally->entropy += text[SUM_ENTROPY];
    tally->top_weight += text[SUM_TOP_WEIGHT];
    tally->margin += text[SUM_MARGIN];
    tally->kept_mass += text[SUM_KEPT_MASS];
    tally->square_log_sum += text[SUM_SQUARE_LOG_SUM];
    tally->square_logits += text[SUM_SQUARE_LOGITS];
    for (size_t e = 0; e < tally->n_experts; e++)
        tally->mass[e] += text[SUM_MASS + e];
}

/* Tokens begin … end - 1. */
static void add_text(struct router_tally *tally, const struct routing *routing,
                     const uint32_t *above, size_t begin, size_t end)
{
    size_t k = tally->n_chosen, size = (SUM_MASS + tally->n_experts) * sizeof *tally->text;

    for (size_t i = 0; i < SUM_MASS + tally->n_experts; i++)
        tally->text[i] = 0;
    for (size_t t = begin; t < end; t++) {
        const uint32_t *experts = routing->experts + t * k;

        add_choices(tally, experts, routing->weights + t * k);
        add_probabilities(tally, routing->spec, routing->logits + t * tally->n_experts, experts);
        if (above)
            tally->n_kept_above += count_common(experts, above + t * k, k);
    }
    count_text(tally, routing->experts + begin * k, end - begin);
    if (ranks_count() > 1)
        buffer_add(&tally->kept, tally->text, size);
    else
        add_sums(tally, tally->text);
}

void router_tally_add(struct router_tally *tally, const struct routing *routing,
                      const uint32_t *above)
{
    const struct batch *batch = routing->batch;
    size_t n_tokens = router_n_tokens(routing);

    tally->n_tokens += n_tokens;
    tally->n_above += above ? n_tokens : 0;
    for (size_t s = 0, start = 0; s < batch->n_sequences; start = batch->ends[s++])
        add_text(tally, routing, above, start, batch->ends[s]);
}

/* ---- several ranks ---- */

/* Rows of `width` doubles that ranks have kept, in their order. */
static int gather(struct buffer *kept, size_t width, void (*add)(void *, const double *),
                  void *context, struct error *err)
{
    struct buffer all = {0};
    int rc;

    if (ranks_count() == 1)
        return 0;
    rc = ranks_gather(kept->data, kept->size, &all, err);
    for (size_t i = 0; rc == 0 && i < all.size / sizeof(double); i += width)
        add(context, (const double *)(const void *)all.data + i);
    buffer_release(&all);
    buffer_clear(kept);
    return rc;
}

static void add_gathered(void *context, const double *text)
{
    add_sums(context, text);
}

int router_tally_gather(struct router_tally *tally, struct error *err)
{
    return gather(&tally->kept, SUM_MASS + tally->n_experts, add_gathered, tally, err);
}

int router_tally_join(struct router_tally *tally, struct error *err)
{
    size_t *const counts[] = {
        &tally->n_tokens, &tally->n_dropped,         &tally->n_over[0], &tally->n_over[1],
        &tally->n_over[2], &tally->n_neighbours,     &tally->n_kept_neighbours,
        &tally->n_above,  &tally->n_kept_above,
    };

    static_assert(N_ROUTER_LIMITS == 3, "each limit has its count above");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (ranks_add(counts[i], 1, err))
            return -1;
    return ranks_add(tally->together, tally->n_experts * tally->n_experts, err);
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

/* Of a text: */
enum { SUM_JACCARD, SUM_DIVERGENCE, N_AGREEMENT_SUMS };

static void add_agreement(void *context, const double *text)
{
    struct router_agreement *agreement = context;

    agreement->jaccard += text[SUM_JACCARD];
    agreement->divergence += text[SUM_DIVERGENCE];
}

/* Tokens begin … end - 1. log_p [2, n_experts]: scratch. */
static void agree_on_text(struct router_agreement *agreement, const struct routing *first,
                          const struct routing *second, size_t begin, size_t end, double *log_p)
{
    size_t n = first->spec->n_experts, k = first->spec->n_chosen;
    double text[N_AGREEMENT_SUMS] = {0};

    for (size_t t = begin; t < end; t++) {
        const uint32_t *a = first->experts + t * k, *b = second->experts + t * k;
        size_t n_common = count_common(a, b, k);

        agreement->n_same_first += a[0] == b[0];
        text[SUM_JACCARD] += (double)n_common / (double)(2 * k - n_common);
        find_log_p(first->spec, first->logits + t * n, log_p);
        find_log_p(second->spec, second->logits + t * n, log_p + n);
        text[SUM_DIVERGENCE] += divergence_of(log_p, log_p + n, n);
    }
    if (ranks_count() > 1)
        buffer_add(&agreement->kept, text, sizeof text);
    else
        add_agreement(agreement, text);
}

int router_agreement_add(struct router_agreement *agreement, const struct routing *first,
                         const struct routing *second, struct error *err)
{
    const struct batch *batch = first->batch;
    double *log_p = memory_try(first->spec->n_experts, 2 * sizeof *log_p, "experts", err);

    if (!log_p)
        return -1;
    for (size_t s = 0, start = 0; s < batch->n_sequences; start = batch->ends[s++])
        agree_on_text(agreement, first, second, start, batch->ends[s], log_p);
    agreement->n_tokens += router_n_tokens(first);
    free(log_p);
    return 0;
}

void router_agreement_release(struct router_agreement *agreement)
{
    buffer_release(&agreement->kept);
    *agreement = (struct router_agreement){0};
}

int router_agreement_gather(struct router_agreement *agreement, struct error *err)
{
    return gather(&agreement->kept, N_AGREEMENT_SUMS, add_agreement, agreement, err);
}

int router_agreement_join(struct router_agreement *agreement, struct error *err)
{
    return ranks_add(&agreement->n_tokens, 1, err) || ranks_add(&agreement->n_same_first, 1, err)
               ? -1
               : 0;
}
