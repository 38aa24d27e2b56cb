#include "math/gemm.h"

#include <math.h>
#include <stdint.h>

#include "base/isa.h"
#include "math/blas.h"
#include "math/gemm_amx.h"
#include "math/gemm_kernels.h"
#include "math/random.h"
#include "test.h"

static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
enum { N_DTYPES_USED = 3, N_ROWS_MAX = 300, N_OUT_MAX = 130, N_IN_MAX = 4100, GAP = 3 };

static size_t item_bytes(enum dtype dtype)
{
    return dtype_info(dtype)->n_bits / 8;
}

/* A product with everything around it: rows with gaps between them, and W at any address. */
struct problem {
    size_t n_rows, n_out, n_in, x_stride, y_stride;
    float *x, *bias, *y;
    struct gemm_matrix w;
    char *w_memory;
    float *weights; /* [n_out, n_in]: the values of w */
    float *blocks;  /* [n_rows, n_out, blocks of inputs]: their sums, as gemm_kernels.h defines them */
    double *exact, *sizes; /* x W^T, and the same of all magnitudes */
};

static size_t blocks_of(const struct problem *p)
{
    return p->n_in / GEMM_BLOCK_IN + 1;
}

static float block_sum(const struct problem *p, size_t row, size_t out, size_t first, size_t end)
{
    const float *x = p->x + row * p->x_stride, *w = p->weights + out * p->n_in;
    float l[GEMM_LANES] = {0};

    for (size_t in = first; in < end; in++) {
        size_t lane = p->w.format->is_transposed ? 0 : (in - first) % GEMM_LANES;

        l[lane] = fmaf(x[in], w[in], l[lane]);
    }
    if (p->w.format->is_transposed)
        return l[0];
    for (size_t i = 0; i < GEMM_LANES / 2; i++)
        l[i] += l[i + GEMM_LANES / 2];
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

static void fill(float *x, size_t n, uint64_t seed)
{
    struct random random;

    random_init(&random, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(random_uniform(&random) * 2 - 1);
}

static double weight_at(const struct gemm_matrix *w, size_t out, size_t in)
{
    size_t at = w->format->is_transposed ? in * w->stride + out : out * w->stride + in;
    double value;

    dtype_to_double(w->format->dtype,
                    (const char *)w->data + at * item_bytes(w->format->dtype), &value, 1);
    return value;
}

static void compute_exact(struct problem *p)
{
    for (size_t out = 0; out < p->n_out; out++) {
        float *row = p->weights + out * p->n_in;

        for (size_t in = 0; in < p->n_in; in++)
            row[in] = (float)weight_at(&p->w, out, in);
        for (size_t r = 0; r < p->n_rows; r++) {
            double sum = 0, size = 0;

            for (size_t in = 0; in < p->n_in; in++) {
                double product = (double)p->x[r * p->x_stride + in] * (double)row[in];

                sum += product;
                size += fabs(product);
            }
            p->exact[r * p->n_out + out] = sum;
            for (size_t in = 0; in <= p->n_in; in += GEMM_BLOCK_IN)
                p->blocks[(r * p->n_out + out) * blocks_of(p) + in / GEMM_BLOCK_IN] =
                    block_sum(p, r, out, in, p->n_in - in < GEMM_BLOCK_IN ? p->n_in
                                                                     : in + GEMM_BLOCK_IN);
            p->sizes[r * p->n_out + out] = size;
        }
    }
}

/* `offset` bytes beside alignment. */
static struct problem problem_new(size_t n_rows, size_t n_out, size_t n_in, enum dtype dtype,
                                  bool is_transposed, size_t offset)
{
    size_t n_lines = is_transposed ? n_in : n_out, n_items = is_transposed ? n_out : n_in;
    size_t stride = n_items + GAP, n_weights = n_lines * stride;
    struct problem p = {n_rows, n_out, n_in, n_in + GAP, n_out + GAP, NULL, NULL, NULL,
                        {.format = matrix_format_plain(dtype, is_transposed), .n_out = n_out,
                         .n_in = n_in, .stride = stride}, NULL, NULL, NULL, NULL, NULL};
    float *weights = malloc((n_weights + 1) * sizeof *weights);
    double *wide = malloc((n_weights + 1) * sizeof *wide);

    p.x = malloc((n_rows * p.x_stride + 1) * sizeof *p.x);
    p.y = malloc((n_rows * p.y_stride + 1) * sizeof *p.y);
    p.bias = malloc(n_out * sizeof *p.bias);
    p.weights = malloc((n_out * n_in + 1) * sizeof *p.weights);
    p.blocks = malloc((n_rows * n_out * blocks_of(&p) + 1) * sizeof *p.blocks);
    p.exact = calloc(n_rows * n_out + 1, sizeof *p.exact);
    p.sizes = calloc(n_rows * n_out + 1, sizeof *p.sizes);
    p.w_memory = malloc(n_weights * item_bytes(dtype) + 8);
    p.w.data = p.w_memory + offset;
    fill(p.x, n_rows * p.x_stride, 1);
    fill(p.bias, n_out, 2);
    fill(weights, n_weights, 3);
    for (size_t i = 0; i < n_weights; i++)
        wide[i] = weights[i];
    dtype_from_double(dtype, wide, p.w_memory + offset, n_weights);
    free(weights);
    free(wide);
    compute_exact(&p);
    return p;
}

static void problem_release(struct problem *p)
{
    free(p->x);
    free(p->y);
    free(p->bias);
    free(p->weights);
    free(p->blocks);
    free(p->exact);
    free(p->sizes);
    free(p->w_memory);
    *p = (struct problem){0};
}

enum { START = 4 }; /* what y holds before, as a power of a half */

static void clear(struct problem *p)
{
    for (size_t i = 0; i < p->n_rows * p->y_stride; i++)
        p->y[i] = 1.0f / START;
}

/* The definition of gemm_kernels.h, one item after the other. */
static float defined(const struct problem *p, size_t row, size_t out, float factor, bool adds,
                     const struct gemm_range *range)
{
    float y = 1.0f / START;

    for (size_t in = 0; in == 0 || in < p->n_in; in += GEMM_BLOCK_IN) {
        size_t end = p->n_in - in < GEMM_BLOCK_IN ? p->n_in : in + GEMM_BLOCK_IN, first = in;
        float value;

        if (range) {
            first = range->first > first ? range->first : first;
            end = range->end < end ? range->end : end;
        }
        value = factor * (range ? block_sum(p, row, out, first, end)
                                : p->blocks[(row * p->n_out + out) * blocks_of(p) +
                                            in / GEMM_BLOCK_IN]);
        if (!adds && in == 0)
            y = value;
        else if (first < end)
            y += value;
    }
    return y;
}

/* y is as defined, bit for bit; between the rows nothing changed. */
static bool is_as_defined(const struct problem *p, const float *bias, float factor, bool adds,
                          const struct gemm_range *ranges)
{
    for (size_t r = 0; r < p->n_rows; r++) {
        const float *y = p->y + r * p->y_stride;

        for (size_t out = 0; out < p->n_out; out++) {
            float expected = defined(p, r, out, factor, adds, ranges ? ranges + r : NULL);

            if (bias)
                expected += bias[out];
            if (memcmp(&y[out], &expected, sizeof expected) != 0)
                return false;
        }
        for (size_t out = p->n_out; out < p->y_stride; out++)
            if (y[out] != 1.0f / START)
                return false;
    }
    return true;
}

/* y is x W^T, to 1e-6 of what was added up; between the rows nothing changed. */
static bool is_right(const struct problem *p)
{
    for (size_t r = 0; r < p->n_rows; r++) {
        const float *y = p->y + r * p->y_stride;

        for (size_t out = 0; out < p->n_out; out++) {
            double exact = p->exact[r * p->n_out + out];

            if (!(fabs((double)y[out] - exact) <=
                  1e-6 * (p->sizes[r * p->n_out + out] + fabs(exact))))
                return false;
        }
        for (size_t out = p->n_out; out < p->y_stride; out++)
            if (y[out] != 1.0f / START)
                return false;
    }
    return true;
}

static void report(const struct problem *p, const char *what)
{
    printf("# %s: %zu x %zu x %zu, %s%s\n", what, p->n_rows, p->n_out, p->n_in,
           dtype_info(p->w.format->dtype)->name, p->w.format->is_transposed ? ", transposed" : "");
}

static void multiply(struct gemm *gemm, struct problem *p, const float *bias)
{
    clear(p);
    gemm_multiply(gemm, p->n_rows, p->x, p->x_stride, &p->w, bias, p->y, p->y_stride);
}

static void check_multiply(struct gemm *gemm, struct problem *p)
{
    bool right;

    multiply(gemm, p, NULL);
    right = is_as_defined(p, NULL, 1, false, NULL) && is_right(p);
    multiply(gemm, p, p->bias);
    right &= is_as_defined(p, p->bias, 1, false, NULL);
    if (!right)
        report(p, "gemm_multiply");
    CHECK(right);
}

static void check_block(struct gemm *gemm, struct problem *p, const struct gemm_range *ranges)
{
    bool right;

    clear(p);
    gemm_block(gemm, 1, p->n_rows, p->x, p->x_stride, &p->w, 0.3f, false, ranges, p->y,
               p->y_stride);
    right = is_as_defined(p, NULL, 0.3f, false, ranges);
    clear(p);
    gemm_block(gemm, 0, p->n_rows, p->x, p->x_stride, &p->w, -3, true, ranges, p->y, p->y_stride);
    right &= is_as_defined(p, NULL, -3, true, ranges);
    if (!right)
        report(p, ranges ? "gemm_block with ranges" : "gemm_block");
    CHECK(right);
}

/* As a causal mask has them, as a window has them, and some that are empty. */
static void check_ranges(struct gemm *gemm, struct problem *p)
{
    struct gemm_range *ranges = malloc((p->n_rows + 1) * sizeof *ranges);

    for (size_t kind = 0; kind < 4; kind++) {
        for (size_t r = 0; r < p->n_rows; r++) {
            size_t end = p->n_in > p->n_rows ? p->n_in - p->n_rows + r + 1 : p->n_in;
            size_t first = kind == 1 && end > 5 ? end - 5 : kind == 2 && end > 540 ? end - 540 : 0;

            ranges[r] = kind == 3 && r % 3 == 0 ? (struct gemm_range){7, 7}
                                                : (struct gemm_range){first, end};
        }
        check_block(gemm, p, ranges);
    }
    free(ranges);
}

/* What is added up for a row does not depend on what its neighbours see, were it -0. */
static void rows_that_see_nothing_stay_as_they_are(void)
{
    enum { N_ROWS = 9, N_OUT = 37, N_IN = 530 };
    static const char *const names[N_ISAS] = {"plain", "avx2", "avx512"};
    struct problem p = problem_new(N_ROWS, N_OUT, N_IN, DTYPE_F32, true, 0);
    struct gemm_range ranges[N_ROWS];
    struct error err = {0};
    struct threads *threads = threads_new(1, &err);

    for (size_t row = 0; row < N_ROWS; row++)
        ranges[row] = row % 3 ? (struct gemm_range){0, N_IN} : (struct gemm_range){7, 7};
    for (enum isa isa = ISA_PLAIN; isa < N_ISAS && gemm_version(isa); isa++) {
        struct gemm *gemm;

        CHECK(isa_choose(names[isa], &err) == 0);
        gemm = gemm_new(threads, &err);
        for (size_t i = 0; i < N_ROWS * p.y_stride; i++)
            p.y[i] = -0.0f;
        gemm_block(gemm, 0, N_ROWS, p.x, p.x_stride, &p.w, 1, true, ranges, p.y, p.y_stride);
        for (size_t i = 0; i < N_ROWS * p.y_stride; i++)
            CHECK((p.y[i] == 0 && signbit(p.y[i])) ==
                  (i / p.y_stride % 3 == 0 || i % p.y_stride >= N_OUT));
        gemm_free(gemm);
    }
    isa_choose(NULL, &err);
    threads_free(threads);
    problem_release(&p);
}

static void products_are_as_defined(void)
{
    static const size_t rows[] = {0, 1, 2, 3, 4, 5, 8, 13, 14, 15, 17, 64, N_ROWS_MAX};
    /* 32, 64 and 128 as heads have them; GEMM_BLOCK_STRIDE - GAP: x that is not copied */
    static const size_t ins[] = {0, 1, 3, 31, 32, 64, 128, GEMM_BLOCK_STRIDE - GAP, 513, 900, N_IN_MAX};
    static const size_t outs[] = {1, 5, 16, 33, 64, N_OUT_MAX};
    static const char *const names[N_ISAS] = {"plain", "avx2", "avx512"};
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct gemm *gemms[N_ISAS] = {NULL};

    for (enum isa isa = ISA_PLAIN; isa < N_ISAS && gemm_version(isa); isa++) {
        CHECK(isa_choose(names[isa], &err) == 0);
        CHECK(strcmp(gemm_version(isa)->name, names[isa]) == 0);
        gemms[isa] = gemm_new(threads, &err);
        CHECK(gemms[isa]);
    }
    isa_choose(NULL, &err);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t i = 0; i < sizeof ins / sizeof *ins; i++)
            for (size_t o = 0; o < sizeof outs / sizeof *outs; o++) {
                /* The largest would take long in all variants. */
                bool is_large = rows[r] * ins[i] * outs[o] > 30000;

                if (rows[r] * ins[i] * outs[o] > 4000000 && (r + i + o) % 5)
                    continue;

                for (size_t k = is_large ? (r + i + o) % 6 : 0; k < 6; k += is_large ? 6 : 1) {
                    struct problem p = problem_new(rows[r], outs[o], ins[i], dtypes[k / 2], k % 2,
                                                   (r + i + o) % 4);

                    for (enum isa isa = ISA_PLAIN; isa < N_ISAS && gemms[isa]; isa++) {
                        check_multiply(gemms[isa], &p);
                        check_block(gemms[isa], &p, NULL);
                        if (k % 2 && o % 2 == 0 && ins[i] < 1000 && rows[r] < 100)
                            check_ranges(gemms[isa], &p);
                    }
                    problem_release(&p);
                }
            }
    for (enum isa isa = ISA_PLAIN; isa < N_ISAS; isa++)
        gemm_free(gemms[isa]);
    threads_free(threads);
}

/* With the same x: matrices that go together, and others between them. */
static void products_of_the_same_rows_are_those_of_each(void)
{
    static const size_t outs[] = {70, 9, 200, 130, 64, 3}, rows[] = {1, 3, 30, 65, 140};
    enum { N = 6, N_IN = 700 };
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct gemm *gemm = gemm_new(threads, &err);

    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct problem p[N];
        struct gemm_product products[N];

        for (size_t i = 0; i < N; i++) {
            p[i] = problem_new(rows[r], outs[i], N_IN, dtypes[i % 3], i == 3, 0);
            products[i] = (struct gemm_product){&p[i].w, i % 2 ? p[i].bias : NULL, p[i].y,
                                                p[i].y_stride};
            clear(&p[i]);
        }
        gemm_multiply_each(gemm, rows[r], p[0].x, p[0].x_stride, products, N);
        for (size_t i = 0; i < N; i++) {
            CHECK(is_as_defined(&p[i], products[i].bias, 1, false, NULL));
            problem_release(&p[i]);
        }
    }
    gemm_free(gemm);
    threads_free(threads);
}

