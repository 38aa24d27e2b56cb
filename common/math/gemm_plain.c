/* gemm_plain.c - gemm_body.h in plain C: the reference. */
#include "math/gemm_body.h"
