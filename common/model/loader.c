#include "loader.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

const struct layout_entry *loader_find(struct loader *loader, struct place place, const char *name,
                                       const char *ending)
{
    layout_name(&loader->name, place, name, ending);
    return layout_find(loader->layout, loader->name.data);
}

/* Of what the layout has been checked for. */
static const struct layout_entry *need(struct loader *loader, struct place place, const char *name,
                                       const char *ending)
{
    const struct layout_entry *entry = loader_find(loader, place, name, ending);

    assert(entry && entry->tensor);
    return entry;
}

static int check_dtype(const struct loader *loader, const struct tensor *tensor)
{
    const struct dtype_info *info = dtype_info(tensor->dtype);

    if (info->kind == DTYPE_FLOAT && info->n_bits >= 8)
        return 0;
    return error_set(loader->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': cannot run weights "
                     "stored as %s", tensor->name, info->name);
}

/* ---- reading ---- */

int loader_floats(struct loader *loader, const struct tensor *tensor, float **out)
{
    if (check_dtype(loader, tensor))
        return -1;
    *out = arena_alloc(&loader->parameters->arena, tensor->n_items * sizeof **out);
    return tensor_read_floats(tensor, *out, loader->err);
}

int loader_vector(struct loader *loader, struct place place, const char *name, const char *ending,
                  const float **out)
{
    float *values;

    if (loader_floats(loader, need(loader, place, name, ending)->tensor, &values))
        return -1;
    *out = values;
    return 0;
}

/* Computed values as the model that is written would have them: rounded, once. */
static int read_rounded(const struct tensor *tensor, enum dtype dtype, char *out,
                        struct error *err)
{
    enum { STEP = 1 << 16 };
    size_t chunk = tensor_chunk(tensor, STEP), bytes = dtype_info(dtype)->n_bits / 8;
    char *stored = memory_alloc(chunk * dtype_info(tensor->dtype)->n_bits / 8);
    double *values = memory_alloc(chunk * sizeof *values);
    int rc = 0;

    for (size_t first = 0; rc == 0 && first < tensor->n_items; first += chunk) {
        size_t n = tensor->n_items - first < chunk ? tensor->n_items - first : chunk;

        rc = tensor_read(tensor, first, n, stored, err);
        if (rc == 0) {
            dtype_to_double(tensor->dtype, stored, values, n);
            dtype_from_double(dtype, values, out + first * bytes, n);
        }
    }
    free(values);
    free(stored);
    return rc;
}

/* Of what cannot be used where it lies: gaps, or a dtype that products do not take. */
static int copy_matrix(struct loader *loader, const struct tensor *tensor,
                       struct gemm_matrix *matrix)
{
    struct parameters *parameters = loader->parameters;
    bool is_stored_so = matrix->format->dtype == tensor->dtype;
    void *copy = memory_try(tensor->n_items, dtype_info(matrix->format->dtype)->n_bits / 8,
                            "weights", loader->err);

    if (!copy)
        return error_context(loader->err, "tensor '" ERROR_NAME "'", tensor->name);
    parameters->copies = memory_resize(parameters->copies, parameters->n_copies + 1,
                                    sizeof *parameters->copies);
    parameters->copies[parameters->n_copies++] = copy;
    matrix->data = copy;
    if (matrix->format->dtype == tensor_written(tensor) && !is_stored_so)
        return read_rounded(tensor, matrix->format->dtype, copy, loader->err);
    return is_stored_so ? tensor_read(tensor, 0, tensor->n_items, copy, loader->err)
                        : tensor_read_floats(tensor, copy, loader->err);
}

/* Of blocks that stay where they are; `matrix` as it was when there are none that products take. */
static int use_blocks(struct loader *loader, const struct tensor *tensor,
                      struct gemm_matrix *matrix)
{
    struct tensor_blocks blocks;
    const struct matrix_format *format;
    int has_blocks = tensor_blocks(tensor, &blocks, loader->err);

    if (has_blocks <= 0)
        return has_blocks;
    format = matrix_format_find(blocks.format);
    if (format)
        *matrix = (struct gemm_matrix){
            .format = format, .data = blocks.data, .scales = blocks.scales, .zeros = blocks.zeros,
            .index = blocks.index, .settings = blocks.settings, .n_out = matrix->n_out,
            .n_in = matrix->n_in, .stride = blocks.stride, .first_out = blocks.first_row,
        };
    return 0;
}

int loader_use(struct loader *loader, const struct tensor *tensor, size_t n_out, size_t n_in,
               bool is_transposed, struct gemm_matrix *out)
{
    const struct matrix_format *format = matrix_format_plain(tensor_written(tensor), is_transposed);
    struct gemm_matrix matrix = {
        .format = format ? format : matrix_format_plain(DTYPE_F32, is_transposed),
        .n_out = n_out,
        .n_in = n_in,
        .stride = is_transposed ? n_out : n_in,
    };

    if (check_dtype(loader, tensor))
        return -1;
    if (!is_transposed && use_blocks(loader, tensor, &matrix))
        return -1;
    if (!matrix.data && format)
        matrix.data = tensor_view(tensor, loader->err);
    if (!matrix.data && (loader->err->code || copy_matrix(loader, tensor, &matrix)))
        return -1;
    *out = matrix;
    return 0;
}

int loader_matrix(struct loader *loader, struct place place, const char *name, const char *ending,
                  bool is_transposed, struct gemm_matrix *out)
{
    const struct layout_entry *entry = need(loader, place, name, ending);

    return loader_use(loader, entry->tensor, entry->shape[is_transposed],
                      entry->shape[!is_transposed], is_transposed, out);
}

/* ---- weights ---- */

int loader_linear(struct loader *loader, struct place place, const char *name, bool is_transposed,
                  bool has_bias, struct linear *out)
{
    if (loader_matrix(loader, place, name, ".weight", is_transposed, &out->matrix))
        return -1;
    return has_bias ? loader_vector(loader, place, name, ".bias", &out->bias) : 0;
}

int loader_norm(struct loader *loader, struct place place, const char *name, enum norm_kind kind,
                struct norm *out)
{
    const struct tensor *tensor = need(loader, place, name, ".weight")->tensor;
    float *weight;

    if (loader_floats(loader, tensor, &weight))
        return -1;
    for (size_t i = 0; kind == NORM_LAYER_OFFSET && i < tensor->n_items; i++)
        weight[i] += 1;
    out->weight = weight;
    return kind == NORM_LAYER || kind == NORM_LAYER_OFFSET
               ? loader_vector(loader, place, name, ".bias", &out->bias)
               : 0;
}

struct linear loader_part(const struct linear *fused, size_t first, size_t n_out)
{
    struct linear part = *fused;

    part.matrix = gemm_matrix_part(&fused->matrix, first, n_out);
    if (part.bias)
        part.bias += first;
    return part;
}
