/* gemm.c - cuts products into tiles and shares these out.
 *
 * With few rows a product waits for memory: each weight is read once, where it lies. With more it is
 * arithmetic: each tile of outputs packs its own weights, block by block, into memory that stays in
 * the second-level cache. With many rows, and for a transposed W with some, rows of x are packed, too,
 * once for all tiles. What is asked of a format of W is in gemm_matrix.h. */
#include "gemm.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "math/blas.h"
#include "math/gemm_amx.h"
#include "math/gemm_blas.h"
#include "math/gemm_fast.h"
#include "math/gemm_few.h"
#include "math/gemm_kernels.h"
#include "math/gemm_tile.h"
#include "math/vector.h"

enum {
    ALONE = 1 << 19,           /* multiplications that are done before other threads wake up */
    ALONE_FAST = 1 << 17,      /* the same where x is rounded */
    ALONE_PACKED = 1 << 14,    /* items of x that are packed so */
    STREAM_ITEMS = 1 << 15,    /* weights of a task with few rows: some microseconds */
    COLUMN_OUT = 250,          /* of one, at least, where W is transposed */
    TASKS_WANTED = 8,          /* for each thread */
    MIN_TILE_OUT = 64,
    MIN_TILE_ROWS = 64,        /* fewer do not pay for packing weights */
    MAX_TILE_ROWS = 256,
    MAX_PACKED_ROWS = 1024, /* of a tile: weights are packed for them once */
    FEW_OUT_AMX = 64,          /* with fewer, packing x costs more than it saves */
    FAST_STREAM_ITEMS = 1 << 16, /* STREAM_ITEMS where x is rounded */
    FAST_PACK_ROWS = 8,
    TURNED_ROWS = GEMM_FEW_ROWS, /* with more, turning weights pays */
    PACKED_FLOATS = 1 << 22,   /* of rows of x that are packed at once */
    ALIGNMENT = 64,
    HUGE_PAGE = 1 << 21,
};
static_assert((int)AMX_SUMS <= (int)GEMM_TILE_PANELS &&
              (int)GEMM_BLAS_SCRATCH <= (int)GEMM_TILE_SCRATCH &&
              (int)GEMM_FAST_SCRATCH + (int)GEMM_FAST_ROW_MAX / 4 <= (int)GEMM_TILE_SCRATCH,
              "a worker's scratch serves all ways");
static_assert(GEMM_TILE_SCRATCH * sizeof(float) % ALIGNMENT == 0, "each worker's is aligned");
static_assert((int)GEMM_BLOCK_STRIDE == (int)GEMM_DIRECT_STRIDE, "one stride has two names");

struct gemm {
    struct threads *threads;
    enum isa isa;
    enum isa_products products;
    float *scratch; /* GEMM_TILE_SCRATCH for each worker */
    float *packed;  /* PACKED_FLOATS */
};

struct gemm *gemm_new(struct threads *threads, struct error *err)
{
    struct gemm *gemm;
    size_t n_floats = threads_count(threads) * GEMM_TILE_SCRATCH;
    size_t n_bytes = (n_floats + PACKED_FLOATS) * sizeof(float) / HUGE_PAGE * HUGE_PAGE + HUGE_PAGE;
    void *scratch = NULL;

