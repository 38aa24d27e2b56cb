/* Products that round x: all versions the same bits, each row by itself, near the exact ones. */
#include "math/gemm_fast.h"

#include <math.h>

#include "math/gemm.h"
#include "math/gemm_bf16.h"
#include "math/gemm_int8.h"
#include "math/random.h"
#include "test.h"

enum { N_ROWS = 23, MANY_ROWS = 71, N_OUT = 83, N_IN = 2304, GAP = 5,
       N_BYTES = N_OUT * (N_IN + GAP) * 4 };

/* 66: so many that kernels for many rows take them */
static const size_t row_counts[] = {1, 2, 3, 4, 9, N_ROWS, 66, MANY_ROWS};

struct problem {
    size_t n_rows; /* up to MANY_ROWS */
    float *x, *alone, *y, *scratch;
    double *exact, *sizes; /* [n_rows, N_OUT]: x W^T, and the sums of the magnitudes */
    char *packed;
    unsigned char *weights;
    float *floats; /* [N_OUT, N_IN]: the values of w */
    struct gemm_matrix w;
};

static struct problem problem_new(void)
{
    struct problem p = {
        .n_rows = N_ROWS,
        .x = malloc(MANY_ROWS * (N_IN + GAP) * sizeof *p.x),
        .alone = malloc(MANY_ROWS * N_OUT * sizeof *p.alone),
        .y = malloc(MANY_ROWS * (N_OUT + GAP) * sizeof *p.y),
        .scratch = aligned_alloc(64, GEMM_FAST_SCRATCH * sizeof *p.scratch),
        .exact = malloc(MANY_ROWS * N_OUT * sizeof *p.exact),
        .sizes = malloc(MANY_ROWS * N_OUT * sizeof *p.sizes),
        .packed = aligned_alloc(64, MANY_ROWS * GEMM_FAST_ROW_MAX),
        .weights = malloc(N_BYTES),
        .floats = malloc(N_OUT * N_IN * sizeof *p.floats),
    };
    struct random random;

    random_init(&random, 5);
    for (size_t i = 0; i < MANY_ROWS * (N_IN + GAP); i++)
        p.x[i] = (float)(random_uniform(&random) - 0.5) * (i % 700 == 0 ? 20 : 1);
    for (size_t i = 0; i < N_BYTES; i++)
        p.weights[i] = (unsigned char)random_below(&random, 256);
    return p;
}

static void problem_free(struct problem *p)
{
    free(p->x);
    free(p->alone);
    free(p->y);
    free(p->scratch);
    free(p->exact);
    free(p->sizes);
    free(p->packed);
    free(p->weights);
    free(p->floats);
}

static void use_blocks(struct problem *p, enum ggml_format format, size_t n_in)
{
    const struct ggml_type *type = ggml_type(format);

    for (size_t i = 0; i < N_BYTES; i++)
        p->weights[i] &= 0xBF; /* no scale is infinite */
    for (size_t i = 0; format == GGML_MXFP4 && i < N_BYTES; i += type->block_bytes)
        p->weights[i] = (unsigned char)(120 + i % 8);
    p->w = (struct gemm_matrix){.format = &matrix_ggml[format], .data = p->weights, .n_out = N_OUT,
                                .n_in = n_in, .stride = n_in};
    ggml_decode(format, p->weights, N_OUT * n_in / type->block_items, p->floats);
}

/* Between the rows there is what is no number. */
static void use_numbers(struct problem *p, enum dtype dtype, size_t n_in)
{
    size_t stride = n_in + GAP;

    for (size_t i = 0; i < N_OUT * stride; i++) {
        double value = i % stride < n_in ? (double)(i * 7919 % 701) / 701 - 0.5 : NAN;

        dtype_from_double(dtype, &value, p->weights + i * (dtype_info(dtype)->n_bits / 8), 1);
    }
    p->w = (struct gemm_matrix){.format = matrix_format_plain(dtype, false), .data = p->weights,
                                .n_out = N_OUT, .n_in = n_in, .stride = stride};
    gemm_matrix_widen(&p->w, 0, N_OUT, 0, n_in, p->floats);
}

