/* gemm_rows.h - the loader of a format whose weights lie along the inputs of an output. Each
 * inclusion makes one, from
 *   LOADER                  its name, as in gemm_LOADER_avx2
 *   LOADER_IN               inputs of a tile: a multiple of GEMM_LANES that divides GEMM_BLOCK_IN
 *   LOADER_BYTES            of a tile, as stored
 *   LOADER_TILE(row, in, w) w [LOADER_IN / LANES] = LOADER_IN weights from input `in` on
 *   LOADER_ROW(matrix, out) what stands for the row of an output: a const char *, as a rule
 * all of which it undefines. Inputs behind the last whole tile are widened by the format. */
#if defined(LOADER)

#define LOADER_JOIN2(a, b) a##_##b
#define LOADER_JOIN(a, b) LOADER_JOIN2(a, b)
#define LOADER_NAME(name) LOADER_JOIN(name, LOADER)
#define LOADER_VECTORS (LOADER_IN / LANES)

/* With several rows of x in the first-level cache, the processor needs to be told what comes. */
LANES_INLINE void LOADER_NAME(look_ahead)(const char *row, size_t in)
{
    const char *tile = row + in / LOADER_IN * LOADER_BYTES + 4096;

    for (size_t i = 0; i < LOADER_BYTES; i += 64)
        __builtin_prefetch(tile + i);
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
    size_t step = panel_out * GEMM_STEP;

    for (size_t i = 0; i < panel_out; i++, panel += GEMM_STEP) {
        const char *row = LOADER_ROW(matrix, out + (i < n_out ? i : 0));
        float *to = panel;

        for (size_t at = 0; at < n_in; at += LOADER_IN) {
            lanes w[LOADER_VECTORS];

            LOADER_NAME(look_ahead)(row, in + at);
            if (n_in - at >= LOADER_IN)
                LOADER_TILE(row, in + at, w);
            else
                LOADER_NAME(widen_some)(matrix, out + (i < n_out ? i : 0), in + at, n_in - at, w);
            for (size_t k = 0; k < LOADER_IN && k / GEMM_LANES * GEMM_LANES < n_in - at;
                 k += GEMM_STEP, to += step)
                memcpy(to, (const float *)w + k, GEMM_STEP * sizeof *to);
        }
    }
}

/* sums += the products of a tile; n_rows is constant in every call. */
LANES_INLINE void LOADER_NAME(add_tile)(size_t n_rows, const float *x, size_t x_stride,
                                        const lanes w[LOADER_VECTORS],
                                        lanes sums[GEMM_STREAM_ROWS][SUMS])
{
    LANES_UNROLL
    for (size_t v = 0; v < LOADER_VECTORS; v++) {
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++)
            sums[row][v % SUMS] = lanes_multiply_add(lanes_load(x + row * x_stride + v * LANES), w[v],
                                                     sums[row][v % SUMS]);
    }
}

/* The inputs of a block behind its last whole tile; behind them, zeros up to a whole step. */
LANES_INLINE void LOADER_NAME(add_rest)(const struct gemm_matrix *matrix, size_t out, size_t n_rows,
                                        size_t in, size_t n, const float *x, size_t x_stride,
                                        lanes sums[GEMM_STREAM_ROWS][SUMS])
{
    float rest[GEMM_STREAM_ROWS][LOADER_IN] = {{0}};
    lanes w[LOADER_VECTORS];

    for (size_t row = 0; row < n_rows; row++)
        memcpy(rest[row], x + row * x_stride, n * sizeof *x);
    LOADER_NAME(widen_some)(matrix, out, in, n, w);
    LOADER_NAME(add_tile)(n_rows, rest[0], LOADER_IN, w, sums);
}

/* One output after the other: memory is read fastest straight on. n_rows is constant. */
LANES_INLINE void LOADER_NAME(stream_output)(const struct gemm_matrix *matrix, size_t n_rows,
                                             size_t out, const float *x, size_t x_stride,
                                             float factor, bool adds, float *y, size_t y_stride)
{
    const char *row_of_w = LOADER_ROW(matrix, matrix->first_out + out);

    for (size_t in = 0; in == 0 || in < matrix->n_in; in += GEMM_BLOCK_IN) {
        size_t n = matrix->n_in - in < GEMM_BLOCK_IN ? matrix->n_in - in : GEMM_BLOCK_IN, i = 0;
        lanes sums[GEMM_STREAM_ROWS][SUMS] = {{{0}}};

        for (; n - i >= LOADER_IN; i += LOADER_IN) {
            lanes w[LOADER_VECTORS];

            if (n_rows > 2)
                LOADER_NAME(look_ahead)(row_of_w, in + i);
            LOADER_TILE(row_of_w, in + i, w);
            LOADER_NAME(add_tile)(n_rows, x + in + i, x_stride, w, sums);
        }
        if (i < n)
            LOADER_NAME(add_rest)(matrix, matrix->first_out + out, n_rows, in + i, n - i, x + in + i,
                                  x_stride, sums);
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++) {
            float value = sum_of_sums(sums[row]) * factor, *to = y + row * y_stride + out;

            *to = adds || in > 0 ? *to + value : value;
        }
    }
}

LANES_INLINE void LOADER_NAME(stream_rows)(const struct gemm_matrix *matrix, size_t n_rows,
                                           const float *x, size_t x_stride, float factor, bool adds,
                                           float *y, size_t y_stride)
{
    for (size_t out = 0; out < matrix->n_out; out++)
        LOADER_NAME(stream_output)(matrix, n_rows, out, x, x_stride, factor, adds, y, y_stride);
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
    LOADER_NAME(pack), LOADER_NAME(stream)};

#undef LOADER
#undef LOADER_IN
#undef LOADER_BYTES
#undef LOADER_TILE
#undef LOADER_ROW
#undef LOADER_JOIN2
#undef LOADER_JOIN
#undef LOADER_NAME
#undef LOADER_VECTORS
#endif