    if (isa_products_in_use() == ISA_PRODUCTS_BLAS && blas_load(err))
        return NULL;
    if (posix_memalign(&scratch, HUGE_PAGE, n_bytes)) {
        error_set(err, ERROR_RESOURCES, "cannot allocate %zu bytes for matrix products; use fewer "
                  "--threads", n_bytes);
        return NULL;
    }
    madvise(scratch, n_bytes, MADV_HUGEPAGE); /* what is packed lies in one piece: it then fits the caches */
    gemm = memory_zalloc(1, sizeof *gemm);
    gemm->threads = threads;
    gemm->isa = isa_in_use();
    gemm->products = isa_products_in_use();
    gemm->scratch = scratch;
    gemm->packed = gemm->scratch + n_floats;
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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t parts_of(size_t n, size_t part)
{
    return (n + part - 1) / part;
}

static float *scratch_of(const struct gemm *gemm, size_t worker)
{
    return gemm->scratch + worker * GEMM_TILE_SCRATCH;
}

/* OpenBLAS counts in ints, and knows of no ranges. */
static bool is_for_blas(const struct gemm *gemm, size_t n_rows, size_t x_stride,
                        const struct gemm_matrix *w, const struct gemm_range *ranges,
                        size_t y_stride)
{
    return gemm->products == ISA_PRODUCTS_BLAS && !ranges && w->n_in > 0 && n_rows <= INT_MAX &&
           x_stride <= INT_MAX && y_stride <= INT_MAX;
}

static const struct gemm_fast *find_fast(const struct gemm *gemm, const struct gemm_matrix *w)
{
    return gemm->products == ISA_PRODUCTS_FAST ? gemm_fast_find(w, gemm->isa) : NULL;
}

/* As many rows at a time as fit behind the scratch memory of a product. */
static void multiply_fast_block(const struct gemm_fast *fast, const struct gemm_tile *tile,
                                size_t n_rows, const float *x, size_t x_stride)
{
    char *packed = (char *)(tile->scratch + GEMM_FAST_SCRATCH);
    size_t n_most = (GEMM_TILE_SCRATCH - GEMM_FAST_SCRATCH) * sizeof(float) /
                    fast->row_bytes(tile->w->n_in);

    for (size_t row = 0; row < n_rows; row += n_most) {
        size_t n = smaller(n_rows - row, n_most);

        fast->pack(tile->w, n, x + row * x_stride, x_stride, packed);
        fast->multiply(tile->w, n, packed, tile->factor, tile->adds, tile->y + row * tile->y_stride,
                       tile->y_stride, tile->scratch);
    }
}

void gemm_block(struct gemm *gemm, size_t worker, size_t n_rows, const float *x, size_t x_stride,
                const struct gemm_matrix *w, float factor, bool adds,
                const struct gemm_range *ranges, float *y, size_t y_stride)
{
    struct gemm_tile tile = {gemm->isa, w, factor, adds, y, y_stride, scratch_of(gemm, worker)};
    const struct gemm_fast *fast = find_fast(gemm, w);

    if (fast)
        multiply_fast_block(fast, &tile, n_rows, x, x_stride);
    else if (is_for_blas(gemm, n_rows, x_stride, w, ranges, y_stride))
        gemm_blas_multiply(n_rows, x, x_stride, w, factor, adds, y, y_stride, tile.scratch);
    else if (n_rows <= GEMM_STREAM_ROWS && !ranges)
        gemm_tile_stream(&tile, n_rows, x, x_stride);
    else
        gemm_tile_block(&tile, n_rows, x, x_stride, ranges);
}

/* ---- on all threads ---- */

struct product { /* or several with the same rows, made in the same way */
    struct gemm *gemm;
    size_t n_rows, x_stride;
    const float *x;
    const struct gemm_product *each;
    size_t n_each;
    const struct gemm_matrix *w; /* of the first */
    size_t first_row;            /* of y: rows that are done */
    size_t tile_rows, tile_out;  /* rows: groups where x is packed in groups */
    size_t n_tiles_rows, n_tiles_out;
    bool is_fast;
};

static size_t tiles_of(const struct product *p, size_t tile_out)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_each; i++)
        n += parts_of(p->each[i].w->n_out, tile_out);
    return n;
}

static bool is_small(const struct product *p)
{
    double n_out = 0;

    for (size_t i = 0; i < p->n_each; i++)
        n_out += (double)p->each[i].w->n_out;
    return (double)p->n_rows * n_out * (double)p->w->n_in <
           (p->is_fast ? ALONE_FAST : ALONE);
}

static void run_tasks(const struct product *p, bool alone, size_t n_tasks, threads_task *task)
{
    struct error err = {0};

    if (!alone)
        threads_run(p->gemm->threads, n_tasks, task, (void *)p, &err);
    else
        for (size_t i = 0; i < n_tasks; i++)
            task((void *)p, i, 0, &err);
}

static void run_tiles(struct product *p, threads_task *task)
{
    p->n_tiles_out = tiles_of(p, p->tile_out);
    run_tasks(p, is_small(p), p->n_tiles_rows * p->n_tiles_out, task);
}

