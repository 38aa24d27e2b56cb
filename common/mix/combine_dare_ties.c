/* combine_dare_ties.c - DARE (Yu and others, 2023) with the vote of TIES. */
#include "mix/task_chance.h"

static void dare_ties(const struct combine_call *call, void *out)
{
    task_chance_combine(call, true, out);
}

static const struct combine_parameter parameters[] = {
    TASK_WEIGHT,
    TASK_DENSITY_ROW,
    TASK_WHOLE(0, 1),
};

const struct combine_method combine_dare_ties = {
    .name = "dare_ties",
    .summary = "differences kept at random, signs voted on",
    .combine = dare_ties,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .is_random = true,
    .sum = COMBINE_SUM_ANY,
    .passes = task_chance_even,
    .n_passes = TASK_CHANCE_PASSES,
    .scratch_input_bytes = TASK_INPUT_BYTES + TASK_CHANCE_INPUT_BYTES,
};
