/* comparison_report.h - how two models differ, as `diff` shows it. */
#ifndef COCKTAIL_COMPARISON_REPORT_H
#define COCKTAIL_COMPARISON_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "mix/compare.h"

/* One row a layer, or a tensor; then shapes that differ, and what only one of the two has. */
void comparison_report_print(const struct comparison *comparison, const char *const names[2],
                             bool by_tensor, FILE *out);
/* A whole object: all layers and, when asked for, all tensors. */
void comparison_report_add_json(struct json_writer *json, const struct comparison *comparison,
                                bool with_tensors);

#endif
