/* rows_pass.h - texts to embed and pairs to score, those of all jobs in line together. */
#ifndef COCKTAIL_ROWS_PASS_H
#define COCKTAIL_ROWS_PASS_H

#include "serve/lane.h"

/* As many from the head of the line as a pass is worth. */
void rows_pass_run(struct lane *lane);

#endif
