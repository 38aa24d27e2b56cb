#include "task_vectors.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "math/vector.h"
#include "mix/blocks.h"
#include "mix/combine_floats.h"
#include "mix/combine_linear.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS };

enum task_share task_share(const struct combine_input *input)
{
    double density = input->settings[TASK_DENSITY];

    return density >= 1 ? TASK_ALL : density <= 0 ? TASK_NONE : TASK_SOME;
}

bool task_drops(const struct combine_call *call)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        if (task_share(&call->inputs[i]) == TASK_SOME)
            return true;
    return false;
}

bool task_rescales(const struct combine_call *call)
{
    return call->settings[TASK_RESCALE] != 0;
}

double task_scale(double all, double kept)
{
    return all < 1e-7 || kept < 1e-7 ? 1 : all / kept;
}

void task_look(const struct combine_call *call, task_looker *look, void *context)
{
    float base[BLOCK], x[BLOCK];

    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        combine_read_floats(call->base, first, n, base);
        for (size_t i = 0; i < call->n_inputs; i++) {
            if (task_share(&call->inputs[i]) != TASK_SOME)
                continue;
            combine_read_difference(&call->inputs[i], first, n, base, x);
            look(call, context, i, first, n, x);
        }
    }
}

/* ---- one weighted sum ---- */

static double weight_sum(const struct combine_call *call)
{
    double sum = 0;

    for (size_t i = 0; i < call->n_inputs; i++)
        sum += call->inputs[i].weight;
    return sum;
}

static double divisor(const struct combine_call *call)
{
    double sum = weight_sum(call);

    return call->settings[TASK_NORMALIZE] == 0 || fabs(sum) < 1e-8 ? 1 : sum;
}

/* base + sum of c (x - base) = (1 - sum of c) base + sum of c x. */
static void combine_whole(const struct combine_call *call, void *out)
{
    double factor = call->settings[TASK_LAMBDA] / divisor(call), left = 1;
    struct combine_input *spare = call->spare;

    spare[0] = *call->base;
    for (size_t i = 0; i < call->n_inputs; i++) {
        spare[1 + i] = call->inputs[i];
        spare[1 + i].weight *= factor;
        left -= spare[1 + i].weight;
    }
    spare[0].weight = left;
    combine_linear_run(spare, 1 + call->n_inputs, call->n, call->out->dtype, out);
}

/* ---- block by block ---- */

/* For all inputs each: terms, what they are made of, what the method has. */
static struct block_term *terms_of(const struct combine_call *call)
{
    return call->input_scratch;
}

static struct task_block *blocks_of(const struct combine_call *call)
{
    return (struct task_block *)(terms_of(call) + call->n_inputs);
}

void *task_scratch(const struct combine_call *call)
{
    return blocks_of(call) + call->n_inputs;
}

/* What of the input's difference counts, in a block. False: nothing. */
static bool find_term(const struct task_rules *rules, const struct combine_call *call, size_t input,
                      size_t first, size_t n, const float *base, struct block_term *term)
{
    struct task_block *own = blocks_of(call) + input;
    enum task_share share = rules->keep ? task_share(&call->inputs[input]) : TASK_ALL;
    float weight = (float)call->inputs[input].weight;

    if (share == TASK_NONE)
        return false;
    combine_read_difference(&call->inputs[input], first, n, base, own->difference);
    *term = (struct block_term){.x = own->difference, .factor = 1, .weight = weight, .vote = weight};
    if (share == TASK_ALL)
        return true;
    rules->keep(call, rules->context, input, first, n, own->difference, own->kept);
    term->kept = own->kept;
    term->factor = rules->scales ? (float)rules->scales[input] : 1;
    return true;
}

static void combine_block(const struct task_rules *rules, const struct combine_call *call,
                          size_t first, size_t n, float *base)
{
    struct block_term *terms = terms_of(call);
    float least = call->settings[TASK_NORMALIZE] != 0 ? FLT_TRUE_MIN : 0, sum[BLOCK];
    size_t n_terms = 0;

    combine_read_floats(call->base, first, n, base);
    for (size_t i = 0; i < call->n_inputs; i++)
        n_terms += find_term(rules, call, i, first, n, base, &terms[n_terms]);
    if (rules->votes)
        blocks_vote(terms, n_terms, least, 1, sum);
    else
        blocks_weigh(terms, n_terms, sum);
    if (!rules->votes && divisor(call) != 1)
        vector_scale(sum, (float)(1 / divisor(call)), BLOCK, sum);
    if (call->settings[TASK_LAMBDA] != 1)
        vector_scale(sum, (float)call->settings[TASK_LAMBDA], BLOCK, sum);
    blocks_add(sum, base);
}

static bool is_whole(const struct task_rules *rules, const struct combine_call *call)
{
    for (size_t i = 0; rules->keep && i < call->n_inputs; i++)
        if (task_share(&call->inputs[i]) != TASK_ALL)
            return false;
    return !rules->votes;
}

void task_combine(const struct task_rules *rules, const struct combine_call *call, void *out)
{
    float base[BLOCK];

    if (is_whole(rules, call)) {
        combine_whole(call, out);
        return;
    }
    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        combine_block(rules, call, first, n, base);
        combine_write_floats(call->out->dtype, base, out, first, n);
    }
}
