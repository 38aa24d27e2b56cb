/* gemm_ggml_plain.c - gemm_ggml_body.h in plain C: the reference. */
#include "math/gemm_ggml_body.h"
