/* dequantise_ways.c - which tensors make a matrix, by each way of storing, and how settings and shapes
 * agree on it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/bnb.h"
#include "format/dequantise_parts.h"
#include "format/fp4.h"
#include "format/packed_ints.h"
#include "format/scaled.h"

#define N(array) (sizeof(array) / sizeof *(array))

static const char *const gptq_names[9] = {[2] = "GPTQ 2-bit", [3] = "GPTQ 3-bit", [4] = "GPTQ 4-bit",
                                          [8] = "GPTQ 8-bit"};
static const char *const int_names[9] = {"", "INT1", "INT2", "INT3", "INT4", "INT5", "INT6", "INT7", "INT8"};
static const char *const mlx_names[9] = {[2] = "MLX 2-bit", [3] = "MLX 3-bit", [4] = "MLX 4-bit",
                                         [6] = "MLX 6-bit", [8] = "MLX 8-bit"};

static struct arena *arena_of(const struct dequantiser *dequantiser)
{
    return &dequantiser->checkpoint->arena;
}

/* 1 when a tensor was made, or -1. */
static int made(int rc)
{
    return rc ? -1 : 1;
}

static size_t ceiling(size_t n, size_t part)
{
    return n / part + (n % part != 0);
}

/* A group of all inputs is 0 for those that decode. */
static size_t group_items(size_t group_size)
{
    return group_size == SIZE_MAX ? 0 : group_size;
}

/* ---- qweight: GPTQ and AWQ ---- */

/* The bits that the zeros and the map tell; 0: no number of bits fits. */
static unsigned find_gptq_bits(const struct packed_ints_spec *spec)
{
    size_t n_words = spec->words->shape[0], n_out = spec->words->shape[1];
    size_t n_in = spec->map ? spec->map->n_items : 0;

    for (unsigned bits = 1; bits <= 8; bits++) {
        bool fits = n_in ? n_words < SIZE_MAX / 32 && 32 * n_words == bits * n_in
                         : spec->zeros->n_dims == 2 && n_out < SIZE_MAX / 32 &&
                               spec->zeros->shape[1] * 32 == bits * n_out;

        if (fits)
            return bits;
    }
    return 0;
}

static int check_gptq_bits(const struct dequantiser *dequantiser,
                           const struct packed_ints_spec *spec)
{
    if (spec->bits <= 8 && gptq_names[spec->bits])
        return 0;
    if (spec->bits == 0)
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': its shape goes "
                         "with those of its zeros and groups for no number of bits",
                         spec->words->name);
    return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': GPTQ with %u "
                     "bits cannot be read; 2, 3, 4 and 8 can", spec->words->name, spec->bits);
}

/* A module of its own may have groups of another size: as many as there are scales. */
static size_t find_group_size(const struct quantisation *settings,
                              const struct packed_ints_spec *spec)
{
    size_t said = group_items(settings->group_size), n_in = 32 * spec->words->shape[0] / spec->bits;
    size_t n_groups = spec->scales->n_dims == 2 ? spec->scales->shape[0] : 0;
    bool is_said;

    if (n_groups == 0 || n_in == 0 || (settings->group_size && !settings->has_exceptions))
        return said;
    is_said = settings->group_size &&
              ceiling(n_in, said && said < n_in ? said : n_in) == n_groups;
    return is_said ? said : ceiling(n_in, n_groups);
}

static int make_gptq(struct dequantiser *dequantiser, const struct tensor *tensor,
                     const char *module, const char *name, struct tensor *out)
{
    const struct quantisation *settings = dequantiser->settings;
    struct packed_ints_spec spec = {
        .order = PACKED_ALONG_INPUTS, .words = tensor, .bits = settings->bits,
        .adds_one = settings->adds_one,
        .scales = dequantiser_need(dequantiser, tensor, module, ".scales"),
        .zeros = dequantiser_need(dequantiser, tensor, module, ".qzeros"),
        .map = dequantiser_take(dequantiser, module, ".g_idx"),
    };

    if (!spec.scales || !spec.zeros)
        return -1;
    if (tensor->n_dims != 2)
        return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': GPTQ in %zu "
                         "dimensions cannot be read", tensor->name, tensor->n_dims);
    if (settings->bits == 0 || settings->has_exceptions)
        spec.bits = find_gptq_bits(&spec);
    if (check_gptq_bits(dequantiser, &spec))
        return -1;
    spec.method = gptq_names[spec.bits];
    spec.group_size = find_group_size(settings, &spec);
    return made(packed_ints_make(&spec, name, arena_of(dequantiser), out, dequantiser->err));
}

