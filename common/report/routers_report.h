/* routers_report.h - the routers of a model, or of two that read the same, as `routers` shows them. */
#ifndef COCKTAIL_ROUTERS_REPORT_H
#define COCKTAIL_ROUTERS_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "report/router_drawings.h"

struct routers_report { /* all borrowed */
    const struct router_models *models;
    size_t n_examples;
    const char *plots; /* where they have been drawn to; NULL: nowhere */
};

/* One model after the other, then how the second agrees with the first. */
void routers_report_print(const struct routers_report *report, FILE *out);
/* A whole object. */
void routers_report_add_json(struct json_writer *json, const struct routers_report *report);

#endif
