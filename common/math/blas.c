#include "blas.h"

#include <assert.h>
#include <cblas.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libopenblas.so.0"

static pthread_once_t is_loaded = PTHREAD_ONCE_INIT;
static __typeof__(cblas_sgemm) *sgemm; /* NULL: the reason is in `problem` */
static char problem[256];

static void load(void)
{
    void *library, *function = NULL, *set_threads;

    /* Read while it loads, so that it starts no threads of its own. */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library)
        function = dlsym(library, "cblas_sgemm");
    if (!function) {
        const char *reason = dlerror();

        snprintf(problem, sizeof problem, "%s", reason ? reason : "no cblas_sgemm in it");
        return;
    }
    /* A build for OpenMP does not look at that variable, but has this. */
    set_threads = dlsym(library, "openblas_set_num_threads");
    if (set_threads)
        ((__typeof__(openblas_set_num_threads) *)set_threads)(1);
    sgemm = (__typeof__(cblas_sgemm) *)function;
}

/* The loader says why in words only. */
static bool is_out_of_memory(void)
{
    return strstr(problem, "annot allocate") || strstr(problem, "cannot create shared object");
}

int blas_load(struct error *err)
{
    pthread_once(&is_loaded, load);
    if (!sgemm && is_out_of_memory())
        return error_set(err, ERROR_RESOURCES, "out of memory: cannot load " LIBRARY);
    if (!sgemm)
        return error_set(err, ERROR_UNSUPPORTED, "cannot load " LIBRARY ": %s; on Debian: "
                         "apt-get install libopenblas0", problem);
    return 0;
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
