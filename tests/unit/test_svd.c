#include "math/svd.h"

#include <math.h>

#include "math/random.h"
#include "math/svd_space.h"
#include "test.h"

struct matrix {
    size_t n_rows, n_cols;
    float *items;
};

/* Columns of random numbers, made orthogonal, so that the singular values are known: value(i). */
static void make_orthogonal(double *x, size_t n, size_t n_items, struct random *random)
{
    for (size_t i = 0; i < n; i++) {
        double length = 0;

        for (size_t k = 0; k < n_items; k++)
            x[i * n_items + k] = random_uniform(random) - 0.5;
        for (size_t pass = 0; pass < 2; pass++)
            for (size_t j = 0; j < i; j++) {
                double share = 0;

                for (size_t k = 0; k < n_items; k++)
                    share += x[i * n_items + k] * x[j * n_items + k];
                for (size_t k = 0; k < n_items; k++)
                    x[i * n_items + k] -= share * x[j * n_items + k];
            }
        for (size_t k = 0; k < n_items; k++)
            length += x[i * n_items + k] * x[i * n_items + k];
        for (size_t k = 0; k < n_items; k++)
            x[i * n_items + k] /= sqrt(length);
    }
}

static struct matrix matrix_of(size_t n_rows, size_t n_cols, const double *values, size_t n)
{
    struct matrix matrix = {n_rows, n_cols, malloc(n_rows * n_cols * sizeof(float))};
    double *u = malloc(n * n_rows * sizeof *u), *v = malloc(n * n_cols * sizeof *v);
    struct random random;

    random_init(&random, 5);
    make_orthogonal(u, n, n_rows, &random);
    make_orthogonal(v, n, n_cols, &random);
    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < n_cols; k++) {
            double sum = 0;

            for (size_t r = 0; r < n; r++)
                sum += values[r] * u[r * n_rows + i] * v[r * n_cols + k];
            matrix.items[i * n_cols + k] = (float)sum;
        }
    free(u);
    free(v);
    return matrix;
}

static double length_from(const double *values, size_t first, size_t n)
{
    double sum = 0;

    for (size_t i = first; i < n; i++)
        sum += values[i] * values[i];
    return sqrt(sum);
}

/* |a - left^T right| by the definition. */
static double error_of(const struct svd *svd, const struct matrix *matrix)
{
    double sum = 0;

    for (size_t i = 0; i < matrix->n_rows; i++)
        for (size_t k = 0; k < matrix->n_cols; k++) {
            double x = matrix->items[i * matrix->n_cols + k];

            for (size_t r = 0; r < svd->rank; r++)
                x -= (double)svd->left[r * matrix->n_rows + i] * svd->right[r * matrix->n_cols + k];
            sum += x * x;
        }
    return sqrt(sum);
}

static void approximate(struct svd *svd, const struct matrix *matrix, struct svd_size size,
                        size_t n_threads)
{
    struct error err = {0};
    struct threads *threads = threads_new(n_threads, &err);
    struct gemm *gemm = gemm_new(threads, &err);

    CHECK(svd_approximate(svd, matrix->items, matrix->n_rows, matrix->n_cols, size, gemm, &err) == 0);
    CHECK(err.code == ERROR_NONE);
    gemm_free(gemm);
    threads_free(threads);
}

/* The bound that svd.h promises. */
static void check_rank(const struct matrix *matrix, const double *values, size_t n, size_t rank)
{
    struct svd svd;
    double least = length_from(values, rank, n), norm = length_from(values, 0, n);

    approximate(&svd, matrix, (struct svd_size){.rank = rank}, 2);
    CHECK(svd.rank == rank);
    CHECK(fabs(svd.norm - norm) <= 1e-6 * norm);
    CHECK(fabs(svd.error - error_of(&svd, matrix)) <= 1e-6 * norm);
    CHECK(svd.error >= least - 1e-6 * norm);
    CHECK(svd.error <= least * (1 + 1e-4) + 1e-5 * norm);
    for (size_t r = 0; r < rank && r < n; r++)
        CHECK(fabs(svd.values[r] - values[r]) <= 0.02 * values[r] + 1e-5 * norm);
    svd_release(&svd);
}

enum { N = 120 };

static void finds_the_best_of_any_spectrum(void)
{
    double falling[N], flat[N], steps[N];
    struct matrix matrices[3];

    for (size_t i = 0; i < N; i++) {
        falling[i] = pow(0.8, (double)i);
        flat[i] = 1 - 0.003 * (double)i;
        steps[i] = i < 8 ? 5 : 1e-3;
    }
    matrices[0] = matrix_of(150, N, falling, N);
    matrices[1] = matrix_of(N, 190, flat, N);
    matrices[2] = matrix_of(130, 210, steps, N);
    for (size_t rank = 1; rank < N; rank = rank * 2 + 3) {
        check_rank(&matrices[0], falling, N, rank);
        check_rank(&matrices[1], flat, N, rank);
        check_rank(&matrices[2], steps, N, rank);
    }
    for (size_t i = 0; i < 3; i++)
        free(matrices[i].items);
}

