#include "gemm_tile.h"

#include <assert.h>
#include <string.h>

#include "math/gemm_few.h"

static_assert((int)GEMM_FEW_SCRATCH <= (int)GEMM_TILE_SCRATCH, "scratch memory serves few rows, too");

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t parts_of(size_t n, size_t part)
{
    return (n + part - 1) / part;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

enum {
    FEW_ROWS = 48,
    SHORT_ROWS = 12, /* pay for turning W that has few inputs */
    TURNED_ROWS = 28, /* pay for turning both */
};

/* ---- W ---- */

struct panels { /* of a block of inputs */
    const float *first;
    size_t stride, step; /* floats from input to input, and from panel to panel */
};

static float *widened_of(const struct gemm_tile *tile)
{
    return tile->scratch + GEMM_TILE_PANELS;
}

static struct gemm_matrix widen(const struct gemm_tile *tile, size_t out, size_t n_out, size_t in,
                                size_t n_in)
{
    bool is_transposed = tile->w->format->is_transposed;

    gemm_matrix_widen(tile->w, out, n_out, in, n_in, widened_of(tile));
    return (struct gemm_matrix){.format = matrix_format_plain(DTYPE_F32, is_transposed),
                                .data = widened_of(tile), .n_out = n_out, .n_in = n_in,
                                .stride = is_transposed ? n_out : n_in};
}

static const struct gemm_loader *loader_of(const struct gemm_tile *tile)
{
    const struct gemm_loader *loader = tile->w->format->loaders[tile->isa];

    return loader && tile->w->scales && !loader->reads_scales ? NULL : loader;
}

/* What has no loader is widened to floats, which have one, a block of inputs at a time. */
static void pack_panel(const struct gemm_tile *tile, size_t out, size_t n_out, size_t in, size_t n_in,
                       size_t panel_out, float *panel)
{
    const struct gemm_loader *loader = loader_of(tile);

    if (loader) {
        loader->pack(tile->w, tile->w->first_out + out, n_out, in, n_in, panel_out, panel);
        return;
    }
    for (size_t i = 0; i < n_in; i += GEMM_BLOCK_IN) {
        size_t n = smaller(n_in - i, GEMM_BLOCK_IN);
        struct gemm_matrix floats = widen(tile, out, n_out, in + i, n);

        floats.format->loaders[tile->isa]->pack(&floats, 0, n_out, 0, n, panel_out,
                                                panel + i * panel_out);
    }
}

/* Of an output, as packed. */
static size_t panel_items(size_t n_in)
{
    return parts_of(n_in, GEMM_LANES) * GEMM_LANES;
}

static void pack_panels(const struct gemm_tile *tile, size_t out, size_t n_out, size_t in, size_t n_in,
                        size_t panel_out)
{
    for (size_t i = 0; i < n_out; i += panel_out)
        pack_panel(tile, out + i, smaller(n_out - i, panel_out), in, n_in, panel_out,
                   tile->scratch + i * panel_items(n_in));
}

/* Floats in rows of inputs are panels already; worth copying only for several groups of rows, for
 * which they would be read again and again from lines of memory that get into one another's way. */
static struct panels make_panels(const struct gemm_tile *tile, size_t n_groups, size_t out,
                                 size_t n_out, size_t in, size_t n_in)
{
    const struct gemm_matrix *w = tile->w;
    size_t panel_out = gemm_version(tile->isa)->panel_out;
    const float *floats = n_groups == 1 && w->format->floats && n_out % panel_out == 0
                              ? w->format->floats(w) : NULL;

    if (floats)
        return (struct panels){floats + in * w->stride + out, w->stride, panel_out};
    pack_panels(tile, out, n_out, in, n_in, panel_out);
    return (struct panels){tile->scratch, panel_out, panel_out * panel_items(n_in)};
}

static float *rows_of(const struct gemm_tile *tile)
{
    return widened_of(tile) + GEMM_TILE_WIDENED + GEMM_TILE_SUMS + GEMM_TILE_GROUP;
}

static size_t turned_items(size_t n_in, size_t panel_out)
{
    return GEMM_LANES * GEMM_TURNED_STRIDE(parts_of(n_in, GEMM_LANES), panel_out);
}

/* Whether numbers lie as they are, in rows of outputs. */
static bool is_plain(const struct gemm_matrix *w)
{
    return w->format == matrix_format_plain(w->format->dtype, false) && !w->scales;
}

static const char *address_of(const struct gemm_matrix *w, size_t out, size_t in)
{
    return (const char *)w->data +
           ((w->first_out + out) * w->stride + in) * (dtype_info(w->format->dtype)->n_bits / 8);
}

/* Outputs of a block of inputs, turned: from where they lie, or as they are packed, a panel each. */
static void turn_panel(const struct gemm_tile *tile, size_t out, size_t n_out, size_t in, size_t n_in,
                       float *panel)
{
    enum { STRIDE = GEMM_BLOCK_IN + GEMM_LANES };
    const struct gemm_matrix *w = tile->w;
    const struct gemm_version *version = gemm_version(tile->isa);
    size_t n_times = parts_of(n_in, GEMM_LANES);
    float *rows = rows_of(tile);

    if (is_plain(w) && n_in % GEMM_LANES == 0) {
        version->turn(w->format->dtype, n_out, n_times, address_of(w, out, in), w->stride,
                      version->panel_out, panel);
        return;
    }
    for (size_t i = 0; i < n_out; i++)
        pack_panel(tile, out + i, 1, in, n_in, 1, rows + i * STRIDE);
    version->turn(DTYPE_F32, n_out, n_times, rows, STRIDE, version->panel_out, panel);
}

/* ---- x ---- */

size_t gemm_tile_groups(enum isa isa, size_t n_rows)
{
    size_t group_rows = gemm_version(isa)->group_rows;

    return (n_rows + group_rows - 1) / group_rows;
}

size_t gemm_tile_first(enum isa isa, size_t n_rows, size_t group)
{
    return n_rows * group / gemm_tile_groups(isa, n_rows);
}

/* Floats of turned rows in front of input `in`, the first of a block or the end. */
static size_t turned_before(const struct gemm_version *version, size_t in)
{
    size_t n_rest = in % GEMM_BLOCK_IN;

    return in / GEMM_BLOCK_IN * turned_items(GEMM_BLOCK_IN, version->turned_rows) +
           (n_rest ? turned_items(n_rest, version->turned_rows) : 0);
}

size_t gemm_tile_group_items(enum isa isa, const struct gemm_matrix *w)
{
    const struct gemm_version *version = gemm_version(isa);

    return w->format->is_transposed ? version->group_rows * w->n_in
                                    : turned_before(version, w->n_in);
}

static void pack_columns(size_t n_rows, const float *x, size_t x_stride, size_t n_in, float *packed)
{
    for (size_t in = 0; in < n_in; in++)
        for (size_t row = 0; row < n_rows; row++)
            *packed++ = x[row * x_stride + in];
}

/* n_in inputs of a block; what is missing at the end is 0. */
static void turn_rows(const struct gemm_version *version, size_t n_rows, const float *x,
                      size_t x_stride, size_t n_in, float *packed)
{
    float filled[GEMM_GROUP_ROWS_MAX][GEMM_BLOCK_IN];

    if (n_in % GEMM_LANES) {
        for (size_t row = 0; row < n_rows; row++) {
            memcpy(filled[row], x + row * x_stride, n_in * sizeof *x);
            memset(filled[row] + n_in, 0, (panel_items(n_in) - n_in) * sizeof *x);
        }
        x = filled[0];
        x_stride = GEMM_BLOCK_IN;
    }
    version->turn(DTYPE_F32, n_rows, parts_of(n_in, GEMM_LANES), x, x_stride, version->turned_rows,
                  packed);
}

void gemm_tile_pack(enum isa isa, const struct gemm_matrix *w, size_t n_rows, const float *x,
                    size_t x_stride, float *packed)
{
    const struct gemm_version *version = gemm_version(isa);

    if (w->format->is_transposed)
        pack_columns(n_rows, x, x_stride, w->n_in, packed);
    else
        for (size_t in = 0; in < w->n_in; in += GEMM_BLOCK_IN)
            turn_rows(version, n_rows, x + in, x_stride, smaller(w->n_in - in, GEMM_BLOCK_IN),
                      packed + turned_before(version, in));
}

/* ---- products ---- */

struct group { /* of rows, and a block of inputs */
    const float *x;
    bool is_packed; /* else rows are GEMM_DIRECT_STRIDE apart */
    size_t n_rows, row, in, n_in;
    const struct gemm_range *ranges; /* of its rows, or NULL */
};

static float *sums_of(const struct gemm_tile *tile)
{
    return widened_of(tile) + GEMM_TILE_WIDENED;
}

/* Inputs that count for a row, from the block's first on. */
static struct gemm_range range_of(const struct group *group, size_t row)
{
    const struct gemm_range *range = &group->ranges[row];
    size_t first = larger(range->first, group->in), end = smaller(range->end, group->in + group->n_in);

    return end > first ? (struct gemm_range){first - group->in, end - group->in}
                       : (struct gemm_range){0, 0};
}

/* Inputs `first` to `end` - 1 of one row of the group. */
static void multiply_row(const struct gemm_tile *tile, const struct group *group,
                         const struct panels *panels, const float *panel, size_t row, size_t first,
                         size_t end, float *sums)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    float items[GEMM_BLOCK_IN];
    const float *x = items;

    if (end <= first)
        return;
    if (group->is_packed)
        for (size_t in = first; in < end; in++)
            items[in - first] = group->x[in * group->n_rows + row];
    else
        x = group->x + row * GEMM_DIRECT_STRIDE + first;
    version->multiply(1, end - first, x, true, panel + first * panels->stride, panels->stride, true,
                      sums + row * version->panel_out);
}

