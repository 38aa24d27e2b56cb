/* gemm_rows.h - the loader of a format whose weights lie along the inputs of an output. Each
 * inclusion makes one, from
 *   LOADER                  its name, as in gemm_LOADER_avx2
 *   LOADER_IN               inputs of a tile: a multiple of GEMM_LANES that divides GEMM_BLOCK_IN
 *   LOADER_BYTES            of a block, as stored
 *   LOADER_TILE(row, in, w) w [LOADER_IN / LANES] = LOADER_IN weights from input `in` on
 *   LOADER_ROW(matrix, out) what stands for the row of an output: a const char *, as a rule
 *   LOADER_OUTS             outputs computed together, where unpacking is what takes the time (else
 *                           one: memory is read fastest straight on)
 * and where a block has more than one tile, and is unpacked in two steps,
 *   LOADER_BLOCK, LOADER_BLOCK_IN    a type, and inputs; else a block is a tile
 *   LOADER_BEGIN(row, in, block)     what its tiles share: then LOADER_TILE(block, in, w)
 * all of which it undefines. Inputs behind the last whole block are widened by the format. */
#if defined(LOADER)

#define LOADER_JOIN2(a, b) a##_##b
#define LOADER_JOIN(a, b) LOADER_JOIN2(a, b)
#define LOADER_NAME(name) LOADER_JOIN(name, LOADER)
#define LOADER_VECTORS (LOADER_IN / LANES)
#if !defined(LOADER_OUTS)
#define LOADER_OUTS 1
#endif
#if defined(LOADER_BLOCK)
#define LOADER_WEIGHTS(row, block, in, w) LOADER_TILE(block, in, w)
#else
#define LOADER_BLOCK char
#define LOADER_BLOCK_IN LOADER_IN
#define LOADER_BEGIN(row, in, block) (void)(block)
#define LOADER_WEIGHTS(row, block, in, w) LOADER_TILE(row, in, w)
#endif

/* With several rows of x in the first-level cache, or several of W at a time, the processor needs
 * to be told what comes. */
LANES_INLINE void LOADER_NAME(look_ahead)(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 64)
        __builtin_prefetch(bytes + i);
}

/* n < LOADER_IN weights, and zeros. */
LANES_TARGET static void LOADER_NAME(widen_some)(const struct gemm_matrix *matrix, size_t out,
                                                 size_t in, size_t n, lanes w[LOADER_VECTORS])
{
    float items[LOADER_IN] = {0};

    matrix->format->widen(matrix, out, 1, in, n, items);
    for (size_t v = 0; v < LOADER_VECTORS; v++)
        w[v] = lanes_load(items + v * LANES);
}

LANES_TARGET static void LOADER_NAME(pack)(const struct gemm_matrix *matrix, size_t out,
                                           size_t n_out, size_t in, size_t n_in, size_t panel_out,
                                           float *panel)
{
    size_t step = panel_out * GEMM_STEP, n_whole = n_in / LOADER_BLOCK_IN * LOADER_BLOCK_IN;

    for (size_t i = 0; i < panel_out; i++, panel += GEMM_STEP) {
        const char *row = LOADER_ROW(matrix, out + (i < n_out ? i : 0));
        float *to = panel;
        LOADER_BLOCK block;

        for (size_t at = 0; at < n_in; at += LOADER_IN) {
            lanes w[LOADER_VECTORS];

            if (at < n_whole && at % LOADER_BLOCK_IN == 0) {
                LOADER_NAME(look_ahead)(row + (in + at) / LOADER_BLOCK_IN * LOADER_BYTES + 4096,
                                        LOADER_BYTES);
                LOADER_BEGIN(row, in + at, &block);
            }
            if (at < n_whole)
                LOADER_WEIGHTS(row, &block, in + at, w);
            else
                LOADER_NAME(widen_some)(matrix, out + (i < n_out ? i : 0), in + at,
                                        n_in - at < LOADER_IN ? n_in - at : LOADER_IN, w);
            for (size_t k = 0; k < LOADER_IN && k / GEMM_LANES * GEMM_LANES < n_in - at;
                 k += GEMM_STEP, to += step)
                memcpy(to, (const float *)w + k, GEMM_STEP * sizeof *to);
        }
    }
}

