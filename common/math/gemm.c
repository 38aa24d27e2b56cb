/* gemm.c - cuts products into tiles and gives each to a kernel of ours or to OpenBLAS.
 *
 * With few rows a product waits for memory: our kernels read each weight once, as it is stored.
 * With more rows it is arithmetic, which OpenBLAS does best, in float: W is widened block by block
 * to memory that stays in the second-level cache. Where the processor has tiles for BF16, those do
 * it four times as fast. What is asked of a format of W is in gemm_matrix.h. */
#include "gemm.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/isa.h"
#include "base/memory.h"
#include "math/blas.h"
#include "math/gemm_amx.h"
#include "math/gemm_kernels.h"
#include "math/vector.h"

enum {
    FEW_ROWS = 128,              /* with more, OpenBLAS is as fast or faster */
    FEW_ROWS_TRANSPOSED = 8,
    TILE_ROWS = 256,
    TILE_OUT = 256,
    MIN_TILE_OUT = 64,
    TILES_WANTED = 16,           /* smaller tiles where there were fewer, for the other threads */
    FEW_ROWS_TILE_ITEMS = 32768, /* weights per tile: some microseconds */
    TRANSPOSED_TILE_OUT = 256,
    ALONE = 1 << 19,             /* multiplications that are done before other threads wake up */
    BLOCK_ITEMS = 1 << 16,       /* scratch per worker: what W is widened to */
    BLOCK_IN = 256,
    GROUP_OUT = 4,               /* outputs that the kernels for few rows add up together */
    FEW_ROWS_AMX = 8,
    FEW_OUT_AMX = 64,            /* with fewer, packing x costs more than it saves */
    PACKED_BYTES = 1 << 23,      /* rows of x that are packed at once */
    ALIGNMENT = 64,
};
static_assert((int)AMX_SUMS <= (int)BLOCK_ITEMS, "the sums of tiles fit into a worker's scratch");

struct gemm {
    struct threads *threads;
    size_t version; /* of the kernels for few rows */
    float *scratch; /* BLOCK_ITEMS for each worker */
    char *packed;   /* PACKED_BYTES; NULL where the processor has no tiles */
};