/* What counts for all rows is multiplied for all at once, what comes before and after it row by
 * row: each adds up in the order of inputs. */
static void multiply_ranges(const struct gemm_tile *tile, const struct group *group,
                            const struct panels *panels, const float *panel, float *sums)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    struct gemm_range common = {0, group->n_in};

    for (size_t row = 0; row < group->n_rows; row++) {
        struct gemm_range range = range_of(group, row);

        common.first = larger(common.first, range.first);
        common.end = smaller(common.end, range.end);
    }
    for (size_t i = 0; i < group->n_rows * version->panel_out; i++)
        sums[i] = 0;
    if (common.end <= common.first)
        common.first = common.end = group->n_in;
    for (size_t row = 0; row < group->n_rows; row++) {
        struct gemm_range range = range_of(group, row);

        multiply_row(tile, group, panels, panel, row, range.first, smaller(range.end, common.first),
                     sums);
    }
    if (common.end > common.first)
        version->multiply(group->n_rows, common.end - common.first,
                          group->x + common.first * (group->is_packed ? group->n_rows : 1),
                          group->is_packed, panel + common.first * panels->stride, panels->stride,
                          true, sums);
    for (size_t row = 0; row < group->n_rows; row++)
        multiply_row(tile, group, panels, panel, row, common.end, range_of(group, row).end, sums);
}

