/* gemm_nibbles_plain.c - gemm_nibbles_body.h in plain C: the reference. */
#include "math/gemm_nibbles_body.h"