const struct gemm_version *gemm_version(size_t i)
{
#if defined(__x86_64__)
    if (i == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &gemm_avx2;
    if (i == 2 && __builtin_cpu_supports("avx512f"))
        return &gemm_avx512;
#endif
    return i == 0 ? &gemm_plain : NULL;
}

struct gemm *gemm_new(struct threads *threads, struct error *err)
{
    struct gemm *gemm;
    size_t n_bytes = threads_count(threads) * BLOCK_ITEMS * sizeof(float);
    size_t n_packed = isa_has_amx() ? PACKED_BYTES : 0;
    void *scratch = NULL;

    if (blas_load(err))
        return NULL;
    if (posix_memalign(&scratch, ALIGNMENT, n_bytes + n_packed)) {
        error_set(err, ERROR_RESOURCES, "cannot allocate %zu bytes for matrix products; use fewer "
                  "--threads", n_bytes + n_packed);
        return NULL;
    }
    gemm = memory_zalloc(1, sizeof *gemm);
    gemm->threads = threads;
    gemm->scratch = scratch;
    gemm->packed = n_packed ? (char *)scratch + n_bytes : NULL;
    for (size_t i = 0; i <= 2; i++)
        if (gemm_version(i))
            gemm->version = i;
    return gemm;
}

void gemm_free(struct gemm *gemm)
{
    if (gemm)
        free(gemm->scratch);
    free(gemm);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* n in so many equal parts, rounded up to a multiple of `unit`. */
static size_t part_of(size_t n, size_t n_parts, size_t unit)
{
    size_t part = (n + n_parts - 1) / n_parts;

    return (part + unit - 1) / unit * unit;
}

/* Many rows; and sizes that an int holds, for OpenBLAS counts in those. */
static bool is_for_blas(size_t n_rows, size_t x_stride, const struct gemm_matrix *w,
                        size_t y_stride)
{
    return n_rows > (w->format->is_transposed ? FEW_ROWS_TRANSPOSED : FEW_ROWS) && w->n_in > 0 &&
           n_rows <= INT_MAX && w->n_out <= INT_MAX && w->n_in <= INT_MAX &&
           x_stride <= INT_MAX && y_stride <= INT_MAX;
}

static void multiply_floats(size_t n_rows, const float *x, size_t x_stride,
                            const struct gemm_matrix *w, const float *floats, float factor,
                            bool adds, float *y, size_t y_stride)
{
    blas_sgemm(false, !w->format->is_transposed, n_rows, w->n_out, w->n_in, factor, x, x_stride,
               floats, w->stride, adds ? 1 : 0, y, y_stride);
}

/* The kernels for few rows have all inputs at once where that leaves outputs enough for a group: so
 * their sums run as they do where W lies there as float. */
static void multiply_widened(const struct gemm *gemm, bool has_few_rows, size_t n_rows,
                             const float *x, size_t x_stride, const struct gemm_matrix *w,
                             float factor, bool adds, float *y, size_t y_stride, float *block)
{
    bool is_transposed = w->format->is_transposed;
    size_t most_in = has_few_rows ? smaller(w->n_in + (w->n_in == 0), BLOCK_ITEMS / GROUP_OUT)
                                  : BLOCK_IN;
    size_t most_out = BLOCK_ITEMS / most_in / GROUP_OUT * GROUP_OUT;
    struct gemm_matrix part = {.format = matrix_format_plain(DTYPE_F32, is_transposed),
                               .data = block};

    for (size_t out = 0; out < w->n_out; out += most_out)
        for (size_t in = 0; in == 0 || in < w->n_in; in += most_in) {
            bool adds_now = adds || in > 0;

            part.n_out = smaller(w->n_out - out, most_out);
            part.n_in = smaller(w->n_in - in, most_in);
            part.stride = is_transposed ? part.n_out : part.n_in;
            gemm_matrix_widen(w, out, part.n_out, in, part.n_in, block);
            if (has_few_rows)
                part.format->multiply(&part, gemm->version, n_rows, x + in, x_stride, factor,
                                      adds_now, y + out, y_stride);
            else
                multiply_floats(n_rows, x + in, x_stride, &part, block, factor, adds_now, y + out,
                                y_stride);
        }
}

void gemm_block(struct gemm *gemm, size_t worker, size_t n_rows, const float *x, size_t x_stride,
                const struct gemm_matrix *w, float factor, bool adds, float *y, size_t y_stride)
{
    const struct matrix_format *format = w->format;
    bool has_few_rows = !is_for_blas(n_rows, x_stride, w, y_stride);
    const float *floats = has_few_rows || !format->floats ? NULL : format->floats(w);

    if (has_few_rows && format->multiply)
        format->multiply(w, gemm->version, n_rows, x, x_stride, factor, adds, y, y_stride);
    else if (floats)
        multiply_floats(n_rows, x, x_stride, w, floats, factor, adds, y, y_stride);
    else
        multiply_widened(gemm, has_few_rows, n_rows, x, x_stride, w, factor, adds, y, y_stride,
                         gemm->scratch + worker * BLOCK_ITEMS);
}

struct product {
    struct gemm *gemm;
    size_t n_rows, x_stride, y_stride;
    const float *x, *bias;
    const struct gemm_matrix *w;
    float *y;
    size_t tile_rows, tile_out, n_tiles_out, n_tiles;
    bool is_packed; /* x is, for the tiles of the processor */
};

static int multiply_tile(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    size_t row = task / p->n_tiles_out * p->tile_rows, out = task % p->n_tiles_out * p->tile_out;
    size_t n_rows = smaller(p->n_rows - row, p->tile_rows);
    size_t n_out = smaller(p->w->n_out - out, p->tile_out);
    struct gemm_matrix w = gemm_matrix_part(p->w, out, n_out);
    float *y = p->y + row * p->y_stride + out;

    (void)err;
    if (p->is_packed)
        w.format->multiply_tiles(&w, n_rows, p->gemm->packed + row / AMX_ROWS *
                                 amx_packed_bytes(w.n_in),
                                 p->gemm->scratch + worker * BLOCK_ITEMS, y, p->y_stride);
    else
        gemm_block(p->gemm, worker, n_rows, p->x + row * p->x_stride, p->x_stride, &w, 1, false,
                   y, p->y_stride);
    for (size_t i = 0; i < n_rows && p->bias; i++)
        vector_add(p->bias + out, n_out, y + i * p->y_stride);
    return 0;
}

/* From the shapes alone: the same tiles for any number of threads. */
static void choose_tiles(struct product *p)
{
    size_t n_out = p->w->n_out, n_in = p->w->n_in, n_tiles_rows = 1;

    p->tile_rows = p->n_rows;
    if (!is_for_blas(p->n_rows, p->x_stride, p->w, p->y_stride)) {
        p->tile_out = p->w->format->is_transposed ? TRANSPOSED_TILE_OUT
                                          : FEW_ROWS_TILE_ITEMS / (n_in + 1) / 16 * 16 + 16;
    } else {
        n_tiles_rows = (p->n_rows + TILE_ROWS - 1) / TILE_ROWS;
        p->tile_rows = part_of(p->n_rows, n_tiles_rows, 8);
        p->tile_out = TILE_OUT;
        while (p->tile_out > MIN_TILE_OUT && n_out / p->tile_out * n_tiles_rows < TILES_WANTED)
            p->tile_out /= 2;
        p->tile_out = part_of(n_out, (n_out + p->tile_out - 1) / p->tile_out, 16);
        n_tiles_rows = (p->n_rows + p->tile_rows - 1) / p->tile_rows;
    }
    p->n_tiles_out = (n_out + p->tile_out - 1) / p->tile_out;
    p->n_tiles = n_tiles_rows * p->n_tiles_out;
}

static bool is_small(const struct product *p)
{
    return (double)p->n_rows * (double)p->w->n_out * (double)p->w->n_in < ALONE;
}

static void run_tasks(const struct product *p, size_t n_tasks, threads_task *task)
{
    struct error err = {0};

    if (!is_small(p))
        threads_run(p->gemm->threads, n_tasks, task, (void *)p, &err);
    else
        for (size_t i = 0; i < n_tasks; i++)
            task((void *)p, i, 0, &err);
}

/* ---- with the tiles of the processor ---- */

static bool is_for_amx(const struct product *p)
{
    return p->gemm->packed && p->w->format->multiply_tiles &&
           p->n_rows >= FEW_ROWS_AMX && p->w->n_out >= FEW_OUT_AMX && !is_small(p) &&
           amx_packed_bytes(p->w->n_in) <= PACKED_BYTES;
}

static int pack_rows(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    size_t row = task * AMX_ROWS;

    (void)worker;
    (void)err;
    amx_pack(smaller(p->n_rows - row, AMX_ROWS), p->x + row * p->x_stride, p->x_stride, p->w->n_in,
             p->gemm->packed + task * amx_packed_bytes(p->w->n_in));
    return 0;
}

/* As many rows at a time as can be packed. */
static void multiply_in_tiles(struct product *p)
{
    size_t n_rows = p->n_rows, n_pass = PACKED_BYTES / amx_packed_bytes(p->w->n_in) * AMX_ROWS;

    if (n_pass > AMX_ROWS_MAX)
        n_pass = n_pass / AMX_ROWS_MAX * AMX_ROWS_MAX;
    p->is_packed = true;
    p->tile_rows = AMX_ROWS_MAX;
    p->tile_out = AMX_OUT_MAX;
    while (p->tile_out > MIN_TILE_OUT && p->w->n_out / p->tile_out < TILES_WANTED)
        p->tile_out /= 2;
    p->n_tiles_out = (p->w->n_out + p->tile_out - 1) / p->tile_out;
    for (size_t row = 0; row < n_rows; row += n_pass) {
        p->n_rows = smaller(n_rows - row, n_pass);
        p->n_tiles = (p->n_rows + p->tile_rows - 1) / p->tile_rows * p->n_tiles_out;
        run_tasks(p, (p->n_rows + AMX_ROWS - 1) / AMX_ROWS, pack_rows);
        run_tasks(p, p->n_tiles, multiply_tile);
        p->x += p->n_rows * p->x_stride;
        p->y += p->n_rows * p->y_stride;
    }
}

void gemm_multiply(struct gemm *gemm, size_t n_rows, const float *x, size_t x_stride,
                   const struct gemm_matrix *w, const float *bias, float *y, size_t y_stride)
{
    struct product product = {.gemm = gemm, .n_rows = n_rows, .x = x, .x_stride = x_stride, .w = w,
                              .bias = bias, .y = y, .y_stride = y_stride};

    if (n_rows == 0 || w->n_out == 0)
        return;
    if (is_for_amx(&product)) {
        multiply_in_tiles(&product);
        return;
    }
    choose_tiles(&product);
    run_tasks(&product, product.n_tiles, multiply_tile);
}
