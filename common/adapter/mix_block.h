/* mix_block.h - how the values of several adapters become one: PEFT's ways of combining
 * (add_weighted_adapter, utils/merge_utils.py), block by block.
 *
 * Some values of each adapter may be dropped first: all but the largest by magnitude of a matrix, or by
 * chance, and then the others are divided by the share that stays. The rest is weighted and summed; or
 * only what has the sign that most of the unweighted values have, divided by the number of those. In
 * float, in PEFT's order. */
#ifndef COCKTAIL_MIX_BLOCK_H
#define COCKTAIL_MIX_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum adapter_pruning { ADAPTER_KEEPS_ALL, ADAPTER_KEEPS_LARGEST, ADAPTER_KEEPS_BY_CHANCE };

/* What is combined: A and B each; or their products, which are then decomposed; or neither: A and B
 * stand beside one another. */
enum adapter_parts { ADAPTER_FACTORS, ADAPTER_PRODUCTS, ADAPTER_SIDE_BY_SIDE };

struct adapter_method {
    const char *name;
    enum adapter_parts parts;
    enum adapter_pruning pruning;
    bool votes;
};

extern const struct adapter_method adapter_methods[]; /* ended by a name of NULL */
const struct adapter_method *adapter_method_find(const char *name); /* NULL: there is none */

/* x[n], items `first` … of a matrix: each 0 with probability 1 - density, else divided by the density.
 * It depends on seed, stream and the item's place alone. */
void mix_block_thin(float *x, size_t first, size_t n, double density, uint64_t seed, uint64_t stream);

/* out[n] from values[n_inputs][n]; without votes the sum of weight times value. By sum or by number
 * (`counts_signs`) the sign of an item is elected, + where that is 0. */
void mix_block_sum(const float *const *values, const float *weights, size_t n_inputs, size_t n,
                   float *out);
void mix_block_vote(const float *const *values, const float *weights, size_t n_inputs, size_t n,
                    bool counts_signs, float *out);

#endif
