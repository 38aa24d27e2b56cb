/* gemm_nibbles_body.h - the loader of matrices of four bits in words (gemm_kernels.h) for one width of
 * lanes.h; gemm_nibbles_plain.c, gemm_nibbles_avx2.c and gemm_nibbles_avx512.c include it.
 *
 * Words of neighbouring outputs lie side by side, so outputs go in lanes: each of the sixteen sums of
 * gemm_kernels.h is a vector, and what is added up in the end, too.
 *
 * A nibble becomes a float where it stands: with the bits of 2^23 above it, it is 2^23 + 16^place q. Less
 * 2^23 + 16^place zero that is exact, and the scale has the 16^-place. */
#ifndef COCKTAIL_GEMM_NIBBLES_BODY_H
#define COCKTAIL_GEMM_NIBBLES_BODY_H

#include "math/gemm_ggml_parts.h"
#include "math/gemm_matrix.h"
#include "math/gemm_nibbles.h"
#include "tensor/packed_nibbles.h"

enum { WORD_IN = 8, PLACES = 5 /* that fit below 2^23 */, FAR_PLACE = 2 /* where place 5 is shifted to */ };
enum { MOST_STREAMED = LANES == 16 ? 48 : 8 }; /* measured */

/* ---- parameters ---- */

/* Of an output and a group, or of LANES outputs. */
struct nibble_scales {
    lanes less[PLACES], scale[PLACES];
};

LANES_INLINE size_t group_of(const struct gemm_matrix *matrix, size_t in)
{
    const struct packed_nibbles *settings = matrix->settings;
    const uint32_t *index = matrix->index;

    return index ? index[in] : in / settings->group_size;
}

LANES_INLINE const uint32_t *word_at(const struct gemm_matrix *matrix, size_t out, size_t in)
{
    return (const uint32_t *)matrix->data + in / WORD_IN * matrix->stride + out;
}

/* LANES outputs from `out` on. */
LANES_INLINE void load_parameters(const struct gemm_matrix *matrix, size_t out, size_t group,
                                  lanes *zero, lanes *scale)
{
    const struct packed_nibbles *settings = matrix->settings;
    size_t place = group * matrix->stride + out;

    *zero = to_floats(load_bytes((const char *)matrix->zeros + place));
    if (settings->scale_dtype == DTYPE_F32)
        *scale = lanes_load((const float *)matrix->scales + place);
    else if (settings->scale_dtype == DTYPE_F16)
        *scale = lanes_load_f16((const uint16_t *)matrix->scales + place);
    else
        *scale = lanes_load_bf16((const uint16_t *)matrix->scales + place);
}

LANES_INLINE float power_of_16(int place)
{
    return (float)(1 << 4 * place);
}

LANES_INLINE void spread(lanes zero, lanes scale, struct nibble_scales *out)
{
    LANES_UNROLL
    for (int place = 0; place < PLACES; place++) {
        out->less[place] = zero * lanes_set(power_of_16(place)) + lanes_set(0x1p23f);
        out->scale[place] = scale * lanes_set(1 / power_of_16(place));
    }
}

/* Input number i of eight. */
LANES_INLINE lanes nibble_value(lanes_bits words, int i, const struct nibble_scales *scales)
{
    int place = i < PLACES ? i : i - PLACES + FAR_PLACE;
    lanes_bits bits = i < PLACES ? words : words >> 4 * (PLACES - FAR_PLACE);

    bits = (bits & ((lanes_bits){0} + (15u << 4 * place))) | 0x4B000000u;
    return ((lanes)bits - scales->less[place]) * scales->scale[place];
}

/* ---- few rows ---- */

LANES_INLINE lanes_bits load_words(const void *bytes)
{
    lanes_bits words;

    memcpy(&words, bytes, sizeof words);
    return words;
}

