#include "reinforced.h"

#include <assert.h>
#include <string.h>

#include "mix/blocks.h"
#include "mix/combine_floats.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS };

static_assert(BLOCK * sizeof(float) == REINFORCED_INPUT_BYTES, "a block of an input's changes");

struct tally {
    float base[BLOCK];
    float changed[BLOCK]; /* how many have changed the item */
    float sum[BLOCK];     /* of their differences */
    float alone[BLOCK];   /* likewise, with the factors for one alone */
};

/* A difference, 0 where it is none; NaN stays. */
static void find_change(const struct combine_call *call, size_t input, size_t first, size_t n,
                        float epsilon, const float *base, float *change)
{
    combine_read_floats(&call->inputs[input], first, n, change);
    blocks_subtract(change, base, change);
    blocks_drop_small(change, epsilon);
}

static void tally_block(const struct combine_call *call, float epsilon, const double *factors,
                        size_t first, size_t n, struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    combine_read_floats(call->base, first, n, tally->base);
    for (size_t i = 0; i < call->n_inputs; i++) {
        float *change = (float *)call->input_scratch + i * BLOCK;

        find_change(call, i, first, n, epsilon, tally->base, change);
        blocks_tally(change, factors ? (float)factors[i] : 1, tally->changed, tally->sum,
                     tally->alone);
    }
}

void reinforced_combine(const struct combine_call *call, double epsilon, const double *factors,
                        void *out)
{
    struct tally tally;

    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        tally_block(call, (float)epsilon, factors, first, n, &tally);
        blocks_average(tally.changed, tally.alone, tally.sum);
        blocks_add(tally.sum, tally.base);
        combine_write_floats(call->out->dtype, tally.base, out, first, n);
    }
}

void reinforced_count(const struct combine_call *call, double epsilon, size_t *shared,
                      size_t *alone)
{
    struct tally tally;
    const float *changes = call->input_scratch;

    for (size_t first = 0; first < call->n; first += BLOCK) {
        size_t n = call->n - first < BLOCK ? call->n - first : BLOCK;

        tally_block(call, (float)epsilon, NULL, first, n, &tally);
        for (size_t i = 0; i < call->n_inputs; i++)
            blocks_count_changes(changes + i * BLOCK, tally.changed, &shared[i], &alone[i]);
    }
}