/* Inputs that are more than scratch memory holds at once, rows that are packed in two passes, more rows
 * than a tile has, and more outputs than are summed at once. */
static void long_products_are_as_defined(void)
{
    static const struct {
        size_t n_rows, n_out, n_in;
        bool is_transposed;
    } shapes[] = {{5, 9, 8192 + 530, false},   {50, 9, 8192 + 530, false}, {2, 3, 20000, false},
                  {80, 40, 8192 + 530, false}, {70, 3, 65536, true},       {5, 2, 150000, true},
                  {70, 5, 65536 + 20, false},  {1100, 9, 40, false},      {1, 4500, 530, true},
                  {3, 4500, 20, true}};
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct gemm *gemm = gemm_new(threads, &err);

    CHECK(gemm);
    for (size_t i = 0; gemm && i < sizeof shapes / sizeof *shapes; i++) {
        struct problem p = problem_new(shapes[i].n_rows, shapes[i].n_out, shapes[i].n_in, DTYPE_F32,
                                       shapes[i].is_transposed, 0);

        multiply(gemm, &p, p.bias);
        CHECK(is_as_defined(&p, p.bias, 1, false, NULL));
        problem_release(&p);
    }
    gemm_free(gemm);
    threads_free(threads);
}

/* Numbers at the ends of what a float holds, where a fused operation differs most from two. */
static void the_plain_version_rounds_once(void)
{
    enum { N = 4000 };
    struct random random;
    size_t n_wrong = 0;

    random_init(&random, 7);
    for (size_t i = 0; i < N; i++) {
        float x[4], y[GEMM_PANEL_OUT_MAX], sums[GEMM_PANEL_OUT_MAX] = {0}, expected;
        uint32_t bits[3];

        for (size_t k = 0; k < 3; k++)
            bits[k] = (uint32_t)random_next(&random);
        if (i % 4 == 1) /* the product is near the sum, or far below it */
            bits[2] = (bits[0] & 0x807FFFFF) | ((bits[0] >> 23 & 0xFF) + (bits[1] >> 23 & 0xFF) -
                                                127 + (i % 64) - 32) << 23;
        if (i % 4 == 2)
            bits[0] &= 0x80FFFFFF, bits[1] &= 0xBFFFFFFF, bits[2] &= 0x807FFFFF;
        if (i % 4 == 3)
            bits[0] &= ~0xFFFu, bits[1] = 0x3F800001 + (uint32_t)(i & 0xFFF);
        memcpy(x, bits, sizeof bits);
        for (size_t k = 0; k < gemm_plain.panel_out; k++)
            y[k] = x[1], sums[k] = x[2];
        gemm_plain.multiply(1, 1, x, true, y, gemm_plain.panel_out, true, sums);
        expected = fmaf(x[0], x[1], x[2]);
        n_wrong += isnan(expected) ? !isnan(sums[0])
                                   : memcmp(&sums[0], &expected, sizeof expected) != 0;
    }
    CHECK(n_wrong == 0);
}

