/* dtype.h - the number formats of checkpoints, and their way to and from double.
 *
 * Sources: safetensors README and tensor.rs (names, sizes, order on disk), IEEE 754, OCP 8-bit and
 * microscaling formats (E4M3 "fn", E5M2, E8M0, E2M3, E3M2, E2M1), torch/headeronly for FNUZ. */
#ifndef COCKTAIL_DTYPE_H
#define COCKTAIL_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

/* In the order in which the reference writer of safetensors lays tensors out. C128 exists in
 * PyTorch files only. */
enum dtype {
    DTYPE_U64, DTYPE_I64, DTYPE_F64, DTYPE_C64, DTYPE_F32, DTYPE_U32, DTYPE_I32, DTYPE_BF16,
    DTYPE_F16, DTYPE_U16, DTYPE_I16, DTYPE_F8_E5M2FNUZ, DTYPE_F8_E4M3FNUZ, DTYPE_F8_E8M0,
    DTYPE_F8_E4M3, DTYPE_F8_E5M2, DTYPE_I8, DTYPE_U8, DTYPE_F6_E3M2, DTYPE_F6_E2M3, DTYPE_F4,
    DTYPE_BOOL, DTYPE_C128,
    N_DTYPES,
};

enum dtype_kind { DTYPE_FLOAT, DTYPE_INTEGER, DTYPE_BOOLEAN, DTYPE_COMPLEX };

struct dtype_info {
    const char *name;       /* as safetensors writes it */
    const char *torch_name; /* as config.json writes it, or NULL */
    enum dtype_kind kind;
    unsigned n_bits;        /* of one item */
    bool is_mixable;        /* a weighted average of it can be computed and stored */
};

const struct dtype_info *dtype_info(enum dtype dtype);
/* 0 and *dtype, or -1 when the name is unknown. */
int dtype_find(const char *name, size_t length, enum dtype *dtype);
/* The same of a name as config.json writes it: "bfloat16". */
int dtype_find_torch(const char *name, enum dtype *dtype);
/* Bytes of n items; -1 when their bits overflow size_t or do not fill whole bytes. */
int dtype_bytes(enum dtype dtype, size_t n_items, size_t *n_bytes);
/* Where in an array of items those from `first` on begin, a multiple of dtype_group(), and how many
 * bytes n of them have; the array fits into memory or a file. */
void dtype_range_bytes(enum dtype dtype, size_t first, size_t n, size_t *offset, size_t *n_bytes);

/* out[0 … n-1] = the values of n items. Exact, but for 64-bit integers above 2^53. Complex items
 * give two values each, real and imaginary, so out holds 2n. Packed items (F4: two a byte, low half
 * first; F6: four in three bytes, little-endian) start on a byte: a range begins at a multiple of
 * dtype_group(). */
void dtype_to_double(enum dtype dtype, const void *in, double *out, size_t n);
size_t dtype_group(enum dtype dtype); /* items that share whole bytes: 1, 2 (F4) or 4 (F6) */

/* out = in rounded once, to nearest even, to a mixable dtype. NaN comes out as the one positive
 * quiet NaN of the format, so that its bits depend on nothing. What rounds to more than the largest
 * value becomes Inf where the format has it, and NaN in F8_E4M3: so did torch, until it began to
 * clamp to 448 (2.15 does), which hides an overflow. */
void dtype_from_double(enum dtype dtype, const double *in, void *out, size_t n);

#endif
