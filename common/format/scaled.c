/* scaled.c - bytes become numbers and are multiplied: those of E5M2 are looked up in a table of 256
 * values. */
#include "scaled.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/quantised.h"
#include "format/unpack.h"

enum { BYTES = 32768, SCALES = 4096, N_VALUES = 256 };

struct scaled {
    struct quantised quantised;
    const struct tensor *bytes;
    enum dtype dtype;
    const struct tensor *scales; /* of a dtype that means what they are */
    size_t n_out;                /* rows of each matrix */
    size_t block_rows, block_columns;
    size_t n_across, n_down;     /* scales of a row of blocks, and of a column of blocks in each matrix */
    bool has_own;                /* each matrix has its own scales */
    float factor;
};

/* Scales that were read last: whole rows of blocks, or a part of one. */
struct window {
    size_t first, n;
    float values[SCALES];
};

bool scaled_is_number(enum dtype dtype)
{
    return dtype == DTYPE_F8_E4M3 || dtype == DTYPE_F8_E5M2 || dtype == DTYPE_I8;
}

/* n scales from number `index` on, n at most SCALES. */
static const float *find_scales(const struct scaled *scaled, size_t index, size_t n,
                                struct window *window, struct error *err)
{
    size_t left = scaled->scales->n_items - index;

    if (index >= window->first && index - window->first + n <= window->n)
        return window->values + (index - window->first);
    window->first = index;
    window->n = left < SCALES ? left : SCALES;
    return quantised_floats(scaled->scales, index, window->n, window->values, err)
               ? NULL
               : window->values;
}

static void scale_run(const struct scaled *scaled, const unsigned char *bytes, size_t n,
                      const float *values, float scale, float *out)
{
    float factor = scaled->factor != 0 ? scaled->factor : 1;

    if (scaled->dtype == DTYPE_I8) {
        unpack_signed(bytes, n, scale, factor, out);
        return;
    }
    if (scaled->dtype == DTYPE_F8_E4M3)
        unpack_e4m3(bytes, n, scale, out);
    for (size_t i = 0; scaled->dtype == DTYPE_F8_E5M2 && i < n; i++)
        out[i] = values[bytes[i]] * scale;
    for (size_t i = 0; factor != 1 && i < n; i++)
        out[i] *= factor;
}

static size_t block_end(const struct scaled *scaled, size_t in, size_t end)
{
    size_t left = scaled->block_columns - in % scaled->block_columns;

    return left < end - in ? in + left : end;
}

/* The number of the first scale of a row. */
static size_t scale_row(const struct scaled *scaled, size_t row)
{
    size_t matrix = scaled->has_own ? row / scaled->n_out : 0;
    size_t down = row % scaled->n_out / scaled->block_rows;

    return (matrix * scaled->n_down + down) * scaled->n_across;
}

static int decode_row(const struct scaled *scaled, size_t row, size_t in, size_t n_in,
                      const unsigned char *bytes, const float *values, struct window *window,
                      float *out, struct error *err)
{
    size_t first = scale_row(scaled, row), piece = SCALES / 2 * scaled->block_columns;

    /* A row may have more scales than the window has room for. */
    for (size_t i = in, stop; i < in + n_in; i = stop) {
        size_t n = in + n_in - i < piece ? in + n_in - i : piece;
        size_t begin = i / scaled->block_columns;
        size_t n_scales = (i + n - 1) / scaled->block_columns - begin + 1;
        const float *scales = find_scales(scaled, first + begin, n_scales, window, err);

        if (!scales)
            return -1;
        stop = i + n;
        for (size_t k = i, next; k < stop; k = next) {
            next = block_end(scaled, k, stop);
            scale_run(scaled, bytes + (k - in), next - k, values,
                      scales[k / scaled->block_columns - begin], out + (k - in));
        }
    }
    return 0;
}

