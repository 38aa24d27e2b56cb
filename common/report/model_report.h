/* model_report.h - what a checkpoint is, as `inspect` shows it. */
#ifndef COCKTAIL_MODEL_REPORT_H
#define COCKTAIL_MODEL_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "arch/model_facts.h"
#include "base/json_writer.h"

/* Names and values, then all tensors when they are asked for. `name` is what the user called it. */
void model_report_print(const struct model_facts *facts, const char *name, bool with_tensors,
                        FILE *out);
/* A whole object. */
void model_report_add_json(struct json_writer *json, const struct model_facts *facts,
                           const char *name, bool with_tensors);

#endif