struct part { /* what a task makes: some outputs of some rows */
    struct gemm_matrix w;
    size_t first;      /* row, or group of them */
    const float *bias; /* or NULL */
    float *y;          /* of row 0 */
    size_t y_stride;
};

static struct part part_of(const struct product *p, size_t task)
{
    const struct gemm_product *one = p->each;
    size_t tile = task % p->n_tiles_out, n, out;

    for (; tile >= (n = parts_of(one->w->n_out, p->tile_out)); one++)
        tile -= n;
    out = tile * p->tile_out;
    return (struct part){gemm_matrix_part(one->w, out, smaller(one->w->n_out - out, p->tile_out)),
                         task / p->n_tiles_out * p->tile_rows, one->bias ? one->bias + out : NULL,
                         one->y + p->first_row * one->y_stride + out, one->y_stride};
}

static void add_bias(const struct part *part, size_t row, size_t n_rows)
{
    for (size_t i = row; i < row + n_rows && part->bias; i++)
        vector_add(part->bias, part->w.n_out, part->y + i * part->y_stride);
}

static void go_on(struct product *p)
{
    p->x += p->n_rows * p->x_stride;
    p->first_row += p->n_rows;
}

/* Enough for all threads: first of fewer outputs, then of fewer rows. `n_units` of rows. */
static void choose_tiles(struct product *p, size_t n_units, size_t n_rows_most)
{
    size_t n_wanted = TASKS_WANTED * threads_count(p->gemm->threads), n_parts, n_least, n_most;

    p->tile_out = GEMM_TILE_OUT;
    while (p->tile_out > MIN_TILE_OUT && tiles_of(p, p->tile_out) < n_wanted)
        p->tile_out /= 2;
    n_least = parts_of(p->n_rows, n_rows_most);
    n_most = p->n_rows / MIN_TILE_ROWS + 1;
    n_parts = parts_of(n_wanted, tiles_of(p, p->tile_out));
    n_parts = n_parts < n_least ? n_least : smaller(n_parts, n_most);
    p->tile_rows = parts_of(n_units, n_parts);
    p->n_tiles_rows = parts_of(n_units, p->tile_rows);
}

/* ---- rows where they are ---- */

static int multiply_part(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    struct part part = part_of(p, task);
    size_t row = part.first, n_rows = smaller(p->n_rows - row, p->tile_rows);

    (void)err;
    gemm_block(p->gemm, worker, n_rows, p->x + row * p->x_stride, p->x_stride, &part.w, 1, false,
               NULL, part.y + row * part.y_stride, part.y_stride);
    add_bias(&part, row, n_rows);
    return 0;
}

/* A transposed W is read faster the more outputs lie side by side. */
static size_t stream_out(const struct product *p)
{
    size_t n_out = STREAM_ITEMS / (p->w->n_in + 1);

    if (p->w->format->is_transposed)
        n_out = larger(n_out, larger(COLUMN_OUT, tiles_of(p, 1) / threads_count(p->gemm->threads) / 2));
    return (n_out / GEMM_PANEL_OUT_MAX + 1) * GEMM_PANEL_OUT_MAX;
}

static void multiply_in_parts(struct product *p)
{
    choose_tiles(p, p->n_rows, MAX_TILE_ROWS);
    if (p->n_rows <= GEMM_STREAM_ROWS) {
        p->tile_out = stream_out(p);
        p->tile_rows = p->n_rows;
        p->n_tiles_rows = 1;
    }
    run_tiles(p, multiply_part);
}

/* ---- packed rows ---- */

static int pack_group(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    size_t row = gemm_tile_first(p->gemm->isa, p->n_rows, task);
    size_t n_rows = gemm_tile_first(p->gemm->isa, p->n_rows, task + 1) - row;

    (void)worker;
    (void)err;
    gemm_tile_pack(p->gemm->isa, p->w, n_rows, p->x + row * p->x_stride, p->x_stride,
                   p->gemm->packed + task * gemm_tile_group_items(p->gemm->isa, p->w));
    return 0;
}

