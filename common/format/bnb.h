/* bnb.h - matrices of bitsandbytes in 4 bits: codes that index a map of 16 values, in blocks with one
 * absolute maximum each.
 *
 * Blocks run over the flat matrix, across rows. The maxima may be codes of 8 bits themselves. Sources:
 * docs/formats.md, "bitsandbytes". */
#ifndef COCKTAIL_BNB_H
#define COCKTAIL_BNB_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/tensor_source.h"

struct bnb_spec {
    const char *method;          /* for `inspect`; kept as it is */
    const struct tensor *packed; /* half as many bytes as there are items, of any dtype: the high half of a byte
                                  * first */
    const struct tensor *absmax; /* F32, or U8 with the three below */
    const struct tensor *map;    /* F32 [16] */
    const struct tensor *nested_absmax, *nested_map; /* F32, F32 [256]; NULL: not nested */
    const struct tensor *state;  /* U8: the JSON with blocksize, shape and, where nested, nested_blocksize and
                                  * nested_offset */
};

/* Makes *out the tensor `name`, F32 of the shape that the JSON says. ERROR_FORMAT where it is malformed,
 * or does not go with the tensors. */
int bnb_make(const struct bnb_spec *spec, const char *name, struct arena *arena,
             struct tensor *out, struct error *err);

#endif
