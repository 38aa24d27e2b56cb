/* packed_ints.h - matrices of integers of a few bits, packed into words, with a scale and a zero or a
 * bias for each group of inputs: GPTQ, AWQ, compressed-tensors, MLX.
 *
 * W[o, i] = (q[o, i] - zero[o, g]) scale[o, g], or that with a zero of 0 plus bias[o, g]; g = i / group_size,
 * or as the file maps it. Rounded to float once, with biases twice. Sources: docs/formats.md, "Packed
 * integers". */
#ifndef COCKTAIL_PACKED_INTS_H
#define COCKTAIL_PACKED_INTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor_source.h"

enum packed_order {
    PACKED_ALONG_INPUTS, /* words [n_in bits / 32, n_out], scales [G, n_out], zeros [G, n_out bits / 32]: GPTQ */
    PACKED_AWQ,          /* words [n_in, n_out / 8], scales [G, n_out], zeros [G, n_out / 8] */
    PACKED_IN_ROWS,      /* words [n_out, n_in bits / 32], scales, biases [n_out, G], zeros
                          * [n_out bits / 32, G]: compressed-tensors, MLX */
};

struct packed_ints_spec {
    const char *method;  /* for `inspect`; kept as it is */
    enum packed_order order;
    unsigned bits;       /* 1 to 8; AWQ: 4 */
    size_t n_out, n_in;  /* of rows of words; else they follow from the words */
    size_t group_size;   /* 0: all inputs are one group */
    const struct tensor *words, *scales;
    const struct tensor *zeros;  /* NULL: `zero` everywhere */
    const struct tensor *biases; /* NULL: none */
    const struct tensor *map;    /* I32 [n_in], the group of each input; NULL: i / group_size */
    float zero;          /* where there are no zeros */
    bool adds_one;       /* the zeros are stored less one: GPTQ's first version */
};

/* Makes *out the tensor `name`, F32 [n_out, n_in]. Parts are borrowed, the rest stands in the arena.
 * ERROR_FORMAT where dtypes or shapes do not go together, or the map leads nowhere. */
int packed_ints_make(const struct packed_ints_spec *spec, const char *name, struct arena *arena,
                     struct tensor *out, struct error *err);

#endif
