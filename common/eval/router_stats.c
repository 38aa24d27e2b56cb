#include "router_stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#define AT(member) offsetof(struct router_stats, member)
const struct router_stat router_stat_rows[] = {
    {"load_min", "min load", AT(load_min), ROUTER_VIEW_LOAD, ROUTER_LEAST, 4, false},
    {"load_max", "max load", AT(load_max), ROUTER_VIEW_LOAD, ROUTER_MOST, 4, true},
    {"unused", "unused", AT(n_unused), ROUTER_VIEW_LOAD, ROUTER_SUM, 0, true},
    {"cv", "cv", AT(cv), ROUTER_VIEW_LOAD, ROUTER_MEAN, 3, true},
    {"max_violation", "overload", AT(max_violation), ROUTER_VIEW_LOAD, ROUTER_MEAN, 3, false},
    {"load_entropy", "entropy", AT(load_entropy), ROUTER_VIEW_LOAD, ROUTER_MEAN, 4, false},
    {"effective_experts", "effective", AT(effective_experts), ROUTER_VIEW_LOAD, ROUTER_MEAN, 2,
     true},
    {"busiest_quarter", "top 1/4", AT(busiest_quarter), ROUTER_VIEW_LOAD, ROUTER_MEAN, 4, false},
    {"busiest_half", "top 1/2", AT(busiest_half), ROUTER_VIEW_LOAD, ROUTER_MEAN, 4, false},
    {"aux_loss", "aux loss", AT(aux_loss), ROUTER_VIEW_LOAD, ROUTER_MEAN, 4, false},
    {"token_entropy", "token entropy", AT(token_entropy), ROUTER_VIEW_CHOICE, ROUTER_MEAN, 4,
     true},
    {"mutual_information", "mutual inf", AT(mutual_information), ROUTER_VIEW_CHOICE, ROUTER_MEAN,
     4, false},
    {"top_weight", "top weight", AT(top_weight), ROUTER_VIEW_CHOICE, ROUTER_MEAN, 4, true},
    {"margin", "margin", AT(margin), ROUTER_VIEW_CHOICE, ROUTER_MEAN, 4, true},
    {"kept_mass", "kept mass", AT(kept_mass), ROUTER_VIEW_CHOICE, ROUTER_MEAN, 4, true},
    {"z_loss", "z loss", AT(z_loss), ROUTER_VIEW_CHOICE, ROUTER_MEAN, 4, false},
    {"logit_rms", "logit rms", AT(logit_rms), ROUTER_VIEW_CHOICE, ROUTER_MEAN, 4, false},
    {"row_norm_min", "min norm", AT(row_norm_min), ROUTER_VIEW_CHOICE, ROUTER_LEAST, 4, false},
    {"row_norm_max", "max norm", AT(row_norm_max), ROUTER_VIEW_CHOICE, ROUTER_MOST, 4, false},
    {"dropped", "dropped", AT(dropped), ROUTER_VIEW_FLOW, ROUTER_MEAN, 4, true},
    {"dropped_at_1", "limit 1", AT(dropped_1), ROUTER_VIEW_FLOW, ROUTER_MEAN, 4, false},
    {"dropped_at_1_25", "limit 1.25", AT(dropped_1_25), ROUTER_VIEW_FLOW, ROUTER_MEAN, 4, true},
    {"dropped_at_2", "limit 2", AT(dropped_2), ROUTER_VIEW_FLOW, ROUTER_MEAN, 4, false},
    {"token_overlap", "as token before", AT(token_overlap), ROUTER_VIEW_FLOW, ROUTER_MEAN, 4,
     false},
    {"layer_overlap", "as layer before", AT(layer_overlap), ROUTER_VIEW_FLOW, ROUTER_MEAN, 4,
     false},
    {"jaccard", "jaccard", AT(jaccard), ROUTER_VIEW_AGREEMENT, ROUTER_MEAN, 4, false},
    {"same_first", "same first", AT(same_first), ROUTER_VIEW_AGREEMENT, ROUTER_MEAN, 4, false},
    {"kl", "KL", AT(divergence), ROUTER_VIEW_AGREEMENT, ROUTER_MEAN, 4, false},
    {"load_shift", "load shift", AT(load_shift), ROUTER_VIEW_AGREEMENT, ROUTER_MEAN, 4, false},
    {0},
};

double router_stat_of(const struct router_stats *stats, const struct router_stat *row)
{
    return *(const double *)((const char *)stats + row->offset);
}

/* 0 of 0 is not a number: there is nothing to say. */
static double share(size_t n, size_t of)
{
    return (double)n / (double)of;
}

double router_load(const struct router_tally *tally, size_t expert)
{
    return share(tally->together[expert * tally->n_experts + expert],
                 tally->n_tokens * tally->n_chosen);
}

/* ---- one router ---- */

static int compare_falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