/* Products of one word of each output; n_rows is constant. */
LANES_INLINE void add_words(const struct gemm_matrix *matrix, size_t out, size_t in, size_t n_rows,
                            const float *x, size_t x_stride, struct nibble_scales *scales,
                            lanes sums[2][WORD_IN])
{
    lanes_bits words = load_words(word_at(matrix, out, in));

    LANES_UNROLL
    for (int i = 0; i < WORD_IN; i++) {
        lanes value;

        if (matrix->index) {
            lanes zero, scale;

            load_parameters(matrix, out, group_of(matrix, in + (size_t)i), &zero, &scale);
            value = (to_floats((lanes_integers)(words >> 4 * i & 15)) - zero) * scale;
        } else {
            value = nibble_value(words, i, scales);
        }
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++)
            sums[row][i] = lanes_multiply_add(lanes_set(x[row * x_stride + in + (size_t)i]), value,
                                              sums[row][i]);
    }
}

/* Every second word from input `first` on, of which there are more before `end`. */
LANES_INLINE void add_every_second(const struct gemm_matrix *matrix, size_t out, size_t first,
                                   size_t end, size_t n_rows, const float *x, size_t x_stride,
                                   lanes sums[2][WORD_IN])
{
    struct nibble_scales scales = {{{0}}, {{0}}};
    size_t group = SIZE_MAX;

    for (size_t in = first; in < end; in += 2 * WORD_IN) {
        if (!matrix->index && group_of(matrix, in) != group) {
            lanes zero, scale;

            group = group_of(matrix, in);
            load_parameters(matrix, out, group, &zero, &scale);
            spread(zero, scale, &scales);
        }
        __builtin_prefetch(word_at(matrix, out, in) + 4 * LANES);
        add_words(matrix, out, in, n_rows, x, x_stride, &scales, sums);
    }
}

/* A block of inputs of LANES outputs. */
LANES_INLINE void stream_nibbles(const struct gemm_matrix *matrix, size_t out, size_t in, size_t end,
                                 size_t n_rows, const float *x, size_t x_stride, float factor,
                                 bool adds, float *y, size_t y_stride)
{
    lanes even[2][WORD_IN] = {{{0}}}, odd[2][WORD_IN] = {{{0}}};

    add_every_second(matrix, out, in, end, n_rows, x, x_stride, even);
    add_every_second(matrix, out, in + WORD_IN, end, n_rows, x, x_stride, odd);
    if ((end - in) % GEMM_LANES) { /* a sum of -0 does not stay so when zeros fill up the inputs */
        LANES_UNROLL
        for (size_t i = 0; i < n_rows * WORD_IN; i++)
            odd[i / WORD_IN][i % WORD_IN] += lanes_set(0);
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        lanes s[WORD_IN];

        LANES_UNROLL
        for (int i = 0; i < WORD_IN; i++)
            s[i] = even[row][i] + odd[row][i];
        LANES_UNROLL
        for (int i = 0; i < 4; i++)
            s[i] += s[i + 4];
        finish((s[0] + s[2]) + (s[1] + s[3]), factor, adds, LANES, y + row * y_stride);
    }
}

/* An output by itself, behind the last whole vector. */
LANES_INLINE void stream_output(const struct gemm_matrix *matrix, size_t out, size_t in, size_t end,
                                const float *x, float factor, bool adds, float *y)
{
    float w[GEMM_BLOCK_IN], sums[GEMM_LANES] = {0};
    lanes vectors[SUMS];
    size_t n = end - in;

    matrix->format->widen(matrix, out, 1, in, n, w);
    for (size_t i = 0; i < n || i % GEMM_LANES; i++) {
        float *sum = &sums[i % GEMM_LANES];

        *sum = lanes_multiply_add(lanes_set(i < n ? x[in + i] : 0), lanes_set(i < n ? w[i] : 0),
                                  lanes_set(*sum))[0];
    }
    memcpy(vectors, sums, sizeof vectors);
    *y = adds ? *y + sum_of_sums(vectors) * factor : sum_of_sums(vectors) * factor;
}

