#include "sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "math/random.h"
#include "math/vector.h"

struct candidate {
    float logit;
    uint32_t id;
    double weight; /* its probability, but for a factor that all share */
};

struct draw {
    const struct sampling *sampling;
    struct candidate *candidates;
    size_t n_candidates;
};

void sampler_init(struct sampler *sampler, const struct sampling *sampling, size_t n_logits)
{
    *sampler = (struct sampler){.sampling = *sampling, .n_logits = n_logits};
}

size_t sampler_scratch_bytes(const struct sampler *sampler)
{
    return sampler->n_logits * (sizeof(struct candidate) + sizeof(float) + sizeof(uint32_t));
}

/* ---- what changes logits ---- */

static bool repeats(const struct sampling *sampling)
{
    return sampling->repetition_penalty != 0 && sampling->repetition_penalty != 1;
}

static bool counts(const struct sampling *sampling)
{
    return sampling->frequency_penalty != 0 || sampling->presence_penalty != 0;
}

/* n[id] = how often it stands in the text from `first` on */
static void count_ids(const struct sampler_text *text, size_t first, size_t n_logits, uint32_t *n)
{
    memset(n, 0, n_logits * sizeof *n);
    for (size_t i = first; i < text->n_ids; i++)
        if (text->ids[i] < n_logits)
            n[text->ids[i]]++;
}

static void penalize_repetition(float *logits, size_t n_logits, const uint32_t *n, double penalty)
{
    for (size_t id = 0; id < n_logits; id++)
        if (n[id])
            logits[id] = (float)(logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty);
}

static void penalize_presence(float *logits, size_t n_logits, const uint32_t *n,
                              const struct sampling *sampling)
{
    for (size_t id = 0; id < n_logits; id++)
        if (n[id])
            logits[id] = (float)(logits[id] - n[id] * sampling->frequency_penalty -
                                 sampling->presence_penalty);
}

/* The logits, or a copy that has been changed; n: scratch, [n_logits]. */
static const float *process(const struct sampler *sampler, const float *logits,
                            const struct sampler_text *text, float *changed, uint32_t *n)
{
    const struct sampling *sampling = &sampler->sampling;
    size_t n_logits = sampler->n_logits;

    if (!sampling->n_biases && !repeats(sampling) && !counts(sampling) && !text->n_banned)
        return logits;
    memcpy(changed, logits, n_logits * sizeof *logits);
    for (size_t i = 0; i < sampling->n_biases; i++)
        if (sampling->biases[i].id < n_logits)
            changed[sampling->biases[i].id] += sampling->biases[i].bias;
    if (repeats(sampling)) {
        count_ids(text, 0, n_logits, n);
        penalize_repetition(changed, n_logits, n, sampling->repetition_penalty);
    }
    if (counts(sampling)) {
        count_ids(text, text->n_given, n_logits, n);
        penalize_presence(changed, n_logits, n, sampling);
    }
    for (size_t i = 0; i < text->n_banned; i++)
        if (text->banned[i] < n_logits)
            changed[text->banned[i]] = -INFINITY;
    return changed;
}

/* ---- which are left ---- */

/* Largest first; of equal ones the lowest id. */
static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static double sum_weights(const struct draw *draw)
{
    double sum = 0;

    for (size_t i = 0; i < draw->n_candidates; i++)
        sum += draw->candidates[i].weight;
    return sum;
}

/* heap[n], the smallest first; heap[0] is new and may be too large for its place. */
static void sink(float *heap, size_t n)
{
    size_t at = 0, child;

    while ((child = 2 * at + 1) < n) {
        float item = heap[at];

        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (item <= heap[child])
            break;
        heap[at] = heap[child];
        heap[child] = item;
        at = child;
    }
}

/* The k-th largest; heap: scratch, [k], k at most n. */
static float find_kth(const float *logits, size_t n, size_t k, float *heap)
{
    for (size_t i = 0; i < k; i++)
        heap[i] = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (logits[i] > heap[0]) {
            heap[0] = logits[i];
            sink(heap, k);
        }
    return heap[0];
}

/* weights = exp((logits - max) / temperature) */
static void weigh(const float *logits, size_t n, float max, double temperature, float *weights)
{
    if (temperature == 1) {
        vector_exp(logits, max, n, weights);
        return;
    }
    for (size_t i = 0; i < n; i++)
        weights[i] = (float)(((double)logits[i] - max) / temperature);
    vector_exp(weights, 0, n, weights);
}

static void add_candidates(struct draw *draw, const float *logits, const float *weights, size_t n,
                           float least)
{
    for (size_t i = 0; i < n; i++)
        if (logits[i] >= least)
            draw->candidates[draw->n_candidates++] =
                (struct candidate){logits[i], (uint32_t)i, weights[i]};
}

