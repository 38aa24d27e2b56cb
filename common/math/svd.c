#include "svd.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "math/svd_space.h"

#include "lapack.h"

enum { ERROR_ROWS = 64, DENSE_BELOW = 64, GRAM_FROM = 256, GRAM_STEP = 256 };

double svd_kept_energy(const struct svd *svd)
{
    double left_out = svd_relative_error(svd);

    return 1 - left_out * left_out;
}

double svd_relative_error(const struct svd *svd)
{
    return svd->norm > 0 ? svd->error / svd->norm : 0;
}

void svd_release(struct svd *svd)
{
    free(svd->left);
    free(svd->right);
    free(svd->values);
    *svd = (struct svd){0};
}

struct matrix { /* to be decomposed */
    const float *a;
    size_t n_rows, n_cols;
    double square; /* of its norm */
    struct gemm *gemm;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int make_room(struct svd *svd, const struct matrix *matrix, size_t rank, struct error *err)
{
    svd->rank = rank;
    svd->left = memory_try(rank * matrix->n_rows, sizeof *svd->left, "a factor", err);
    svd->right = svd->left ? memory_try(rank * matrix->n_cols, sizeof *svd->right, "a factor", err)
                           : NULL;
    if (!svd->right)
        return -1;
    svd->values = memory_zalloc(rank, sizeof *svd->values);
    return 0;
}

/* ---- the whole matrix by LAPACK ---- */

static size_t rank_of_energy(const float *values, size_t n, double wanted)
{
    double sum = 0;
    size_t rank = 0;

    while (rank < n && values[rank] > 0 && (rank == 0 || sum < wanted)) {
        sum += (double)values[rank] * values[rank];
        rank++;
    }
    return rank;
}

static int take_dense(struct svd *svd, const struct matrix *matrix, struct svd_size size,
                      const float *u, const float *values, const float *vt, struct error *err)
{
    size_t k = smaller(matrix->n_rows, matrix->n_cols), n_rows = matrix->n_rows;
    size_t n_cols = matrix->n_cols;

    if (make_room(svd, matrix, size.rank ? smaller(size.rank, k)
                                         : rank_of_energy(values, k, size.energy * matrix->square), err))
        return -1;
    for (size_t r = 0; r < svd->rank; r++) {
        float root = sqrtf(values[r] > 0 ? values[r] : 0);

        svd->values[r] = values[r];
        for (size_t i = 0; i < n_rows; i++)
            svd->left[r * n_rows + i] = u[i * k + r] * root;
        for (size_t i = 0; i < n_cols; i++)
            svd->right[r * n_cols + i] = vt[r * n_cols + i] * root;
    }
    return 0;
}

static int decompose_dense(struct svd *svd, const struct matrix *matrix, struct svd_size size,
                           struct error *err)
{
    static const char what[] = "a decomposition";
    size_t n_rows = matrix->n_rows, n_cols = matrix->n_cols, k = smaller(n_rows, n_cols);
    float *copy = memory_try(n_rows * n_cols, sizeof *copy, what, err), *u = NULL, *vt = NULL;
    float *values = NULL;
    int rc = -1;

    if (copy)
        u = memory_try(n_rows * k, sizeof *u, what, err);
    if (u)
        vt = memory_try(n_cols * k, sizeof *vt, what, err);
    if (vt) {
        values = memory_zalloc(k, sizeof *values);
        memcpy(copy, matrix->a, n_rows * n_cols * sizeof *copy);
        rc = lapack_svd(copy, n_rows, n_cols, u, values, vt, err);
    }
    if (rc == 0)
        rc = take_dense(svd, matrix, size, u, values, vt, err);
    free(copy);
    free(u);
    free(vt);
    free(values);
    return rc;
}

/* ---- the whole matrix by its Gram matrix ---- */

/* Sums of products of rows, or, of a matrix that is taller than wide, of columns; in double, so that what
 * eigenvalues lose is below what floats hold. */
static int make_gram(const struct matrix *matrix, bool is_tall, double *gram, struct error *err)
{
    size_t k = is_tall ? matrix->n_cols : matrix->n_rows;
    size_t n = is_tall ? matrix->n_rows : matrix->n_cols;
    double *part = memory_try(k, GRAM_STEP * sizeof *part, "a decomposition", err);

    for (size_t first = 0; part && first < n; first += GRAM_STEP) {
        size_t step = smaller(GRAM_STEP, n - first);

        if (interrupt_check(err))
            break;
        if (is_tall) {
            for (size_t i = 0; i < step * k; i++)
                part[i] = matrix->a[first * k + i];
        } else {
            for (size_t row = 0; row < k; row++)
                for (size_t i = 0; i < step; i++)
                    part[row * step + i] = matrix->a[row * n + first + i];
        }
        lapack_add_gram(gram, k, part, step, is_tall);
    }
    free(part);
    return err->code ? -1 : 0;
}

/* Vectors of one side are the Gram matrix's, the others the matrix times these; largest first. */
static int take_gram(struct svd *svd, const struct matrix *matrix, bool is_tall, const double *vectors,
                     const float *values, struct error *err)
{
    size_t k = is_tall ? matrix->n_cols : matrix->n_rows, rank = svd->rank;
    size_t n = is_tall ? matrix->n_rows : matrix->n_cols;
    float *own = is_tall ? svd->right : svd->left, *other = is_tall ? svd->left : svd->right;
    struct gemm_matrix a = {.format = is_tall ? &matrix_f32 : &matrix_f32_transposed,
                            .data = matrix->a, .n_out = n, .n_in = k, .stride = matrix->n_cols};

    for (size_t r = 0; r < rank; r++)
        for (size_t i = 0; i < k; i++)
            own[r * k + i] = (float)vectors[(k - 1 - r) * k + i];
    gemm_multiply(matrix->gemm, rank, own, k, &a, NULL, other, n);
    for (size_t r = 0; r < rank; r++) {
        float root = sqrtf(values[r]);

        svd->values[r] = values[r];
        for (size_t i = 0; i < k; i++)
            own[r * k + i] *= root;
        for (size_t i = 0; i < n; i++) /* these came times the value */
            other[r * n + i] *= root > 0 ? 1 / root : 0;
    }
    return interrupt_check(err);
}

static int decompose_gram(struct svd *svd, const struct matrix *matrix, struct svd_size size,
                          struct error *err)
{
    bool is_tall = matrix->n_rows > matrix->n_cols;
    size_t k = smaller(matrix->n_rows, matrix->n_cols);
    double *gram = memory_try(k, k * sizeof *gram, "a decomposition", err);
    double *squares = memory_zalloc(k, sizeof *squares);
    float *values = memory_zalloc(k, sizeof *values);
    int rc = -1;

