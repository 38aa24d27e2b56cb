/* router_plots.h - a directory of plots: load.svg, coactivation.svg and, of two models,
 * agreement.svg. */
#ifndef COCKTAIL_ROUTER_PLOTS_H
#define COCKTAIL_ROUTER_PLOTS_H

#include <stdbool.h>

#include "base/error.h"

#include "router_drawings.h"

/* Whether they could be written, before the work that comes first. ERROR_EXISTS: only a directory
 * that holds such plots alone is replaced, and with `force`. */
int router_plots_check(const char *directory, bool force, struct error *err);
/* All or nothing. */
int router_plots_write(const char *directory, bool force, const struct router_models *models,
                       struct error *err);

#endif
