#include "blas.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/shared_library.h"

static pthread_once_t is_loaded = PTHREAD_ONCE_INIT;
static __typeof__(cblas_sgemm) *sgemm;
static __typeof__(openblas_set_num_threads) *set_threads;
static struct error problem;

static void load(void)
{
    static const struct shared_function functions[] = {
        {"cblas_sgemm", &sgemm, false},
        /* A build for OpenMP does not look at the variable below, but has this. */
        {"openblas_set_num_threads", &set_threads, true},
    };

    /* Read while it loads, so that it starts no threads of its own. */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    if (shared_library_load("libopenblas.so.0", "libopenblas0", functions,
                            sizeof functions / sizeof *functions, &problem) == 0 && set_threads)
        set_threads(1);
}

int blas_load(struct error *err)
{
    pthread_once(&is_loaded, load);
    if (!problem.code)
        return 0;
    *err = problem;
    return -1;
}

static blasint to_int(size_t n)
{
    assert(n <= INT_MAX);
    return (blasint)n;
}

void blas_sgemm(bool a_is_transposed, bool b_is_transposed, size_t m, size_t n, size_t k,
                float factor, const float *a, size_t a_stride, const float *b, size_t b_stride,
                float keep, float *c, size_t c_stride)
{
    sgemm(CblasRowMajor, a_is_transposed ? CblasTrans : CblasNoTrans,
          b_is_transposed ? CblasTrans : CblasNoTrans, to_int(m), to_int(n), to_int(k), factor, a,
          to_int(a_stride), b, to_int(b_stride), keep, c, to_int(c_stride));
}
