/* gemm_few_rows.h - products of some rows with weights of one format. gemm_few.c includes it, once
 * for each, with
 *   LOADER                  the format's name, as in few_LOADER
 *   LOADER_BYTES            of an item
 *   LOADER_LOAD(bytes)      LANES items
 * all of which it undefines. */
#if defined(LOADER)

#define LOADER_JOIN2(a, b) a##_##b
#define LOADER_JOIN(a, b) LOADER_JOIN2(a, b)
#define LOADER_NAME(name) LOADER_JOIN(name, LOADER)

enum { LOADER_NAME(LINE) = 64 / LOADER_BYTES }; /* items of a line of the caches */

struct LOADER_NAME(outputs) { /* OUTS of them, or one, and a block of their inputs */
    const char *weights;
    size_t step, n_in; /* step: bytes from output to output */
    const char *next; /* bytes that come next, and of how many inputs they are asked for here */
    size_t n_next;
};

/* n < LANES inputs. */
LANES_INLINE lanes LOADER_NAME(load_some)(const char *bytes, size_t n)
{
    char items[LANES * LOADER_BYTES] = {0};

    memcpy(items, bytes, n * LOADER_BYTES);
    return LOADER_LOAD(items);
}

/* n_rows and n_outs are constant in every call. */
LANES_INLINE void LOADER_NAME(add_step)(size_t n_rows, size_t n_outs, const lanes w[OUTS],
                                        const float *x, size_t x_stride, size_t n,
                                        lanes sums[ROWS_AT_ONCE][OUTS])
{
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        const float *at = x + row * x_stride;
        lanes factor = n < LANES ? load_some(at, n) : lanes_load(at);

        LANES_UNROLL
        for (size_t o = 0; o < n_outs; o++)
            sums[row][o] = lanes_multiply_add(factor, w[o], sums[row][o]);
    }
}

/* y [n_outs] = factor * the sums, or y += it */
LANES_INLINE void LOADER_NAME(finish_row)(size_t n_outs, const lanes sums[OUTS], float factor,
                                          bool adds, float *y)
{
    four value;

    if (n_outs < OUTS) {
        float one = sum_of_sums(sums) * factor;

        *y = adds ? *y + one : one;
        return;
    }
    value = sums_of_four(&sums[0], &sums[1], &sums[2], &sums[3]) * factor;
    if (adds) {
        four old;

        memcpy(&old, y, sizeof old);
        value = old + value;
    }
    memcpy(y, &value, sizeof value);
}

LANES_INLINE void LOADER_NAME(multiply_rows)(size_t n_rows, size_t n_outs,
                                             const struct LOADER_NAME(outputs) *outputs,
                                             const float *x, size_t x_stride, float factor,
                                             bool adds, float *y, size_t y_stride)
{
    lanes sums[ROWS_AT_ONCE][OUTS], w[OUTS];
    size_t i = 0;

    LANES_UNROLL
    for (size_t k = 0; k < n_rows * n_outs; k++)
        sums[k / n_outs][k % n_outs] = lanes_set(0);
    for (; outputs->n_in - i >= LANES; i += LANES) {
        LANES_UNROLL
        for (size_t o = 0; o < n_outs; o++) {
            const char *at = outputs->weights + o * outputs->step + i * LOADER_BYTES;

            if (i < outputs->n_next && i % LOADER_NAME(LINE) == 0)
                __builtin_prefetch(outputs->next + o * outputs->step + i * LOADER_BYTES, 0, 2);
            w[o] = LOADER_LOAD(at);
        }
        LOADER_NAME(add_step)(n_rows, n_outs, w, x + i, x_stride, LANES, sums);
    }
    if (i < outputs->n_in) {
        size_t n = outputs->n_in - i;

        for (size_t o = 0; o < n_outs; o++) {
            const char *at = outputs->weights + o * outputs->step + i * LOADER_BYTES;

            w[o] = LOADER_NAME(load_some)(at, n);
        }
        LOADER_NAME(add_step)(n_rows, n_outs, w, x + i, x_stride, n, sums);
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++)
        LOADER_NAME(finish_row)(n_outs, sums[row], factor, adds, y + row * y_stride);
}

#define ROWS(n)                                                                                   \
    case n:                                                                                       \
        LOADER_NAME(multiply_rows)(n, n_outs, outputs, x, x_stride, factor, adds, y, y_stride);   \
        return;

LANES_INLINE void LOADER_NAME(multiply_group)(size_t n_rows, size_t n_outs,
                                              const struct LOADER_NAME(outputs) *outputs,
                                              const float *x, size_t x_stride, float factor,
                                              bool adds, float *y, size_t y_stride)
{
    switch (n_rows) {
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4)
        ROWS(5)
        ROWS(6)
    }
}
#undef ROWS

/* n_in inputs, from `in` on, of n_outs outputs, from `out` on; n_outs is constant in every call. */
LANES_INLINE void LOADER_NAME(multiply_outputs)(const struct gemm_matrix *matrix, size_t out,
                                                size_t n_outs, size_t in, size_t n_in, size_t n_rows,
                                                const float *x, size_t x_stride, float factor,
                                                bool adds, float *y, size_t y_stride)
{
    size_t n_groups = (n_rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    size_t step = matrix->stride * LOADER_BYTES;
    const char *weights = (const char *)matrix->data + (matrix->first_out + out) * step +
                          in * LOADER_BYTES;

    for (size_t at = 0; at == 0 || at < n_in; at += GEMM_BLOCK_IN, weights += GEMM_BLOCK_IN * LOADER_BYTES) {
        size_t n = n_in - at < GEMM_BLOCK_IN ? n_in - at : GEMM_BLOCK_IN;
        struct LOADER_NAME(outputs) outputs = {weights, step, n, weights + n_outs * step,
                                               LOADER_BYTES == 4 ? n / n_groups : n};

        for (size_t g = 0; g < n_groups; g++) {
            size_t row = n_rows * g / n_groups;

            LOADER_NAME(multiply_group)(n_rows * (g + 1) / n_groups - row, n_outs, &outputs,
                                        x + row * x_stride + at, x_stride, factor,
                                        adds || in + at > 0, y + row * y_stride + out, y_stride);
            if (LOADER_BYTES == 4)
                outputs.next += n / n_groups * LOADER_BYTES;
            else
                outputs.n_next = 0;
        }
    }
}

LANES_TARGET static void LOADER_JOIN(few, LOADER)(const struct gemm_matrix *matrix, size_t in,
                                                  size_t n_in, size_t n_rows, const float *x,
                                                  size_t x_stride, float factor, bool adds, float *y,
                                                  size_t y_stride)
{
    size_t out = 0;

    for (; matrix->n_out - out >= OUTS; out += OUTS)
        LOADER_NAME(multiply_outputs)(matrix, out, OUTS, in, n_in, n_rows, x, x_stride, factor, adds,
                                      y, y_stride);
    for (; out < matrix->n_out; out++)
        LOADER_NAME(multiply_outputs)(matrix, out, 1, in, n_in, n_rows, x, x_stride, factor, adds, y,
                                      y_stride);
}

#undef LOADER
#undef LOADER_BYTES
#undef LOADER_LOAD
#undef LOADER_JOIN2
#undef LOADER_JOIN
#undef LOADER_NAME
#endif