static void multiply_with_tiles(struct problem *p)
{
    size_t n_bytes = amx_packed_bytes(p->n_in), n_groups = (p->n_rows + AMX_ROWS - 1) / AMX_ROWS;
    char *packed = aligned_alloc(64, n_groups * n_bytes);
    float *sums = aligned_alloc(64, AMX_SUMS * sizeof *sums);

    clear(p);
    for (size_t row = 0; row < p->n_rows; row += AMX_ROWS)
        amx_pack(p->n_rows - row < AMX_ROWS ? p->n_rows - row : AMX_ROWS,
                 p->x + row * p->x_stride, p->x_stride, p->n_in,
                 packed + row / AMX_ROWS * n_bytes);
    amx_multiply(p->n_rows, packed, p->w.data, p->w.stride, p->n_out, p->n_in, sums, p->y,
                 p->y_stride);
    free(packed);
    free(sums);
}

/* Whole tiles and parts of them; where the processor has none there is nothing to be seen. */
static void tiles_of_bf16_give_products_of_floats(void)
{
    static const size_t rows[] = {1, 15, 16, 17, 33, AMX_ROWS_MAX};
    static const size_t ins[] = {1, 17, 32, 33, 1024, 1100};
    static const size_t outs[] = {1, 31, 33, 64, N_OUT_MAX, AMX_OUT_MAX};

    for (size_t i = 0; isa_has_amx() && i < 6 * 6 * 6; i++) {
        struct problem p = problem_new(rows[i / 36], outs[i / 6 % 6], ins[i % 6], DTYPE_BF16,
                                       false, 2 * (i % 2));
        size_t last = p.n_rows - 1, n_wrong = 0;

        multiply_with_tiles(&p);
        if (!is_right(&p))
            report(&p, "tiles");
        CHECK(is_right(&p));
        p.x[last * p.x_stride + p.n_in - 1] = i % 2 ? NAN : INFINITY;
        multiply_with_tiles(&p);
        for (size_t row = 0; row < p.n_rows; row++)
            for (size_t out = 0; out < p.n_out; out++)
                n_wrong += !isfinite(p.y[row * p.y_stride + out]) != (row == last);
        CHECK(n_wrong == 0);
        problem_release(&p);
    }
}