LANES_TARGET static void stream(const struct gemm_matrix *matrix, size_t n_rows, const float *x,
                                size_t x_stride, float factor, bool adds, float *y, size_t y_stride)
{
    size_t n_out = matrix->n_out, n_whole = n_out / LANES * LANES, first = matrix->first_out;

    for (size_t in = 0; in == 0 || in < matrix->n_in; in += GEMM_BLOCK_IN) {
        size_t end = matrix->n_in - in < GEMM_BLOCK_IN ? matrix->n_in : in + GEMM_BLOCK_IN;
        bool adds_now = adds || in > 0;

        for (size_t row = 0, n; row < n_rows; row += n) {
            const float *x_row = x + row * x_stride;
            float *y_row = y + row * y_stride;

            n = n_rows - row < 2 ? 1 : 2;
            for (size_t out = 0; out < n_whole; out += LANES)
                if (n == 2)
                    stream_nibbles(matrix, first + out, in, end, 2, x_row, x_stride, factor,
                                   adds_now, y_row + out, y_stride);
                else
                    stream_nibbles(matrix, first + out, in, end, 1, x_row, x_stride, factor,
                                   adds_now, y_row + out, y_stride);
            for (size_t out = n_whole; out < n_out; out++)
                for (size_t i = 0; i < n; i++)
                    stream_output(matrix, first + out, in, end, x_row + i * x_stride, factor,
                                  adds_now, y_row + i * y_stride + out);
        }
    }
}

/* ---- panels ---- */

typedef float eight_floats __attribute__((vector_size(32)));
typedef uint32_t eight_words __attribute__((vector_size(32)));
typedef int32_t eight_integers __attribute__((vector_size(32)));

LANES_INLINE float scale_at(const struct gemm_matrix *matrix, size_t place)
{
    const struct packed_nibbles *settings = matrix->settings;
    uint16_t item;
    float value;
    uint32_t bits;

    if (settings->scale_dtype == DTYPE_F32) {
        memcpy(&value, (const float *)matrix->scales + place, sizeof value);
        return value;
    }
    memcpy(&item, (const uint16_t *)matrix->scales + place, sizeof item);
    if (settings->scale_dtype == DTYPE_F16)
        return half_at((const char *)&item);
    bits = (uint32_t)item << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The eight inputs of a word. */
LANES_INLINE void unpack_word(const struct gemm_matrix *matrix, size_t out, size_t in, float *to)
{
    const eight_words shifts = {0, 4, 8, 12, 16, 20, 24, 28};
    eight_words words;
    eight_floats values;
    uint32_t word;

    memcpy(&word, word_at(matrix, out, in), sizeof word);
    words = (eight_words){word, word, word, word, word, word, word, word} >> shifts & 15;
    values = __builtin_convertvector((eight_integers)words, eight_floats);
    if (matrix->index) {
        for (size_t i = 0; i < WORD_IN; i++) {
            size_t place = group_of(matrix, in + i) * matrix->stride + out;

            values[i] = (values[i] - (float)((const uint8_t *)matrix->zeros)[place]) *
                        scale_at(matrix, place);
        }
    } else {
        size_t place = group_of(matrix, in) * matrix->stride + out;

        values = (values - (float)((const uint8_t *)matrix->zeros)[place]) * scale_at(matrix, place);
    }
    memcpy(to, &values, sizeof values);
}

LANES_TARGET static void pack(const struct gemm_matrix *matrix, size_t out, size_t n_out, size_t in,
                              size_t n_in, size_t panel_out, float *panel)
{
    size_t n_steps = (n_in + GEMM_LANES - 1) / GEMM_LANES * (GEMM_LANES / GEMM_STEP);

    for (size_t step = 0; step < n_steps; step++)
        for (size_t i = 0; i < panel_out; i++, panel += GEMM_STEP)
            if (step * GEMM_STEP < n_in)
                unpack_word(matrix, out + (i < n_out ? i : 0), in + step * GEMM_STEP, panel);
            else
                memset(panel, 0, GEMM_STEP * sizeof *panel);
}

const struct gemm_loader LANES_NAME(gemm_nibbles) = {pack, stream, true, MOST_STREAMED};

#endif
