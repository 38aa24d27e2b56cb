/* gemm_int8_loops.h - the loops over outputs and rows that both ways of gemm_int8.h have. Each inclusion
 * makes the way, of struct gemm_fast, that INT8_WAY names (int8, say), from
 *   INT8_WHAT                 what it is, in words
 *   INT8_FORMATS(X)           its formats: X(Q8_0) and so on
 *   INT8_KINDS(X)             formats that stand for all that are multiplied alike once they are unpacked,
 * all of which it undefines, and from what begins with its name:
 *   struct WAY_row            a packed row of x; WAY_row_at, WAY_row_bytes, WAY_pack
 *   struct WAY_weights        an output unpacked; WAY_weights_at, WAY_unpack
 *   WAY_row_of, WAY_bytes_of  where an output's blocks lie, and how many bytes one has; WAY_block_items
 *   WAY_outs                  outputs of one row of x that are multiplied together
 *   WAY_kind                  which of INT8_KINDS a format is
 *   WAY_blocks, WAY_tile      products with weights where they lie, and unpacked */
#if defined(INT8_WAY)

#define INT8_JOIN2(a, b) a##_##b
#define INT8_JOIN(a, b) INT8_JOIN2(a, b)
#define WAY(name) INT8_JOIN(INT8_WAY, name)

/* ---- one row ---- */

INT8_INLINE void WAY(multiply_row)(enum ggml_format format, const struct gemm_matrix *w,
                                   const char *packed, float factor, bool adds, float *y)
{
    struct WAY(row) x = WAY(row_at)(packed, w->n_in);
    size_t row_bytes = w->n_in / WAY(block_items) * WAY(bytes_of)(format), out = 0;
    size_t n_outs = WAY(outs)(format);
    const char *rows[INT8_OUTS];

    for (; w->n_out - out >= n_outs; out += n_outs) {
        LANES_UNROLL
        for (size_t o = 0; o < n_outs; o++)
            rows[o] = WAY(row_of)(format, w, out + o);
        WAY(blocks)(format, n_outs, w->n_in, &x, rows, rows[n_outs - 1] + row_bytes, factor, adds,
                    y + out);
    }
    for (; out < w->n_out; out++) {
        rows[0] = WAY(row_of)(format, w, out);
        WAY(blocks)(format, 1, w->n_in, &x, rows, rows[0] + row_bytes, factor, adds, y + out);
    }
}

/* ---- several rows ---- */

#define TILE(rows, outs)                                                                          \
    if (n_rows == rows && n_outs == outs) {                                                       \
        WAY(tile)(kind, rows, outs, n_in, x, w, factor, adds, y, y_stride);                       \
        return;                                                                                   \
    }

INT8_INLINE void WAY(multiply_some)(enum ggml_format kind, size_t n_rows, size_t n_outs, size_t n_in,
                                    const struct WAY(row) x[INT8_ROWS],
                                    const struct WAY(weights) w[INT8_OUTS], float factor, bool adds,
                                    float *y, size_t y_stride)
{
    TILE(4, 4)
    TILE(1, 4)
    for (size_t row = 0; row < n_rows; row++)
        for (size_t o = 0; o < n_outs; o++)
            WAY(tile)(kind, 1, 1, n_in, x + row, w + o, factor, adds, y + row * y_stride + o,
                      y_stride);
}
#undef TILE

/* Rows with unpacked outputs. */
INT8_INLINE void WAY(multiply_unpacked)(enum ggml_format kind, size_t n_rows, size_t n_outs,
                                        size_t n_in, const char *packed,
                                        const struct WAY(weights) w[INT8_OUTS], float factor,
                                        bool adds, float *y, size_t y_stride)
{
    for (size_t row = 0, n; row < n_rows; row += n) {
        struct WAY(row) x[INT8_ROWS];

        n = n_rows - row < INT8_ROWS ? 1 : INT8_ROWS;
        for (size_t i = 0; i < n; i++)
            x[i] = WAY(row_at)(packed + (row + i) * WAY(row_bytes)(n_in), n_in);
        WAY(multiply_some)(kind, n, n_outs, n_in, x, w, factor, adds, y + row * y_stride, y_stride);
    }
}