static void multiply_exactly(struct problem *p)
{
    for (size_t i = 0; i < p->n_rows * N_OUT; i++) {
        p->exact[i] = p->sizes[i] = 0;
        for (size_t in = 0; in < p->w.n_in; in++) {
            double product = (double)p->x[i / N_OUT * (N_IN + GAP) + in] *
                             p->floats[i % N_OUT * p->w.n_in + in];

            p->exact[i] += product;
            p->sizes[i] += fabs(product);
        }
    }
}

/* y += 2 x W^T, with y = 1 before. */
static void multiply(struct problem *p, const struct gemm_fast *fast, size_t row, size_t n_rows)
{
    for (size_t i = 0; i < p->n_rows * (N_OUT + GAP); i++)
        p->y[i] = 1;
    memset(p->scratch, 0xFF, GEMM_FAST_SCRATCH * sizeof *p->scratch); /* no numbers */
    fast->pack(&p->w, n_rows, p->x + row * (N_IN + GAP), N_IN + GAP, p->packed);
    fast->multiply(&p->w, n_rows, p->packed, 2, true, p->y, N_OUT + GAP, p->scratch);
}

static void check_alone(struct problem *p, const struct gemm_fast *fast, double tolerance)
{
    multiply_exactly(p);
    for (size_t row = 0; row < p->n_rows; row++) {
        multiply(p, fast, row, 1);
        memcpy(p->alone + row * N_OUT, p->y, N_OUT * sizeof *p->y);
        CHECK(p->y[N_OUT] == 1);
    }
    for (size_t i = 0; i < p->n_rows * N_OUT; i++)
        CHECK(fabs((p->alone[i] - 1) / 2 - p->exact[i]) <= tolerance * p->sizes[i] + 1e-6);
}

/* What is not added to y is what comes of adding it to nothing. */
static void check_from_nothing(struct problem *p, const struct gemm_fast *fast, size_t n_rows)
{
    float *sums = calloc(n_rows * (N_OUT + GAP), sizeof *sums);
    bool is_same = true;

    multiply(p, fast, 0, n_rows);
    fast->multiply(&p->w, n_rows, p->packed, 2, true, sums, N_OUT + GAP, p->scratch);
    fast->multiply(&p->w, n_rows, p->packed, 2, false, p->y, N_OUT + GAP, p->scratch);
    for (size_t row = 0; row < n_rows; row++)
        for (size_t out = 0; out < N_OUT; out++)
            is_same &= p->y[row * (N_OUT + GAP) + out] == sums[row * (N_OUT + GAP) + out];
    CHECK(is_same);
    free(sums);
}

/* Outputs from number FIRST on are those of the whole. */
static void check_part(struct problem *p, const struct gemm_fast *fast, size_t n_rows)
{
    enum { FIRST = 19 };
    struct gemm_matrix part = gemm_matrix_part(&p->w, FIRST, N_OUT - FIRST);
    float *expected = malloc(n_rows * N_OUT * sizeof *expected);
    bool is_same = true;

    multiply(p, fast, 0, n_rows);
    fast->multiply(&p->w, n_rows, p->packed, 2, false, expected, N_OUT, p->scratch);
    fast->multiply(&part, n_rows, p->packed, 2, false, p->y, N_OUT, p->scratch);
    for (size_t row = 0; row < n_rows; row++)
        is_same &= memcmp(p->y + row * N_OUT, expected + row * N_OUT + FIRST,
                          part.n_out * sizeof *expected) == 0;
    CHECK(is_same);
    free(expected);
}

static void check_together(struct problem *p, const struct gemm_fast *fast)
{
    for (size_t r = 0; r < sizeof row_counts / sizeof *row_counts; r++) {
        size_t n = row_counts[r] < p->n_rows ? row_counts[r] : p->n_rows, first = p->n_rows - n;

        multiply(p, fast, first, n);
        for (size_t row = 0; row < n; row++)
            CHECK(memcmp(p->y + row * (N_OUT + GAP), p->alone + (first + row) * N_OUT,
                         N_OUT * sizeof *p->y) == 0 && p->y[row * (N_OUT + GAP) + N_OUT] == 1);
        check_from_nothing(p, fast, n);
        check_part(p, fast, n);
    }
}