static int make_awq(struct dequantiser *dequantiser, const struct tensor *tensor,
                    const char *module, const char *name, struct tensor *out)
{
    const struct quantisation *settings = dequantiser->settings;
    struct packed_ints_spec spec = {
        .method = "AWQ 4-bit", .order = PACKED_AWQ, .words = tensor, .bits = 4, .zero = 8,
        .scales = dequantiser_need(dequantiser, tensor, module, ".scales"),
        .zeros = dequantiser_take(dequantiser, module, ".qzeros"),
        .group_size = group_items(settings->group_size),
    };

    if (!spec.scales)
        return -1;
    if (settings->group_size == 0 || settings->has_exceptions)
        spec.group_size = spec.scales->n_dims == 2 && spec.scales->shape[0] && tensor->n_dims == 2
                              ? ceiling(tensor->shape[0], spec.scales->shape[0])
                              : 0;
    return made(packed_ints_make(&spec, name, arena_of(dequantiser), out, dequantiser->err));
}

/* Without settings: eight columns to a word, or one. */
static bool looks_like_awq(const struct dequantiser *dequantiser, const struct tensor *tensor,
                           const char *module)
{
    const struct tensor *scales = dequantiser_find(dequantiser, module, ".scales");

    return scales && scales->n_dims == 2 && tensor->n_dims == 2 &&
           tensor->shape[1] < SIZE_MAX / 8 && tensor->shape[1] * 8 == scales->shape[1];
}

int dequantise_qweight(struct dequantiser *dequantiser, const struct tensor *tensor,
                       const char *module, struct tensor *out)
{
    enum quantisation_method method = dequantiser->settings->method;
    char *name = memory_format("%s.weight", module);
    int rc;

    if (method == QUANTISATION_AWQ ||
        (method == QUANTISATION_UNSAID && looks_like_awq(dequantiser, tensor, module)))
        rc = make_awq(dequantiser, tensor, module, name, out);
    else if (method == QUANTISATION_GPTQ)
        rc = make_gptq(dequantiser, tensor, module, name, out);
    else
        rc = dequantiser_contradicts(dequantiser, tensor);
    free(name);
    return rc;
}

/* ---- weight_packed: compressed-tensors ---- */

/* [out, in] of the matrix. */
static int read_shape(const struct dequantiser *dequantiser, const struct tensor *tensor,
                      size_t *shape)
{
    double values[2];
    char items[2 * sizeof(double)];

    if (tensor->n_items != 2 || (tensor->dtype != DTYPE_I64 && tensor->dtype != DTYPE_I32))
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': must be two "
                         "numbers of I64", tensor->name);
    if (tensor_read(tensor, 0, 2, items, dequantiser->err))
        return -1;
    dtype_to_double(tensor->dtype, items, values, 2);
    for (size_t i = 0; i < 2; i++) {
        if (!(values[i] >= 1 && values[i] < 1e15))
            return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %.0f is no "
                             "number of rows or columns", tensor->name, values[i]);
        shape[i] = (size_t)values[i];
    }
    return 0;
}

static size_t groups_of(const struct quantisation_scheme *scheme, size_t n_in)
{
    return scheme->strategy == QUANTISATION_BY_GROUP ? ceiling(n_in, scheme->group_size) : 1;
}

/* Whether words and scales have the shapes that the scheme gives them. */
static bool packed_agrees(const struct quantisation_scheme *scheme,
                          const struct packed_ints_spec *spec)
{
    size_t n_in = spec->n_in, width = spec->words->n_dims == 2 ? spec->words->shape[1] : 0;
    size_t dense = n_in / 32 * scheme->bits + (n_in % 32 * scheme->bits + 31) / 32;

    return !scheme->is_float && (width == dense || width == ceiling(n_in, 32 / scheme->bits)) &&
           spec->scales->n_dims == 2 && spec->scales->shape[1] == groups_of(scheme, n_in) &&
           scheme->is_symmetric == !spec->zeros;
}