/* Large enough for tiles in both directions and for blocks of W that are widened. */
static void bits_do_not_depend_on_the_number_of_threads(void)
{
    static const size_t shapes[][3] = {
        {1, 1030, 700}, {3, 2000, 257}, {8, 600, 600}, {12, 384, 384}, {129, 500, 300},
        {300, 530, 520}, {600, 130, 64}};
    static const size_t n_threads[] = {1, 2, 3, 8};

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t k = 0; k < 6; k++) {
            struct problem p = problem_new(shapes[s][0], shapes[s][1], shapes[s][2], dtypes[k / 2],
                                           k % 2, 0);
            size_t n_bytes = p.n_rows * p.y_stride * sizeof *p.y;
            float *first = malloc(n_bytes);

            for (size_t t = 0; t < sizeof n_threads / sizeof *n_threads; t++) {
                struct error err = {0};
                struct threads *threads = threads_new(n_threads[t], &err);
                struct gemm *gemm = gemm_new(threads, &err);
                bool is_same = true;

                for (size_t run = 0; gemm && run < 3; run++) {
                    multiply(gemm, &p, p.bias);
                    if (t == 0 && run == 0)
                        memcpy(first, p.y, n_bytes);
                    is_same &= memcmp(first, p.y, n_bytes) == 0;
                }
                if (!is_same)
                    report(&p, "not the same bits");
                CHECK(gemm && is_same && is_as_defined(&p, p.bias, 1, false, NULL));
                gemm_free(gemm);
                threads_free(threads);
            }
            free(first);
            problem_release(&p);
        }
}