    if (gram) {
        memset(gram, 0, k * k * sizeof *gram);
        rc = make_gram(matrix, is_tall, gram, err);
    }
    if (rc == 0)
        rc = lapack_eigen(gram, k, squares, err);
    for (size_t i = 0; rc == 0 && i < k; i++)
        values[i] = (float)sqrt(fmax(squares[k - 1 - i], 0));
    if (rc == 0)
        rc = make_room(svd, matrix,
                       size.rank ? smaller(size.rank, k)
                                 : rank_of_energy(values, k, size.energy * matrix->square), err);
    if (rc == 0)
        rc = take_gram(svd, matrix, is_tall, gram, values, err);
    free(gram);
    free(squares);
    free(values);
    return rc;
}

/* ---- the space of the largest values ---- */

struct settled { /* what was captured when one looked last */
    size_t rank;
    double captured;
    bool was_there;
};

/* What the largest eigenvalues (smallest first) of the space come to, and how many they are; 0: the
 * space has not what is wanted. */
static size_t look(const double *eigen, size_t n, struct svd_size size, double square,
                   double *captured)
{
    double sum = 0;
    size_t rank = 0;

    while (rank < n && (size.rank ? rank < size.rank : sum < size.energy * square)) {
        double value = eigen[n - 1 - rank];

        sum += value > 0 ? value : 0;
        rank++;
    }
    *captured = sum;
    return size.rank ? rank : sum >= size.energy * square ? rank : 0;
}

/* The least number of vectors that could have the energy that is wanted: none that is still to come has
 * more than the middle one of the space, once it was turned a few times. */
static double least_rank(const double *eigen, size_t n, struct svd_size size, double square)
{
    double sum = 0, middle = fmax(eigen[n - 1 - n / 2], 1e-300);

    for (size_t i = 0; i < n / 2; i++)
        sum += fmax(eigen[n - 1 - i], 0);
    return sum >= size.energy * square ? 0 : (double)(n / 2) + (size.energy * square - sum) / middle;
}

/* Each step captures about what is still missing, or more: when a step brought in no more than a tenth
 * of what is allowed to be missing, it is enough. */
static bool is_settled(struct settled *last, size_t rank, double captured, double square)
{
    double left = square - captured, gain = captured - last->captured;
    double allowed = fmax(2e-5 * left, 1e-11 * square);
    bool is_enough = last->was_there && rank > 0 && rank == last->rank && gain <= allowed;

    *last = (struct settled){rank, captured, true};
    return is_enough;
}

static int take_space(struct svd *svd, const struct matrix *matrix, const struct svd_space *space,
                      const double *vectors, const double *eigen, size_t rank, struct error *err)
{
    size_t n = space->n_vectors;
    float *turn;

    if (make_room(svd, matrix, rank, err))
        return -1;
    turn = memory_try(rank * n, sizeof *turn, "a decomposition", err);
    if (!turn)
        return -1;
    for (size_t r = 0; r < rank; r++) {
        svd->values[r] = sqrt(fmax(eigen[n - 1 - r], 0));
        for (size_t i = 0; i < n; i++)
            turn[r * n + i] = (float)vectors[(n - 1 - r) * n + i];
    }
    svd_space_turn(space, turn, rank, svd->left, svd->right);
    for (size_t r = 0; r < rank; r++) {
        float root = (float)sqrt(svd->values[r]);

        for (size_t i = 0; i < matrix->n_rows; i++)
            svd->left[r * matrix->n_rows + i] *= root;
        for (size_t i = 0; i < matrix->n_cols; i++) /* these came times the value */
            svd->right[r * matrix->n_cols + i] *= root > 0 ? 1 / root : 0;
    }
    free(turn);
    return 0;
}

/* 1: done, 0: it does not settle while the space is small. */
static int decompose_space(struct svd *svd, const struct matrix *matrix, struct svd_size size,
                           struct error *err)
{
    size_t k = smaller(matrix->n_rows, matrix->n_cols), n_most = k / 3, looked_at = 0;
    size_t n_block = size.rank ? size.rank / 2 + 12 : 32, n_looks = 0;
    struct svd_space space;
    struct settled last = {0};
    double *vectors = NULL, *eigen = NULL;
    int rc = 0;

