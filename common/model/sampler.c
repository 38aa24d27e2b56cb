#include "sampler.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "math/vector.h"

struct candidate {
    float logit;
    uint32_t id;
    double weight; /* its probability, but for a factor that all share */
};

void sampler_init(struct sampler *sampler, const struct sampling *sampling, size_t n_logits)
{
    *sampler = (struct sampler){.sampling = *sampling, .n_logits = n_logits};
    random_init(&sampler->random, sampling->seed);
    if (sampling->temperature > 0)
        sampler->candidates = memory_zalloc(n_logits, sizeof *sampler->candidates);
}

void sampler_release(struct sampler *sampler)
{
    free(sampler->candidates);
    *sampler = (struct sampler){0};
}

/* Largest first; of equal ones the lowest id. */
static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void sort(struct sampler *sampler)
{
    qsort(sampler->candidates, sampler->n_candidates, sizeof *sampler->candidates, compare);
}

static double sum_weights(const struct sampler *sampler)
{
    double sum = 0;

    for (size_t i = 0; i < sampler->n_candidates; i++)
        sum += sampler->candidates[i].weight;
    return sum;
}

static void keep_top_k(struct sampler *sampler)
{
    size_t n = sampler->sampling.top_k;

    sort(sampler);
    while (n < sampler->n_candidates &&
           sampler->candidates[n].logit == sampler->candidates[n - 1].logit)
        n++;
    if (n < sampler->n_candidates)
        sampler->n_candidates = n;
}

/* Leaves out the smallest, as long as they have no more than 1 - top_p together. */
static void keep_top_p(struct sampler *sampler)
{
    double total = sum_weights(sampler), rest = (1 - sampler->sampling.top_p) * total;
    double share = rest / (double)sampler->n_candidates, sum;
    size_t n = 0;

    /* All that have less than an equal share of what is left out are: so there are few to sort. */
    for (size_t i = 0; i < sampler->n_candidates; i++)
        if (sampler->candidates[i].weight >= share)
            sampler->candidates[n++] = sampler->candidates[i];
    sampler->n_candidates = n;
    sort(sampler);
    sum = total;
    for (size_t i = 0; i < n; i++)
        sum -= sampler->candidates[i].weight; /* of those that are gone */
    while (n > 1 && sum + sampler->candidates[n - 1].weight <= rest)
        sum += sampler->candidates[--n].weight;
    sampler->n_candidates = n;
}

static uint32_t draw(struct sampler *sampler)
{
    double at = random_uniform(&sampler->random) * sum_weights(sampler);
    size_t i = 0;

    for (; i + 1 < sampler->n_candidates; i++) {
        at -= sampler->candidates[i].weight;
        if (at < 0)
            break;
    }
    return sampler->candidates[i].id;
}

int sampler_pick(struct sampler *sampler, const float *logits, uint32_t *id, struct error *err)
{
    float max = vector_max(logits, sampler->n_logits);
    double temperature = sampler->sampling.temperature;
    size_t at = 0;

    if (!isfinite(max))
        return error_set(err, ERROR_INCOMPATIBLE, "the model gives logits that are no numbers, or "
                         "infinite");
    if (temperature == 0) {
        while (logits[at] != max)
            at++;
        *id = (uint32_t)at;
        return 0;
    }
    sampler->n_candidates = sampler->n_logits;
    for (size_t i = 0; i < sampler->n_logits; i++)
        sampler->candidates[i] = (struct candidate){
            logits[i], (uint32_t)i, exp(((double)logits[i] - max) / temperature)};
    if (sampler->sampling.top_k)
        keep_top_k(sampler);
    if (sampler->sampling.top_p < 1)
        keep_top_p(sampler);
    *id = draw(sampler);
    return 0;
}
