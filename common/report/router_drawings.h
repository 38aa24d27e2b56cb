/* router_drawings.h - SVG files that show how routers behave: of one model, or of two that read the
 * same texts, the second drawn beside the first.
 *
 * Layers are rows, experts columns, and colours say how far something is from what chance, or the
 * first model, would give: from a quarter to four times. */
#ifndef COCKTAIL_ROUTER_DRAWINGS_H
#define COCKTAIL_ROUTER_DRAWINGS_H

#include <stddef.h>

#include "base/buffer.h"
#include "eval/router_watch.h"

struct router_models {
    const struct router_watch *watches[2];
    size_t n; /* 1 or 2 */
};

/* Loads of the experts in each layer, and how evenly and how surely they are chosen. */
void router_draw_load(struct buffer *out, const struct router_models *models);
/* For each layer, how often two experts are chosen together. */
void router_draw_coactivation(struct buffer *out, const struct router_models *models);
/* What changed from the first model to the second. */
void router_draw_agreement(struct buffer *out, const struct router_models *models);

#endif