/* Leaves out the smallest, as long as they have no more than 1 - top_p together. */
static void keep_top_p(struct draw *draw)
{
    double total = sum_weights(draw), rest = (1 - draw->sampling->top_p) * total;
    double share = rest / (double)draw->n_candidates, sum;
    size_t n = 0;

    /* All that have less than an equal share of what is left out are: so there are few to sort. */
    for (size_t i = 0; i < draw->n_candidates; i++)
        if (draw->candidates[i].weight >= share)
            draw->candidates[n++] = draw->candidates[i];
    draw->n_candidates = n;
    qsort(draw->candidates, n, sizeof *draw->candidates, compare);
    sum = total;
    for (size_t i = 0; i < n; i++)
        sum -= draw->candidates[i].weight; /* of those that are gone */
    while (n > 1 && sum + draw->candidates[n - 1].weight <= rest)
        sum += draw->candidates[--n].weight;
    draw->n_candidates = n;
}

/* The likeliest has the weight 1. */
static void keep_min_p(struct draw *draw)
{
    size_t n = 0;

    for (size_t i = 0; i < draw->n_candidates; i++)
        if (draw->candidates[i].weight >= draw->sampling->min_p)
            draw->candidates[n++] = draw->candidates[i];
    draw->n_candidates = n;
}

/* at: 0 to 1 */
static uint32_t choose(const struct draw *draw, double at)
{
    size_t i = 0;

    at *= sum_weights(draw);
    for (; i + 1 < draw->n_candidates; i++) {
        at -= draw->candidates[i].weight;
        if (at < 0)
            break;
    }
    return draw->candidates[i].id;
}

/* The same of all that there are. */
static uint32_t choose_of_all(const float *weights, size_t n, double at)
{
    double sum = 0;
    size_t i = 0;

    for (size_t k = 0; k < n; k++)
        sum += (double)weights[k];
    at *= sum;
    for (; i + 1 < n; i++) {
        at -= (double)weights[i];
        if (at < 0)
            break;
    }
    return (uint32_t)i;
}

static uint32_t draw_one(const struct sampling *sampling, const float *logits, size_t n, float max,
                         double at, struct candidate *candidates, float *weights)
{
    size_t k = sampling->top_k && sampling->top_k < n ? sampling->top_k : 0;
    struct draw draw = {sampling, candidates, 0};

    weigh(logits, n, max, sampling->temperature, weights);
    if (!k && sampling->top_p >= 1 && !(sampling->min_p > 0))
        return choose_of_all(weights, n, at);
    /* The candidates come later: until then their memory is free. */
    add_candidates(&draw, logits, weights, n,
                   k ? find_kth(logits, n, k, (float *)candidates) : -INFINITY);
    if (sampling->top_p < 1)
        keep_top_p(&draw);
    if (sampling->min_p > 0)
        keep_min_p(&draw);
    return choose(&draw, at);
}

int sampler_pick(const struct sampler *sampler, const float *logits,
                 const struct sampler_text *text, void *scratch, uint32_t *id, struct error *err)
{
    const struct sampling *sampling = &sampler->sampling;
    size_t n = sampler->n_logits, at = 0;
    struct candidate *candidates = scratch;
    float *changed = (float *)(candidates + n), *counts = changed + n;
    const float *processed;
    float max = vector_max(logits, n);

    if (!isfinite(max))
        return error_set(err, ERROR_INCOMPATIBLE, "the model gives logits that are no numbers, or "
                         "infinite");
    processed = process(sampler, logits, text, changed, (uint32_t *)(void *)counts);
    max = vector_max(processed, n);
    if (!isfinite(max))
        return error_set(err, ERROR_INCOMPATIBLE, "no token is left that may come next");
    if (sampling->temperature == 0) {
        while (processed[at] != max)
            at++;
        *id = (uint32_t)at;
        return 0;
    }
    /* What has been counted is not needed any more: weights take its place. */
    *id = draw_one(sampling, processed, n, max,
                   random_uniform_at(sampling->seed, sampling->number, text->n_ids - text->n_given),
                   candidates, counts);
    return 0;
}

/* ---- log probabilities ---- */

/* Puts the token where it belongs among the n that are there, of at most n_top. */
static size_t insert(struct token_logprob *top, size_t n, size_t n_top, struct token_logprob token)
{
    size_t at = n;

    while (at > 0 && top[at - 1].logprob < token.logprob)
        at--;
    if (at == n_top)
        return n;
    n = n < n_top ? n + 1 : n;
    memmove(top + at + 1, top + at, (n - 1 - at) * sizeof *top);
    top[at] = token;
    return n;
}

void sampler_logprobs(const float *logits, size_t n_logits, uint32_t id, size_t n_top,
                      struct token_logprob *out)
{
    double log_sum = vector_log_sum_exp(logits, n_logits);
    size_t n = 0;

    for (size_t i = 0; i < n_logits && n_top; i++)
        if (n < n_top || logits[i] > out[n_top].logprob)
            n = insert(out + 1, n, n_top, (struct token_logprob){(uint32_t)i, logits[i]});
    for (size_t i = 1; i <= n_top; i++)
        out[i].logprob = (float)(out[i].logprob - log_sum);
    out[0] = (struct token_logprob){id, (float)(logits[id] - log_sum)};
}
