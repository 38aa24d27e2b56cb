/* combine_ram.c - reinforced agent merging, as reinforced.h says. */
#include <math.h>

#include "mix/reinforced.h"

enum { EPSILON };

static void ram(const struct combine_call *call, void *out)
{
    reinforced_combine(call, call->settings[EPSILON], NULL, out);
}

static const struct combine_parameter parameters[] = {
    {"epsilon", COMBINE_ALL, COMBINE_NUMBER, .standard = 1e-5, .most = INFINITY,
     .meaning = "differences up to this count as none"},
};

const struct combine_method combine_ram = {
    .name = "ram",
    .summary = "what one model alone has changed whole, what several have changed averaged",
    .combine = ram,
    .parameters = parameters,
    .n_parameters = sizeof parameters / sizeof *parameters,
    .base = COMBINE_BASE_REQUIRED,
    .min_inputs = 1,
    .scratch_input_bytes = REINFORCED_INPUT_BYTES,
};