/* The scheme that shapes agree with; where none does, the first of integers, whose error is told. */
static const struct quantisation_scheme *find_packed_scheme(const struct dequantiser *dequantiser,
                                                            const struct packed_ints_spec *spec)
{
    const struct quantisation *settings = dequantiser->settings;
    const struct quantisation_scheme *found = NULL, *first = NULL;

    for (size_t i = 0; i < settings->n_schemes; i++) {
        const struct quantisation_scheme *scheme = &settings->schemes[i];

        if (!first && !scheme->is_float)
            first = scheme;
        if (!packed_agrees(scheme, spec))
            continue;
        if (found && (found->bits != scheme->bits || found->group_size != scheme->group_size)) {
            error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': two groups of "
                      "%s fit its shape, and give it other values", spec->words->name,
                      settings->file);
            return NULL;
        }
        found = scheme;
    }
    if (!found && !first)
        dequantiser_contradicts(dequantiser, spec->words);
    return found ? found : first;
}

static int check_packed_scheme(const struct dequantiser *dequantiser,
                               const struct packed_ints_spec *spec,
                               const struct quantisation_scheme *scheme)
{
    const char *file = dequantiser->settings->file;

    if (scheme->strategy == QUANTISATION_BY_TENSOR || scheme->strategy == QUANTISATION_BY_BLOCK)
        return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': packed "
                         "integers with one scale for a matrix or a block cannot be read",
                         spec->words->name);
    if (scheme->is_symmetric && spec->zeros)
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': zero points, "
                         "though by %s it is symmetric", spec->zeros->name, file);
    if (!scheme->is_symmetric && !spec->zeros)
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': has no zero "
                         "points, though by %s it is not symmetric", spec->words->name, file);
    return 0;
}

/* A map that says -1 was never set. */
static int drop_unset_map(const struct dequantiser *dequantiser, struct packed_ints_spec *spec)
{
    int32_t first;

    if (!spec->map || spec->map->dtype != DTYPE_I32 || spec->map->n_items == 0)
        return 0;
    if (tensor_read(spec->map, 0, 1, &first, dequantiser->err))
        return -1;
    if (first == -1)
        spec->map = NULL;
    return 0;
}

static int make_packed_ints(struct dequantiser *dequantiser, const struct tensor *tensor,
                            const char *module, const char *name, struct tensor *out)
{
    const struct tensor *shape = dequantiser_need(dequantiser, tensor, module, ".weight_shape");
    struct packed_ints_spec spec = {
        .order = PACKED_IN_ROWS, .words = tensor,
        .scales = dequantiser_need(dequantiser, tensor, module, ".weight_scale"),
        .zeros = dequantiser_take(dequantiser, module, ".weight_zero_point"),
        .map = dequantiser_take(dequantiser, module, ".weight_g_idx"),
    };
    const struct quantisation_scheme *scheme;
    size_t sizes[2];

    if (!shape || !spec.scales || read_shape(dequantiser, shape, sizes))
        return -1;
    if (dequantiser->settings->method != QUANTISATION_COMPRESSED)
        return dequantiser_contradicts(dequantiser, tensor);
    spec.n_out = sizes[0];
    spec.n_in = sizes[1];
    scheme = find_packed_scheme(dequantiser, &spec);
    if (!scheme || check_packed_scheme(dequantiser, &spec, scheme) ||
        drop_unset_map(dequantiser, &spec))
        return -1;
    spec.bits = scheme->bits;
    spec.method = int_names[scheme->bits];
    spec.zero = (float)(1u << (scheme->bits - 1));
    spec.group_size = scheme->strategy == QUANTISATION_BY_GROUP ? scheme->group_size : 0;
    return made(packed_ints_make(&spec, name, arena_of(dequantiser), out, dequantiser->err));
}