/* A row for which no input counts stays as it is, -0 too. */
static void finish_ranges(const struct gemm_tile *tile, const struct group *group, bool adds,
                          size_t n_out, const float *sums, float *y)
{
    const struct gemm_version *version = gemm_version(tile->isa);

    for (size_t row = 0; row < group->n_rows; row++)
        if (!adds || range_of(group, row).end)
            version->finish(1, n_out, sums + row * version->panel_out, tile->factor, adds,
                            y + row * tile->y_stride, tile->y_stride);
}

static void multiply_group(const struct gemm_tile *tile, const struct group *group,
                           const struct panels *panels, size_t out, size_t n_out)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    bool adds = tile->adds || group->in > 0;
    float *sums = sums_of(tile);

    for (size_t i = 0; i < n_out; i += version->panel_out) {
        const float *panel = panels->first + i / version->panel_out * panels->step;
        float *y = tile->y + group->row * tile->y_stride + out + i;
        size_t n = smaller(n_out - i, version->panel_out);

        if (group->ranges) {
            multiply_ranges(tile, group, panels, panel, sums);
            finish_ranges(tile, group, adds, n, sums, y);
            continue;
        }
        version->multiply(group->n_rows, group->n_in, group->x, group->is_packed, panel,
                          panels->stride, false, sums);
        version->finish(group->n_rows, n, sums, tile->factor, adds, y, tile->y_stride);
    }
}