static double sum_of(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* In nats. */
static double entropy_of(const double *shares, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum -= shares[i] == 0 ? 0 : shares[i] * log(shares[i]);
    return sum;
}

/* loads [n], falling */
static void find_loads(struct router_stats *stats, const double *loads, size_t n)
{
    double even = 1 / (double)n, squares = 0, entropy = entropy_of(loads, n);

    stats->n_unused = 0;
    for (size_t e = 0; e < n; e++) {
        squares += (loads[e] - even) * (loads[e] - even);
        stats->n_unused += loads[e] == 0;
    }
    stats->load_max = loads[0];
    stats->load_min = loads[n - 1];
    stats->cv = sqrt(squares / (double)n) / even;
    stats->max_violation = loads[0] / even - 1;
    stats->load_entropy = entropy / log((double)n);
    stats->effective_experts = exp(entropy);
    stats->busiest_quarter = sum_of(loads, (n + 3) / 4);
    stats->busiest_half = sum_of(loads, (n + 1) / 2);
}

/* mean_p [n_experts]: of each, over the tokens */
static void find_choices(struct router_stats *stats, const struct router_tally *tally,
                         const double *mean_p)
{
    double n_tokens = (double)tally->n_tokens, n = (double)tally->n_experts;

    stats->aux_loss = 0;
    for (size_t e = 0; e < tally->n_experts; e++)
        stats->aux_loss += n * router_load(tally, e) * mean_p[e];
    stats->token_entropy = tally->entropy / n_tokens / log(n);
    stats->mutual_information = entropy_of(mean_p, tally->n_experts) - tally->entropy / n_tokens;
    stats->top_weight = tally->top_weight / n_tokens;
    stats->margin = tally->n_chosen < tally->n_experts ? tally->margin / n_tokens : NAN;
    stats->kept_mass = tally->kept_mass / n_tokens;
    stats->z_loss = tally->square_log_sum / n_tokens;
    stats->logit_rms = sqrt(tally->square_logits / n_tokens / n);
}

static void find_flow(struct router_stats *stats, const struct router_tally *tally)
{
    size_t k = tally->n_chosen, n_choices = tally->n_tokens * k;

    stats->dropped = share(tally->n_dropped, n_choices);
    stats->dropped_1 = share(tally->n_over[ROUTER_LIMIT_1], n_choices);
    stats->dropped_1_25 = share(tally->n_over[ROUTER_LIMIT_1_25], n_choices);
    stats->dropped_2 = share(tally->n_over[ROUTER_LIMIT_2], n_choices);
    stats->token_overlap = share(tally->n_kept_neighbours, tally->n_neighbours * k);
    stats->layer_overlap = share(tally->n_kept_above, tally->n_above * k);
}

static void find_norms(struct router_stats *stats, const double *norms, size_t n)
{
    stats->row_norm_min = stats->row_norm_max = norms ? norms[0] : NAN;
    for (size_t e = 1; norms && e < n; e++) {
        stats->row_norm_min = fmin(stats->row_norm_min, norms[e]);
        stats->row_norm_max = fmax(stats->row_norm_max, norms[e]);
    }
}

void router_stats_find(struct router_stats *stats, const struct router_tally *tally,
                       const double *row_norms)
{
    size_t n = tally->n_experts;
    double *loads = memory_zalloc(n, sizeof *loads), *mean_p = memory_zalloc(n, sizeof *mean_p);

    for (size_t e = 0; e < n; e++) {
        loads[e] = router_load(tally, e);
        mean_p[e] = tally->mass[e] / (double)tally->n_tokens;
    }
    qsort(loads, n, sizeof *loads, compare_falling);
    *stats = (struct router_stats){0};
    find_loads(stats, loads, n);
    find_choices(stats, tally, mean_p);
    find_flow(stats, tally);
    find_norms(stats, row_norms, n);
    stats->jaccard = stats->same_first = stats->divergence = stats->load_shift = NAN;
    free(loads);
    free(mean_p);
}

void router_stats_compare(struct router_stats *stats, const struct router_agreement *agreement,
                          const struct router_tally *first, const struct router_tally *second)
{
    double n_tokens = (double)agreement->n_tokens;

    stats->jaccard = agreement->jaccard / n_tokens;
    stats->same_first = (double)agreement->n_same_first / n_tokens;
    stats->divergence = agreement->divergence / n_tokens;
    stats->load_shift = 0;
    for (size_t e = 0; e < first->n_experts; e++)
        stats->load_shift += fabs(router_load(first, e) - router_load(second, e)) / 2;
}

/* ---- several layers ---- */

static double sum_up(const struct router_stat *row, const struct router_stats *const *layers,
                     size_t n_layers)
{
    double sum = 0, least = INFINITY, most = -INFINITY;
    size_t n = 0;

    for (size_t l = 0; l < n_layers; l++) {
        double value = router_stat_of(layers[l], row);

        if (isnan(value))
            continue;
        sum += value;
        least = fmin(least, value);
        most = fmax(most, value);
        n++;
    }
    if (n == 0)
        return NAN;
    switch (row->overall) {
    case ROUTER_SUM:
        return sum;
    case ROUTER_LEAST:
        return least;
    case ROUTER_MOST:
        return most;
    default:
        return sum / (double)n;
    }
}

void router_stats_sum_up(struct router_stats *overall, const struct router_stats *const *layers,
                         size_t n_layers)
{
    for (const struct router_stat *row = router_stat_rows; row->name; row++)
        *(double *)((char *)overall + row->offset) = sum_up(row, layers, n_layers);
}