/* NVFP4 has a scale for all, MXFP4 has powers of two. */
static int make_packed_fp4(struct dequantiser *dequantiser, const struct tensor *tensor,
                           const char *module, const char *name, struct tensor *out)
{
    struct fp4_spec spec = {
        .method = "NVFP4", .packed = tensor, .scale_dtype = DTYPE_F8_E4M3, .group_size = 16,
        .divides = true,
        .scales = dequantiser_need(dequantiser, tensor, module, ".weight_scale"),
        .global = dequantiser_take(dequantiser, module, ".weight_global_scale"),
    };

    if (!spec.scales)
        return -1;
    if (!spec.global && spec.scales->dtype == DTYPE_F8_E4M3 &&
        !dequantiser_need(dequantiser, tensor, module, ".weight_global_scale"))
        return -1;
    if (!spec.global) {
        spec.method = "MXFP4";
        spec.scale_dtype = DTYPE_F8_E8M0;
        spec.group_size = 32;
    }
    return made(fp4_make(&spec, name, arena_of(dequantiser), out, dequantiser->err));
}

int dequantise_packed(struct dequantiser *dequantiser, const struct tensor *tensor,
                      const char *module, struct tensor *out)
{
    char *name = memory_format("%s.weight", module);
    int rc = tensor->dtype == DTYPE_U8
                 ? make_packed_fp4(dequantiser, tensor, module, name, out)
                 : make_packed_ints(dequantiser, tensor, module, name, out);

    free(name);
    return rc;
}

/* ---- _blocks: gpt-oss ---- */

int dequantise_blocks(struct dequantiser *dequantiser, const struct tensor *tensor,
                      const char *module, struct tensor *out)
{
    struct fp4_spec spec = {
        .method = "MXFP4", .packed = tensor, .scale_dtype = DTYPE_F8_E8M0, .group_size = 32,
        .is_in_blocks = true, .is_turned = true,
    };

    if (tensor->dtype != DTYPE_U8)
        return 0;
    spec.scales = dequantiser_need(dequantiser, tensor, module, "_scales");
    return spec.scales ? made(fp4_make(&spec, module, arena_of(dequantiser), out, dequantiser->err))
                       : -1;
}

/* ---- numbers under the name of the matrix ---- */

/* bitsandbytes: 1, 0 or -1. */
static int make_bnb4(struct dequantiser *dequantiser, const struct tensor *tensor,
                     struct tensor *out)
{
    static const struct {
        const char *ending, *method;
    } kinds[] = {{".quant_state.bitsandbytes__nf4", "bitsandbytes NF4"},
                 {".quant_state.bitsandbytes__fp4", "bitsandbytes FP4"}};
    struct bnb_spec spec = {.packed = tensor};

    for (size_t i = 0; !spec.state && i < N(kinds); i++) {
        spec.state = dequantiser_take(dequantiser, tensor->name, kinds[i].ending);
        spec.method = kinds[i].method;
    }
    if (!spec.state)
        return 0;
    spec.absmax = dequantiser_take(dequantiser, tensor->name, ".absmax");
    spec.map = dequantiser_take(dequantiser, tensor->name, ".quant_map");
    spec.nested_absmax = dequantiser_take(dequantiser, tensor->name, ".nested_absmax");
    spec.nested_map = spec.nested_absmax ? dequantiser_take(dequantiser, tensor->name,
                                                            ".nested_quant_map")
                                         : NULL;
    return made(bnb_make(&spec, tensor->name, arena_of(dequantiser), out, dequantiser->err));
}

static int make_bnb8(struct dequantiser *dequantiser, const struct tensor *tensor,
                     const char *module, struct tensor *out)
{
    const struct tensor *format = dequantiser_take(dequantiser, module, ".weight_format");
    struct scaled_spec spec = {
        .method = "bitsandbytes INT8", .numbers = tensor, .factor = 1.0F / 127,
        .scales = dequantiser_take(dequantiser, module, ".SCB"),
    };
    unsigned char code = 0;

    if (!spec.scales)
        return 0;
    if (format && (format->dtype != DTYPE_U8 || format->n_items != 1))
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': must be one item "
                         "of U8", format->name);
    if (format && tensor_read(format, 0, 1, &code, dequantiser->err))
        return -1;
    if (code != 0)
        return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': INT8 of "
                         "bitsandbytes in format %u, where only rows (0) can be read", tensor->name,
                         code);
    return made(scaled_make(&spec, tensor->name, arena_of(dequantiser), out, dequantiser->err));
}