static void list_values(enum dtype dtype, float *values)
{
    unsigned char codes[N_VALUES];
    double exact[N_VALUES];

    for (size_t i = 0; i < N_VALUES; i++)
        codes[i] = (unsigned char)i;
    dtype_to_double(dtype, codes, exact, N_VALUES);
    for (size_t i = 0; i < N_VALUES; i++)
        values[i] = (float)exact[i];
}

/* n_in is at most BYTES. */
static int decode_columns(const struct scaled *scaled, size_t row, size_t n_rows, size_t in,
                          size_t n_in, float *out, size_t stride, struct error *err)
{
    unsigned char bytes[BYTES];
    float values[N_VALUES];
    struct window window = {.n = 0};
    size_t most = BYTES / n_in;

    list_values(scaled->dtype, values);
    for (size_t r = 0; r < n_rows; r++) {
        size_t n = n_rows - r < most ? n_rows - r : most;

        if (r % most == 0 && quantised_read_rows(scaled->bytes, scaled->quantised.n_in, row + r, n,
                                                 in, n_in, bytes, err))
            return -1;
        if (decode_row(scaled, row + r, in, n_in, bytes + r % most * n_in, values, &window,
                       out + r * stride, err))
            return -1;
    }
    return 0;
}

static int decode(const struct quantised *quantised, size_t row, size_t n_rows, size_t in,
                  size_t n_in, float *out, struct error *err)
{
    for (size_t i = 0; i < n_in; i += BYTES)
        if (decode_columns((const struct scaled *)quantised, row, n_rows, in + i,
                           n_in - i < BYTES ? n_in - i : BYTES, out + i, n_in, err))
            return -1;
    return 0;
}

/* ---- making ---- */

/* The dimensions of the scales without those in front that the numbers have too, for matrices of
 * their own. */
static size_t inner_dims(const struct tensor *numbers, const struct tensor *scales,
                         const size_t **shape)
{
    size_t n_lead = numbers->n_dims - 2, n = 0;
    bool has_lead = n_lead > 0 && scales->n_dims >= n_lead;

    while (has_lead && n < n_lead) {
        has_lead = scales->shape[n] == numbers->shape[n];
        n++;
    }
    *shape = scales->shape + (has_lead ? n_lead : 0);
    return scales->n_dims - (has_lead ? n_lead : 0);
}

static bool is_one(const struct tensor *tensor)
{
    return tensor->n_items == 1;
}

/* Fills what a scale that is no grid of blocks stands for; false when it is one, or fits nowhere. */
static bool find_plain(struct scaled *made, const struct tensor *numbers,
                       const struct tensor *scales)
{
    size_t n_out = made->n_out, n_in = made->quantised.n_in, n_dims;
    const size_t *shape;

    made->block_rows = n_out;
    made->block_columns = n_in;
    made->n_across = made->n_down = 1;
    made->has_own = false;
    if (is_one(scales))
        return true;
    n_dims = inner_dims(numbers, scales, &shape);
    made->has_own = n_dims < scales->n_dims;
    if (n_dims == 0 || (n_dims == 2 && shape[0] == 1 && shape[1] == 1))
        return made->has_own;
    if ((n_dims == 1 || (n_dims == 2 && shape[1] == 1)) && shape[0] == n_out) {
        made->block_rows = 1;
        made->n_down = n_out;
        return true;
    }
    if (n_dims == 2 && shape[0] == 1 && shape[1] == n_in) {
        made->block_columns = 1;
        made->n_across = n_in;
        return true;
    }
    return false;
}

static size_t ceiling(size_t n, size_t part)
{
    return n / part + (n % part != 0);
}

/* Rows and columns of a matrix, from the last two dimensions. */
static void set_sizes(struct scaled *made, const struct tensor *numbers)
{
    size_t n_dims = numbers->n_dims;

    made->n_out = numbers->shape[n_dims - 2];
    made->quantised.n_in = numbers->shape[n_dims - 1];
    if (numbers->dtype == DTYPE_U32)
        made->quantised.n_in *= 4; /* of bytes that exist */
    made->quantised.n_rows = numbers->n_items / numbers->shape[n_dims - 1];
}

