/* combine_passthrough.c - one model's tensor as it is, or scaled. */
#include "mix/combine_linear.h"

enum { SCALE };

static void passthrough(const struct combine_call *call, void *out)
{
    combine_linear_weighted(call, &call->inputs[0].settings[SCALE], 0, out);
}

static const struct combine_parameter parameters[] = {
    {"scale", COMBINE_EACH, COMBINE_NUMBER, .standard = 1,
     .meaning = "what the tensor is multiplied by"},
};

const struct combine_method combine_passthrough = {
    .name = "passthrough",
    .summary = "one model as it is, or scaled",
    .combine = passthrough,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_NONE,
    .min_inputs = 1,
    .max_inputs = 1,
};
