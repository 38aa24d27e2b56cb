#include "gram.h"

#include "mix/blocks.h"
#include "mix/combine_floats.h"

enum { BLOCK = COMBINE_BLOCK_ITEMS, N_HELD = 8 };

size_t gram_n_sums(size_t n_vectors)
{
    return n_vectors * (n_vectors + 1) / 2;
}

size_t gram_place(size_t n_vectors, size_t i, size_t j)
{
    size_t low = i < j ? i : j, high = i < j ? j : i;

    return low * n_vectors - low * (low + 1) / 2 + high;
}

/* A block of some vectors. Few are held, the others made anew for each pair. */
struct block {
    const struct combine_input *vectors;
    const float *base; /* NULL: there is none */
    size_t first, n;
    float held[N_HELD][BLOCK], made[2][BLOCK];
};

static void make(const struct block *block, size_t i, float *out)
{
    combine_read_floats(&block->vectors[i], block->first, block->n, out);
    if (block->base)
        blocks_subtract(out, block->base, out);
}

static const float *vector(struct block *block, size_t i, size_t which)
{
    if (i < N_HELD)
        return block->held[i];
    make(block, i, block->made[which]);
    return block->made[which];
}

void gram_add(const struct combine_input *vectors, size_t n_vectors,
              const struct combine_input *base, size_t first, size_t n, double *sums)
{
    struct block block = {.vectors = vectors};
    float base_values[BLOCK];

    for (size_t end = first + n; first < end; first += BLOCK) {
        double *sum = sums;

        block.first = first;
        block.n = end - first < BLOCK ? end - first : BLOCK;
        block.base = base ? base_values : NULL;
        if (base)
            combine_read_floats(base, first, block.n, base_values);
        for (size_t i = 0; i < n_vectors && i < N_HELD; i++)
            make(&block, i, block.held[i]);
        if (n_vectors == 2) {
            blocks_dots(block.held[0], block.held[1], &sums[0], &sums[1], &sums[2]);
            continue;
        }
        for (size_t i = 0; i < n_vectors; i++) {
            const float *one = vector(&block, i, 0);

            for (size_t k = i; k < n_vectors; k++)
                *sum++ += blocks_dot(one, vector(&block, k, 1));
        }
    }
}

void gram_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = gram_n_sums(call->n_inputs);
}

void gram_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    gram_add(call->inputs, call->n_inputs, call->base, 0, call->n, sums);
}