/* ---- MLX ---- */

struct mlx_settings {
    unsigned bits;
    size_t group_size;
    enum quantisation_mode mode;
};

/* A module may have settings of its own; settings were checked when they were read. */
static struct mlx_settings find_mlx_settings(const struct quantisation *settings,
                                             const char *module)
{
    struct mlx_settings found = {settings->bits, settings->group_size, settings->mode};
    const cJSON *own = json_find(settings->modules, module);
    const cJSON *bits = json_find(own, "bits"), *group_size = json_find(own, "group_size");

    if (cJSON_IsNumber(bits))
        found.bits = (unsigned)bits->valuedouble;
    if (cJSON_IsNumber(group_size))
        found.group_size = (size_t)group_size->valuedouble;
    return found;
}

static int make_mlx_affine(struct dequantiser *dequantiser, const struct tensor *tensor,
                           const char *module, const struct mlx_settings *settings,
                           struct tensor *out)
{
    struct packed_ints_spec spec = {
        .method = mlx_names[settings->bits], .order = PACKED_IN_ROWS, .words = tensor,
        .bits = settings->bits, .group_size = settings->group_size,
        .scales = dequantiser_need(dequantiser, tensor, module, ".scales"),
        .biases = dequantiser_need(dequantiser, tensor, module, ".biases"),
    };

    if (!spec.scales || !spec.biases)
        return -1;
    if (tensor->n_dims != 2)
        return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': MLX in %zu "
                         "dimensions cannot be read", tensor->name, tensor->n_dims);
    if (tensor->shape[1] % settings->bits && tensor->shape[1] * 32 % settings->bits)
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': rows of %zu words "
                         "are not whole numbers of %u bits", tensor->name, tensor->shape[1],
                         settings->bits);
    spec.n_out = tensor->shape[0];
    spec.n_in = tensor->shape[1] * 32 / settings->bits;
    return made(packed_ints_make(&spec, tensor->name, arena_of(dequantiser), out,
                                 dequantiser->err));
}

static int make_mlx_float(struct dequantiser *dequantiser, const struct tensor *tensor,
                          const char *module, const struct mlx_settings *settings,
                          struct tensor *out)
{
    bool is_mx = settings->mode != QUANTISATION_NVFP4_MODE;
    const struct tensor *scales = dequantiser_need(dequantiser, tensor, module, ".scales");
    struct fp4_spec spec = {
        .method = is_mx ? "MXFP4" : "NVFP4", .packed = tensor, .scales = scales,
        .scale_dtype = is_mx ? DTYPE_F8_E8M0 : DTYPE_F8_E4M3, .group_size = settings->group_size,
    };
    struct scaled_spec scaled = {
        .method = "MXFP8", .numbers = tensor, .scales = scales, .block_rows = 1,
        .block_columns = settings->group_size, .has_exponents = true,
    };

    if (!scales)
        return -1;
    return made(settings->mode == QUANTISATION_MXFP8_MODE
                    ? scaled_make(&scaled, tensor->name, arena_of(dequantiser), out,
                                  dequantiser->err)
                    : fp4_make(&spec, tensor->name, arena_of(dequantiser), out, dequantiser->err));
}

static int make_mlx(struct dequantiser *dequantiser, const struct tensor *tensor,
                    const char *module, struct tensor *out)
{
    struct mlx_settings settings;

    if (!dequantiser_find(dequantiser, module, ".scales"))
        return 0;
    if (dequantiser->settings->method != QUANTISATION_MLX)
        return dequantiser_contradicts(dequantiser, tensor);
    settings = find_mlx_settings(dequantiser->settings, module);
    return settings.mode == QUANTISATION_AFFINE
               ? make_mlx_affine(dequantiser, tensor, module, &settings, out)
               : make_mlx_float(dequantiser, tensor, module, &settings, out);
}

/* ---- FP8, INT8 and FP4 with scales ---- */

