#include "sampler.h"

#include <math.h>
#include <stdlib.h>

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
    random_init(&sampler->random, sampling->seed);
}

size_t sampler_scratch_bytes(const struct sampler *sampler)
{
    return sampler->sampling.temperature > 0 ? sampler->n_logits * sizeof(struct candidate) : 0;
}

/* Largest first; of equal ones the lowest id. */
static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void sort(struct draw *draw)
{
    qsort(draw->candidates, draw->n_candidates, sizeof *draw->candidates, compare);
}

static double sum_weights(const struct draw *draw)
{
    double sum = 0;

    for (size_t i = 0; i < draw->n_candidates; i++)
        sum += draw->candidates[i].weight;
    return sum;
}

static void keep_top_k(struct draw *draw)
{
    size_t n = draw->sampling->top_k;

    sort(draw);
    while (n < draw->n_candidates &&
           draw->candidates[n].logit == draw->candidates[n - 1].logit)
        n++;
    if (n < draw->n_candidates)
        draw->n_candidates = n;
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
    sort(draw);
    sum = total;
    for (size_t i = 0; i < n; i++)
        sum -= draw->candidates[i].weight; /* of those that are gone */
    while (n > 1 && sum + draw->candidates[n - 1].weight <= rest)
        sum += draw->candidates[--n].weight;
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

int sampler_pick(struct sampler *sampler, const float *logits, void *scratch, uint32_t *id,
                 struct error *err)
{
    struct draw draw = {&sampler->sampling, scratch, sampler->n_logits};
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
    for (size_t i = 0; i < sampler->n_logits; i++)
        draw.candidates[i] = (struct candidate){
            logits[i], (uint32_t)i, exp(((double)logits[i] - max) / temperature)};
    if (sampler->sampling.top_k)
        keep_top_k(&draw);
    if (sampler->sampling.top_p < 1)
        keep_top_p(&draw);
    *id = choose(&draw, random_uniform(&sampler->random));
    return 0;
}
