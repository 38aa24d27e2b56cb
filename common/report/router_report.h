/* router_report.h - what was seen of routers, as eval --routers and routers print it. */
#ifndef COCKTAIL_ROUTER_REPORT_H
#define COCKTAIL_ROUTER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "eval/router_watch.h"

/* Tables of the layers, one after the other: the short one, or all that there are. */
void router_report_print(const struct router_watch *watch, bool is_brief, FILE *out);
/* The second model beside the first. */
void router_report_print_agreement(const struct router_watch *second, FILE *out);

/* One table of all layers of all models. */
void router_report_print_csv(const struct router_watch *const *watches, size_t n_watches,
                             FILE *out);

/* A JSON object of the model's routers, or of how they agree with those of the first model. */
void router_report_add_json(struct json_writer *json, const char *key,
                            const struct router_watch *watch, bool is_agreement);

#endif
