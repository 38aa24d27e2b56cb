/* combine_ties.c - Yadav and others, 2023: the largest differences of each model, of these what has the sign
 * that wins, averaged. */
#include "mix/task_window.h"

static void ties(const struct combine_call *call, void *out)
{
    task_window_combine(call, true, out);
}

static const struct combine_parameter parameters[] = {
    TASK_WEIGHT,
    TASK_DENSITY_ROW,
    TASK_WHOLE(1, 0),
};

const struct combine_method combine_ties = {
    .name = "ties",
    .summary = "the largest differences, signs voted on",
    .combine = ties,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .sum = COMBINE_SUM_ANY,
    .passes = task_window_largest,
    .n_passes = TASK_WINDOW_PASSES,
    .scratch_input_bytes = TASK_INPUT_BYTES + TASK_WINDOW_INPUT_BYTES,
};