static void multiply_columns(const struct gemm_tile *tile, size_t n_rows, size_t first, size_t end,
                             size_t out, size_t n_out, size_t in, size_t n_in, const float *packed)
{
    struct panels panels = make_panels(tile, end - first, out, n_out, in, n_in);

    for (size_t g = first; g < end; g++) {
        size_t row = gemm_tile_first(tile->isa, n_rows, g);
        struct group group = {.n_rows = gemm_tile_first(tile->isa, n_rows, g + 1) - row, .row = row,
                              .in = in, .n_in = n_in, .is_packed = true};

        group.x = packed + g * gemm_tile_group_items(tile->isa, tile->w) + in * group.n_rows;
        multiply_group(tile, &group, &panels, out, n_out);
    }
}

/* Weights of a block that is turned after this one: rows number `part` of these, GEMM_AHEAD_OUT at a
 * time. */
static struct gemm_ahead ahead_of(const struct gemm_tile *tile, size_t out, size_t n_out, size_t in,
                                  size_t part)
{
    size_t row = part * GEMM_AHEAD_OUT, item_bytes = dtype_info(tile->w->format->dtype)->n_bits / 8;

    if (in >= tile->w->n_in || row >= n_out || !is_plain(tile->w))
        return (struct gemm_ahead){(const char *)tile->scratch, 0, 0};
    return (struct gemm_ahead){address_of(tile->w, out + row, in), tile->w->stride * item_bytes,
                               GEMM_LANES * item_bytes};
}

static void multiply_turned(const struct gemm_tile *tile, size_t n_rows, size_t first, size_t end,
                            size_t out, size_t n_out, size_t in, size_t n_in, const float *packed)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    size_t panel_out = version->panel_out, n_items = turned_items(n_in, panel_out), part = 0;

    for (size_t i = 0; i < n_out; i += panel_out)
        turn_panel(tile, out + i, smaller(n_out - i, panel_out), in, n_in,
                   tile->scratch + i / panel_out * n_items);
    for (size_t g = first; g < end; g++) {
        size_t row = gemm_tile_first(tile->isa, n_rows, g);
        size_t n = gemm_tile_first(tile->isa, n_rows, g + 1) - row;
        const float *x = packed + g * gemm_tile_group_items(tile->isa, tile->w) +
                         turned_before(version, in);

        for (size_t i = 0; i < n_out; i += panel_out)
            version->multiply_turned(n, smaller(n_out - i, panel_out), parts_of(n_in, GEMM_LANES), x,
                                     tile->scratch + i / panel_out * n_items, tile->factor,
                                     tile->adds || in > 0,
                                     tile->y + row * tile->y_stride + out + i, tile->y_stride,
                                     ahead_of(tile, out, n_out, in + n_in, part++));
    }
}

void gemm_tile_multiply(const struct gemm_tile *tile, size_t n_rows, size_t first, size_t end,
                        const float *packed)
{
    size_t n_in = tile->w->n_in;

    for (size_t out = 0; out < tile->w->n_out; out += GEMM_TILE_OUT)
        for (size_t in = 0; in == 0 || in < n_in; in += GEMM_BLOCK_IN)
            (tile->w->format->is_transposed ? multiply_columns : multiply_turned)(
                tile, n_rows, first, end, out, smaller(tile->w->n_out - out, GEMM_TILE_OUT), in,
                smaller(n_in - in, GEMM_BLOCK_IN), packed);
}

static void block_transposed(const struct gemm_tile *tile, size_t n_rows, const float *x,
                             size_t x_stride, const struct gemm_range *ranges)
{
    size_t n_in = tile->w->n_in, n_groups = gemm_tile_groups(tile->isa, n_rows);
    float *packed = sums_of(tile) + GEMM_TILE_SUMS;
    bool is_packed = x_stride != GEMM_DIRECT_STRIDE;

    for (size_t out = 0; out < tile->w->n_out; out += GEMM_TILE_OUT)
        for (size_t in = 0; in == 0 || in < n_in; in += GEMM_BLOCK_IN) {
            size_t n_out = smaller(tile->w->n_out - out, GEMM_TILE_OUT);
            size_t n = smaller(n_in - in, GEMM_BLOCK_IN);
            struct panels panels = make_panels(tile, n_groups, out, n_out, in, n);

            for (size_t g = 0; g < n_groups; g++) {
                size_t row = gemm_tile_first(tile->isa, n_rows, g);
                struct group group = {x + row * x_stride + in, is_packed,
                                      gemm_tile_first(tile->isa, n_rows, g + 1) - row, row, in, n,
                                      ranges ? ranges + row : NULL};

                if (is_packed) {
                    pack_columns(group.n_rows, group.x, x_stride, n, packed);
                    group.x = packed;
                }
                multiply_group(tile, &group, &panels, out, n_out);
            }
        }
}

