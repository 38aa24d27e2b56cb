/* ggml_blocks_plain.c - ggml_blocks_body.h in plain C: the reference. */
#include "tensor/ggml_blocks_body.h"
