/* tensor_source.h - what tensors are read from: a file, or other tensors.
 *
 * A source gives an array of bytes, as a file does: items of the tensor's dtype, however they are
 * stored (a quantised matrix gives F32). A tensor says where in it its items lie. A source lives in
 * the arena of whoever made it, as long as tensors point to it, and borrows what it reads. Several
 * threads may read from one at once: what a read needs in between stands on its stack, in steps, or
 * is its own allocation. There is no scratch argument: it would come through every caller of
 * tensor_read, in a size that only the source knows, and a read is of thousands of items. */
#ifndef COCKTAIL_TENSOR_SOURCE_H
#define COCKTAIL_TENSOR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "tensor/tensor.h"

struct tensor_source {
    const struct tensor_source_kind *kind;
};

struct tensor_stored {
    const char *format; /* a dtype, or the name of a quantised format */
    size_t n_bytes;
};

/* Rows of a quantised matrix where they lie, as math/gemm_matrix.h has them. */
struct tensor_blocks {
    const char *format; /* a name for matrix_format_find */
    const void *data, *scales, *zeros, *index, *settings;
    size_t stride, first_row;
};

/* The first three are a source's own; the rest may be NULL, as of plain numbers in a file. */
struct tensor_source_kind {
    /* n_bytes from `offset` on: of whole items. */
    int (*read)(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                struct error *err);
    /* The same where they lie in memory, until their owner gives the map back; NULL without an error when
     * that cannot be. NULL here: never. Not for several threads at once. */
    const void *(*view)(const struct tensor_source *source, size_t offset, struct error *err);
    /* Adds the name of the file, relative to its folder, or of the files. */
    void (*describe)(const struct tensor_source *source, struct buffer *out);
    /* How a tensor of it is stored. NULL: as its dtype says. */
    struct tensor_stored (*stored)(const struct tensor *tensor);
    /* What a tensor of it is best written as: it was computed from one of that dtype, and is given in
     * another only to be rounded once. NULL: its dtype. */
    enum dtype (*written)(const struct tensor *tensor);
    /* Rows (of the last dimension) that are best read together, from a multiple of that number on:
     * GPTQ is packed across rows. A multiple of 4, which suits packed dtypes, too. NULL: any. */
    size_t (*rows_together)(const struct tensor *tensor);
    /* Whether two sources of this kind give the same bytes without a look at them. NULL: only a
     * source and itself do. */
    bool (*same)(const struct tensor_source *a, const struct tensor_source *b);
    /* The blocks of a matrix without strides: 1, 0 when it has none, or -1 when the file cannot be
     * mapped. NULL: 0. Not for several threads at once. */
    int (*blocks)(const struct tensor *tensor, struct tensor_blocks *out, struct error *err);
};

/* n_items items from item `first` on, as they are stored, in row-major order. Packed dtypes: `first`
 * must be a multiple of dtype_group(). Errors name the tensor. */
int tensor_read(const struct tensor *tensor, size_t first, size_t n_items, void *out,
                struct error *err);

/* All items as float, of any dtype that is not complex. */
int tensor_read_floats(const struct tensor *tensor, float *out, struct error *err);

/* The items where they lie: row-major, without gaps, not aligned to anything. NULL without an error
 * when they do not lie so, with one when the file cannot be mapped. Not for several threads at
 * once. */
const void *tensor_view(const struct tensor *tensor, struct error *err);

struct tensor_stored tensor_stored(const struct tensor *tensor);
/* What it is written as, where nobody asks for another dtype. */
enum dtype tensor_written(const struct tensor *tensor);
/* Whether its values are computed from fewer bits: it is stored otherwise than as what it is written
 * as. */
bool tensor_is_quantised(const struct tensor *tensor);
/* Whether some of its rows are best read together, and the more of these at once the better. */
bool tensor_wants_rows(const struct tensor *tensor);
/* Items that are best read at once, from a multiple of that number on: `most`, or fewer where rows
 * are best read together. Whoever cuts a tensor into chunks asks this. */
size_t tensor_chunk(const struct tensor *tensor, size_t most);

/* Of a quantised matrix [n_rows, n]: 1, 0, or -1 as above. */
int tensor_blocks(const struct tensor *tensor, struct tensor_blocks *out, struct error *err);

/* Both describe the same bytes (tied weights in a PyTorch file). */
bool tensor_same_bytes(const struct tensor *a, const struct tensor *b);

/* Whether both hold the same bytes in the same shape and dtype: 1, 0, or -1 on a read error. Dtypes
 * of less than a byte count as different. */
int tensor_equal(const struct tensor *a, const struct tensor *b, struct error *err);

/* Makes *part a tensor of n_dims dimensions whose item (i, j, …) is item first + i strides[0] +
 * j strides[1] + … of `tensor`; strides NULL: row-major. `tensor` must outlive it; its name is
 * kept. ERROR_FORMAT when items would lie outside, ERROR_UNSUPPORTED when they do not fill whole
 * bytes. The arena keeps what it needs. */
int tensor_part(struct tensor *part, const struct tensor *tensor, size_t first, size_t n_dims,
                const size_t *shape, const size_t *strides, struct arena *arena,
                struct error *err);

/* Makes *joined the tensors put one behind the other along dimension `dim`; in their other
 * dimensions they must be equal (ERROR_INCOMPATIBLE). Of one dtype it has that, else F64. The parts
 * must outlive it, the pointers to them need not. */
int tensor_join(struct tensor *joined, const char *name, const struct tensor *const *parts,
                size_t n_parts, size_t dim, struct arena *arena, struct error *err);

#endif