/* One group of rows, with one panel and a block of inputs. */
static void multiply_dots(const struct gemm_tile *tile, size_t n_rows, const float *x, size_t x_stride,
                          const float *panel, size_t n_out, size_t in, size_t n_in, float *y)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    size_t n_rest = n_in % GEMM_LANES;
    float rest[GEMM_DOT_ROWS_MAX][GEMM_LANES] = {{0}};

    x += in;
    for (size_t row = 0; row < n_rows && n_rest; row++)
        memcpy(rest[row], x + row * x_stride + n_in - n_rest, n_rest * sizeof *x);
    version->multiply_dots(n_rows, n_out, n_in / GEMM_LANES, x, x_stride, n_rest ? rest[0] : NULL,
                           panel, tile->factor, tile->adds || in > 0, y, tile->y_stride);
}

/* The outputs whose panels are packed, of n_in inputs each. */
static void multiply_panels(const struct gemm_tile *tile, size_t n_rows, const float *x,
                            size_t x_stride, size_t out, size_t n_out, size_t in, size_t n_in)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    size_t n_groups = parts_of(n_rows, version->dot_rows), dot_out = version->dot_out;

    for (size_t g = 0; g < n_groups; g++) {
        size_t row = n_rows * g / n_groups, n = n_rows * (g + 1) / n_groups - row;

        for (size_t i = 0; i < n_out; i += dot_out)
            for (size_t k = 0; k == 0 || k < n_in; k += GEMM_BLOCK_IN)
                multiply_dots(tile, n, x + row * x_stride, x_stride,
                              tile->scratch + i * panel_items(n_in) + k * dot_out,
                              smaller(n_out - i, dot_out), in + k, smaller(n_in - k, GEMM_BLOCK_IN),
                              tile->y + row * tile->y_stride + out + i);
    }
}

/* Weights are read straight on where reading them is what takes the time: whole rows, as far as
 * scratch memory goes. Where the same weights serve many rows, both stay in the caches. */
static void block_of_dots(const struct gemm_tile *tile, size_t n_rows, const float *x, size_t x_stride)
{
    size_t dot_out = gemm_version(tile->isa)->dot_out, n_in = tile->w->n_in;
    size_t most_in = n_rows <= FEW_ROWS ? GEMM_TILE_PANELS / GEMM_DOT_OUT_MAX : GEMM_BLOCK_IN;
    size_t most_out = n_rows <= FEW_ROWS ? dot_out : GEMM_TILE_OUT;

    for (size_t out = 0; out < tile->w->n_out; out += most_out)
        for (size_t in = 0; in == 0 || in < n_in; in += most_in) {
            size_t n_out = smaller(tile->w->n_out - out, most_out), n = smaller(n_in - in, most_in);

            pack_panels(tile, out, n_out, in, n, dot_out);
            multiply_panels(tile, n_rows, x, x_stride, out, n_out, in, n);
        }
}

/* Both turned: panels of as many outputs as scratch memory holds, rows a group at a time. */
static void block_of_turned(const struct gemm_tile *tile, size_t n_rows, const float *x,
                            size_t x_stride, size_t in, size_t n_in)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    size_t panel_out = version->panel_out, n_items = turned_items(n_in, panel_out);
    size_t most_out = GEMM_TILE_PANELS / n_items * panel_out, n_groups = gemm_tile_groups(tile->isa, n_rows);
    float *turned = rows_of(tile);

    for (size_t out = 0; out < tile->w->n_out; out += most_out) {
        size_t n_out = smaller(tile->w->n_out - out, most_out), part = 0;

        for (size_t i = 0; i < n_out; i += panel_out)
            turn_panel(tile, out + i, smaller(n_out - i, panel_out), in, n_in,
                       tile->scratch + i / panel_out * n_items);
        for (size_t g = 0; g < n_groups; g++) {
            size_t row = gemm_tile_first(tile->isa, n_rows, g);
            size_t n = gemm_tile_first(tile->isa, n_rows, g + 1) - row;

            turn_rows(version, n, x + row * x_stride + in, x_stride, n_in, turned);
            for (size_t i = 0; i < n_out; i += panel_out)
                version->multiply_turned(n, smaller(n_out - i, panel_out), parts_of(n_in, GEMM_LANES),
                                         turned, tile->scratch + i / panel_out * n_items,
                                         tile->factor, tile->adds || in > 0,
                                         tile->y + row * tile->y_stride + out + i, tile->y_stride,
                                         ahead_of(tile, out, n_out, in + n_in, part++));
        }
    }
}