    if (svd_space_init(&space, matrix->a, matrix->n_rows, matrix->n_cols, n_block,
                       n_most + n_block, matrix->gemm, err))
        return -1;
    vectors = memory_try((n_most + n_block) * (n_most + n_block), sizeof *vectors, "a decomposition",
                         err);
    eigen = memory_zalloc(n_most + n_block, sizeof *eigen);
    if (!vectors)
        rc = -1;
    while (rc == 0 && space.n_vectors <= n_most) {
        double captured;
        size_t rank;
        bool has_grown = svd_space_grow(&space);

        if (interrupt_check(err)) {
            rc = -1;
            break;
        }
        /* The larger the space, the dearer a look. A step that brings in less than the others has come to
         * the end of what there is. */
        if (has_grown && (space.n_vectors < size.rank ||
                          (space.n_last == n_block && space.n_vectors < looked_at * 9 / 8)))
            continue;
        looked_at = space.n_vectors;
        svd_space_gram(&space, vectors);
        if (lapack_eigen(vectors, space.n_vectors, eigen, err)) {
            rc = -1;
            break;
        }
        rank = look(eigen, space.n_vectors, size, matrix->square, &captured);
        if (!size.rank && ++n_looks > 2 &&
            least_rank(eigen, space.n_vectors, size, matrix->square) > (double)n_most)
            break;
        if (is_settled(&last, rank, captured, matrix->square) || (!has_grown && rank)) {
            rc = take_space(svd, matrix, &space, vectors, eigen, rank, err) ? -1 : 1;
        } else if (!has_grown) {
            break;
        }
    }
    free(vectors);
    free(eigen);
    svd_space_release(&space);
    return rc;
}

/* ---- both ---- */

static double sum_of_squares(const float *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static int measure(struct svd *svd, const struct matrix *matrix, struct error *err)
{
    size_t n_rows = matrix->n_rows, n_cols = matrix->n_cols, rank = svd->rank;
    struct gemm_matrix right = {.format = &matrix_f32_transposed, .data = svd->right, .n_out = n_cols,
                                .n_in = rank, .stride = n_cols};
    float *product = memory_try(ERROR_ROWS * n_cols, sizeof *product, "a product", err);
    float *rows = product ? memory_try(ERROR_ROWS * rank, sizeof *rows, "a product", err) : NULL;
    double sum = 0;

    for (size_t first = 0; rows && first < n_rows; first += ERROR_ROWS) {
        size_t n = smaller(ERROR_ROWS, n_rows - first);

        for (size_t i = 0; i < n; i++)
            for (size_t r = 0; r < rank; r++)
                rows[i * rank + r] = svd->left[r * n_rows + first + i];
        gemm_multiply(matrix->gemm, n, rows, rank, &right, NULL, product, n_cols);
        for (size_t i = 0; i < n * n_cols; i++)
            product[i] = matrix->a[first * n_cols + i] - product[i];
        sum += sum_of_squares(product, n * n_cols);
    }
    svd->error = sqrt(sum);
    free(product);
    free(rows);
    return rows ? 0 : -1;
}

static int decompose(struct svd *svd, const struct matrix *matrix, struct svd_size size,
                     struct error *err)
{
    size_t k = smaller(matrix->n_rows, matrix->n_cols);

    if (k > DENSE_BELOW && size.rank < k / 6) {
        int found = decompose_space(svd, matrix, size, err);

        if (found)
            return found < 0 ? -1 : 0;
    }
    return k < GRAM_FROM ? decompose_dense(svd, matrix, size, err)
                         : decompose_gram(svd, matrix, size, err);
}

int svd_approximate(struct svd *svd, const float *a, size_t n_rows, size_t n_cols,
                    struct svd_size size, struct gemm *gemm, struct error *err)
{
    struct matrix matrix = {a, n_rows, n_cols, sum_of_squares(a, n_rows * n_cols), gemm};
    int rc;

    *svd = (struct svd){.norm = sqrt(matrix.square)};
    if (matrix.square == 0)
        return 0;
    rc = lapack_load(err);
    if (rc == 0)
        rc = decompose(svd, &matrix, size, err);
    if (rc == 0)
        rc = measure(svd, &matrix, err);
    if (rc)
        svd_release(svd);
    return rc;
}