/* sums += the products of a vector; n_rows is constant in every call. */
LANES_INLINE void LOADER_NAME(add_vector)(size_t n_rows, const float *x, size_t x_stride, lanes w,
                                          size_t v, lanes sums[GEMM_STREAM_ROWS][SUMS])
{
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++)
        sums[row][v % SUMS] = lanes_multiply_add(lanes_load(x + row * x_stride), w,
                                                 sums[row][v % SUMS]);
}

/* The same of a tile. */
LANES_INLINE void LOADER_NAME(add_tile)(size_t n_rows, const float *x, size_t x_stride,
                                        const lanes w[LOADER_VECTORS],
                                        lanes sums[GEMM_STREAM_ROWS][SUMS])
{
    LANES_UNROLL
    for (size_t v = 0; v < LOADER_VECTORS; v++)
        LOADER_NAME(add_vector)(n_rows, x + v * LANES, x_stride, w[v], v, sums);
}

/* n inputs behind the last whole block; behind them, zeros up to a whole step. */
LANES_INLINE void LOADER_NAME(add_rest)(const struct gemm_matrix *matrix, size_t out, size_t n_rows,
                                        size_t in, size_t n, const float *x, size_t x_stride,
                                        lanes sums[GEMM_STREAM_ROWS][SUMS])
{
    for (size_t i = 0; i < n; i += LOADER_IN) {
        float rest[GEMM_STREAM_ROWS][LOADER_IN] = {{0}};
        size_t n_some = n - i < LOADER_IN ? n - i : LOADER_IN;
        lanes w[LOADER_VECTORS];

        for (size_t row = 0; row < n_rows; row++)
            memcpy(rest[row], x + row * x_stride + i, n_some * sizeof *x);
        LOADER_NAME(widen_some)(matrix, out, in + i, n_some, w);
        LOADER_NAME(add_tile)(n_rows, rest[0], LOADER_IN, w, sums);
    }
}

/* GEMM_BLOCK_IN inputs, or what is left, of n_outs outputs; n_rows and n_outs are constant. `next`:
 * what comes after these outputs. */
LANES_INLINE void LOADER_NAME(stream_part)(const struct gemm_matrix *matrix, size_t n_rows,
                                           size_t n_outs, size_t out, size_t in,
                                           const char *const rows_of_w[LOADER_OUTS],
                                           const char *next, const float *x, size_t x_stride,
                                           lanes sums[LOADER_OUTS][GEMM_STREAM_ROWS][SUMS])
{
    size_t n = matrix->n_in - in < GEMM_BLOCK_IN ? matrix->n_in - in : GEMM_BLOCK_IN, i = 0;

    for (; n - i >= LOADER_BLOCK_IN; i += LOADER_BLOCK_IN) {
        LOADER_BLOCK blocks[LOADER_OUTS];

        if (n_rows > 2 || n_outs > 1)
            LOADER_NAME(look_ahead)(next + (in + i) / LOADER_BLOCK_IN * LOADER_BYTES * n_outs,
                                    LOADER_BYTES * n_outs);
        LANES_UNROLL
        for (size_t o = 0; o < n_outs; o++)
            LOADER_BEGIN(rows_of_w[o], in + i, &blocks[o]);
        for (size_t tile = i; tile < i + LOADER_BLOCK_IN; tile += LOADER_IN) {
            lanes w[LOADER_OUTS][LOADER_VECTORS];

            LANES_UNROLL
            for (size_t o = 0; o < n_outs; o++)
                LOADER_WEIGHTS(rows_of_w[o], &blocks[o], in + tile, w[o]);
            LANES_UNROLL
            for (size_t v = 0; v < LOADER_VECTORS; v++) {
                LANES_UNROLL
                for (size_t o = 0; o < n_outs; o++)
                    LOADER_NAME(add_vector)(n_rows, x + tile + v * LANES, x_stride, w[o][v], v,
                                            sums[o]);
            }
        }
    }
    for (size_t o = 0; o < n_outs && i < n; o++)
        LOADER_NAME(add_rest)(matrix, matrix->first_out + out + o, n_rows, in + i, n - i, x + i,
                              x_stride, sums[o]);
}

