/* combine_della.c - DELLA (Deep and others, 2024): differences kept at random, the larger ones of a row rather,
 * with the vote of TIES. */
#include "mix/task_chance.h"

static void della(const struct combine_call *call, void *out)
{
    task_chance_combine_by_rank(call, true, out);
}

static const struct combine_parameter parameters[] = {
    TASK_WEIGHT,
    TASK_DENSITY_ROW,
    TASK_EPSILON_ROW,
    TASK_WHOLE(1, 1),
};

const struct combine_method combine_della = {
    .name = "della",
    .summary = "differences kept at random, larger ones rather, signs voted on",
    .combine = della,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .max_inputs = TASK_RANK_INPUTS_MAX,
    .is_random = true,
    .sum = COMBINE_SUM_ANY,
    .check = task_chance_check_ranks,
    .unit = COMBINE_ROWS,
    .passes = task_chance_by_rank,
    .n_passes = TASK_CHANCE_PASSES,
    .scratch_item_bytes = TASK_RANK_ITEM_BYTES,
    .scratch_bytes = TASK_RANK_BYTES,
    .scratch_input_bytes = TASK_INPUT_BYTES,
    .stages = &task_chance_stages,
};