static const enum ggml_format formats[] = {GGML_Q8_0, GGML_Q4_0, GGML_Q5_0,   GGML_IQ4_NL,
                                           GGML_MXFP4, GGML_Q4_K, GGML_Q5_K, GGML_Q6_K};
enum { N_FORMATS = sizeof formats / sizeof *formats };

/* The versions of the way that a format has; how many. */
static size_t find_versions(const struct problem *p, const struct gemm_fast *versions[3])
{
    size_t n = 1;

    versions[0] = int8_k_takes((enum ggml_format)(p->w.format - matrix_ggml)) ? &gemm_int8_k_plain
                                                                             : &gemm_int8_plain;
    if (gemm_fast_has_int8(ISA_AVX2))
        versions[n++] = gemm_fast_find(&p->w, ISA_AVX2);
    if (gemm_fast_has_int8(ISA_AVX512))
        versions[n++] = gemm_fast_find(&p->w, ISA_AVX512);
    return n;
}

static void integers_are_near_and_the_same_everywhere(void)
{
    struct problem p = problem_new();
    size_t n_taken = 0;

    for (size_t i = 0; i < N_FORMATS; i++)
        for (size_t k = 0; k < 2; k++) {
            const struct gemm_fast *versions[3];
            bool is_small = ggml_type(formats[i])->block_items == 32;
            size_t n;

            use_blocks(&p, formats[i], k == 0 ? N_IN : is_small ? 96 : 256);
            n = find_versions(&p, versions);
            /* half a step, of which the largest of 32, or of 256, has 127, adds up at random; less so
             * where a few weights are all there is */
            check_alone(&p, versions[0], (is_small ? 1 : 1.5) * (k == 0 ? 0.014 : 0.03));
            for (size_t v = 0; v < n; v++)
                check_together(&p, versions[v]);
        }
    for (enum ggml_format format = 0; format < N_GGML_BLOCKS; format++)
        n_taken += int8_takes(format) + int8_k_takes(format);
    CHECK(n_taken == N_FORMATS);
    problem_free(&p);
}

static void numbers_that_are_not_finite_stay_so(void)
{
    static const float odd[] = {INFINITY, -INFINITY, NAN};
    struct problem p = problem_new();

    for (size_t i = 0; i < N_FORMATS; i++) {
        const struct gemm_fast *versions[3];
        size_t n;

        use_blocks(&p, formats[i], 256);
        n = find_versions(&p, versions);
        for (size_t v = 0; v < n; v++) {
            for (size_t k = 0; k < 3 * 6; k++) { /* among others, in each register */
                float *item = &p.x[k / 3 * 41], kept = *item;

                *item = odd[k % 3];
                multiply(&p, versions[v], 0, 1);
                CHECK(!isfinite(p.y[0]));
                *item = kept;
            }
            for (size_t k = 0; k < 256; k++)
                p.x[N_IN + GAP + k] = k % 2 ? 1e-42f : 0; /* too small: nothing */
            multiply(&p, versions[v], 1, 1);
            CHECK(p.y[0] == 1);
        }
    }
    problem_free(&p);
}

/* Of all versions, without anything that sums are added to; n_in inputs. */
static void check_same(struct problem *p, size_t n_in)
{
    const struct gemm_fast *versions[3];
    size_t n = find_versions(p, versions);

    for (size_t v = 0; v < n; v++)
        for (size_t n_rows = 1; n_rows <= 9; n_rows += 4) {
            float *y = v ? p->y : p->alone;

            versions[v]->pack(&p->w, n_rows, p->x, n_in, p->packed);
            versions[v]->multiply(&p->w, n_rows, p->packed, 1, false, y, N_OUT, p->scratch);
            CHECK(memcmp(y, p->alone, n_rows * N_OUT * sizeof *y) == 0);
        }
}

/* Exponents of MXFP4 whose scales are subnormal, or nearly so. */
static void the_smallest_scales_are_the_same_everywhere(void)
{
    struct problem p = problem_new();

    use_blocks(&p, GGML_MXFP4, 96);
    for (size_t i = 0; i < N_BYTES; i += 17)
        p.weights[i] = (unsigned char)(i / 51 % 4); /* one for all blocks of an output */
    check_same(&p, 96);
    CHECK(p.alone[0] != 0);
    problem_free(&p);
}