typedef void WAY(unpacked_rows)(size_t n_rows, size_t n_outs, size_t n_in, const char *packed,
                                const struct WAY(weights) w[INT8_OUTS], float factor, bool adds,
                                float *y, size_t y_stride);

#define KIND(name)                                                                                \
    INT8_TARGET static void INT8_JOIN(WAY(unpacked), name)(                                       \
        size_t n_rows, size_t n_outs, size_t n_in, const char *packed,                            \
        const struct WAY(weights) w[INT8_OUTS], float factor, bool adds, float *y,                \
        size_t y_stride)                                                                          \
    {                                                                                             \
        WAY(multiply_unpacked)(GGML_##name, n_rows, n_outs, n_in, packed, w, factor, adds, y,     \
                               y_stride);                                                         \
    }
INT8_KINDS(KIND)
#undef KIND

static WAY(unpacked_rows) *WAY(unpacked_of)(enum ggml_format kind)
{
#define KIND(name) [GGML_##name] = INT8_JOIN(WAY(unpacked), name),
    static WAY(unpacked_rows) *const all[N_GGML_BLOCKS] = {INT8_KINDS(KIND)};
#undef KIND

    return all[kind];
}

INT8_INLINE void WAY(multiply_rows)(enum ggml_format format, const struct gemm_matrix *w,
                                    size_t n_rows, const char *packed, float factor, bool adds,
                                    float *y, size_t y_stride, float *scratch)
{
    WAY(unpacked_rows) *multiply = WAY(unpacked_of)(WAY(kind)(format));

    for (size_t out = 0, n_outs; out < w->n_out; out += n_outs) {
        struct WAY(weights) weights[INT8_OUTS];

        n_outs = w->n_out - out < INT8_OUTS ? 1 : INT8_OUTS;
        for (size_t o = 0; o < n_outs; o++) {
            weights[o] = WAY(weights_at)(scratch, w->n_in, o);
            WAY(unpack)(format, WAY(row_of)(format, w, out + o), w->n_in, &weights[o]);
        }
        multiply(n_rows, n_outs, w->n_in, packed, weights, factor, adds, y + out, y_stride);
    }
}

/* ---- all formats ---- */

#define FORMAT(name)                                                                              \
    INT8_TARGET static void INT8_JOIN(WAY(multiply), name)(                                       \
        const struct gemm_matrix *w, size_t n_rows, const char *packed, float factor, bool adds,  \
        float *y, size_t y_stride, float *scratch)                                                \
    {                                                                                             \
        if (n_rows == 1)                                                                          \
            WAY(multiply_row)(GGML_##name, w, packed, factor, adds, y);                           \
        else                                                                                      \
            WAY(multiply_rows)(GGML_##name, w, n_rows, packed, factor, adds, y, y_stride, scratch); \
    }
INT8_FORMATS(FORMAT)
#undef FORMAT

static void WAY(multiply)(const struct gemm_matrix *w, size_t n_rows, const char *packed,
                          float factor, bool adds, float *y, size_t y_stride, float *scratch)
{
#define FORMAT(name)                                                                              \
    case GGML_##name:                                                                             \
        INT8_JOIN(WAY(multiply), name)(w, n_rows, packed, factor, adds, y, y_stride, scratch);    \
        break;
    switch (int8_format(w)) {
        INT8_FORMATS(FORMAT)
    default:
        break;
    }
#undef FORMAT
}

const struct gemm_fast INT8_JOIN(INT8_JOIN(gemm, INT8_WAY), INT8_SUFFIX) = {
    INT8_WHAT, WAY(row_bytes), WAY(pack), WAY(multiply)};

#undef WAY
#undef INT8_JOIN
#undef INT8_JOIN2
#undef INT8_WAY
#undef INT8_WHAT
#undef INT8_FORMATS
#undef INT8_KINDS
#endif
