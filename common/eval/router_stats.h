/* router_stats.h - what is said about a router: numbers from its tally, with names and how those of
 * several layers are summed up. What each means: man/cocktail-routers.1. Source:
 * docs/models.md, "Router statistics". */
#ifndef COCKTAIL_ROUTER_STATS_H
#define COCKTAIL_ROUTER_STATS_H

#include <stdbool.h>
#include <stddef.h>

#include "eval/router_tally.h"

struct router_stats { /* NAN for what there is none of */
    double load_min, load_max, n_unused, cv, max_violation, load_entropy, effective_experts;
    double busiest_quarter, busiest_half, aux_loss;
    double token_entropy, mutual_information, top_weight, margin, kept_mass;
    double z_loss, logit_rms, row_norm_min, row_norm_max;
    double dropped, dropped_1, dropped_1_25, dropped_2, token_overlap, layer_overlap;
    double jaccard, same_first, divergence, load_shift; /* of a second model, with the first */
};

enum router_view { /* what belongs together */
    ROUTER_VIEW_LOAD,
    ROUTER_VIEW_CHOICE,
    ROUTER_VIEW_FLOW,
    ROUTER_VIEW_AGREEMENT,
    N_ROUTER_VIEWS,
};

enum router_overall { ROUTER_MEAN, ROUTER_SUM, ROUTER_LEAST, ROUTER_MOST };

struct router_stat { /* one member of the struct above */
    const char *name;  /* in JSON and CSV: frozen */
    const char *label; /* of a column */
    size_t offset;
    enum router_view view;
    enum router_overall overall; /* how layers are summed up */
    int n_digits;      /* behind the point */
    bool is_brief;     /* also in the short table */
};

/* Ended by a row without a name, in the order of their views. */
extern const struct router_stat router_stat_rows[];
double router_stat_of(const struct router_stats *stats, const struct router_stat *row);

/* row_norms [n_experts], or NULL. The last four members become NAN. */
void router_stats_find(struct router_stats *stats, const struct router_tally *tally,
                       const double *row_norms);
/* The last four; first and second are the tallies of the two routers. */
void router_stats_compare(struct router_stats *stats, const struct router_agreement *agreement,
                          const struct router_tally *first, const struct router_tally *second);

/* Of several layers; values that are NAN do not count. */
void router_stats_sum_up(struct router_stats *overall, const struct router_stats *const *layers,
                         size_t n_layers);

/* The share of all choices that went to an expert. */
double router_load(const struct router_tally *tally, size_t expert);

#endif
