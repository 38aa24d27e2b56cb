#include "mix_block.h"

#include <string.h>

#include "math/random.h"

const struct adapter_method adapter_methods[] = {
    {"linear", ADAPTER_FACTORS, ADAPTER_KEEPS_ALL, false},
    {"ties", ADAPTER_FACTORS, ADAPTER_KEEPS_LARGEST, true},
    {"dare_linear", ADAPTER_FACTORS, ADAPTER_KEEPS_BY_CHANCE, false},
    {"dare_ties", ADAPTER_FACTORS, ADAPTER_KEEPS_BY_CHANCE, true},
    {"magnitude_prune", ADAPTER_FACTORS, ADAPTER_KEEPS_LARGEST, false},
    {"cat", ADAPTER_SIDE_BY_SIDE, ADAPTER_KEEPS_ALL, false},
    {"svd", ADAPTER_PRODUCTS, ADAPTER_KEEPS_ALL, false},
    {"ties_svd", ADAPTER_PRODUCTS, ADAPTER_KEEPS_LARGEST, true},
    {"dare_linear_svd", ADAPTER_PRODUCTS, ADAPTER_KEEPS_BY_CHANCE, false},
    {"dare_ties_svd", ADAPTER_PRODUCTS, ADAPTER_KEEPS_BY_CHANCE, true},
    {"magnitude_prune_svd", ADAPTER_PRODUCTS, ADAPTER_KEEPS_LARGEST, false},
    {0},
};

const struct adapter_method *adapter_method_find(const char *name)
{
    for (const struct adapter_method *method = adapter_methods; method->name; method++)
        if (strcmp(method->name, name) == 0)
            return method;
    return NULL;
}

void mix_block_thin(float *x, size_t first, size_t n, double density, uint64_t seed, uint64_t stream)
{
    for (size_t i = 0; i < n; i++)
        x[i] = random_uniform_at(seed, stream, first + i) < density ? x[i] / (float)density : 0;
}

void mix_block_sum(const float *const *values, const float *weights, size_t n_inputs, size_t n,
                   float *out)
{
    for (size_t i = 0; i < n; i++) {
        float sum = 0;

        for (size_t k = 0; k < n_inputs; k++)
            sum += values[k][i] * weights[k];
        out[i] = sum;
    }
}

static float sign_of(float x)
{
    return (float)((x > 0) - (x < 0));
}

void mix_block_vote(const float *const *values, const float *weights, size_t n_inputs, size_t n,
                    bool counts_signs, float *out)
{
    for (size_t i = 0; i < n; i++) {
        float election = 0, elected, sum = 0, n_preserved = 0;

        for (size_t k = 0; k < n_inputs; k++)
            election += counts_signs ? sign_of(values[k][i]) : values[k][i];
        elected = election >= 0 ? 1 : -1;
        for (size_t k = 0; k < n_inputs; k++)
            if (sign_of(values[k][i]) == elected) {
                sum += values[k][i] * weights[k];
                n_preserved++;
            }
        out[i] = n_preserved > 1 ? sum / n_preserved : sum;
    }
}
