/* gemm_fast.c - which way there is for which weights. */
#include "math/gemm_fast.h"

#include "math/gemm_bf16.h"
#include "math/gemm_int8.h"

#if defined(__x86_64__)
static bool has_vnni(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}
#endif

bool gemm_fast_has_bf16(enum isa isa)
{
    return isa == ISA_AVX512 && isa_has_bf16();
}

bool gemm_fast_has_int8(enum isa isa)
{
    return isa != ISA_PLAIN && isa_has(isa);
}

static const struct gemm_fast *find_int8(enum ggml_format format, enum isa isa)
{
#if defined(__x86_64__)
    static const struct gemm_fast *const ways[][2] = {
        {&gemm_int8_avx2, &gemm_int8_k_avx2},
        {&gemm_int8_vnni, &gemm_int8_k_vnni},
    };

    if (gemm_fast_has_int8(isa))
        return ways[isa == ISA_AVX512 && has_vnni()][int8_k_takes(format)];
#endif
    (void)format;
    (void)isa;
    return NULL;
}

static const struct gemm_fast *find_bf16(enum isa isa)
{
#if defined(__x86_64__)
    if (gemm_fast_has_bf16(isa))
        return &gemm_bf16;
#endif
    (void)isa;
    return NULL;
}

const struct gemm_fast *gemm_fast_find(const struct gemm_matrix *w, enum isa isa)
{
    bool is_blocks = w->format >= matrix_ggml && w->format < matrix_ggml + N_GGML_BLOCKS;
    enum ggml_format format = is_blocks ? (enum ggml_format)(w->format - matrix_ggml) : N_GGML_BLOCKS;

    if (w->scales || w->n_in == 0 || w->n_in > GEMM_FAST_IN_MAX)
        return NULL;
    if (int8_takes(format) || int8_k_takes(format))
        return find_int8(format, isa);
    return gemm_bf16_takes(w) ? find_bf16(isa) : NULL;
}