static int find_blocks(struct scaled *made, const struct scaled_spec *spec, struct error *err)
{
    const struct tensor *numbers = spec->numbers, *scales = spec->scales;
    size_t rows = spec->block_rows, columns = spec->block_columns, n_lead = numbers->n_dims - 2;
    size_t shape[TENSOR_DIMS_MAX];

    if (rows == 0 || columns == 0) {
        if (find_plain(made, numbers, scales))
            return 0;
        memcpy(shape, numbers->shape, (n_lead + 1) * sizeof *shape);
        shape[n_lead + 1] = 1;
        return quantised_check_shape(scales, n_lead + 2, shape, "the numbers that it scales", err);
    }
    made->block_rows = rows < made->n_out ? rows : made->n_out;
    made->block_columns = columns < made->quantised.n_in ? columns : made->quantised.n_in;
    made->n_down = ceiling(made->n_out, rows);
    made->n_across = ceiling(made->quantised.n_in, columns);
    made->has_own = n_lead > 0;
    if (made->n_down == 1 && made->n_across == 1 && is_one(scales) && n_lead == 0)
        return 0;
    memcpy(shape, numbers->shape, n_lead * sizeof *shape);
    shape[n_lead] = made->n_down;
    shape[n_lead + 1] = made->n_across;
    return quantised_check_shape(scales, n_lead + 2, shape,
                                 "the numbers that it scales and the size of blocks", err);
}

bool scaled_is_plain(const struct tensor *numbers, const struct tensor *scales)
{
    struct scaled made = {.n_out = 0};

    if (numbers->n_dims < 2)
        return false;
    set_sizes(&made, numbers);
    return find_plain(&made, numbers, scales);
}

/* Bytes that stand for powers of two get the dtype that says so. */
static int take_scales(struct scaled *made, const struct scaled_spec *spec, struct arena *arena,
                       struct error *err)
{
    struct tensor *exponents;

    made->scales = spec->scales;
    if (spec->scales->dtype == DTYPE_F8_E8M0)
        return 0;
    if (!spec->has_exponents || spec->scales->dtype != DTYPE_U8)
        return quantised_check_scale(spec->scales, err);
    exponents = arena_alloc(arena, sizeof *exponents);
    *exponents = *spec->scales;
    exponents->dtype = DTYPE_F8_E8M0;
    made->scales = exponents;
    return 0;
}

int scaled_make(const struct scaled_spec *spec, const char *name, struct arena *arena,
                struct tensor *out, struct error *err)
{
    struct scaled *made = arena_alloc(arena, sizeof *made);
    struct quantised *quantised = &made->quantised;
    const struct tensor *numbers = spec->numbers;
    size_t *shape;

    *made = (struct scaled){.quantised = {.method = spec->method, .decode = decode},
                            .dtype = numbers->dtype == DTYPE_U32 ? DTYPE_F8_E4M3 : numbers->dtype,
                            .factor = spec->factor};
    if (numbers->n_dims < 2 || numbers->n_items == 0 ||
        (numbers->dtype != DTYPE_U32 && !scaled_is_number(numbers->dtype)))
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': is no matrix of FP8 or INT8, "
                         "though '" ERROR_NAME "' scales it", numbers->name, spec->scales->name);
    set_sizes(made, numbers);
    if (take_scales(made, spec, arena, err) || find_blocks(made, spec, err))
        return -1;
    made->bytes = quantised_bytes(numbers, arena, err);
    if (!made->bytes)
        return -1;
    quantised_add_part(quantised, numbers);
    quantised_add_part(quantised, spec->scales);
    shape = arena_alloc(arena, numbers->n_dims * sizeof *shape);
    memcpy(shape, numbers->shape, numbers->n_dims * sizeof *shape);
    shape[numbers->n_dims - 1] = quantised->n_in;
    return quantised_make(quantised, name, numbers->n_dims, shape, arena, out, err);
}
