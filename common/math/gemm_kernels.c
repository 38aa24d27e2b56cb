/* gemm_kernels.c - which versions there are. */
#include "gemm_kernels.h"

const struct gemm_version *gemm_version(enum isa isa)
{
    static const struct gemm_version *const versions[N_ISAS] = {
        [ISA_PLAIN] = &gemm_plain,
#if defined(__x86_64__)
        [ISA_AVX2] = &gemm_avx2,
        [ISA_AVX512] = &gemm_avx512,
#endif
    };

    return isa < N_ISAS && isa_has(isa) ? versions[isa] : NULL;
}
