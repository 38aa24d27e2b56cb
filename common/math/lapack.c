#include "lapack.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/shared_library.h"

#include "math/blas.h"

/* Fortran: everything by address, matrices by columns, the lengths of texts behind all else. */
typedef void fortran_svd(const char *job, const int *m, const int *n, float *a, const int *lda,
                         float *s, float *u, const int *ldu, float *vt, const int *ldvt, float *work,
                         const int *n_work, int *integers, int *info, size_t job_length);
typedef void fortran_eigen(const char *job, const char *half, const int *n, double *a, const int *lda,
                           double *values, double *work, const int *n_work, int *integers,
                           const int *n_integers, int *info, size_t job_length,
                           size_t half_length);
typedef void fortran_gram(const char *half, const char *job, const int *n, const int *k,
                          const double *factor, const double *a, const int *lda, const double *keep,
                          double *c, const int *ldc, size_t half_length, size_t job_length);

static pthread_once_t is_loaded = PTHREAD_ONCE_INIT;
static fortran_svd *svd;
static fortran_eigen *eigen;
static fortran_gram *gram_of;
static struct error problem;

static void load(void)
{
    static const struct {
        const char *name, *package;
    } libraries[] = {{"libopenblas.so.0", "libopenblas0"}, {"liblapack.so.3", "liblapack3"}};
    static const struct shared_function functions[] = {
        {"sgesdd_", &svd, false},
        {"dsyevd_", &eigen, false},
        {"dsyrk_", &gram_of, false},
    };

    /* OpenBLAS starts its threads, or not, when it is loaded: blas.c settles that. */
    if (blas_load(&problem))
        problem = (struct error){0};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        problem = (struct error){0};
        if (shared_library_load(libraries[i].name, libraries[i].package, functions,
                                sizeof functions / sizeof *functions, &problem) == 0)
            return;
    }
}

int lapack_load(struct error *err)
{
    pthread_once(&is_loaded, load);
    if (!problem.code)
        return 0;
    *err = problem;
    return -1;
}

static int fail(const char *what, int info, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "%s does not converge (LAPACK says %d)", what, info);
}

static int check_sizes(size_t n_rows, size_t n_cols, struct error *err)
{
    if (n_rows < INT_MAX && n_cols < INT_MAX && n_rows <= INT_MAX / n_cols)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED,
                     "a matrix of %zu x %zu is too large to be decomposed whole", n_rows, n_cols);
}

int lapack_svd(float *a, size_t n_rows, size_t n_cols, float *u, float *values, float *vt,
               struct error *err)
{
    /* By columns our matrix is its own transpose: V^T stands where LAPACK has U. */
    int m = (int)n_cols, n = (int)n_rows, k = m < n ? m : n, info = 0, n_work = -1;
    float size = 0, *work = NULL;
    int *integers = NULL;

    if (check_sizes(n_rows, n_cols, err))
        return -1;
    integers = memory_try(8 * (size_t)k, sizeof *integers, "a decomposition", err);
    if (!integers)
        return -1;
    svd("S", &m, &n, a, &m, values, vt, &m, u, &k, &size, &n_work, integers, &info, 1);
    /* The size comes as a float: what is above 2^24 may have been rounded down. */
    if (info == 0 && size < (float)INT_MAX / 2) {
        n_work = (int)((double)size * 1.0001) + 16;
        work = memory_try((size_t)n_work, sizeof *work, "a decomposition", err);
        if (work)
            svd("S", &m, &n, a, &m, values, vt, &m, u, &k, work, &n_work, integers, &info, 1);
    } else if (info == 0) {
        info = 1;
    }
    free(integers);
    if (info && !err->code)
        fail("a singular value decomposition", info, err);
    free(work);
    return err->code ? -1 : 0;
}

int lapack_eigen(double *a, size_t n, double *values, struct error *err)
{
    int size = (int)n, info = 0, n_work, n_integers = 5 * size + 3;
    double *work = NULL;
    int *integers = NULL;

    if (check_sizes(n, 2 * n + 6, err) || check_sizes(2 * n + 6, n + 1, err))
        return -1;
    n_work = 1 + 6 * size + 2 * size * size;
    work = memory_try((size_t)n_work, sizeof *work, "a decomposition", err);
    integers = work ? memory_try((size_t)n_integers, sizeof *integers, "a decomposition", err) : NULL;
    if (integers) {
        eigen("V", "L", &size, a, &size, values, work, &n_work, integers, &n_integers, &info, 1, 1);
        if (info)
            fail("an eigenvalue decomposition", info, err);
    }
    free(work);
    free(integers);
    return err->code ? -1 : 0;
}

void lapack_add_gram(double *gram, size_t n, const double *x, size_t n_items, bool is_tall)
{
    int size = (int)n, k = (int)n_items;
    double one = 1;

    gram_of("L", is_tall ? "N" : "T", &size, &k, &one, x, is_tall ? &size : &k, &one, gram, &size, 1, 1);
}
