/* gemm_int8_plain.c - gemm_int8_body.h in plain C: the reference; and which formats it takes. */
#include "math/gemm_int8_body.h"

bool int8_takes(enum ggml_format format)
{
    switch (format) {
    case GGML_Q8_0:
    case GGML_Q4_0:
    case GGML_Q5_0:
    case GGML_Q4_K:
    case GGML_Q5_K:
    case GGML_Q6_K:
        return true;
    default:
        return false;
    }
}

size_t int8_row_bytes(size_t n_in)
{
    size_t n = filled(n_in);

    return n + (n / 32 + n / 32 + n / 16) * sizeof(float);
}
