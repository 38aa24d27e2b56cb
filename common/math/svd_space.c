#include "svd_space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "math/random.h"
#include "math/svd_dot.h"

int svd_space_init(struct svd_space *space, const float *a, size_t n_rows, size_t n_cols,
                   size_t n_block, size_t n_most, struct gemm *gemm, struct error *err)
{
    static const char what[] = "a decomposition";
    size_t longest = n_rows > n_cols ? n_rows : n_cols;

    *space = (struct svd_space){.gemm = gemm, .a = a, .n_rows = n_rows, .n_cols = n_cols,
                                .n_block = n_block, .n_most = n_most};
    if (longest < n_most)
        longest = n_most;
    space->vectors = memory_try(n_most * n_rows, sizeof *space->vectors, what, err);
    if (space->vectors)
        space->products = memory_try(n_most * n_cols, sizeof *space->products, what, err);
    if (space->products)
        space->gram = memory_try(n_most * n_most, sizeof *space->gram, what, err);
    if (space->gram)
        space->block = memory_try(n_block * longest, sizeof *space->block, what, err);
    if (space->block)
        space->scratch = memory_try(n_block * longest, sizeof *space->scratch, what, err);
    if (space->scratch)
        return 0;
    svd_space_release(space);
    return -1;
}

void svd_space_release(struct svd_space *space)
{
    free(space->vectors);
    free(space->products);
    free(space->gram);
    free(space->block);
    free(space->scratch);
    *space = (struct svd_space){0};
}

/* y [n, n_out] = x [n, n_in] * w^T; w lies as [n_out, n_in], or as [n_in, n_out] when transposed. */
static void multiply(const struct svd_space *space, size_t n, const float *x, size_t n_in,
                     const float *w, size_t n_out, bool is_transposed, float *y)
{
    struct gemm_matrix matrix = {
        .format = is_transposed ? &matrix_f32_transposed : &matrix_f32, .data = w,
        .n_out = n_out, .n_in = n_in, .stride = is_transposed ? n_out : n_in};

    gemm_multiply(space->gemm, n, x, n_in, &matrix, NULL, y, n_out);
}

/* Takes out of the block what the space has already. */
static void project_out(struct svd_space *space, size_t n)
{
    size_t n_rows = space->n_rows, n_vectors = space->n_vectors;
    float *shares;

    if (n_vectors == 0)
        return;
    shares = memory_alloc(n * n_vectors * sizeof *shares);
    multiply(space, n, space->block, n_rows, space->vectors, n_vectors, false, shares);
    multiply(space, n, shares, n_vectors, space->vectors, n_rows, true, space->scratch);
    for (size_t i = 0; i < n * n_rows; i++)
        space->block[i] -= space->scratch[i];
    free(shares);
}

/* x [n] less what it shares with rows of length 1. */
static void subtract(const float *rows, size_t n_rows, size_t n, float *x)
{
    for (size_t i = 0; i < n_rows; i++) {
        float share = (float)svd_dot(x, rows + i * n, n);

        for (size_t k = 0; k < n; k++)
            x[k] -= share * rows[i * n + k];
    }
}

static double normalise(float *x, size_t n)
{
    double length = sqrt(svd_dot(x, x, n));

    for (size_t k = 0; k < n; k++)
        x[k] = (float)(x[k] / length);
    return length;
}

/* Of a vector of length 1 that is a small rest of what it was, the roundings of what was taken out are a
 * part that counts: it is orthogonal to nothing yet. Whether it is now. */
static bool clean(const struct svd_space *space, size_t n_before, float *x)
{
    for (size_t pass = 0; pass < 2; pass++) {
        subtract(space->vectors, space->n_vectors, space->n_rows, x);
        subtract(space->block, n_before, space->n_rows, x);
        if (!(normalise(x, space->n_rows) > 0.5))
            return false;
    }
    return true;
}

/* Makes the first rows of the block orthonormal, and returns how many these are: what is left of a row
 * is noise when nearly all of it was taken out. */
static size_t orthonormalise(struct svd_space *space, size_t n, const double *lengths)
{
    static const double noise = 3e-6, small = 1e-2;
    size_t n_rows = space->n_rows, kept = 0;

    for (size_t i = 0; i < n; i++) {
        float *x = space->block + kept * n_rows;
        double length;

        if (i != kept)
            memcpy(x, space->block + i * n_rows, n_rows * sizeof *x);
        subtract(space->block, kept, n_rows, x);
        subtract(space->block, kept, n_rows, x);
        length = sqrt(svd_dot(x, x, n_rows));
        if (!(length > noise * lengths[i]) || length < 1e-30)
            continue;
        normalise(x, n_rows);
        if (length < small * lengths[i] && !clean(space, kept, x))
            continue;
        kept++;
    }
    return kept;
}

/* The next block, not yet orthogonal to the rest: random vectors at first, then the products of the last
 * step, times the transpose of the matrix. */
static size_t make_block(struct svd_space *space)
{
    size_t n = space->n_vectors ? space->n_last : space->n_block;
    const float *from = space->products + (space->n_vectors - space->n_last) * space->n_cols;

    if (space->n_vectors == 0) {
        struct random random;

        random_init(&random, 1);
        for (size_t i = 0; i < n * space->n_cols; i++)
            space->scratch[i] = (float)(2 * random_uniform(&random) - 1);
        from = space->scratch;
    }
    multiply(space, n, from, space->n_cols, space->a, space->n_rows, false, space->block);
    return n;
}

static void add_to_gram(struct svd_space *space, size_t n)
{
    for (size_t i = space->n_vectors; i < space->n_vectors + n; i++)
        for (size_t k = 0; k <= i; k++)
            space->gram[i * space->n_most + k] =
                svd_dot(space->products + i * space->n_cols, space->products + k * space->n_cols,
                    space->n_cols);
}

bool svd_space_grow(struct svd_space *space)
{
    size_t n = make_block(space), n_rows = space->n_rows;
    double *lengths = memory_zalloc(n, sizeof *lengths);

    for (size_t i = 0; i < n; i++)
        lengths[i] = sqrt(svd_dot(space->block + i * n_rows, space->block + i * n_rows, n_rows));
    project_out(space, n);
    project_out(space, n);
    n = orthonormalise(space, n, lengths);
    free(lengths);
    if (n == 0)
        return false;
    memcpy(space->vectors + space->n_vectors * n_rows, space->block, n * n_rows * sizeof(float));
    multiply(space, n, space->block, n_rows, space->a, space->n_cols, true,
             space->products + space->n_vectors * space->n_cols);
    add_to_gram(space, n);
    space->n_vectors += n;
    space->n_last = n;
    return true;
}

void svd_space_gram(const struct svd_space *space, double *gram)
{
    size_t n = space->n_vectors;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= i; k++)
            gram[i * n + k] = gram[k * n + i] = space->gram[i * space->n_most + k];
}

void svd_space_turn(const struct svd_space *space, const float *turn, size_t n, float *left,
                    float *right)
{
    multiply(space, n, turn, space->n_vectors, space->vectors, space->n_rows, true, left);
    multiply(space, n, turn, space->n_vectors, space->products, space->n_cols, true, right);
}
