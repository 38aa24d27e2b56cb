/* snapshot_report.h - what was fetched from the Hub, or would be, as `pull` shows it. */
#ifndef COCKTAIL_SNAPSHOT_REPORT_H
#define COCKTAIL_SNAPSHOT_REPORT_H

#include <stdio.h>

#include "base/json_writer.h"
#include "hub/hub_fetch.h"

/* The files that a dry run would fetch. */
void snapshot_report_print_plan(const struct hub_snapshot *snapshot, FILE *out);
/* A whole object: where it is, and the files that are used. */
void snapshot_report_add_json(struct json_writer *json, const struct hub_snapshot *snapshot);

#endif