/* Two FP4 in a byte: modelopt's NVFP4, Quark's MXFP4, DeepSeek-V4's experts. */
static int make_fp4(struct dequantiser *dequantiser, const struct tensor *tensor,
                    const char *module, const struct tensor *scales, struct tensor *out)
{
    struct fp4_spec spec = {
        .method = "MXFP4", .packed = tensor, .scales = scales, .scale_dtype = DTYPE_F8_E8M0,
        .group_size = 32,
    };

    if (scales->dtype == DTYPE_F8_E4M3) {
        spec = (struct fp4_spec){
            .method = "NVFP4", .packed = tensor, .scales = scales, .scale_dtype = DTYPE_F8_E4M3,
            .group_size = 16,
            .global = dequantiser_take(dequantiser, module, ".weight_scale_2"),
        };
        if (!spec.global)
            spec.global = dequantiser_need(dequantiser, tensor, tensor->name, "_scale_2");
        if (!spec.global)
            return -1;
    }
    return made(fp4_make(&spec, tensor->name, arena_of(dequantiser), out, dequantiser->err));
}

/* A point other than zero would have to be taken off first. */
static int check_zero_point(const struct dequantiser *dequantiser, const struct tensor *zeros)
{
    char items[4096];
    size_t size;
    double value;

    if (!zeros)
        return 0;
    size = dtype_info(zeros->dtype)->n_bits / 8;
    for (size_t i = 0; size && i < zeros->n_items; i++) {
        if (tensor_read(zeros, i, 1, items, dequantiser->err))
            return -1;
        dtype_to_double(zeros->dtype, items, &value, 1);
        if (value != 0)
            return error_set(dequantiser->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': zero "
                             "points of numbers that are not packed cannot be read", zeros->name);
    }
    return 0;
}

static void use_scheme(const struct quantisation_scheme *scheme, struct scaled_spec *spec)
{
    spec->block_rows = spec->block_columns = 0;
    if (scheme->strategy == QUANTISATION_BY_BLOCK) {
        spec->block_rows = scheme->block_rows;
        spec->block_columns = scheme->block_columns;
    } else if (scheme->strategy == QUANTISATION_BY_GROUP) {
        spec->block_rows = 1;
        spec->block_columns = scheme->group_size;
        spec->has_exponents = true;
    }
}

/* Whether the scales have the shape that the scheme gives them. */
static bool scaled_agrees(const struct quantisation_scheme *scheme, const struct scaled_spec *spec)
{
    const struct tensor *numbers = spec->numbers, *scales = spec->scales;
    size_t n_out, n_in;

    if (scheme->bits != 8 || scheme->is_float != (numbers->dtype != DTYPE_I8) ||
        numbers->n_dims != 2)
        return false;
    n_out = numbers->shape[0];
    n_in = numbers->shape[1];
    switch (scheme->strategy) {
    case QUANTISATION_BY_TENSOR: return scales->n_items == 1;
    case QUANTISATION_BY_CHANNEL: return scales->n_items == n_out && scaled_is_plain(numbers, scales);
    case QUANTISATION_BY_GROUP:
        return scales->n_dims == 2 && scales->shape[0] == n_out &&
               scales->shape[1] == ceiling(n_in, scheme->group_size);
    case QUANTISATION_BY_BLOCK:
        return scales->n_dims == 2 && scales->shape[0] == ceiling(n_out, scheme->block_rows) &&
               scales->shape[1] == ceiling(n_in, scheme->block_columns);
    }
    return false;
}

static int find_scaled_scheme(const struct dequantiser *dequantiser, struct scaled_spec *spec)
{
    const struct quantisation *settings = dequantiser->settings;

    for (size_t i = 0; i < settings->n_schemes; i++)
        if (scaled_agrees(&settings->schemes[i], spec)) {
            use_scheme(&settings->schemes[i], spec);
            return 0;
        }
    return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': its shape, or the "
                     "dtype of what it scales, is not what %s says", spec->scales->name,
                     settings->file);
}

