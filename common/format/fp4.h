/* fp4.h - matrices of FP4 (E2M1), two in a byte, with a scale for each group of inputs: NVFP4, MXFP4.
 *
 * W[o, i] = fp4 · scale, where there is a scale of all with the scale times it, or divided by it, rounded
 * first. Sources: docs/formats.md, "FP4". */
#ifndef COCKTAIL_FP4_H
#define COCKTAIL_FP4_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor_source.h"

struct fp4_spec {
    const char *method;          /* for `inspect`; kept as it is */
    const struct tensor *packed; /* U8 or I8 [.., n_out, n_in / 2], the low half of a byte first; U32 [.., n_in / 8] */
    const struct tensor *scales; /* [.., n_out, n_in / group_size] */
    enum dtype scale_dtype;      /* what their bytes are: F8_E4M3, F8_E8M0 */
    size_t group_size;
    const struct tensor *global; /* one item, or one for each matrix; NULL: none */
    bool divides;                /* the scales are divided by it */
    bool is_in_blocks;           /* packed [.., n_out, G, group_size / 2]: gpt-oss */
    bool is_turned;              /* *out is [.., n_in, n_out] */
};

/* Makes *out the tensor `name`, F32 [.., n_out, n_in]. ERROR_FORMAT where dtypes or shapes do not go
 * together. */
int fp4_make(const struct fp4_spec *spec, const char *name, struct arena *arena,
             struct tensor *out, struct error *err);

#endif
