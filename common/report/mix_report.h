/* mix_report.h - what has been mixed, or is going to be, as the commands that write models show it. */
#ifndef COCKTAIL_MIX_REPORT_H
#define COCKTAIL_MIX_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "mix/merge_write.h"

struct mix_report { /* all borrowed */
    const struct merge *merge; /* after merge_set_weights */
    const double *losses;      /* [n_models], NAN: has none; NULL: there are none */
    const struct merge_result *result; /* NULL: nothing has been written */
    double seconds;            /* that writing took */
    bool is_dry_run;
    size_t memory_bytes;       /* of buffers, as a dry run tells */
    /* Adds members to the JSON object; NULL: no more. */
    void (*add_members)(const void *context, struct json_writer *json);
    /* What stands above the last lines of the text; NULL: nothing more. */
    void (*print_more)(const void *context, FILE *out);
    const void *context;
};

/* A row for each model: its loss, where there are losses, and its weight. */
void mix_report_print_models(const struct mix_report *report, FILE *out);
/* The models, and what a dry run would write, or what has been written; `verbose`: which files are
 * copied, or where the time went. */
void mix_report_print(const struct mix_report *report, bool verbose, FILE *out);
/* A whole object. */
void mix_report_add_json(struct json_writer *json, const struct mix_report *report);

#endif
