#include "gemm_matrix.h"

#include <string.h>

static const struct matrix_format *const formats[] = {
    &matrix_f32, &matrix_f32_transposed, &matrix_f16, &matrix_f16_transposed,
    &matrix_bf16, &matrix_bf16_transposed, &matrix_nibbles,
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

const struct matrix_format *matrix_format_find(const char *name)
{
    for (size_t i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    for (size_t i = 0; i < N_GGML_BLOCKS; i++)
        if (strcmp(matrix_ggml[i].name, name) == 0)
            return &matrix_ggml[i];
    return NULL;
}

struct gemm_matrix gemm_matrix_part(const struct gemm_matrix *matrix, size_t first, size_t n_out)
{
    struct gemm_matrix part = *matrix;

    part.first_out += first;
    part.n_out = n_out;
    return part;
}

void gemm_matrix_widen(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in,
                       size_t n_in, float *block)
{
    matrix->format->widen(matrix, matrix->first_out + out, n_out, in, n_in, block);
}

void gemm_matrix_row(const struct gemm_matrix *matrix, size_t out, float *y)
{
    gemm_matrix_widen(matrix, out, 1, 0, matrix->n_in, y);
}

void gemm_matrix_prefetch(const struct gemm_matrix *matrix)
{
    if (matrix->format->prefetch)
        matrix->format->prefetch(matrix);
}