/* Of which 1 / x is still a number, or is none. */
static void the_smallest_inputs_are_the_same_everywhere(void)
{
    static const float sizes[] = {1e-32f, 1e-36f, 1e-37f, 1e-38f};
    struct problem p = problem_new();

    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < MANY_ROWS * (N_IN + GAP); i++)
            p.x[i] = (float)(i % 61 + 1) / 61 * sizes[k] * (i % 3 ? 1 : -1);
        for (size_t i = 0; i < N_FORMATS; i++) {
            use_blocks(&p, formats[i], 256);
            check_same(&p, 256);
        }
    }
    problem_free(&p);
}

static void bf16_is_near_and_each_row_by_itself(void)
{
#if defined(__x86_64__)
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    static const size_t inputs[] = {N_IN, 1024, 83, 1};
    struct problem p;

    if (!gemm_fast_has_bf16(ISA_AVX512)) {
        printf("not tested: this processor has no AVX512_BF16\n");
        return;
    }
    p = problem_new();
    p.n_rows = MANY_ROWS;
    for (size_t i = 0; i < 12; i++) {
        use_numbers(&p, dtypes[i % 3], inputs[i / 3]);
        for (size_t row = 0; row < MANY_ROWS; row++) /* what comes behind is not read */
            p.x[row * (N_IN + GAP) + inputs[i / 3]] = NAN;
        /* both are rounded to 8 bits: twice 2^-8 of one product, and a little for sums */
        check_alone(&p, &gemm_bf16, 0.0081);
        check_together(&p, &gemm_bf16);
        /* keys of attention stay exact */
        p.w.n_in = GEMM_BF16_SHORT;
        CHECK(gemm_fast_find(&p.w, ISA_AVX512) == NULL);
        p.w.n_in++;
        CHECK(gemm_fast_find(&p.w, ISA_AVX512) == &gemm_bf16);
    }
    problem_free(&p);
#endif
}

/* What rows get from gemm_block, or from gemm_multiply, is what each gets alone. */
static void check_gemm(struct problem *p, struct gemm *gemm, const struct gemm_fast *fast, bool is_block)
{
    for (size_t row = 0; row < MANY_ROWS; row++) {
        fast->pack(&p->w, 1, p->x + row * (N_IN + GAP), N_IN + GAP, p->packed);
        fast->multiply(&p->w, 1, p->packed, 1, false, p->alone + row * N_OUT, N_OUT, p->scratch);
    }
    for (size_t r = 0; r < sizeof row_counts / sizeof *row_counts; r++) {
        size_t n = row_counts[r];
        bool is_same = true;

        if (is_block)
            gemm_block(gemm, 1, n, p->x, N_IN + GAP, &p->w, 1, false, NULL, p->y, N_OUT + GAP);
        else
            gemm_multiply(gemm, n, p->x, N_IN + GAP, &p->w, NULL, p->y, N_OUT + GAP);
        for (size_t row = 0; row < n; row++)
            is_same &= memcmp(p->y + row * (N_OUT + GAP), p->alone + row * N_OUT,
                              N_OUT * sizeof *p->y) == 0;
        CHECK(is_same);
    }
}

/* With so many inputs that the most rows do not fit the scratch memory of gemm_block at once. */
static void products_take_the_fast_way_when_told(void)
{
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct problem p = problem_new();
    struct gemm *gemm;

    CHECK(isa_choose("", &err) == 0 && isa_choose_fast() && isa_choose_fast());
    CHECK(isa_products_in_use() == ISA_PRODUCTS_FAST);
    gemm = gemm_new(threads, &err);
    for (size_t k = 0; k < 2 && gemm_fast_has_int8(isa_in_use()); k++) {
        use_blocks(&p, GGML_Q4_K, N_IN);
        check_gemm(&p, gemm, &gemm_int8_k_plain, k);
        use_blocks(&p, GGML_Q8_0, N_IN);
        check_gemm(&p, gemm, &gemm_int8_plain, k);
    }
    for (size_t k = 0; k < 2 && gemm_fast_has_bf16(isa_in_use()); k++) {
        use_numbers(&p, DTYPE_BF16, N_IN);
        check_gemm(&p, gemm, gemm_fast_find(&p.w, isa_in_use()), k);
    }
    gemm_free(gemm);
    CHECK(isa_choose("", &err) == 0 && isa_products_in_use() == ISA_PRODUCTS_OWN);
    CHECK(isa_choose("blas", &err) == 0 && !isa_choose_fast());
    isa_choose("", &err);
    threads_free(threads);
    problem_free(&p);
}