struct blas_job {
    const struct problem *p;
    float *y; /* n_out * n_rows for each task */
};

static int run_blas(void *context, size_t task, size_t worker, struct error *err)
{
    const struct blas_job *job = context;
    const struct problem *p = job->p;

    (void)worker;
    (void)err;
    blas_sgemm(false, !p->w.format->is_transposed, p->n_rows, p->n_out, p->n_in, 1, p->x,
               p->x_stride, p->w.data, p->w.stride, 0, job->y + task * p->n_rows * p->n_out,
               p->n_out);
    return 0;
}

/* OpenBLAS shares its buffers between threads; several products at once must not disturb one
 * another, nor may a sum depend on which buffer it met. */
static void openblas_gives_the_same_bits_in_8_threads_at_once(void)
{
    enum { N_TASKS = 400 };
    struct error err = {0};
    struct threads *threads = threads_new(8, &err);

    CHECK(threads && blas_load(&err) == 0);
    for (size_t k = 0; threads && err.code == ERROR_NONE && k < 4; k++) {
        struct problem p = problem_new(k < 2 ? 9 : 40, k < 2 ? 33 : 70, 515, DTYPE_F32, k % 2, 0);
        size_t n = p.n_rows * p.n_out;
        struct blas_job job = {&p, malloc(N_TASKS * n * sizeof(float))};
        bool is_same = true;

        CHECK(threads_run(threads, N_TASKS, run_blas, &job, &err) == 0);
        for (size_t i = 0; i < N_TASKS; i++)
            is_same &= memcmp(job.y, job.y + i * n, n * sizeof *job.y) == 0;
        CHECK(is_same);
        for (size_t i = 0; i < n; i++)
            CHECK(fabs(job.y[i] - p.exact[i]) <= 1e-6 * p.sizes[i]);
        free(job.y);
        problem_release(&p);
    }
    threads_free(threads);
}

