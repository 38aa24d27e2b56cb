#include "bnb.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "format/quantised.h"
#include "format/unpack.h"

enum { BYTES = 32768, BLOCKS = 4096, MAP = 16, NESTED_MAP = 256 };

static const size_t state_bytes_max = 65536;
static const double size_max = 1e15;

struct bnb {
    struct quantised quantised;
    const struct tensor *bytes, *absmax, *nested_absmax;
    const float *map, *nested_map; /* the latter NULL: not nested */
    size_t block, nested_block;
    float nested_offset;
};

/* ---- decoding ---- */

/* The maxima of n blocks from `first` on. Each step is rounded. */
static int read_absmax(const struct bnb *bnb, size_t first, size_t n, float *out,
                       struct error *err)
{
    unsigned char codes[BLOCKS];
    float outer[BLOCKS];
    size_t begin, n_outer;

    if (!bnb->nested_map)
        return quantised_floats(bnb->absmax, first, n, out, err);
    begin = first / bnb->nested_block;
    n_outer = (first + n - 1) / bnb->nested_block - begin + 1;
    if (tensor_read(bnb->absmax, first, n, codes, err) ||
        quantised_floats(bnb->nested_absmax, begin, n_outer, outer, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        out[i] = bnb->nested_map[codes[i]] * outer[(first + i) / bnb->nested_block - begin];
        out[i] += bnb->nested_offset;
    }
    return 0;
}

/* Values of one block, from item `first` on of those in `bytes`. */
static void decode_run(const unsigned char *bytes, size_t first, size_t n, const float *map,
                       float absmax, float *out)
{
    if (first % 2 && n > 0) {
        *out++ = map[bytes[first++ / 2] & 15] * absmax;
        n--;
    }
    unpack_codes(bytes + first / 2, true, n, map, absmax, out);
}

/* As many items as there is room for: at most 2 * BYTES - 1, and of fewer than BLOCKS blocks. */
static int decode_piece(const struct bnb *bnb, size_t first, size_t n, float *out,
                        struct error *err)
{
    unsigned char bytes[BYTES];
    float absmax[BLOCKS] = {0};
    size_t block = first / bnb->block, n_bytes = (first + n + 1) / 2 - first / 2;

    if (tensor_read(bnb->bytes, first / 2, n_bytes, bytes, err) ||
        read_absmax(bnb, block, (first + n - 1) / bnb->block - block + 1, absmax, err))
        return -1;
    for (size_t i = first, next; i < first + n; i = next) {
        next = (i / bnb->block + 1) * bnb->block;
        next = next < first + n ? next : first + n;
        decode_run(bytes, i - first / 2 * 2, next - i, bnb->map, absmax[i / bnb->block - block],
                   out + (i - first));
    }
    return 0;
}

static int decode_flat(const struct bnb *bnb, size_t first, size_t n, float *out,
                       struct error *err)
{
    size_t blocks = (size_t)(BLOCKS - 2) * (bnb->block < BYTES ? bnb->block : BYTES);
    size_t most = blocks < 2 * BYTES - 2 ? blocks : 2 * BYTES - 2;

    for (size_t i = 0; i < n; i += most)
        if (decode_piece(bnb, first + i, n - i < most ? n - i : most, out + i, err))
            return -1;
    return 0;
}

static int decode(const struct quantised *quantised, size_t row, size_t n_rows, size_t in,
                  size_t n_in, float *out, struct error *err)
{
    const struct bnb *bnb = (const struct bnb *)quantised;

    if (n_in == quantised->n_in)
        return decode_flat(bnb, row * n_in, n_rows * n_in, out, err);
    for (size_t r = 0; r < n_rows; r++)
        if (decode_flat(bnb, (row + r) * quantised->n_in + in, n_in, out + r * n_in, err))
            return -1;
    return 0;
}

/* ---- the JSON beside it ---- */

struct state {
    size_t block, nested_block, n_dims, shape[TENSOR_DIMS_MAX];
    double nested_offset;
};

static int read_size(const cJSON *json, const char *what, size_t *out, struct error *err)
{
    double value = cJSON_IsNumber(json) ? json->valuedouble : -1;

    if (!(value >= 1 && value <= size_max) || value != (double)(size_t)value)
        return error_set(err, ERROR_FORMAT, "%s must be a whole number from 1 to %g", what,
                         size_max);
    *out = (size_t)value;
    return 0;
}

static int read_shape(const cJSON *json, struct state *state, struct error *err)
{
    const cJSON *item;

    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) > TENSOR_DIMS_MAX)
        return error_set(err, ERROR_FORMAT, "shape must be a list of sizes");
    cJSON_ArrayForEach(item, json)
        if (read_size(item, "each size of shape", &state->shape[state->n_dims++], err))
            return -1;
    return state->n_dims ? 0 : error_set(err, ERROR_FORMAT, "shape is empty");
}