/* y [n_outs] = factor * the sums, or y += it, of one row */
LANES_INLINE void LOADER_NAME(finish_outputs)(size_t n_outs, size_t row,
                                              lanes sums[LOADER_OUTS][GEMM_STREAM_ROWS][SUMS],
                                              float factor, bool adds, float *y)
{
#if LOADER_OUTS == 4
    if (n_outs == LOADER_OUTS) {
        four value = sums_of_four(sums[0][row], sums[1][row], sums[2][row], sums[3][row]) * factor;
        four before;

        memcpy(&before, y, sizeof before);
        value = adds ? before + value : value;
        memcpy(y, &value, sizeof value);
        return;
    }
#endif
    LANES_UNROLL
    for (size_t o = 0; o < n_outs; o++) {
        float value = sum_of_sums(sums[o][row]) * factor;

        y[o] = adds ? y[o] + value : value;
    }
}

LANES_INLINE void LOADER_NAME(stream_outputs)(const struct gemm_matrix *matrix, size_t n_rows,
                                              size_t n_outs, size_t out, const float *x,
                                              size_t x_stride, float factor, bool adds, float *y,
                                              size_t y_stride)
{
    const char *rows_of_w[LOADER_OUTS], *next;

    LANES_UNROLL
    for (size_t o = 0; o < n_outs; o++)
        rows_of_w[o] = LOADER_ROW(matrix, matrix->first_out + out + o);
    next = rows_of_w[n_outs - 1];
    next += n_outs > 1 ? matrix->n_in / LOADER_BLOCK_IN * LOADER_BYTES : 4096;
    for (size_t in = 0; in == 0 || in < matrix->n_in; in += GEMM_BLOCK_IN) {
        lanes sums[LOADER_OUTS][GEMM_STREAM_ROWS][SUMS];

        LANES_UNROLL
        for (size_t i = 0; i < n_outs * n_rows * SUMS; i++)
            sums[i / SUMS / n_rows][i / SUMS % n_rows][i % SUMS] = lanes_set(0);
        LOADER_NAME(stream_part)(matrix, n_rows, n_outs, out, in, rows_of_w, next, x + in, x_stride,
                                 sums);
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++)
            LOADER_NAME(finish_outputs)(n_outs, row, sums, factor, adds || in > 0,
                                        y + row * y_stride + out);
    }
}

/* As many sums as registers hold. */
LANES_INLINE void LOADER_NAME(stream_rows)(const struct gemm_matrix *matrix, size_t n_rows,
                                           const float *x, size_t x_stride, float factor, bool adds,
                                           float *y, size_t y_stride)
{
    size_t n_outs = LANES == 16 || n_rows == 1 ? LOADER_OUTS
                    : n_rows == 2              ? (LOADER_OUTS + 1) / 2
                                               : 1;
    size_t out = 0;

    for (; matrix->n_out - out >= n_outs; out += n_outs)
        LOADER_NAME(stream_outputs)(matrix, n_rows, n_outs, out, x, x_stride, factor, adds, y,
                                    y_stride);
    for (; out < matrix->n_out; out++)
        LOADER_NAME(stream_outputs)(matrix, n_rows, 1, out, x, x_stride, factor, adds, y, y_stride);
}

LANES_TARGET static void LOADER_NAME(stream)(const struct gemm_matrix *matrix, size_t n_rows,
                                             const float *x, size_t x_stride, float factor,
                                             bool adds, float *y, size_t y_stride)
{
    switch (n_rows) {
    case 1:
        LOADER_NAME(stream_rows)(matrix, 1, x, x_stride, factor, adds, y, y_stride);
        break;
    case 2:
        LOADER_NAME(stream_rows)(matrix, 2, x, x_stride, factor, adds, y, y_stride);
        break;
    case 3:
        LOADER_NAME(stream_rows)(matrix, 3, x, x_stride, factor, adds, y, y_stride);
        break;
    case 4:
        LOADER_NAME(stream_rows)(matrix, 4, x, x_stride, factor, adds, y, y_stride);
        break;
    }
}

const struct gemm_loader LOADER_JOIN(LOADER_JOIN(gemm, LOADER), LANES_SUFFIX) = {
    LOADER_NAME(pack), LOADER_NAME(stream), false, GEMM_STREAM_ROWS};

#undef LOADER
#undef LOADER_IN
#undef LOADER_BYTES
#undef LOADER_TILE
#undef LOADER_ROW
#undef LOADER_OUTS
#undef LOADER_BLOCK
#undef LOADER_BLOCK_IN
#undef LOADER_BEGIN
#undef LOADER_WEIGHTS
#undef LOADER_JOIN2
#undef LOADER_JOIN
#undef LOADER_NAME
#undef LOADER_VECTORS
#endif
