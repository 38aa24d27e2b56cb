/* gemm_few.c - with two rows and more arithmetic takes longer than reading. So four outputs at a time
 * are multiplied with as many rows as registers hold sums, a block of inputs at a time: its weights,
 * as stored, stay in the first-level cache for all rows, and become floats on the way. Meanwhile the
 * second-level cache is filled with the four outputs that come next: floats, which take as long to come
 * as all groups of rows to be multiplied, are asked for by all of these. */
#if defined(__x86_64__)
#define LANES 16
#endif
#include "math/gemm_few.h"

#if defined(__x86_64__)
#include "math/gemm_parts.h"

enum {
    OUTS = 4,
    ROWS_AT_ONCE = 6,
    LONG_ROW = 4096,    /* bytes of an output's weights from which on one row of x gains, too */
    SHORT_ROW_ROWS = 8, /* the most rows that gain where an output has less than a block */
    CHUNK_ROWS = 12, /* some of these, with four outputs, fit the first-level cache */
    COPY_STRIDE = GEMM_FEW_SCRATCH / GEMM_FEW_ROWS,
};

#define LOADER f32
#define LOADER_BYTES 4
#define LOADER_LOAD lanes_load
#include "math/gemm_few_rows.h"

#define LOADER f16
#define LOADER_BYTES 2
#define LOADER_LOAD lanes_load_f16
#include "math/gemm_few_rows.h"

#define LOADER bf16
#define LOADER_BYTES 2
#define LOADER_LOAD lanes_load_bf16
#include "math/gemm_few_rows.h"

static const struct way {
    const struct matrix_format *format;
    size_t item_bytes;
    /* n_in inputs, from `in` on; x is that of the first of them */
    void (*multiply)(const struct gemm_matrix *w, size_t in, size_t n_in, size_t n_rows,
                     const float *x, size_t x_stride, float factor, bool adds, float *y,
                     size_t y_stride);
} ways[] = {{&matrix_f32, 4, few_f32}, {&matrix_f16, 2, few_f16}, {&matrix_bf16, 2, few_bf16}};

static const struct way *find_way(const struct gemm_matrix *w)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (ways[i].format == w->format)
            return &ways[i];
    return NULL;
}

/* Block by block, whose rows are copied: apart by a power of two they would take one another's place in
 * the first-level cache. Where that does not hold all of them, some at a time go through with all
 * outputs, whose weights the second-level cache holds from then on. */
static void multiply_blocks(const struct way *way, const struct gemm_matrix *w, size_t n_rows,
                            const float *x, size_t x_stride, float factor, bool adds, float *y,
                            size_t y_stride, float *scratch)
{
    size_t n_chunks = n_rows <= CHUNK_ROWS ? 1 : (n_rows + CHUNK_ROWS / 2) / CHUNK_ROWS;

    for (size_t in = 0; in < w->n_in; in += GEMM_BLOCK_IN) {
        size_t n_in = w->n_in - in < GEMM_BLOCK_IN ? w->n_in - in : GEMM_BLOCK_IN;

        for (size_t row = 0; row < n_rows; row++)
            memcpy(scratch + row * COPY_STRIDE, x + row * x_stride + in, n_in * sizeof *x);
        for (size_t i = 0; i < n_chunks; i++) {
            size_t row = n_rows * i / n_chunks;

            way->multiply(w, in, n_in, n_rows * (i + 1) / n_chunks - row, scratch + row * COPY_STRIDE,
                          COPY_STRIDE, factor, adds, y + row * y_stride, y_stride);
        }
    }
}

bool gemm_few_multiply(const struct gemm_matrix *w, enum isa isa, size_t n_rows, const float *x,
                       size_t x_stride, float factor, bool adds, float *y, size_t y_stride,
                       float *scratch)
{
    const struct way *way = isa == ISA_AVX512 && !w->scales ? find_way(w) : NULL;

    if (!way || n_rows == 0 || n_rows > GEMM_FEW_ROWS ||
        (n_rows == 1 && w->n_in * way->item_bytes <= LONG_ROW) ||
        (n_rows > SHORT_ROW_ROWS && w->n_in < GEMM_BLOCK_IN))
        return false;
    if (n_rows > (w->n_in > GEMM_BLOCK_IN ? GEMM_STREAM_ROWS : 3 * ROWS_AT_ONCE))
        multiply_blocks(way, w, n_rows, x, x_stride, factor, adds, y, y_stride, scratch);
    else
        way->multiply(w, 0, w->n_in, n_rows, x, x_stride, factor, adds, y, y_stride);
    return true;
}
#else
bool gemm_few_multiply(const struct gemm_matrix *w, enum isa isa, size_t n_rows, const float *x,
                       size_t x_stride, float factor, bool adds, float *y, size_t y_stride,
                       float *scratch)
{
    (void)w, (void)isa, (void)n_rows, (void)x, (void)x_stride, (void)factor, (void)adds, (void)y;
    (void)y_stride, (void)scratch;
    return false;
}
#endif
