/* rerank_report.h - passages in order, as `rerank` shows them. */
#ifndef COCKTAIL_RERANK_REPORT_H
#define COCKTAIL_RERANK_REPORT_H

#include <stdio.h>

#include "eval/ranking.h"

/* A line for each: score, tab, text. */
void rerank_report_print(const struct ranking *ranking, FILE *out);
/* A JSON object a line. */
void rerank_report_print_json(const struct ranking *ranking, FILE *out);

#endif