/* Of one that is large enough to go by its Gram matrix; wide, and tall. */
static void finds_the_best_of_large_ranks(void)
{
    enum { LARGE = 260 };
    double falling[LARGE], flat[LARGE];
    struct matrix matrices[2];

    for (size_t i = 0; i < LARGE; i++) {
        falling[i] = pow(0.95, (double)i);
        flat[i] = 1 - 0.001 * (double)i;
    }
    matrices[0] = matrix_of(LARGE, 300, falling, LARGE);
    matrices[1] = matrix_of(290, LARGE, flat, LARGE);
    for (size_t rank = 60; rank <= LARGE; rank += 100) {
        check_rank(&matrices[0], falling, LARGE, rank);
        check_rank(&matrices[1], flat, LARGE, rank);
    }
    for (size_t i = 0; i < 2; i++) {
        struct svd svd;

        approximate(&svd, &matrices[i], (struct svd_size){.rank = 1000}, 2);
        CHECK(svd.rank == LARGE && svd_relative_error(&svd) < 2e-6);
        svd_release(&svd);
        free(matrices[i].items);
    }
}

/* A space as large as the rank takes in nothing but noise, and stays orthonormal. */
static void a_space_ends_with_its_matrix(void)
{
    enum { RANK = 24, ROWS = 150, COLUMNS = 170, BLOCK_ROWS = 20 };
    double values[RANK];
    struct matrix matrix;
    struct svd_space space;
    struct error err = {0};
    struct threads *threads = threads_new(1, &err);
    struct gemm *gemm = gemm_new(threads, &err);

    for (size_t i = 0; i < RANK; i++)
        values[i] = 3 - 0.1 * (double)i;
    matrix = matrix_of(ROWS, COLUMNS, values, RANK);
    CHECK(svd_space_init(&space, matrix.items, ROWS, COLUMNS, BLOCK_ROWS, 6 * BLOCK_ROWS, gemm, &err) == 0);
    for (size_t step = 0; step < 5 && svd_space_grow(&space); step++)
        continue;
    CHECK(space.n_vectors >= RANK);
    for (size_t i = 0; i < space.n_vectors; i++)
        for (size_t k = 0; k <= i; k++) {
            double sum = 0;

            for (size_t j = 0; j < ROWS; j++)
                sum += (double)space.vectors[i * ROWS + j] * space.vectors[k * ROWS + j];
            CHECK(fabs(sum - (i == k)) < 1e-5);
        }
    svd_space_release(&space);
    gemm_free(gemm);
    threads_free(threads);
    free(matrix.items);
}

static void gives_the_full_rank_and_no_more(void)
{
    double values[20];
    struct matrix matrix;
    struct svd svd;

    for (size_t i = 0; i < 20; i++)
        values[i] = 1 + (double)i;
    matrix = matrix_of(20, 300, values, 20);
    approximate(&svd, &matrix, (struct svd_size){.rank = 64}, 1);
    CHECK(svd.rank == 20);
    CHECK(svd_relative_error(&svd) < 2e-6);
    CHECK(svd_kept_energy(&svd) > 1 - 1e-10);
    svd_release(&svd);
    free(matrix.items);
}

/* Two values are far below the rest: a small rank is exact, and the space of the large one is too
 * small to hold what is asked for. */
static void survives_fewer_values_than_asked_for(void)
{
    double values[2] = {3, 1};
    struct matrix matrix = matrix_of(100, 100, values, 2);
    struct svd svd;

    approximate(&svd, &matrix, (struct svd_size){.rank = 10}, 1);
    CHECK(svd.rank >= 2 && svd.rank <= 10);
    CHECK(svd_relative_error(&svd) < 2e-6);
    svd_release(&svd);
    free(matrix.items);
}

static void chooses_the_rank_by_energy(void)
{
    double values[N], sum = 0, all = 0;
    struct matrix matrix;

    for (size_t i = 0; i < N; i++)
        values[i] = pow(0.85, (double)i);
    for (size_t i = 0; i < N; i++)
        all += values[i] * values[i];
    matrix = matrix_of(N, 130, values, N);
    for (size_t rank = 1; rank < 60; rank = rank * 2 + 1) {
        struct svd svd;

        sum = 0;
        for (size_t i = 0; i < rank; i++)
            sum += values[i] * values[i];
        /* Between what `rank` values have and what one less has. */
        approximate(&svd, &matrix,
                    (struct svd_size){.energy = (sum - 0.5 * values[rank - 1] * values[rank - 1]) / all},
                    1);
        CHECK(svd.rank == rank);
        CHECK(fabs(svd_kept_energy(&svd) - sum / all) < 1e-5);
        svd_release(&svd);
    }
    free(matrix.items);
}

