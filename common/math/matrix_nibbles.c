/* matrix_nibbles.c - matrices of numbers of four bits in words (tensor/packed_nibbles.h). */
#include "tensor/packed_nibbles.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "math/gemm_matrix.h"
#include "math/gemm_nibbles.h"

enum { WORD_IN = 8 };

static const char *word_at(const struct gemm_matrix *matrix, size_t out, size_t in)
{
    return (const char *)matrix->data +
           (in / WORD_IN * matrix->stride + out) * sizeof(uint32_t);
}

static float value_at(const struct gemm_matrix *matrix, size_t out, size_t in)
{
    const struct packed_nibbles *settings = matrix->settings;
    const uint32_t *index = matrix->index;
    size_t group = index ? index[in] : in / settings->group_size;
    size_t place = group * matrix->stride + out;
    size_t item_bytes = dtype_info(settings->scale_dtype)->n_bits / 8;
    double scale;
    uint32_t word;

    memcpy(&word, word_at(matrix, out, in), sizeof word);
    dtype_to_double(settings->scale_dtype, (const char *)matrix->scales + place * item_bytes, &scale,
                    1);
    return ((float)(word >> in % WORD_IN * 4 & 15) - ((const uint8_t *)matrix->zeros)[place]) *
           (float)scale;
}

static void widen(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in, size_t n_in,
                  float *block)
{
    for (size_t o = 0; o < n_out; o++)
        for (size_t i = 0; i < n_in; i++)
            *block++ = value_at(matrix, out + o, in + i);
}

static void prefetch(const struct gemm_matrix *matrix)
{
    const char *first = word_at(matrix, matrix->first_out, 0);

    if (matrix->n_in > 0)
        file_prefetch(first, (size_t)(word_at(matrix, matrix->first_out + matrix->n_out,
                                              matrix->n_in - 1) - first));
}

const struct matrix_format matrix_nibbles = {PACKED_NIBBLES, DTYPE_U8, false, widen, prefetch, NULL,
                                             GEMM_LOADERS(nibbles), NULL};
