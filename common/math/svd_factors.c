/* svd_factors.c - the singular values of a product of two thin matrices, without the product.
 *
 * With the eigenvectors V and values D of L^T L, Q = L V D^-1/2 is orthonormal, and the product in it is
 * K = D^1/2 V^T R. K K^T is as small as L is thin; its eigenvectors turn Q into the left singular vectors. In
 * double, which leaves half of its digits to singular values: as many as floats have. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "math/lapack.h"
#include "math/svd.h"
#include "math/svd_dot.h"

/* What is smaller, by the largest, is the noise of sums in double. */
static const double noise = 1e-15;

struct thin { /* left [n, n_rows], right [n, n_cols] */
    const float *left, *right;
    size_t n, n_rows, n_cols;
};

struct core {
    double *first, *values;  /* rows [n, n] are V, D [n]: of L^T L, smallest first */
    double *second, *squares; /* likewise of K K^T, in the place of the first n_used of V, largest first there */
    size_t n_used;
};

/* gram [n, n] of rows x [n, n_items]. */
static void make_gram(const float *x, size_t n, size_t n_items, double *gram)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= i; k++)
            gram[i * n + k] = gram[k * n + i] = svd_dot(x + i * n_items, x + k * n_items, n_items);
}

/* out [n, m] = x [n, n_in] y^T, y [m, n_in]. */
static void multiply(const double *x, const double *y, size_t n, size_t m, size_t n_in, double *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m; k++) {
            double sum = 0;

            for (size_t j = 0; j < n_in; j++)
                sum += x[i * n_in + j] * y[k * n_in + j];
            out[i * m + k] = sum;
        }
}

/* Those of V that are more than noise, largest first, in place of all: rows first [n_used, n]. */
static void use_largest(struct core *core, size_t n)
{
    double largest = core->values[n - 1], *rows = memory_alloc(n * n * sizeof *rows);

    while (core->n_used < n && core->values[n - 1 - core->n_used] > noise * (double)n * largest) {
        memcpy(rows + core->n_used * n, core->first + (n - 1 - core->n_used) * n, n * sizeof *rows);
        core->n_used++;
    }
    for (size_t i = 0; i < core->n_used && i < n - 1 - i; i++) {
        double value = core->values[i];

        core->values[i] = core->values[n - 1 - i];
        core->values[n - 1 - i] = value;
    }
    memcpy(core->first, rows, core->n_used * n * sizeof *rows);
    free(rows);
}

/* K K^T = D^1/2 V^T (R R^T) V D^1/2 */
static void make_second(struct core *core, const struct thin *thin)
{
    size_t n = thin->n, m = core->n_used;
    double *gram = memory_alloc(n * n * sizeof *gram), *turned = memory_alloc(m * n * sizeof *turned);

    make_gram(thin->right, n, thin->n_cols, gram);
    multiply(core->first, gram, m, n, n, turned);
    multiply(turned, core->first, m, m, n, core->second);
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < m; k++)
            core->second[i * m + k] *= sqrt(core->values[i]) * sqrt(core->values[k]);
    free(gram);
    free(turned);
}

/* out [n_out, n_items] = turn [n_out, n] x, x [n, n_items], in sums of double. */
static void turn_rows(const double *turn, size_t n_out, const float *x, size_t n, size_t n_items,
                      float *out)
{
    enum { STEP = 512 };
    double sums[STEP];

    for (size_t first = 0; first < n_items; first += STEP) {
        size_t m = n_items - first < STEP ? n_items - first : STEP;

        for (size_t r = 0; r < n_out; r++) {
            memset(sums, 0, sizeof sums);
            for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < m; k++)
                    sums[k] += turn[r * n + i] * x[i * n_items + first + k];
            for (size_t k = 0; k < m; k++)
                out[r * n_items + first + k] = (float)sums[k];
        }
    }
}

/* Left vectors are L V D^-1/2 U, right ones, times their value, U^T D^1/2 V^T R; each gets the root of
 * the value. */
static int take(struct svd *svd, const struct core *core, const struct thin *thin, size_t rank,
                struct error *err)
{
    size_t n = thin->n, m = core->n_used;
    double *turns = memory_alloc(2 * rank * n * sizeof *turns);
    double sum = 0, kept = 0;

    svd->rank = rank;
    svd->left = memory_try(rank * thin->n_rows, sizeof *svd->left, "a factor", err);
    svd->right = svd->left ? memory_try(rank * thin->n_cols, sizeof *svd->right, "a factor", err) : NULL;
    svd->values = memory_zalloc(rank, sizeof *svd->values);
    for (size_t i = 0; i < m; i++)
        sum += fmax(core->squares[i], 0);
    for (size_t r = 0; r < rank; r++) {
        double square = fmax(core->squares[m - 1 - r], 0), root = sqrt(sqrt(square));
        const double *u = core->second + (m - 1 - r) * m;
        double *left = turns + r * n, *right = turns + (rank + r) * n;

        svd->values[r] = sqrt(square);
        kept += square;
        for (size_t i = 0; i < n; i++)
            left[i] = right[i] = 0;
        for (size_t k = 0; k < m; k++) {
            double length = sqrt(core->values[k]);

            for (size_t i = 0; i < n; i++) {
                left[i] += u[k] / length * core->first[k * n + i] * root;
                right[i] += root > 0 ? u[k] * length * core->first[k * n + i] / root : 0;
            }
        }
    }
    if (svd->right) {
        turn_rows(turns, rank, thin->left, n, thin->n_rows, svd->left);
        turn_rows(turns + rank * n, rank, thin->right, n, thin->n_cols, svd->right);
    }
    svd->norm = sqrt(sum);
    svd->error = sqrt(fmax(sum - kept, 0));
    free(turns);
    return svd->right ? 0 : -1;
}

static int decompose(struct svd *svd, struct core *core, const struct thin *thin, size_t rank,
                     struct error *err)
{
    size_t n = thin->n;

    make_gram(thin->left, n, thin->n_rows, core->first);
    if (lapack_eigen(core->first, n, core->values, err))
        return -1;
    use_largest(core, n);
    if (core->n_used == 0)
        return 0;
    make_second(core, thin);
    if (lapack_eigen(core->second, core->n_used, core->squares, err))
        return -1;
    if (!(core->squares[core->n_used - 1] > 0))
        return 0;
    return take(svd, core, thin, rank < core->n_used ? rank : core->n_used, err);
}

int svd_of_product(struct svd *svd, const float *left, const float *right, size_t n, size_t n_rows,
                   size_t n_cols, size_t rank, struct error *err)
{
    const struct thin thin = {left, right, n, n_rows, n_cols};
    struct core core = {memory_try(n * n, sizeof(double), "a decomposition", err), NULL, NULL, NULL, 0};
    int rc = -1;

    *svd = (struct svd){0};
    if (core.first)
        core.second = memory_try(n * n, sizeof(double), "a decomposition", err);
    core.values = memory_zalloc(n + 1, sizeof *core.values);
    core.squares = memory_zalloc(n + 1, sizeof *core.squares);
    if (core.second && lapack_load(err) == 0)
        rc = decompose(svd, &core, &thin, rank, err);
    free(core.first);
    free(core.values);
    free(core.second);
    free(core.squares);
    if (rc)
        svd_release(svd);
    return rc;
}
