/* gemm_rows.h - the loader of a format whose weights lie along the inputs of an output. Without a
 * guard: each inclusion makes one, from
 *   LOADER                  its name, as in gemm_LOADER_avx2
 *   LOADER_IN               inputs of a tile; it divides GEMM_BLOCK_IN
 *   LOADER_TILE(rows, in, n_rows, first, sink)
 *                           gives LOADER_IN weights each of LANES rows, from input `in` on, to
 *                           take() as inputs `first` on of the block
 *   LOADER_ROW(matrix, out) where the weights of an output begin
 * all of which it undefines. Inputs behind the last whole tile are widened one by one. */

#define LOADER_JOIN2(a, b) a##_##b
#define LOADER_JOIN(a, b) LOADER_JOIN2(a, b)
#define LOADER_NAME(name) LOADER_JOIN(name, LOADER)

/* Rows of LANES outputs from `out` on; behind the last the last once more. */
LANES_INLINE void LOADER_NAME(find_rows)(const struct gemm_matrix *matrix, size_t out,
                                         size_t n_out, const char *rows[LANES])
{
    for (size_t i = 0; i < LANES; i++)
        rows[i] = LOADER_ROW(matrix, out + (i < n_out ? i : n_out - 1));
}

LANES_TARGET static void LOADER_NAME(widen_input)(const struct gemm_matrix *matrix, size_t out,
                                                  size_t n_out, size_t in, lanes *weights)
{
    float items[LANES] = {0};

    for (size_t i = 0; i < LANES && i < n_out; i++)
        matrix->format->widen(matrix, out + i, 1, in, 1, items + i);
    *weights = lanes_load(items);
}

/* A block of inputs of n_groups times LANES outputs; n_groups and n_rows are constant. */
LANES_INLINE void LOADER_NAME(run)(const struct gemm_matrix *matrix, size_t n_groups, size_t n_rows,
                                   size_t out, size_t n_out, size_t in, size_t n_in,
                                   struct sink *sinks)
{
    const char *rows[2][LANES];
    size_t i = 0;

    for (size_t g = 0; g < n_groups; g++)
        LOADER_NAME(find_rows)(matrix, out + g * LANES, n_out - g * LANES, rows[g]);
    for (; n_in - i >= LOADER_IN; i += LOADER_IN) {
        LOADER_TILE(rows[0], in + i, n_rows, i, &sinks[0]);
        if (n_groups == 2)
            LOADER_TILE(rows[1], in + i, n_rows, i, &sinks[1]);
    }
    for (; i < n_in; i++)
        for (size_t g = 0; g < n_groups; g++) {
            lanes weights;

            LOADER_NAME(widen_input)(matrix, out + g * LANES, n_out - g * LANES, in + i, &weights);
            take(&sinks[g], n_rows, i, weights);
        }
}

LANES_TARGET static void LOADER_NAME(pack)(const struct gemm_matrix *matrix, size_t out,
                                           size_t n_out, size_t in, size_t n_in, float *panel)
{
    for (size_t first = 0; first < n_out; first += LANES) {
        struct sink sink = {.panel = panel + first};

        LOADER_NAME(run)(matrix, 1, 0, out + first, n_out - first, in, n_in, &sink);
    }
}

LANES_INLINE void LOADER_NAME(stream_group)(const struct gemm_matrix *matrix, size_t n_groups,
                                            size_t n_rows, size_t out, const float *x,
                                            size_t x_stride, float factor, bool adds, float *y,
                                            size_t y_stride)
{
    size_t n_out = matrix->n_out - out, n_in = matrix->n_in;

    for (size_t in = 0; in == 0 || in < n_in; in += GEMM_BLOCK_IN) {
        struct sink sinks[2] = {{.x = x + in, .x_stride = x_stride},
                                {.x = x + in, .x_stride = x_stride}};

        LOADER_NAME(run)(matrix, n_groups, n_rows, matrix->first_out + out, n_out, in,
                         n_in - in < GEMM_BLOCK_IN ? n_in - in : GEMM_BLOCK_IN, sinks);
        for (size_t g = 0; g < n_groups; g++)
            for (size_t row = 0; row < n_rows; row++) {
                size_t first = g * LANES, n = n_out - first < LANES ? n_out - first : LANES;

                finish(sinks[g].sums[row], factor, adds || in > 0, n,
                       y + row * y_stride + out + first);
            }
    }
}

LANES_INLINE void LOADER_NAME(stream_rows)(const struct gemm_matrix *matrix, size_t n_rows,
                                           const float *x, size_t x_stride, float factor, bool adds,
                                           float *y, size_t y_stride)
{
    size_t out = 0;

    /* A sum waits for the one before it: with one row or two, other sums fill the time. */
    for (; n_rows <= 2 && out + LANES < matrix->n_out; out += 2 * LANES)
        LOADER_NAME(stream_group)(matrix, 2, n_rows, out, x, x_stride, factor, adds, y, y_stride);
    for (; out < matrix->n_out; out += LANES)
        LOADER_NAME(stream_group)(matrix, 1, n_rows, out, x, x_stride, factor, adds, y, y_stride);
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
#undef LOADER_TILE
#undef LOADER_ROW
#undef LOADER_JOIN2
#undef LOADER_JOIN
#undef LOADER_NAME
