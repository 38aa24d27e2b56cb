/* gemm_int8_plain.c - products of integers in plain C: the reference; and which formats they take. */
#include "math/gemm_int8_body.h"
#include "math/gemm_int8_k_body.h"

bool int8_takes(enum ggml_format format)
{
    switch (format) {
    case GGML_Q8_0:
    case GGML_Q4_0:
    case GGML_Q5_0:
    case GGML_IQ4_NL:
    case GGML_MXFP4:
        return true;
    default:
        return false;
    }
}

bool int8_k_takes(enum ggml_format format)
{
    return format == GGML_Q4_K || format == GGML_Q5_K || format == GGML_Q6_K;
}