static int read_members(const cJSON *json, bool is_nested, struct state *state, struct error *err)
{
    const cJSON *offset = json_find(json, "nested_offset");

    if (!cJSON_IsObject(json))
        return error_set(err, ERROR_FORMAT, "is not an object");
    if (read_size(json_find(json, "blocksize"), "blocksize", &state->block, err) ||
        read_shape(json_find(json, "shape"), state, err))
        return -1;
    if (!is_nested)
        return 0;
    if (!cJSON_IsNumber(offset))
        return error_set(err, ERROR_FORMAT, "nested_offset must be a number");
    state->nested_offset = offset->valuedouble;
    return read_size(json_find(json, "nested_blocksize"), "nested_blocksize",
                     &state->nested_block, err);
}

static int read_state(const struct bnb_spec *spec, struct state *state, struct error *err)
{
    char text[65536];
    cJSON *json;
    int rc;

    if (spec->state->dtype != DTYPE_U8 || spec->state->n_items > state_bytes_max)
        return error_set(err, ERROR_FORMAT, "must be at most %zu bytes (U8)", state_bytes_max);
    if (tensor_read(spec->state, 0, spec->state->n_items, text, err))
        return -1;
    json = json_parse(text, spec->state->n_items, err);
    rc = json ? read_members(json, spec->nested_absmax != NULL, state, err) : -1;
    cJSON_Delete(json);
    return rc;
}

/* ---- making ---- */

static int check_values(const struct tensor *tensor, const char *what, size_t n, struct error *err)
{
    if (!tensor)
        return error_set(err, ERROR_FORMAT, "lacks its %s", what);
    if (tensor->dtype != DTYPE_F32 || tensor->n_items != n)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': must be %zu items of F32, and "
                         "is %zu of %s", tensor->name, n, tensor->n_items,
                         dtype_info(tensor->dtype)->name);
    return 0;
}

static size_t ceiling(size_t n, size_t part)
{
    return n / part + (n % part != 0);
}

static int check_absmax(const struct bnb_spec *spec, const struct state *state, size_t n_items,
                        struct error *err)
{
    size_t n = ceiling(n_items, state->block);

    if (!spec->nested_absmax)
        return check_values(spec->absmax, "absmax", n, err);
    if (spec->absmax->dtype != DTYPE_U8 || spec->absmax->n_items != n)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': must be %zu items of U8, and "
                         "is %zu of %s", spec->absmax->name, n, spec->absmax->n_items,
                         dtype_info(spec->absmax->dtype)->name);
    if (check_values(spec->nested_map, "nested_quant_map", NESTED_MAP, err))
        return -1;
    return check_values(spec->nested_absmax, "nested_absmax", ceiling(n, state->nested_block),
                        err);
}

static int check_parts(const struct bnb_spec *spec, const struct state *state,
                       const struct tensor *out, struct error *err)
{
    if (!spec->absmax)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': lacks its absmax",
                         spec->packed->name);
    if (spec->packed->size_bytes != out->n_items / 2 + out->n_items % 2)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %zu bytes for %zu items of 4 "
                         "bits", spec->packed->name, spec->packed->size_bytes, out->n_items);
    if (check_absmax(spec, state, out->n_items, err) ||
        check_values(spec->map, "quant_map", MAP, err))
        return error_context(err, "tensor '" ERROR_NAME "'", spec->packed->name);
    return 0;
}

static int take_parts(struct bnb *made, const struct bnb_spec *spec, struct arena *arena,
                      struct error *err)
{
    made->bytes = quantised_bytes(spec->packed, arena, err);
    if (!made->bytes)
        return -1;
    made->map = quantised_keep_floats(spec->map, arena, err);
    if (made->map && spec->nested_absmax)
        made->nested_map = quantised_keep_floats(spec->nested_map, arena, err);
    return made->map && (made->nested_map || !spec->nested_absmax) ? 0 : -1;
}

int bnb_make(const struct bnb_spec *spec, const char *name, struct arena *arena,
             struct tensor *out, struct error *err)
{
    struct bnb *made = arena_alloc(arena, sizeof *made);
    struct quantised *quantised = &made->quantised;
    const struct tensor *parts[] = {spec->packed, spec->absmax, spec->map, spec->nested_absmax,
                                    spec->nested_map, spec->state};
    struct state state = {.n_dims = 0};

    if (read_state(spec, &state, err))
        return error_context(err, "tensor '" ERROR_NAME "'", spec->state->name);
    *made = (struct bnb){.quantised = {.method = spec->method, .decode = decode},
                         .absmax = spec->absmax, .nested_absmax = spec->nested_absmax,
                         .block = state.block, .nested_block = state.nested_block,
                         .nested_offset = (float)state.nested_offset};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        quantised_add_part(quantised, parts[i]);
    if (quantised_make(quantised, name, state.n_dims, state.shape, arena, out, err) ||
        check_parts(spec, &state, out, err) || take_parts(made, spec, arena, err))
        return -1;
    quantised->n_in = state.shape[state.n_dims - 1];
    quantised->n_rows = out->n_items / quantised->n_in;
    return 0;
}
