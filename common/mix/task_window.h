/* task_window.h - keeps those differences of a tensor whose magnitudes have ranks in a window: the
 * largest, or those between the small ones and the outliers.
 *
 * Two passes find the magnitudes at the ends of the window exactly (rank_select.h), and a third, if
 * only some of those that are equal to one stay, where these stand: those stay that come first. */
#ifndef COCKTAIL_TASK_WINDOW_H
#define COCKTAIL_TASK_WINDOW_H

#include "mix/task_vectors.h"

/* The third parameter of those that drop outliers, at TASK_GAMMA. */
#define TASK_GAMMA_ROW                                                                            \
    {"gamma", COMBINE_EACH, COMBINE_NUMBER, .standard = 0.01, .most = 1,                          \
     .meaning = "which part of the difference, the largest, is dropped as outliers"}

enum { TASK_WINDOW_PASSES = 3, TASK_WINDOW_INPUT_BYTES = 64 };

/* max(1, density N) of the largest, with TASK_DENSITY between 0 and 1. */
extern const struct combine_pass task_window_largest[TASK_WINDOW_PASSES];
/* density N, where as many small ones are dropped as that, with the gamma N largest dropped, demands;
 * with TASK_GAMMA. */
extern const struct combine_pass task_window_middle[TASK_WINDOW_PASSES];

/* For methods with these passes and scratch_input_bytes = TASK_INPUT_BYTES +
 * TASK_WINDOW_INPUT_BYTES. */
void task_window_combine(const struct combine_call *call, bool votes, void *out);

#endif