static int multiply_tile(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    enum isa isa = p->gemm->isa;
    struct part part = part_of(p, task);
    size_t end = smaller(gemm_tile_groups(isa, p->n_rows), part.first + p->tile_rows);
    size_t row = gemm_tile_first(isa, p->n_rows, part.first);
    struct gemm_tile tile = {isa, &part.w, 1, false, part.y, part.y_stride,
                             scratch_of(p->gemm, worker)};

    (void)err;
    gemm_tile_multiply(&tile, p->n_rows, part.first, end, p->gemm->packed);
    add_bias(&part, row, gemm_tile_first(isa, p->n_rows, end) - row);
    return 0;
}

/* As many passes as it takes to pack the rows, equal ones. */
static void multiply_packed(struct product *p)
{
    enum isa isa = p->gemm->isa;
    size_t n_rows = p->n_rows;
    size_t n_most = PACKED_FLOATS / gemm_tile_group_items(isa, p->w) * gemm_version(isa)->group_rows;
    size_t n_pass = parts_of(n_rows, parts_of(n_rows, n_most));

    assert(n_pass <= n_most);
    for (size_t row = 0; row < n_rows; row += p->n_rows) {
        p->n_rows = smaller(n_rows - row, n_pass);
        choose_tiles(p, gemm_tile_groups(isa, p->n_rows), MAX_PACKED_ROWS);
        run_tasks(p, p->n_rows * p->w->n_in < ALONE_PACKED,
                  gemm_tile_groups(isa, p->n_rows), pack_group);
        run_tiles(p, multiply_tile);
        go_on(p);
    }
}

/* ---- with the tiles of the processor ---- */

static char *amx_packed(const struct product *p, size_t group)
{
    return (char *)p->gemm->packed + group * amx_packed_bytes(p->w->n_in);
}

static bool is_for_amx(const struct gemm *gemm, const struct gemm_matrix *w)
{
    return gemm->products == ISA_PRODUCTS_AMX && w->format->multiply_tiles &&
           w->n_out >= FEW_OUT_AMX && amx_packed_bytes(w->n_in) <= PACKED_FLOATS * sizeof(float);
}

static int pack_for_amx(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    size_t row = task * AMX_ROWS;

    (void)worker;
    (void)err;
    amx_pack(smaller(p->n_rows - row, AMX_ROWS), p->x + row * p->x_stride, p->x_stride, p->w->n_in,
             amx_packed(p, task));
    return 0;
}

static int multiply_amx_tile(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    struct part part = part_of(p, task);
    size_t row = part.first, n_rows = smaller(p->n_rows - row, p->tile_rows);

    (void)err;
    part.w.format->multiply_tiles(&part.w, n_rows, amx_packed(p, row / AMX_ROWS),
                                  scratch_of(p->gemm, worker), part.y + row * part.y_stride,
                                  part.y_stride);
    add_bias(&part, row, n_rows);
    return 0;
}

static void multiply_with_amx(struct product *p)
{
    size_t n_rows = p->n_rows;
    size_t n_pass = PACKED_FLOATS * sizeof(float) / amx_packed_bytes(p->w->n_in) * AMX_ROWS;

    if (n_pass > AMX_ROWS_MAX)
        n_pass = n_pass / AMX_ROWS_MAX * AMX_ROWS_MAX;
    p->tile_rows = AMX_ROWS_MAX;
    p->tile_out = AMX_OUT_MAX;
    while (p->tile_out > MIN_TILE_OUT &&
           tiles_of(p, p->tile_out) < TASKS_WANTED * threads_count(p->gemm->threads))
        p->tile_out /= 2;
    for (size_t row = 0; row < n_rows; row += n_pass) {
        p->n_rows = smaller(n_rows - row, n_pass);
        p->n_tiles_rows = parts_of(p->n_rows, p->tile_rows);
        run_tasks(p, is_small(p), parts_of(p->n_rows, AMX_ROWS), pack_for_amx);
        run_tiles(p, multiply_amx_tile);
        go_on(p);
    }
}

/* ---- with rounded rows ---- */

static int pack_for_fast(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    const struct gemm_fast *fast = find_fast(p->gemm, p->w);
    size_t row = task * FAST_PACK_ROWS;

    (void)worker;
    (void)err;
    fast->pack(p->w, smaller(p->n_rows - row, FAST_PACK_ROWS), p->x + row * p->x_stride, p->x_stride,
               (char *)p->gemm->packed + row * fast->row_bytes(p->w->n_in));
    return 0;
}

