/* recipe_report.h - what each tensor of a recipe's result is made of, and by which rule. */
#ifndef COCKTAIL_RECIPE_REPORT_H
#define COCKTAIL_RECIPE_REPORT_H

#include <stdio.h>

#include "base/error.h"
#include "mix/recipe_run.h"

/* A paragraph for each tensor. */
int recipe_report_print(const struct recipe_run *run, FILE *out, struct error *err);
/* A JSON object in each line: {"tensor", "sources": [{"model", "tensor", "parameters"}],
 * "parameters"}. */
int recipe_report_print_json(const struct recipe_run *run, FILE *out, struct error *err);

#endif
