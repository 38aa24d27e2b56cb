#include "task_vectors.h"

#include <math.h>

#include "mix/combine_linear.h"

static double divisor(const struct combine_call *call)
{
    double sum = 0;

    if (call->settings[TASK_NORMALIZE] == 0)
        return 1;
    for (size_t i = 0; i < call->n_inputs; i++)
        sum += call->inputs[i].weight;
    return fabs(sum) < 1e-8 ? 1 : sum;
}

/* base + sum of c (x - base) = (1 - sum of c) base + sum of c x. */
static void combine_whole(const struct combine_call *call, void *out)
{
    double factor = call->settings[TASK_LAMBDA] / divisor(call), left = 1;
    size_t n = 0;

    for (size_t i = 0; i < call->n_inputs; i++)
        left -= call->inputs[i].weight * factor;
    call->spare[n] = *call->base;
    call->spare[n++].weight = left;
    for (size_t i = 0; i < call->n_inputs; i++) {
        call->spare[n] = call->inputs[i];
        call->spare[n++].weight *= factor;
    }
    combine_linear_run(call->spare, n, call->n, call->out->dtype, out);
}

void task_combine(const struct task_rules *rules, const struct combine_call *call, void *out)
{
    (void)rules;
    combine_whole(call, out);
}