static int multiply_fast_tile(void *context, size_t task, size_t worker, struct error *err)
{
    const struct product *p = context;
    const struct gemm_fast *fast = find_fast(p->gemm, p->w);
    struct part part = part_of(p, task);
    size_t row = part.first, n_rows = smaller(p->n_rows - row, p->tile_rows);

    (void)err;
    fast->multiply(&part.w, n_rows, (char *)p->gemm->packed + row * fast->row_bytes(p->w->n_in), 1,
                   false, part.y + row * part.y_stride, part.y_stride, scratch_of(p->gemm, worker));
    add_bias(&part, row, n_rows);
    return 0;
}

/* As many rows at a time as can be packed. */
static void multiply_with_fast(struct product *p, const struct gemm_fast *fast)
{
    size_t n_rows = p->n_rows, n_pass = PACKED_FLOATS * sizeof(float) / fast->row_bytes(p->w->n_in);

    p->is_fast = true;
    for (size_t row = 0; row < n_rows; row += p->n_rows) {
        p->n_rows = smaller(n_rows - row, n_pass);
        choose_tiles(p, p->n_rows, MAX_TILE_ROWS);
        if (p->n_rows <= GEMM_STREAM_ROWS) {
            p->tile_out = (FAST_STREAM_ITEMS / p->w->n_in / MIN_TILE_OUT + 1) * MIN_TILE_OUT;
            p->tile_rows = p->n_rows;
            p->n_tiles_rows = 1;
        }
        run_tasks(p, p->n_rows * p->w->n_in < ALONE_PACKED, parts_of(p->n_rows, FAST_PACK_ROWS),
                  pack_for_fast);
        run_tiles(p, multiply_fast_tile);
        go_on(p);
    }
}

/* ---- all ---- */

static bool is_packed(const struct gemm *gemm, size_t n_rows, const struct gemm_matrix *w)
{
    return n_rows > (w->format->is_transposed ? GEMM_STREAM_ROWS : TURNED_ROWS) && w->n_in > 0 &&
           gemm->products != ISA_PRODUCTS_BLAS &&
           gemm_tile_group_items(gemm->isa, w) <= PACKED_FLOATS;
}

static void multiply_all(struct product *p)
{
    const struct gemm_fast *fast = find_fast(p->gemm, p->w);

    if (p->n_rows == 0 || tiles_of(p, GEMM_TILE_OUT) == 0)
        return;
    if (fast)
        multiply_with_fast(p, fast);
    else if (is_for_amx(p->gemm, p->w))
        multiply_with_amx(p);
    else if (is_packed(p->gemm, p->n_rows, p->w))
        multiply_packed(p);
    else
        multiply_in_parts(p);
}

/* Whether a product reads rows of x as another does: rounded, they are so for one format. */
static bool goes_with(const struct gemm *gemm, size_t n_rows, const struct gemm_matrix *w,
                      const struct gemm_matrix *first)
{
    return w->n_in == first->n_in && find_fast(gemm, w) == find_fast(gemm, first) &&
           (w->format == first->format || !find_fast(gemm, w)) &&
           is_for_amx(gemm, w) == is_for_amx(gemm, first) &&
           w->format->is_transposed == first->format->is_transposed &&
           is_packed(gemm, n_rows, w) == is_packed(gemm, n_rows, first);
}

void gemm_multiply_each(struct gemm *gemm, size_t n_rows, const float *x, size_t x_stride,
                        const struct gemm_product *products, size_t n_products)
{
    for (size_t first = 0, end; first < n_products; first = end) {
        const struct gemm_matrix *w = products[first].w;
        struct product product = {.gemm = gemm, .n_rows = n_rows, .x = x, .x_stride = x_stride,
                                  .each = products + first, .w = w};

        for (end = first + 1; end < n_products && goes_with(gemm, n_rows, products[end].w, w);)
            end++;
        product.n_each = end - first;
        multiply_all(&product);
    }
}

void gemm_multiply(struct gemm *gemm, size_t n_rows, const float *x, size_t x_stride,
                   const struct gemm_matrix *w, const float *bias, float *y, size_t y_stride)
{
    gemm_multiply_each(gemm, n_rows, x, x_stride, &(struct gemm_product){w, bias, y, y_stride}, 1);
}
