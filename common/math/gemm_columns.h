/* gemm_columns.h - the loader of a format where the weights of one input lie side by side, as in
 * GPT-2's Conv1D. Each inclusion makes one, from
 *   LOADER                      its name, as in gemm_LOADER_avx2
 *   LOADER_BYTES                of an item
 *   LOADER_LOAD(bytes)          LANES items
 * all of which it undefines. */
#if defined(LOADER)

#define LOADER_JOIN2(a, b) a##_##b
#define LOADER_JOIN(a, b) LOADER_JOIN2(a, b)
#define LOADER_NAME(name) LOADER_JOIN(name, LOADER)

LANES_INLINE lanes LOADER_NAME(load_some)(const char *bytes, size_t n)
{
    char items[LANES * LOADER_BYTES] = {0};

    memcpy(items, bytes, n * LOADER_BYTES);
    return LOADER_LOAD(items);
}

LANES_INLINE const char *LOADER_NAME(address)(const struct gemm_matrix *matrix, size_t out, size_t in)
{
    return (const char *)matrix->data + (in * matrix->stride + out) * LOADER_BYTES;
}

LANES_TARGET static void LOADER_NAME(pack)(const struct gemm_matrix *matrix, size_t out,
                                           size_t n_out, size_t in, size_t n_in,
                                           size_t panel_out, float *panel)
{
    const char *bytes = LOADER_NAME(address)(matrix, out, in);

    for (size_t i = 0; i < n_in; i++, bytes += matrix->stride * LOADER_BYTES)
        for (size_t first = 0; first < n_out; first += LANES) {
            const char *at = bytes + first * LOADER_BYTES;

            lanes_store(n_out - first < LANES ? LOADER_NAME(load_some)(at, n_out - first)
                                              : LOADER_LOAD(at),
                        panel + i * panel_out + first);
        }
}

/* A block of inputs of n_vectors times LANES outputs, or of n < LANES; n_rows and n_vectors are
 * constant. */
LANES_INLINE void LOADER_NAME(stream_block)(const char *bytes, size_t step, size_t n_vectors,
                                            size_t n, size_t n_rows, size_t n_in, const float *x,
                                            size_t x_stride, float factor, bool adds, float *y,
                                            size_t y_stride)
{
    lanes sums[GEMM_STREAM_ROWS][8] = {0};

    for (size_t in = 0; in < n_in; in++, bytes += step) {
        LANES_UNROLL
        for (size_t v = 0; v < n_vectors; v++) {
            const char *at = bytes + v * LANES * LOADER_BYTES;
            lanes weights = n < LANES ? LOADER_NAME(load_some)(at, n) : LOADER_LOAD(at);

            LANES_UNROLL
            for (size_t row = 0; row < n_rows; row++)
                sums[row][v] = lanes_multiply_add(lanes_set(x[row * x_stride + in]), weights,
                                                  sums[row][v]);
        }
    }
    LANES_UNROLL
    for (size_t row = 0; row < n_rows; row++) {
        LANES_UNROLL
        for (size_t v = 0; v < n_vectors; v++)
            finish(sums[row][v], factor, adds, n, y + row * y_stride + v * LANES);
    }
}

LANES_INLINE void LOADER_NAME(stream_rows)(const struct gemm_matrix *matrix, size_t n_rows,
                                           size_t n_vectors, size_t in, const float *x,
                                           size_t x_stride, float factor, bool adds, float *y,
                                           size_t y_stride)
{
    const char *bytes = LOADER_NAME(address)(matrix, matrix->first_out, in);
    size_t n_in = matrix->n_in - in < GEMM_BLOCK_IN ? matrix->n_in - in : GEMM_BLOCK_IN;
    size_t step = matrix->stride * LOADER_BYTES, n_out = matrix->n_out, out = 0;

    for (; n_out - out >= n_vectors * LANES; out += n_vectors * LANES)
        LOADER_NAME(stream_block)(bytes + out * LOADER_BYTES, step, n_vectors, LANES, n_rows, n_in,
                                  x, x_stride, factor, adds, y + out, y_stride);
    for (; n_out - out >= LANES; out += LANES)
        LOADER_NAME(stream_block)(bytes + out * LOADER_BYTES, step, 1, LANES, n_rows, n_in, x,
                                  x_stride, factor, adds, y + out, y_stride);
    if (out < n_out)
        LOADER_NAME(stream_block)(bytes + out * LOADER_BYTES, step, 1, n_out - out, n_rows, n_in, x,
                                  x_stride, factor, adds, y + out, y_stride);
}

/* As many sums as registers hold. */
LANES_TARGET static void LOADER_NAME(stream)(const struct gemm_matrix *matrix, size_t n_rows,
                                             const float *x, size_t x_stride, float factor,
                                             bool adds, float *y, size_t y_stride)
{
    for (size_t in = 0; in == 0 || in < matrix->n_in; in += GEMM_BLOCK_IN) {
        bool adds_now = adds || in > 0;

        switch (n_rows) {
        case 1:
            LOADER_NAME(stream_rows)(matrix, 1, 8, in, x + in, x_stride, factor, adds_now, y,
                                     y_stride);
            break;
        case 2:
            LOADER_NAME(stream_rows)(matrix, 2, 4, in, x + in, x_stride, factor, adds_now, y,
                                     y_stride);
            break;
        case 3:
            LOADER_NAME(stream_rows)(matrix, 3, LANES == 16 ? 4 : 2, in, x + in, x_stride, factor,
                                     adds_now, y, y_stride);
            break;
        case 4:
            LOADER_NAME(stream_rows)(matrix, 4, LANES == 16 ? 4 : 2, in, x + in, x_stride, factor,
                                     adds_now, y, y_stride);
            break;
        }
    }
}

const struct gemm_loader LOADER_JOIN(LOADER_JOIN(gemm, LOADER), LANES_SUFFIX) = {
    LOADER_NAME(pack), LOADER_NAME(stream)};

#undef LOADER
#undef LOADER_BYTES
#undef LOADER_LOAD
#undef LOADER_JOIN2
#undef LOADER_JOIN
#undef LOADER_NAME
#endif