/* How many items share a scale: by the settings, or by the shape where it tells. */
static int find_blocks(const struct dequantiser *dequantiser, struct scaled_spec *spec)
{
    const struct quantisation *settings = dequantiser->settings;

    spec->has_exponents = true;
    if (settings->method == QUANTISATION_COMPRESSED) {
        spec->has_exponents = false;
        return find_scaled_scheme(dequantiser, spec);
    }
    spec->block_rows = settings->block_rows;
    spec->block_columns = settings->block_columns;
    if (settings->block_rows || scaled_is_plain(spec->numbers, spec->scales))
        return 0;
    return settings->method == QUANTISATION_UNSAID
               ? dequantiser_lacks_settings(dequantiser, spec->numbers)
               : error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': is no scale of "
                           "a matrix or of its rows, and %s says nothing of blocks",
                           spec->scales->name, settings->file);
}

/* FP8 with one scale by the settings of its method must have one. */
static int check_one(const struct dequantiser *dequantiser, const struct scaled_spec *spec)
{
    const struct quantisation *settings = dequantiser->settings;

    if (settings->method != QUANTISATION_FP8 || settings->block_rows || spec->numbers->n_dims > 2 ||
        spec->scales->n_items == 1)
        return 0;
    return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %zu scales, but by %s "
                     "a matrix has one", spec->scales->name, spec->scales->n_items,
                     settings->file);
}

static int make_scaled(struct dequantiser *dequantiser, const struct tensor *tensor,
                       const char *module, const struct tensor *scales, struct tensor *out)
{
    struct scaled_spec spec = {.method = tensor->dtype == DTYPE_I8 ? "INT8" : "FP8",
                               .numbers = tensor, .scales = scales};

    if (check_zero_point(dequantiser, dequantiser_take(dequantiser, module, ".weight_zero_point")) ||
        find_blocks(dequantiser, &spec) || check_one(dequantiser, &spec))
        return -1;
    if (scales->dtype == DTYPE_U8 || scales->dtype == DTYPE_F8_E8M0)
        spec.method = spec.block_rows == 1 ? "MXFP8" : spec.method;
    return made(scaled_make(&spec, tensor->name, arena_of(dequantiser), out, dequantiser->err));
}

static bool is_half(const struct tensor *tensor, const struct tensor *scales)
{
    size_t last = tensor->n_dims - 1;

    return tensor->dtype == DTYPE_U8 ||
           (tensor->dtype == DTYPE_I8 && scales->dtype == DTYPE_F8_E8M0 &&
            scales->n_dims == tensor->n_dims && scales->shape[last] == tensor->shape[last] / 16);
}

static int make_numbers(struct dequantiser *dequantiser, const struct tensor *tensor,
                        const char *module, struct tensor *out)
{
    static const struct {
        const char *ending;
        bool is_of_module; /* else it follows the whole name */
    } names[] = {
        {".weight_scale_inv", true}, {".weight_scale", true}, {".qscale_weight", true},
        {".scale", true},            {"_scale_inv", false},   {"_scale", false},
    };
    const struct tensor *scales = NULL;

    for (size_t i = 0; !scales && i < N(names); i++)
        scales = dequantiser_take(dequantiser, names[i].is_of_module ? module : tensor->name,
                                  names[i].ending);
    if (!scales)
        return 0;
    if (tensor->n_dims < 2)
        return error_set(dequantiser->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': is no matrix, "
                         "though '" ERROR_NAME "' scales it", tensor->name, scales->name);
    return is_half(tensor, scales) ? make_fp4(dequantiser, tensor, module, scales, out)
                                   : make_scaled(dequantiser, tensor, module, scales, out);
}

int dequantise_numbers(struct dequantiser *dequantiser, const struct tensor *tensor,
                       const char *module, struct tensor *out)
{
    int rc = make_bnb4(dequantiser, tensor, out);

    if (rc)
        return rc;
    if (tensor->dtype == DTYPE_U32)
        return make_mlx(dequantiser, tensor, module, out);
    if (tensor->dtype == DTYPE_I8)
        rc = make_bnb8(dequantiser, tensor, module, out);
    if (rc == 0 && (scaled_is_number(tensor->dtype) || tensor->dtype == DTYPE_U8))
        rc = make_numbers(dequantiser, tensor, module, out);
    return rc;
}
