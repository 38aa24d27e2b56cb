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

/* sums [n_rows, COLUMNS] += the products of n_ins inputs with n_out outputs; n_rows and n_ins are
 * constant in every call. */
LANES_INLINE void LOADER_NAME(add_inputs)(const char *bytes, size_t step, size_t n_ins, size_t n_out,
                                          size_t n_rows, const float *x, size_t x_stride,
                                          float sums[GEMM_STREAM_ROWS][COLUMNS])
{
    lanes factors[GEMM_STREAM_ROWS][COLUMN_INPUTS];

    LANES_UNROLL
    for (size_t i = 0; i < n_rows * n_ins; i++)
        factors[i / n_ins][i % n_ins] = lanes_set(x[i / n_ins * x_stride + i % n_ins]);
    for (size_t out = 0; out < n_out; out += LANES) {
        const char *at = bytes + out * LOADER_BYTES;
        bool is_whole = n_out - out >= LANES;
        lanes sum[GEMM_STREAM_ROWS];

        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++)
            sum[row] = lanes_load(sums[row] + out);
        LANES_UNROLL
        for (size_t i = 0; i < n_ins; i++, at += step) {
            lanes weights = is_whole ? LOADER_LOAD(at) : LOADER_NAME(load_some)(at, n_out - out);

            __builtin_prefetch(at + n_ins * step, 0, 2);
            LANES_UNROLL
            for (size_t row = 0; row < n_rows; row++)
                sum[row] = lanes_multiply_add(factors[row][i], weights, sum[row]);
        }
        LANES_UNROLL
        for (size_t row = 0; row < n_rows; row++)
            lanes_store(sum[row], sums[row] + out);
    }
}

/* A block of inputs of n_out <= COLUMNS outputs. Sums stay in the first-level cache, weights are read
 * along some rows at a time. */
LANES_INLINE void LOADER_NAME(stream_block)(const char *bytes, size_t step, size_t n_out,
                                            size_t n_rows, size_t n_in, const float *x,
                                            size_t x_stride, float factor, bool adds, float *y,
                                            size_t y_stride)
{
    size_t n_ins = n_rows == 1 ? COLUMN_INPUTS : n_rows == 2 ? COLUMN_INPUTS / 2 : COLUMN_INPUTS / 4;
    float sums[GEMM_STREAM_ROWS][COLUMNS];
    size_t in = 0;

    for (size_t row = 0; row < n_rows; row++)
        for (size_t out = 0; out < n_out; out += LANES)
            lanes_store(lanes_set(0), sums[row] + out);
    for (; n_in - in >= n_ins; in += n_ins)
        LOADER_NAME(add_inputs)(bytes + in * step, step, n_ins, n_out, n_rows, x + in, x_stride,
                                sums);
    for (; in < n_in; in++)
        LOADER_NAME(add_inputs)(bytes + in * step, step, 1, n_out, n_rows, x + in, x_stride, sums);
    for (size_t row = 0; row < n_rows; row++)
        for (size_t out = 0; out < n_out; out += LANES)
            finish(lanes_load(sums[row] + out), factor, adds, n_out - out < LANES ? n_out - out : LANES,
                   y + row * y_stride + out);
}

#define ROWS(n)                                                                                   \
    case n:                                                                                       \
        LOADER_NAME(stream_block)(bytes + out * LOADER_BYTES, step, n_out, n, n_in, x, x_stride,  \
                                  factor, adds, y + out, y_stride);                               \
        break;

LANES_INLINE void LOADER_NAME(stream_outputs)(const char *bytes, size_t step, size_t out,
                                              size_t n_out, size_t n_rows, size_t n_in,
                                              const float *x, size_t x_stride, float factor,
                                              bool adds, float *y, size_t y_stride)
{
    switch (n_rows) {
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4)
    }
}
#undef ROWS

LANES_TARGET static void LOADER_NAME(stream)(const struct gemm_matrix *matrix, size_t n_rows,
                                             const float *x, size_t x_stride, float factor,
                                             bool adds, float *y, size_t y_stride)
{
    size_t n_in = matrix->n_in, n_out = matrix->n_out, step = matrix->stride * LOADER_BYTES;

    for (size_t in = 0; in == 0 || in < n_in; in += GEMM_BLOCK_IN)
        for (size_t out = 0; out < n_out; out += COLUMNS)
            LOADER_NAME(stream_outputs)(LOADER_NAME(address)(matrix, matrix->first_out, in), step,
                                        out, n_out - out < COLUMNS ? n_out - out : COLUMNS, n_rows,
                                        n_in - in < GEMM_BLOCK_IN ? n_in - in : GEMM_BLOCK_IN,
                                        x + in, x_stride, factor, adds || in > 0, y, y_stride);
}

const struct gemm_loader LOADER_JOIN(LOADER_JOIN(gemm, LOADER), LANES_SUFFIX) = {
    LOADER_NAME(pack), LOADER_NAME(stream), false, GEMM_STREAM_ROWS};

#undef LOADER
#undef LOADER_BYTES
#undef LOADER_LOAD
#undef LOADER_JOIN2
#undef LOADER_JOIN
#undef LOADER_NAME
#endif
