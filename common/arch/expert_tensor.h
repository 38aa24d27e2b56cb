/* expert_tensor.h - a matrix of a dense model as an expert has it: with noise, or scaled. */
#ifndef COCKTAIL_EXPERT_TENSOR_H
#define COCKTAIL_EXPERT_TENSOR_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor.h"

struct expert_change {
    double noise, scale;   /* 0 and 1: none */
    uint64_t seed, stream; /* of the noise: another stream for each matrix */
};

/* Makes *made (x + noise N(0, 1)) * scale in float, F32; a value's noise depends on seed, stream and its
 * place alone. `tensor` must outlive it; the arena keeps what it needs. ERROR_UNSUPPORTED for items of
 * less than a byte. */
int expert_tensor(struct tensor *made, const struct tensor *tensor,
                  const struct expert_change *change, struct arena *arena, struct error *err);

#endif
