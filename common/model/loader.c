#include "loader.h"

#include "arch/families.h"
#include "base/memory.h"

/* ---- finding ---- */

static void add_numbered(struct buffer *out, const char *text, char mark, size_t number)
{
    for (; *text; text++)
        if (*text == mark)
            buffer_format(out, "%zu", number);
        else
            buffer_add_char(out, *text);
}

void loader_set_name(struct loader *loader, struct place place, const char *name,
                     const char *ending)
{
    struct buffer *out = &loader->name;

    buffer_clear(out);
    add_numbered(out, place.prefix, '#', place.layer);
    add_numbered(out, name, '@', place.expert);
    buffer_add_text(out, ending);
}

const struct tensor *loader_find(const struct loader *loader)
{
    return checkpoint_names_find_plain(&loader->names, loader->name.data);
}

const struct tensor *loader_need(const struct loader *loader)
{
    const struct tensor *tensor = loader_find(loader);

    if (!tensor)
        error_set(loader->err, ERROR_FORMAT, "no tensor '" ERROR_NAME "' (with any prefix), which "
                  "a %s needs", loader->name.data, loader->spec->family->name);
    return tensor;
}

static int check_shape(const struct loader *loader, const struct tensor *tensor, size_t n_dims,
                       size_t first, size_t second)
{
    struct buffer shape = {0};

    if (tensor->n_dims == n_dims && tensor->shape[0] == first &&
        (n_dims == 1 || tensor->shape[1] == second))
        return 0;
    tensor_add_shape(&shape, tensor);
    if (n_dims == 1)
        error_set(loader->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': has the shape %s; by "
                  "%s it is [%zu]", tensor->name, shape.data, loader->spec->config_name, first);
    else
        error_set(loader->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': has the shape %s; by "
                  "%s it is [%zu, %zu]", tensor->name, shape.data, loader->spec->config_name,
                  first, second);
    buffer_release(&shape);
    return -1;
}

static int check_dtype(const struct loader *loader, const struct tensor *tensor)
{
    const struct dtype_info *info = dtype_info(tensor->dtype);

    if (info->kind == DTYPE_FLOAT && info->n_bits >= 8)
        return 0;
    return error_set(loader->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': cannot run weights "
                     "stored as %s", tensor->name, info->name);
}

int loader_check(const struct loader *loader, const struct tensor *tensor, size_t n_dims,
                 size_t first, size_t second)
{
    return check_dtype(loader, tensor) || check_shape(loader, tensor, n_dims, first, second) ? -1
                                                                                             : 0;
}

/* ---- reading ---- */

int loader_vector(struct loader *loader, size_t n, const float **out)
{
    const struct tensor *tensor = loader_need(loader);
    float *values;

    if (!tensor || loader_check(loader, tensor, 1, n, 0))
        return -1;
    values = arena_alloc(&loader->parameters->arena, n * sizeof *values);
    *out = values;
    return tensor_read_floats(tensor, values, loader->err);
}

/* Of what cannot be used where it lies: gaps, or a dtype that products do not take. */
static int copy_matrix(struct loader *loader, const struct tensor *tensor,
                       struct gemm_matrix *matrix)
{
    struct parameters *parameters = loader->parameters;
    bool is_plain = matrix->dtype == tensor->dtype;
    void *copy = memory_try(tensor->n_items, is_plain ? dtype_info(tensor->dtype)->n_bits / 8
                                                      : sizeof(float), "weights", loader->err);

    if (!copy)
        return error_context(loader->err, "tensor '" ERROR_NAME "'", tensor->name);
    parameters->copies = memory_resize(parameters->copies, parameters->n_copies + 1,
                                    sizeof *parameters->copies);
    parameters->copies[parameters->n_copies++] = copy;
    matrix->data = copy;
    return is_plain ? tensor_read(tensor, 0, tensor->n_items, copy,
                                      loader->err)
                    : tensor_read_floats(tensor, copy, loader->err);
}

int loader_use(struct loader *loader, const struct tensor *tensor, size_t n_out,
               size_t n_in, bool is_transposed, struct gemm_matrix *out)
{
    bool is_usable = tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F16 ||
                     tensor->dtype == DTYPE_BF16;
    struct gemm_matrix matrix = {
        .dtype = is_usable ? tensor->dtype : DTYPE_F32,
        .n_out = n_out,
        .n_in = n_in,
        .stride = is_transposed ? n_out : n_in,
        .is_transposed = is_transposed,
    };

    if (loader_check(loader, tensor, 2, is_transposed ? n_in : n_out,
                     is_transposed ? n_out : n_in))
        return -1;
    if (is_usable)
        matrix.data = tensor_view(tensor, loader->err);
    if (!matrix.data && (loader->err->code || copy_matrix(loader, tensor, &matrix)))
        return -1;
    *out = matrix;
    return 0;
}

int loader_matrix(struct loader *loader, size_t n_out, size_t n_in, bool is_transposed,
                  struct gemm_matrix *out)
{
    const struct tensor *tensor = loader_need(loader);

    return tensor ? loader_use(loader, tensor, n_out, n_in, is_transposed, out) : -1;
}

/* ---- weights ---- */

int loader_linear(struct loader *loader, struct place place, const char *name, size_t n_out,
                  size_t n_in, bool is_transposed, bool has_bias, struct linear *out)
{
    loader_set_name(loader, place, name, ".weight");
    if (loader_matrix(loader, n_out, n_in, is_transposed, &out->matrix))
        return -1;
    loader_set_name(loader, place, name, ".bias");
    return has_bias ? loader_vector(loader, n_out, &out->bias) : 0;
}

int loader_norm(struct loader *loader, struct place place, const char *name,
                enum norm_kind kind, size_t n, struct norm *out)
{
    loader_set_name(loader, place, name, ".weight");
    if (loader_vector(loader, n, &out->weight))
        return -1;
    loader_set_name(loader, place, name, ".bias");
    return kind == NORM_LAYER ? loader_vector(loader, n, &out->bias) : 0;
}

struct linear loader_part(const struct linear *fused, size_t first, size_t n_out)
{
    struct linear part = *fused;
    size_t item_bytes = dtype_info(fused->matrix.dtype)->n_bits / 8;
    size_t step = fused->matrix.is_transposed ? 1 : fused->matrix.stride;

    part.matrix.data = (const char *)fused->matrix.data + first * step * item_bytes;
    part.matrix.n_out = n_out;
    if (part.bias)
        part.bias += first;
    return part;
}
