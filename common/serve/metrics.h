/* metrics.h - /metrics: what Prometheus reads, in its text format 0.0.4. */
#ifndef COCKTAIL_METRICS_H
#define COCKTAIL_METRICS_H

#include "base/buffer.h"

struct http_state;

void metrics_add(struct http_state *http, struct buffer *out);

#endif
