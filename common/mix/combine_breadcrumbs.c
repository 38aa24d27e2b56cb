/* combine_breadcrumbs.c - Model Breadcrumbs (Davari and Belilovsky, 2023): neither the small differences nor the
 * outliers. */
#include "mix/task_window.h"

static void breadcrumbs(const struct combine_call *call, void *out)
{
    task_window_combine(call, false, out);
}

static const struct combine_parameter parameters[] = {
    TASK_WEIGHT,
    TASK_DENSITY_ROW,
    TASK_GAMMA_ROW,
    TASK_WHOLE(0, 0),
};

const struct combine_method combine_breadcrumbs = {
    .name = "breadcrumbs",
    .summary = "the differences between the small ones and the outliers",
    .combine = breadcrumbs,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .sum = COMBINE_SUM_ANY,
    .passes = task_window_middle,
    .n_passes = TASK_WINDOW_PASSES,
    .scratch_input_bytes = TASK_INPUT_BYTES + TASK_WINDOW_INPUT_BYTES,
};
