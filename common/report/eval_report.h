/* eval_report.h - how well models do on examples, as `eval` and `mix-data` show it. */
#ifndef COCKTAIL_EVAL_REPORT_H
#define COCKTAIL_EVAL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "arch/architecture.h"
#include "base/json_writer.h"
#include "eval/examples.h"
#include "eval/losses.h"
#include "eval/router_watch.h"

struct eval_report { /* all borrowed */
    const char *name; /* of the model, as the user called it */
    enum model_type type;
    const struct examples *examples;
    const struct losses *losses;
    const struct router_watch *routers; /* NULL: they were not watched */
    bool with_each;   /* each example, too */
};

/* The examples when they are asked for, then names and values, then the routers. */
void eval_report_print(const struct eval_report *report, FILE *out);
/* A whole object. */
void eval_report_add_json(struct json_writer *json, const struct eval_report *report);

/* The member "examples": the losses of each, by n_models models. */
void eval_report_add_losses(struct json_writer *json, const struct examples *examples,
                            const struct losses *losses, size_t n_models);

#endif