/* What is not a number reaches the rows and outputs that it belongs to, and no others. */
static void nan_and_infinity_stay_where_they_belong(void)
{
    static const size_t rows[] = {2, 30, 200};
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct gemm *gemm = gemm_new(threads, &err);

    CHECK(gemm);
    for (size_t r = 0; gemm && r < 3; r++)
        for (size_t k = 0; k < 6; k++) {
            struct problem p = problem_new(rows[r], 50, 70, dtypes[k / 2], k % 2, 0);
            size_t n_wrong = 0;

            p.x[p.x_stride + 69] = NAN;
            for (size_t i = 0; i < p.n_rows * p.y_stride; i++)
                p.y[i] = NAN; /* what y held before is not read */
            gemm_multiply(gemm, p.n_rows, p.x, p.x_stride, &p.w, NULL, p.y, p.y_stride);
            for (size_t i = 0; i < p.n_rows; i++)
                for (size_t out = 0; out < p.n_out; out++)
                    n_wrong += !isnan(p.y[i * p.y_stride + out]) != (i != 1);
            CHECK(n_wrong == 0);
            problem_release(&p);
        }
    gemm_free(gemm);
    threads_free(threads);
}

/* OpenBLAS is the other opinion, when it is asked for. */
static void products_by_openblas_are_right(void)
{
    static const size_t shapes[][3] = {{1, 5, 3}, {40, 300, 515}, {300, 64, 257}, {3, 7, 0}};
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct gemm *gemm;

    CHECK(isa_choose("blas", &err) == 0);
    gemm = gemm_new(threads, &err);
    CHECK(gemm);
    for (size_t i = 0; gemm && i < 4 * 6; i++) {
        struct problem p = problem_new(shapes[i / 6][0], shapes[i / 6][1], shapes[i / 6][2],
                                       dtypes[i % 6 / 2], i % 2, 1);

        multiply(gemm, &p, NULL);
        CHECK(is_right(&p));
        problem_release(&p);
    }
    isa_choose(NULL, &err);
    gemm_free(gemm);
    threads_free(threads);
}

TESTS(TEST(rows_that_see_nothing_stay_as_they_are),
      TEST(products_are_as_defined), TEST(products_of_the_same_rows_are_those_of_each),
      TEST(long_products_are_as_defined), TEST(the_plain_version_rounds_once),
      TEST(tiles_of_bf16_give_products_of_floats),
      TEST(bits_do_not_depend_on_the_number_of_threads),
      TEST(openblas_gives_the_same_bits_in_8_threads_at_once), TEST(products_by_openblas_are_right),
      TEST(nan_and_infinity_stay_where_they_belong))