static void knows_a_matrix_of_zeros(void)
{
    float zeros[12] = {0};
    struct matrix matrix = {3, 4, zeros};
    struct svd svd;

    approximate(&svd, &matrix, (struct svd_size){.rank = 2}, 1);
    CHECK(svd.rank == 0 && svd.norm == 0);
    CHECK(svd_kept_energy(&svd) == 1 && svd_relative_error(&svd) == 0);
    svd_release(&svd);
}

static void gives_the_same_bits_on_any_number_of_threads(void)
{
    double values[N];
    struct matrix matrix;
    struct svd one, three;

    for (size_t i = 0; i < N; i++)
        values[i] = 1 / (1 + (double)i);
    matrix = matrix_of(200, 260, values, N);
    approximate(&one, &matrix, (struct svd_size){.rank = 7}, 1);
    approximate(&three, &matrix, (struct svd_size){.rank = 7}, 3);
    CHECK(memcmp(one.left, three.left, 7 * 200 * sizeof(float)) == 0);
    CHECK(memcmp(one.right, three.right, 7 * 260 * sizeof(float)) == 0);
    svd_release(&one);
    svd_release(&three);
    free(matrix.items);
}

/* left^T right, as a matrix. */
static struct matrix product_of(const float *left, const float *right, size_t n, size_t n_rows, size_t n_cols)
{
    struct matrix matrix = {n_rows, n_cols, malloc(n_rows * n_cols * sizeof(float))};

    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < n_cols; k++) {
            double sum = 0;

            for (size_t r = 0; r < n; r++)
                sum += (double)left[r * n_rows + i] * right[r * n_cols + k];
            matrix.items[i * n_cols + k] = (float)sum;
        }
    return matrix;
}

/* Rows that are nearly the same, of sizes that differ by orders of magnitude, twice the same, and 0. */
static void decomposes_a_product_by_its_factors(void)
{
    enum { THIN = 12, ROWS = 70, COLUMNS = 530 };
    float left[THIN * ROWS], right[THIN * COLUMNS];
    struct random random;
    struct matrix matrix;
    struct error err = {0};

    random_init(&random, 3);
    for (size_t i = 0; i < THIN; i++) {
        for (size_t k = 0; k < ROWS; k++)
            left[i * ROWS + k] = (float)((random_uniform(&random) - 0.3) * pow(10, -(double)(i % 5)));
        for (size_t k = 0; k < COLUMNS; k++)
            right[i * COLUMNS + k] = (float)((random_uniform(&random) - 0.3) * (i == 7 ? 0 : 1));
    }
    memcpy(left + 3 * ROWS, left + 2 * ROWS, ROWS * sizeof *left);
    memcpy(right + 5 * COLUMNS, right + 4 * COLUMNS, COLUMNS * sizeof *right);
    matrix = product_of(left, right, THIN, ROWS, COLUMNS);
    for (size_t rank = 1; rank < 2 * THIN; rank += 2) {
        struct svd whole, svd;

        approximate(&whole, &matrix, (struct svd_size){.rank = rank}, 1);
        CHECK(svd_of_product(&svd, left, right, THIN, ROWS, COLUMNS, rank, &err) == 0);
        CHECK(svd.rank >= (rank < 10 ? rank : 10) && svd.rank <= rank && svd.rank <= THIN);
        CHECK(fabs(svd.norm - whole.norm) <= 1e-6 * whole.norm);
        CHECK(fabs(svd.error - error_of(&svd, &matrix)) <= 1e-6 * whole.norm);
        CHECK(svd.error <= whole.error + 1e-6 * whole.norm);
        for (size_t r = 0; r < svd.rank && r < whole.rank; r++)
            CHECK(fabs(svd.values[r] - whole.values[r]) <= 1e-6 * whole.norm);
        svd_release(&whole);
        svd_release(&svd);
    }
    memset(left, 0, sizeof left);
    {
        struct svd svd;

        CHECK(svd_of_product(&svd, left, right, THIN, ROWS, COLUMNS, 4, &err) == 0);
        CHECK(svd.rank == 0 && svd.norm == 0);
        svd_release(&svd);
    }
    free(matrix.items);
}

TESTS(TEST(decomposes_a_product_by_its_factors), TEST(finds_the_best_of_any_spectrum), TEST(finds_the_best_of_large_ranks),
      TEST(a_space_ends_with_its_matrix), TEST(gives_the_full_rank_and_no_more),
      TEST(survives_fewer_values_than_asked_for), TEST(chooses_the_rank_by_energy),
      TEST(knows_a_matrix_of_zeros), TEST(gives_the_same_bits_on_any_number_of_threads))