/* Its rows some at a time, where weights are dear to pack. */
static bool multiply_streamed(const struct gemm_tile *tile, size_t n_rows, const float *x,
                              size_t x_stride)
{
    const struct gemm_loader *loader = loader_of(tile);

    if (!loader || n_rows > loader->most_streamed)
        return false;
    for (size_t row = 0; row < n_rows; row += GEMM_STREAM_ROWS)
        loader->stream(tile->w, smaller(n_rows - row, GEMM_STREAM_ROWS), x + row * x_stride,
                       x_stride, tile->factor, tile->adds, tile->y + row * tile->y_stride,
                       tile->y_stride);
    return true;
}

static bool multiply_few(const struct gemm_tile *tile, size_t n_rows, const float *x, size_t x_stride)
{
    return gemm_few_multiply(tile->w, tile->isa, n_rows, x, x_stride, tile->factor, tile->adds, tile->y,
                             tile->y_stride, tile->scratch);
}

static bool is_short(const struct gemm_tile *tile, size_t n_rows)
{
    size_t n_in = tile->w->n_in;

    return n_rows >= SHORT_ROWS && (n_in == 32 || n_in == 64 || n_in == GEMM_SHORT_IN_MAX);
}

static void block_of_short(const struct gemm_tile *tile, size_t n_rows, const float *x,
                           size_t x_stride)
{
    const struct gemm_version *version = gemm_version(tile->isa);
    float *panel = tile->scratch;

    for (size_t out = 0; out < tile->w->n_out; out += version->panel_out) {
        size_t n_out = smaller(tile->w->n_out - out, version->panel_out);

        turn_panel(tile, out, n_out, 0, tile->w->n_in, panel);
        version->multiply_short(n_rows, n_out, tile->w->n_in / GEMM_LANES, x, x_stride, panel,
                                tile->factor, tile->adds, tile->y + out, tile->y_stride);
    }
}

void gemm_tile_block(const struct gemm_tile *tile, size_t n_rows, const float *x, size_t x_stride,
                     const struct gemm_range *ranges)
{
    assert(!ranges || tile->w->format->is_transposed);
    if (tile->w->format->is_transposed)
        block_transposed(tile, n_rows, x, x_stride, ranges);
    else if (multiply_few(tile, n_rows, x, x_stride) ||
             multiply_streamed(tile, n_rows, x, x_stride))
        return;
    else if (n_rows >= TURNED_ROWS && tile->w->n_in > 0)
        for (size_t in = 0; in < tile->w->n_in; in += GEMM_BLOCK_IN)
            block_of_turned(tile, n_rows, x, x_stride, in,
                            smaller(tile->w->n_in - in, GEMM_BLOCK_IN));
    else if (is_short(tile, n_rows))
        block_of_short(tile, n_rows, x, x_stride);
    else
        block_of_dots(tile, n_rows, x, x_stride);
}

void gemm_tile_stream(const struct gemm_tile *tile, size_t n_rows, const float *x, size_t x_stride)
{
    size_t n_in = tile->w->n_in;

    if (multiply_few(tile, n_rows, x, x_stride) || multiply_streamed(tile, n_rows, x, x_stride))
        return;
    for (size_t out = 0; out < tile->w->n_out; out += GEMM_PANEL_OUT_MAX)
        for (size_t in = 0; in == 0 || in < n_in; in += GEMM_BLOCK_IN) {
            struct gemm_matrix floats =
                widen(tile, out, smaller(tile->w->n_out - out, GEMM_PANEL_OUT_MAX), in,
                      smaller(n_in - in, GEMM_BLOCK_IN));

            floats.format->loaders[tile->isa]->stream(&floats, n_rows, x + in, x_stride,
                                                      tile->factor, tile->adds || in > 0,
                                                      tile->y + out, tile->y_stride);
        }
}
