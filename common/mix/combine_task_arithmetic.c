/* combine_task_arithmetic.c - base + sum of weight (model - base); Ilharco and others, 2022. */
#include "mix/task_vectors.h"

static void task_arithmetic(const struct combine_call *call, void *out)
{
    task_combine(&(struct task_rules){.votes = false}, call, out);
}

static const struct combine_parameter parameters[] = {
    TASK_WEIGHT,
    {"density", COMBINE_EACH, COMBINE_NUMBER, .standard = 1, .most = 1,
     .meaning = "accepted, changes nothing here"},
    TASK_WHOLE(0, 0),
};

const struct combine_method combine_task_arithmetic = {
    .name = "task_arithmetic",
    .summary = "the base plus the weighted differences from it",
    .combine = task_arithmetic,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .sum = COMBINE_SUM_ANY,
};
