/* gemm_matrix.h - matrices of weights as they are stored, each read by the row of its format.
 *
 * What a format must have is a function that widens any part of a matrix to float: products and
 * look-ups need no more. Loaders for the kernels, and for the tiles of the processor, make it faster.
 * So a new format is one file, and one row in the table of gemm_matrix.c. */
#ifndef COCKTAIL_GEMM_MATRIX_H
#define COCKTAIL_GEMM_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/isa.h"
#include "tensor/dtype.h"
#include "tensor/ggml_blocks.h"

struct matrix_format;
struct gemm_loader;

struct gemm_matrix { /* W [n_out, n_in]; borrowed, and aligned to nothing */
    const struct matrix_format *format;
    const void *data;                   /* items; NULL: no matrix */
    const void *scales, *zeros, *index; /* where the format has them */
    const void *settings;               /* of the format: sizes of groups, say */
    size_t n_out, n_in;
    size_t stride;    /* items from one row, as stored, to the next */
    size_t first_out; /* the output that is the first of this part */
};

struct gemm_range { /* of inputs */
    size_t first, end;
};

/* Outputs are counted in the whole: a part is `n_out` of them from `first_out` on. */
struct matrix_format {
    const char *name;
    enum dtype dtype;   /* of the items at `data` */
    bool is_transposed; /* the outputs of one input lie side by side: GPT-2's Conv1D */
    /* block [n_out, n_in], or [n_in, n_out] where is_transposed: so many outputs from `out` on, of
     * so many inputs from `in` on. */
    void (*widen)(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in,
                  size_t n_in, float *block);
    /* Asks for the part to be read from the disk soon. NULL: cannot. */
    void (*prefetch)(const struct gemm_matrix *matrix);
    /* The part where it lies, if it lies there as aligned floats, `stride` apart, else NULL. NULL
     * here: never. */
    const float *(*floats)(const struct gemm_matrix *matrix);
    /* By enum isa (gemm_kernels.h). NULL: widened, block by block. */
    const struct gemm_loader *loaders[N_ISAS];
    /* As amx_multiply (gemm_amx.h) does it. NULL: not with tiles. */
    void (*multiply_tiles)(const struct gemm_matrix *matrix, size_t n_rows, const void *packed,
                           float *sums, float *y, size_t y_stride);
};

/* Numbers as they are, in rows: [n_out, n_in], or [n_in, n_out] where transposed. */
extern const struct matrix_format matrix_f32, matrix_f16, matrix_bf16;
extern const struct matrix_format matrix_f32_transposed, matrix_f16_transposed,
    matrix_bf16_transposed;
/* Four bits in words, as GPTQ has them: [n_out, n_in], as tensor/packed_nibbles.h says. */
extern const struct matrix_format matrix_nibbles;
/* ggml's blocks, in the order of ggml_format: [n_out, n_in] in whole blocks. `index`: NULL, or for
 * each output the row (uint32_t) where its weights lie; `scales`: NULL, or one float that multiplies
 * all of them. */
extern const struct matrix_format matrix_ggml[N_GGML_BLOCKS];

/* The format of that name, and the one of plain numbers; NULL where there is none. */
const struct matrix_format *matrix_format_find(const char *name);
const struct matrix_format *matrix_format_plain(enum dtype dtype, bool is_transposed);

/* n_out outputs from `first` on. */
struct gemm_matrix gemm_matrix_part(const struct gemm_matrix *matrix, size_t first, size_t n_out);
/* block: as `widen` gives it, of outputs counted in the part. */
void gemm_matrix_widen(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in,
                       size_t n_in, float *block);
/* y [n_in] = the weights of output `out`: a row of a table of embeddings. */
void gemm_matrix_row(const struct gemm_matrix *matrix, size_t out, float *y);
void gemm_matrix_prefetch(const struct gemm_matrix *matrix);

#endif