/* More rows of as many inputs as there may be than are packed at once; neighbours overlap, which is
 * no matter. */
static void rows_in_several_passes_are_those_alone(void)
{
    enum { N_MANY_IN = GEMM_FAST_IN_MAX, N_PASSED = 600, N_FEW_OUT = 3 };
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct problem p = problem_new();
    float *y = malloc(N_PASSED * N_FEW_OUT * sizeof *y), bias[N_FEW_OUT] = {1, -2, 3};
    struct gemm *gemm;

    use_blocks(&p, GGML_Q8_0, N_IN);
    p.w.n_out = N_FEW_OUT;
    p.w.n_in = p.w.stride = N_MANY_IN;
    CHECK(isa_choose("", &err) == 0 && isa_choose_fast());
    gemm = gemm_new(threads, &err);
    gemm_multiply(gemm, N_PASSED, p.x, 1, &p.w, bias, y, N_FEW_OUT);
    for (size_t row = 0; row < N_PASSED; row += 23) {
        gemm_multiply(gemm, 1, p.x + row, N_MANY_IN, &p.w, NULL, p.y, N_FEW_OUT);
        for (size_t out = 0; out < N_FEW_OUT; out++)
            CHECK(y[row * N_FEW_OUT + out] == p.y[out] + bias[out]);
    }
    gemm_free(gemm);
    isa_choose("", &err);
    threads_free(threads);
    free(y);
    problem_free(&p);
}

/* A factor of all weights is what no way knows of. */
static void weights_with_a_factor_have_no_fast_way(void)
{
    static const float factor = 3;
    struct problem p = problem_new();

    for (size_t i = 0; i < N_FORMATS; i++) {
        use_blocks(&p, formats[i], 256);
        p.w.scales = &factor;
        for (enum isa isa = 0; isa < N_ISAS; isa++)
            CHECK(!gemm_fast_find(&p.w, isa));
    }
    problem_free(&p);
}

/* Two formats that round rows in their own ways, in one call. */
static void products_of_other_formats_round_anew(void)
{
    static const enum ggml_format pairs[][2] = {{GGML_Q4_K, GGML_Q6_K}, {GGML_Q4_0, GGML_Q8_0}};
    enum { N_BLOCK_IN = 512 };
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct problem p = problem_new();
    float *together = malloc(2 * N_OUT * sizeof *together);
    struct gemm *gemm;

    CHECK(isa_choose("", &err) == 0 && isa_choose_fast());
    gemm = gemm_new(threads, &err);
    for (size_t i = 0; i < 2; i++) {
        struct gemm_matrix w[2];
        struct gemm_product products[2] = {{&w[0], NULL, together, N_OUT},
                                           {&w[1], NULL, together + N_OUT, N_OUT}};

        for (size_t k = 0; k < 2; k++) {
            use_blocks(&p, pairs[i][k], N_BLOCK_IN);
            w[k] = p.w;
        }
        gemm_multiply_each(gemm, 1, p.x, N_IN, products, 2);
        for (size_t k = 0; k < 2; k++) {
            gemm_multiply(gemm, 1, p.x, N_IN, &w[k], NULL, p.y, N_OUT);
            CHECK(memcmp(p.y, together + k * N_OUT, N_OUT * sizeof *together) == 0);
        }
    }
    gemm_free(gemm);
    isa_choose("", &err);
    threads_free(threads);
    free(together);
    problem_free(&p);
}

TESTS(TEST(integers_are_near_and_the_same_everywhere), TEST(numbers_that_are_not_finite_stay_so),
      TEST(the_smallest_scales_are_the_same_everywhere),
      TEST(the_smallest_inputs_are_the_same_everywhere),
      TEST(bf16_is_near_and_each_row_by_itself), TEST(products_take_the_fast_way_when_told),
      TEST(rows_in_several_passes_are_those_alone), TEST(weights_with_a_factor_have_no_fast_way),
      TEST(products_of_other_formats_round_anew))
