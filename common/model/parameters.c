#include "parameters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/checkpoint_names.h"
#include "arch/families.h"
#include "base/memory.h"

struct loader {
    struct parameters *parameters;
    const struct model_spec *spec;
    const struct checkpoint *checkpoint;
    struct checkpoint_names names;
    struct notices *notices;
    struct buffer name; /* plain, of the tensor that is looked for */
    struct error *err;
};

/* ---- finding ---- */

struct place { /* where names begin */
    const char *prefix;
    size_t layer, expert;
};

static const struct place top = {.prefix = ""};

static void add_numbered(struct buffer *out, const char *text, char mark, size_t number)
{
    for (; *text; text++)
        if (*text == mark)
            buffer_format(out, "%zu", number);
        else
            buffer_add_char(out, *text);
}

/* "layers.#." and "mlp.up_proj" and ".weight" -> "layers.3.mlp.up_proj.weight". */
static void set_name(struct loader *loader, struct place place, const char *name,
                     const char *ending)
{
    struct buffer *out = &loader->name;

    buffer_clear(out);
    add_numbered(out, place.prefix, '#', place.layer);
    add_numbered(out, name, '@', place.expert);
    buffer_add_text(out, ending);
}

static const struct tensor *find(const struct loader *loader)
{
    return checkpoint_names_find_plain(&loader->names, loader->name.data);
}

static const struct tensor *need(const struct loader *loader)
{
    const struct tensor *tensor = find(loader);

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

/* ---- reading ---- */

static int load_vector(struct loader *loader, size_t n, const float **out)
{
    const struct tensor *tensor = need(loader);
    float *values;

    if (!tensor || check_shape(loader, tensor, 1, n, 0) || check_dtype(loader, tensor))
        return -1;
    values = arena_alloc(&loader->parameters->arena, n * sizeof *values);
    *out = values;
    return checkpoint_read_floats(loader->checkpoint, tensor, values, loader->err);
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
    return is_plain ? checkpoint_read(loader->checkpoint, tensor, 0, tensor->n_items, copy,
                                      loader->err)
                    : checkpoint_read_floats(loader->checkpoint, tensor, copy, loader->err);
}

/* W [n_out, n_in], or stored as [n_in, n_out]. */
static int use_matrix(struct loader *loader, const struct tensor *tensor, size_t n_out,
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

    if (check_dtype(loader, tensor) ||
        check_shape(loader, tensor, 2, is_transposed ? n_in : n_out,
                    is_transposed ? n_out : n_in))
        return -1;
    if (is_usable)
        matrix.data = checkpoint_view(loader->checkpoint, tensor, loader->err);
    if (!matrix.data && (loader->err->code || copy_matrix(loader, tensor, &matrix)))
        return -1;
    *out = matrix;
    return 0;
}

static int load_matrix(struct loader *loader, size_t n_out, size_t n_in, bool is_transposed,
                       struct gemm_matrix *out)
{
    const struct tensor *tensor = need(loader);

    return tensor ? use_matrix(loader, tensor, n_out, n_in, is_transposed, out) : -1;
}

/* ---- parts of a layer ---- */

static int load_linear(struct loader *loader, struct place place, const char *name, size_t n_out,
                       size_t n_in, bool is_transposed, bool has_bias, struct linear *out)
{
    set_name(loader, place, name, ".weight");
    if (load_matrix(loader, n_out, n_in, is_transposed, &out->matrix))
        return -1;
    set_name(loader, place, name, ".bias");
    return has_bias ? load_vector(loader, n_out, &out->bias) : 0;
}

static int load_norm(struct loader *loader, struct place place, const char *name,
                     enum norm_kind kind, size_t n, struct norm *out)
{
    set_name(loader, place, name, ".weight");
    if (load_vector(loader, n, &out->weight))
        return -1;
    set_name(loader, place, name, ".bias");
    return kind == NORM_LAYER ? load_vector(loader, n, &out->bias) : 0;
}

/* The shapes: architectures.md C.5. */
static int load_mla(struct loader *loader, const struct stack_spec *stack, struct place place,
                    struct attention_weights *out)
{
    const struct mla_names *names = stack->names->mla;
    const struct mla_spec *spec = &stack->mla;
    struct mla_weights *mla = out->mla = arena_alloc(&loader->parameters->arena, sizeof *mla);
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t rotating = stack->head_dim - spec->still_dim;
    bool bias = stack->has_qkv_bias;

    if (spec->q_rank == 0) {
        if (load_linear(loader, place, names->q, n_q, n, false, false, &mla->q_b))
            return -1;
    } else if (load_linear(loader, place, names->q_a, spec->q_rank, n, false, bias, &mla->q_a) ||
               load_norm(loader, place, names->q_norm, NORM_RMS, spec->q_rank, &mla->q_norm) ||
               load_linear(loader, place, names->q_b, n_q, spec->q_rank, false, false,
                           &mla->q_b)) {
        return -1;
    }
    if (load_linear(loader, place, names->kv_a, spec->kv_rank + rotating, n, false, bias,
                    &mla->kv_a) ||
        load_norm(loader, place, names->kv_norm, NORM_RMS, spec->kv_rank, &mla->kv_norm))
        return -1;
    return load_linear(loader, place, names->kv_b,
                       stack->n_heads * (spec->still_dim + stack->value_dim), spec->kv_rank, false,
                       false, &mla->kv_b);
}

static int load_cross_attention(struct loader *loader, const struct stack_spec *stack,
                                struct place place, struct layer *layer)
{
    const struct layer_names *names = stack->names;
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias;

    if (load_norm(loader, place, names->cross_norm, stack->norm, n, &layer->cross_norm) ||
        load_linear(loader, place, names->cross_q, n_q, n, false, bias, &layer->cross.q) ||
        load_linear(loader, place, names->cross_k, n_kv, n, false, bias, &layer->cross.k) ||
        load_linear(loader, place, names->cross_v, n_kv, n, false, bias, &layer->cross.v))
        return -1;
    return load_linear(loader, place, names->cross_o, n, n_q, false, stack->has_o_bias,
                       &layer->cross.o);
}

/* Rows `first` to `first + n_out` of a fused matrix. */
static struct linear part_of(const struct linear *fused, size_t first, size_t n_out)
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

static int load_mlp(struct loader *loader, const struct stack_spec *stack,
                    const struct layer_names *names, struct place place, struct layer *layer)
{
    size_t n = stack->hidden_size, m = stack->intermediate_size;
    size_t n_gate = stack->has_double_gate ? 2 * m : m;
    bool bias = stack->has_mlp_bias, turned = stack->is_conv1d;
    struct linear fused;

    if (stack->is_gated && names->gate_up) {
        fused = (struct linear){0};
        if (load_linear(loader, place, names->gate_up, 2 * m, n, turned, bias, &fused))
            return -1;
        layer->gate = part_of(&fused, 0, m);
        layer->up = part_of(&fused, m, m);
    } else {
        const char *up = stack->is_gated && names->gated_up ? names->gated_up : names->up;

        if (load_linear(loader, place, up, m, n, turned, bias, &layer->up) ||
            (stack->is_gated &&
             load_linear(loader, place, names->gate, n_gate, n, turned, bias, &layer->gate)))
            return -1;
    }
    return load_linear(loader, place, names->down, n, m, turned, bias, &layer->down);
}

/* ---- experts ---- */

/* Expert number `expert` of a tensor [E, n_out, n_in], or [E, n_in, n_out]. */
static int use_slice(struct loader *loader, const struct tensor *tensor, size_t n_experts,
                     size_t expert, size_t n_out, size_t n_in, bool is_transposed,
                     struct linear *out)
{
    size_t shape[] = {is_transposed ? n_in : n_out, is_transposed ? n_out : n_in};
    struct tensor slice = *tensor;

    if (tensor->n_dims != 3 || tensor->shape[0] != n_experts || tensor->shape[1] != shape[0] ||
        tensor->shape[2] != shape[1])
        return error_set(loader->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': by %s its "
                         "shape is [%zu, %zu, %zu]", tensor->name, loader->spec->config_name,
                         n_experts, shape[0], shape[1]);
    if (tensor->strides)
        return error_set(loader->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': experts that do "
                         "not lie one behind the other", tensor->name);
    slice.n_dims = 2;
    slice.shape = shape;
    if (tensor_measure(&slice, loader->err))
        return -1;
    slice.offset += expert * slice.size_bytes;
    return use_matrix(loader, &slice, n_out, n_in, is_transposed, &out->matrix);
}

static int load_fused_expert(struct loader *loader, const struct stack_spec *stack,
                             const struct moe_names *names, struct place place,
                             struct moe_weights *moe)
{
    const struct moe_spec *spec = &stack->moe;
    size_t n = stack->hidden_size, m = spec->intermediate_size, e = place.expert;
    const struct tensor *tensor;
    struct linear fused = {0};

    set_name(loader, place, names->fused_gate_up, "");
    tensor = need(loader);
    if (!tensor || use_slice(loader, tensor, spec->n_experts, e, 2 * m, n, false, &fused))
        return -1;
    moe->gate[e] = part_of(&fused, 0, m);
    moe->up[e] = part_of(&fused, m, m);
    set_name(loader, place, names->fused_down, "");
    tensor = need(loader);
    return tensor ? use_slice(loader, tensor, spec->n_experts, e, n, m, false, &moe->down[e]) : -1;
}

/* Row number `expert` of biases [E, n]. */
static int load_expert_bias(struct loader *loader, size_t n_experts, size_t expert, size_t n,
                            struct linear *out)
{
    const struct tensor *tensor = need(loader);
    struct tensor row;
    float *values;

    if (!tensor || check_shape(loader, tensor, 2, n_experts, n) || check_dtype(loader, tensor))
        return -1;
    if (tensor->strides)
        return error_set(loader->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': biases that do "
                         "not lie one behind the other", tensor->name);
    row = *tensor;
    row.n_dims = 1;
    row.shape = &n;
    if (tensor_measure(&row, loader->err))
        return -1;
    row.offset += expert * row.size_bytes;
    values = arena_alloc(&loader->parameters->arena, n * sizeof *values);
    out->bias = values;
    return checkpoint_read_floats(loader->checkpoint, &row, values, loader->err);
}

/* Of [E, n_in, n_out]; bias NULL: there is none. */
static int load_turned(struct loader *loader, const struct moe_spec *spec, struct place place,
                       const char *name, const char *bias, size_t n_out, size_t n_in,
                       struct linear *out)
{
    const struct tensor *tensor;

    set_name(loader, place, name, "");
    tensor = need(loader);
    if (!tensor || use_slice(loader, tensor, spec->n_experts, place.expert, n_out, n_in, true, out))
        return -1;
    if (!bias)
        return 0;
    set_name(loader, place, bias, "");
    return load_expert_bias(loader, spec->n_experts, place.expert, n_out, out);
}

static int load_turned_expert(struct loader *loader, const struct stack_spec *stack,
                              const struct moe_names *names, struct place place,
                              struct moe_weights *moe)
{
    const struct moe_spec *spec = &stack->moe;
    size_t n = stack->hidden_size, m = spec->intermediate_size, e = place.expert;
    size_t n_gate = stack->has_double_gate ? 2 * m : m;

    if (names->turned_gate &&
        load_turned(loader, spec, place, names->turned_gate, NULL, n_gate, n, &moe->gate[e]))
        return -1;
    if (names->turned_gate_up
            ? load_turned(loader, spec, place, names->turned_gate_up, names->turned_gate_up_bias,
                          2 * m, n, &moe->up[e])
            : load_turned(loader, spec, place, names->turned_up, NULL, m, n, &moe->up[e]))
        return -1;
    return load_turned(loader, spec, place, names->turned_down, names->turned_down_bias, n, m,
                       &moe->down[e]);
}

static int load_expert(struct loader *loader, const struct stack_spec *stack,
                       const struct moe_names *names, struct place place,
                       struct moe_weights *moe)
{
    size_t n = stack->hidden_size, m = stack->moe.intermediate_size, e = place.expert;

    if (names->gate && load_linear(loader, place, names->gate, m, n, false, false, &moe->gate[e]))
        return -1;
    return load_linear(loader, place, names->up, m, n, false, false, &moe->up[e]) ||
           load_linear(loader, place, names->down, n, m, false, false, &moe->down[e]) ? -1 : 0;
}

/* The rows of all experts one behind the other; those of w2 are columns. */
static int use_stacked(struct loader *loader, struct place place, const char *name,
                       size_t n_experts, size_t n_out, size_t n_in, bool is_transposed,
                       struct linear *out)
{
    size_t n_rows = is_transposed ? n_in : n_out, n = is_transposed ? n_out : n_in;
    const struct tensor *tensor;
    struct tensor cut;

    set_name(loader, place, name, "");
    tensor = need(loader);
    if (!tensor || check_shape(loader, tensor, 2, n_experts * n_rows, n))
        return -1;
    cut = *tensor;
    cut.n_dims = 3;
    cut.shape = (const size_t[]){n_experts, n_rows, n};
    return use_slice(loader, &cut, n_experts, place.expert, n_out, n_in, is_transposed, out);
}

static int load_stacked_expert(struct loader *loader, const struct stack_spec *stack,
                               const struct moe_names *names, struct place place,
                               struct moe_weights *moe)
{
    size_t n_experts = stack->moe.n_experts, e = place.expert;
    size_t n = stack->hidden_size, m = stack->moe.intermediate_size;

    return use_stacked(loader, place, names->stacked_gate, n_experts, m, n, false,
                       &moe->gate[e]) ||
                   use_stacked(loader, place, names->stacked_up, n_experts, m, n, false,
                               &moe->up[e]) ||
                   use_stacked(loader, place, names->stacked_down, n_experts, n, m, true,
                               &moe->down[e])
               ? -1
               : 0;
}

/* Of the ways to store experts the one whose tensors are there; any, when none is. */
typedef int load_expert_function(struct loader *loader, const struct stack_spec *stack,
                                 const struct moe_names *names, struct place place,
                                 struct moe_weights *moe);

static const struct moe_names *choose_names(struct loader *loader, const struct stack_spec *stack,
                                            struct place place, load_expert_function **load)
{
    const struct family_names *names = loader->spec->family->names;
    bool is_encoder = stack->names == names->encoder_layers;
    const struct moe_names *all = is_encoder ? names->encoder_moe : names->moe;
    size_t n = is_encoder ? names->n_encoder_moe : names->n_moe;

    for (size_t i = 0; i < n; i++) {
        const struct moe_names *moe = &all[i];
        const struct {
            const char *name, *ending;
            load_expert_function *load;
        } ways[] = {
            {moe->up, ".weight", load_expert},
            {moe->stacked_up, "", load_stacked_expert},
            {moe->fused_gate_up, "", load_fused_expert},
            {moe->turned_gate_up, "", load_turned_expert},
            {moe->turned_up, "", load_turned_expert},
        };

        for (size_t w = sizeof ways / sizeof *ways; w > 0; w--) {
            if (!ways[w - 1].name)
                continue;
            *load = ways[w - 1].load;
            set_name(loader, place, ways[w - 1].name, ways[w - 1].ending);
            if (find(loader))
                return moe;
        }
    }
    return &all[n - 1];
}

static int load_bias(struct loader *loader, struct place place, const char *name,
                     const float **out)
{
    set_name(loader, place, name, "");
    return load_vector(loader, loader->spec->hidden_size, out);
}

static int load_shared_expert(struct loader *loader, const struct stack_spec *stack,
                              const struct moe_names *names, struct place place,
                              struct moe_weights *moe)
{
    size_t n = stack->hidden_size, m = stack->moe.shared_size;

    if (load_linear(loader, place, names->shared_gate, m, n, false, false, &moe->shared_gate) ||
        load_linear(loader, place, names->shared_up, m, n, false, false, &moe->shared_up) ||
        load_linear(loader, place, names->shared_down, n, m, false, false, &moe->shared_down))
        return -1;
    return stack->moe.has_shared_gate ? load_linear(loader, place, names->shared_router, 1, n, false,
                                                    false, &moe->shared_router)
                                      : 0;
}

/* Rows [n_experts, n] brought to the length exp(temperature): a product with rows of length 1 then
 * gives the logits. */
static int load_centroids(struct loader *loader, const struct gate_names *names,
                          struct place place, size_t n_experts, size_t n,
                          struct gemm_matrix *out)
{
    const struct tensor *tensor;
    const float *temperature;
    float *rows;

    set_name(loader, place, names->temperature, "");
    if (load_vector(loader, 1, &temperature))
        return -1;
    set_name(loader, place, names->out, "");
    tensor = need(loader);
    if (!tensor || check_shape(loader, tensor, 2, n_experts, n) || check_dtype(loader, tensor))
        return -1;
    rows = arena_alloc(&loader->parameters->arena, n_experts * n * sizeof *rows);
    if (checkpoint_read_floats(loader->checkpoint, tensor, rows, loader->err))
        return -1;
    for (size_t e = 0; e < n_experts; e++) {
        float *row = rows + e * n;
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += (double)row[i] * (double)row[i];
        for (size_t i = 0; i < n; i++)
            row[i] = (float)(row[i] / fmax(sqrt(sum), 1e-12) * exp(*temperature));
    }
    *out = (struct gemm_matrix){.data = rows, .dtype = DTYPE_F32, .n_out = n_experts, .n_in = n,
                                .stride = n};
    return 0;
}

static int load_gate(struct loader *loader, const struct moe_spec *spec, size_t n,
                     const struct gate_names *names, struct place place, struct moe_weights *moe)
{
    size_t n_in = spec->gate == GATE_LINEAR ? n : spec->gate_size;

    if (names->hidden && load_linear(loader, place, names->hidden, spec->gate_size, n, false,
                                     spec->gate == GATE_MLP, &moe->router_hidden))
        return -1;
    if (spec->gate == GATE_COSINE)
        return load_centroids(loader, names, place, spec->n_experts, n_in, &moe->router.matrix);
    return load_linear(loader, place, names->out, spec->n_experts, n_in, false, false,
                       &moe->router);
}

static int load_router(struct loader *loader, const struct moe_spec *spec, size_t n,
                       const struct moe_names *names, struct place place, struct moe_weights *moe)
{
    if (names->gates)
        return load_gate(loader, spec, n, &names->gates[spec->gate], place, moe);
    if (!names->router_matrix)
        return load_linear(loader, place, names->router, spec->n_experts, n, false,
                           spec->has_router_bias, &moe->router);
    set_name(loader, place, names->router_matrix, "");
    return load_matrix(loader, spec->n_experts, n, false, &moe->router.matrix);
}

static int load_moe(struct loader *loader, const struct stack_spec *stack, struct place place,
                    struct layer *layer)
{
    size_t n_experts = stack->moe.n_experts;
    struct arena *arena = &loader->parameters->arena;
    struct moe_weights *moe = layer->moe = arena_alloc(arena, sizeof *moe);
    load_expert_function *load = load_expert;
    const struct moe_names *names = choose_names(loader, stack, place, &load);

    if (load_router(loader, &stack->moe, stack->hidden_size, names, place, moe))
        return -1;
    if (stack->moe.router == ROUTER_SIGMOID || stack->moe.router == ROUTER_SIGMOID_SUM_1) {
        set_name(loader, place, names->choice_bias, "");
        if (load_vector(loader, n_experts, &moe->choice_bias))
            return -1;
    }
    moe->gate = arena_alloc(arena, n_experts * sizeof *moe->gate);
    moe->up = arena_alloc(arena, n_experts * sizeof *moe->up);
    moe->down = arena_alloc(arena, n_experts * sizeof *moe->down);
    for (place.expert = 0; place.expert < n_experts; place.expert++)
        if (load(loader, stack, names, place, moe))
            return -1;
    if (load == load_expert) {
        set_name(loader, place, names->up, ".weight");
        if (find(loader))
            return error_set(loader->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': by %s there are "
                             "%zu experts", loader->name.data, loader->spec->config_name,
                             n_experts);
    }
    if (stack->moe.has_bias && load_bias(loader, place, names->bias, &moe->bias))
        return -1;
    return stack->moe.shared_size ? load_shared_expert(loader, stack, names, place, moe) : 0;
}

/* ---- attention ---- */

/* Those that all experts share. */
static int load_shared_kv(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct attention_weights *out)
{
    const struct layer_names *names = stack->names;
    size_t n = stack->hidden_size, n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias;
    struct linear fused = {0};

    if (stack->lacks_kv)
        return 0;
    if (!names->kv)
        return load_linear(loader, place, names->k, n_kv, n, false, bias, &out->k) ||
                       load_linear(loader, place, names->v, n_kv, n, false, bias, &out->v)
                   ? -1
                   : 0;
    if (load_linear(loader, place, names->kv, 2 * n_kv, n, false, bias, &fused))
        return -1;
    out->k = part_of(&fused, 0, n_kv);
    out->v = part_of(&fused, n_kv, n_kv);
    return 0;
}

/* Queries [E, n_q, n] and outputs [E, n, n_q], or each turned. */
static int load_query_expert(struct loader *loader, const struct stack_spec *stack,
                             const struct moe_names *names, struct place place,
                             struct moe_weights *moe)
{
    const struct moe_spec *spec = &stack->attention_moe;
    size_t n = stack->hidden_size, n_q = stack->n_kv_heads * stack->head_dim, e = place.expert;
    const struct tensor *queries, *outputs;

    if (names->turned_up)
        return load_turned(loader, spec, place, names->turned_up, NULL, n_q, n, &moe->up[e]) ||
                       load_turned(loader, spec, place, names->turned_down, NULL, n, n_q,
                                   &moe->down[e])
                   ? -1
                   : 0;
    set_name(loader, place, names->fused_gate_up, "");
    queries = need(loader);
    set_name(loader, place, names->fused_down, "");
    outputs = queries ? need(loader) : NULL;
    return !outputs ||
                   use_slice(loader, queries, spec->n_experts, e, n_q, n, false, &moe->up[e]) ||
                   use_slice(loader, outputs, spec->n_experts, e, n, n_q, false, &moe->down[e])
               ? -1
               : 0;
}

/* An expert gives one query head for each head of keys and values. */
static int load_moe_attention(struct loader *loader, const struct stack_spec *stack,
                              struct place place, struct attention_weights *out)
{
    const struct moe_names *names = stack->names->attention_moe;
    const struct moe_spec *spec = &stack->attention_moe;
    struct arena *arena = &loader->parameters->arena;
    struct moe_weights *moe = out->experts = arena_alloc(arena, sizeof *moe);

    if (load_shared_kv(loader, stack, place, out) ||
        load_router(loader, spec, stack->hidden_size, names, place, moe) ||
        (names->bias && load_bias(loader, place, names->bias, &moe->bias)))
        return -1;
    moe->up = arena_alloc(arena, spec->n_experts * sizeof *moe->up);
    moe->down = arena_alloc(arena, spec->n_experts * sizeof *moe->down);
    for (place.expert = 0; place.expert < spec->n_experts; place.expert++)
        if (load_query_expert(loader, stack, names, place, moe))
            return -1;
    return 0;
}

static int load_attention(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct attention_weights *out)
{
    const struct layer_names *names = stack->names;
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias, turned = stack->is_conv1d;

    if (stack->attention_moe.n_experts)
        return load_moe_attention(loader, stack, place, out);
    if (stack->qkv == QKV_LATENT) {
        if (load_mla(loader, stack, place, out))
            return -1;
    } else if (stack->qkv == QKV_SEPARATE) {
        if (load_linear(loader, place, names->q, n_q, n, turned, bias, &out->q) ||
            load_linear(loader, place, names->k, n_kv, n, turned, bias, &out->k) ||
            load_linear(loader, place, names->v, n_kv, n, turned, bias, &out->v))
            return -1;
    } else if (load_linear(loader, place, names->qkv, n_q + 2 * n_kv, n, turned, bias, &out->q)) {
        return -1;
    }
    if (load_linear(loader, place, names->o, n, stack->n_heads * stack->value_dim, turned,
                    stack->has_o_bias, &out->o))
        return -1;
    if (stack->has_sinks) {
        set_name(loader, place, names->sinks, "");
        if (load_vector(loader, stack->n_heads, &out->sinks))
            return -1;
    }
    if (stack->position == POSITION_RELATIVE &&
        (place.layer == 0 || stack->has_bias_per_layer)) {
        const struct tensor *tensor;
        float *values;

        set_name(loader, place, names->relative_bias, ".weight");
        tensor = need(loader);
        if (!tensor || check_dtype(loader, tensor) ||
            check_shape(loader, tensor, 2, stack->n_buckets, stack->n_heads))
            return -1;
        values = arena_alloc(&loader->parameters->arena, tensor->n_items * sizeof *values);
        out->relative_bias = values;
        return checkpoint_read_floats(loader->checkpoint, tensor, values, loader->err);
    }
    return 0;
}

/* ---- layers ---- */

static int load_extra_mlp(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct layer *layer)
{
    const struct layer_names *names = stack->names->extra_mlp;

    return load_norm(loader, place, names->norm2, stack->norm, stack->hidden_size,
                     &layer->extra_norm) ||
                   load_mlp(loader, stack, names, place, layer)
               ? -1
               : 0;
}

static int load_layer(struct loader *loader, const struct stack_spec *stack, size_t number,
                      struct layer *layer)
{
    const struct layer_names *names = stack->names;
    struct place place = {.prefix = names->prefix, .layer = number};
    size_t n = stack->hidden_size;
    size_t n_q = stack->head_dim * (stack->has_flat_qk_norm ? stack->n_heads : 1);
    size_t n_k = stack->head_dim * (stack->has_flat_qk_norm ? stack->n_kv_heads : 1);
    bool is_sparse = stack->is_sparse && stack->is_sparse[number];

    if (load_norm(loader, place, names->norm1, stack->norm, n, &layer->norm1) ||
        load_attention(loader, stack, place, &layer->self) ||
        load_norm(loader, place, names->norm2, stack->norm, n, &layer->norm2) ||
        (is_sparse ? load_moe(loader, stack, place, layer)
                   : load_mlp(loader, stack, names, place, layer)) ||
        (is_sparse && stack->has_extra_mlp && load_extra_mlp(loader, stack, place, layer)))
        return -1;
    if (stack->has_qk_norm &&
        (load_norm(loader, place, names->q_norm, stack->norm, n_q, &layer->q_norm) ||
         load_norm(loader, place, names->k_norm, stack->norm, n_k, &layer->k_norm)))
        return -1;
    if (stack->has_post_norms &&
        (load_norm(loader, place, names->post_attention_norm, stack->norm, n,
                   &layer->post_attention_norm) ||
         load_norm(loader, place, names->post_mlp_norm, stack->norm, n, &layer->post_mlp_norm)))
        return -1;
    return stack->has_cross_attention ? load_cross_attention(loader, stack, place, layer) : 0;
}

static int load_stack(struct loader *loader, const struct stack_spec *spec, struct stack *stack)
{
    stack->layers = arena_alloc(&loader->parameters->arena, spec->n_layers * sizeof *stack->layers);
    for (size_t i = 0; i < spec->n_layers; i++)
        if (load_layer(loader, spec, i, &stack->layers[i]))
            return -1;
    return spec->has_final_norm ? load_norm(loader, top, spec->names->final_norm,
                                            spec->norm, spec->hidden_size, &stack->final_norm)
                                : 0;
}

/* ---- what stands before and behind the layers ---- */

static int load_table(struct loader *loader, const char *name, size_t n_rows,
                      struct gemm_matrix *out)
{
    set_name(loader, top, name, ".weight");
    return load_matrix(loader, n_rows, loader->spec->hidden_size, false, out);
}

/* T5 stores its one embedding under any of three names. */
static int load_embedding(struct loader *loader)
{
    static const char *const aliases[] = {"encoder.embed_tokens", "decoder.embed_tokens"};
    const struct model_spec *spec = loader->spec;
    const char *name = spec->family->names->embedding;

    set_name(loader, top, name, ".weight");
    for (size_t i = 0; spec->family->is_encoder_decoder && !find(loader) && i < 2; i++) {
        set_name(loader, top, aliases[i], ".weight");
        if (find(loader))
            name = aliases[i];
    }
    return load_table(loader, name, spec->vocab_size, &loader->parameters->embedding);
}

static int load_embeddings(struct loader *loader)
{
    const struct model_spec *spec = loader->spec;
    const struct family_names *names = spec->family->names;
    struct parameters *parameters = loader->parameters;

    if (load_embedding(loader) ||
        (spec->n_positions &&
         load_table(loader, names->positions, spec->n_positions, &parameters->positions)) ||
        (spec->n_token_types &&
         load_table(loader, names->token_types, spec->n_token_types, &parameters->token_types)))
        return -1;
    return spec->has_embedding_norm
               ? load_norm(loader, top, names->embedding_norm, spec->stack.norm,
                           spec->hidden_size, &parameters->embedding_norm)
               : 0;
}

/* A head that is stored is used, tied or not: where it differs, transformers 5 does so too. */
static int load_head(struct loader *loader)
{
    const struct model_spec *spec = loader->spec;
    struct parameters *parameters = loader->parameters;
    const struct tensor *tensor;

    set_name(loader, top, spec->family->names->head, ".bias");
    if (spec->has_head_bias && load_vector(loader, spec->vocab_size, &parameters->head.bias))
        return -1;
    set_name(loader, top, spec->family->names->head, ".weight");
    tensor = find(loader);
    if (!tensor) {
        parameters->head.matrix = parameters->embedding;
        if (!spec->has_tied_head)
            notices_add(loader->notices, "no tensor '" ERROR_NAME "', though config.json says that "
                        "it is not tied: the embedding takes its place", loader->name.data);
        return 0;
    }
    if (use_matrix(loader, tensor, spec->vocab_size, spec->hidden_size, false,
                   &parameters->head.matrix))
        return -1;
    if (spec->has_tied_head) {
        int is_copy = checkpoint_names_is_copy(
            &loader->names, (size_t)(tensor - loader->checkpoint->tensors), loader->err);

        if (is_copy < 0)
            return -1;
        if (!is_copy)
            notices_add(loader->notices, "tie_word_embeddings is true, but '" ERROR_NAME "' "
                        "differs from the embedding: it is used", tensor->name);
    }
    return 0;
}

static int load_classifier(struct loader *loader)
{
    static const struct {
        const char *dense, *out;
        bool has_bias;
    } rows[] = {
        [CLASSIFIER_POOLER] = {"pooler.dense", "classifier", true},
        [CLASSIFIER_DENSE] = {"classifier.dense", "classifier.out_proj", true},
        [CLASSIFIER_RELU] = {"pre_classifier", "classifier", true},
        [CLASSIFIER_SCORE] = {NULL, "score", false},
        [CLASSIFIER_SCORE_COUNTED] = {NULL, "score", false},
    };
    const struct model_spec *spec = loader->spec;
    enum classifier_kind kind = spec->classifier;
    size_t n = spec->hidden_size;
    const struct tensor *tensor;

    if (!rows[kind].out)
        return 0;
    if (rows[kind].dense && load_linear(loader, top, rows[kind].dense, n, n, false, true,
                                        &loader->parameters->classifier_dense))
        return -1;
    set_name(loader, top, rows[kind].out, ".weight");
    tensor = need(loader);
    if (!tensor)
        return -1;
    return load_linear(loader, top, rows[kind].out, tensor->n_dims ? tensor->shape[0] : 0, n,
                       false, rows[kind].has_bias, &loader->parameters->classifier);
}

static int load_all(struct loader *loader, bool has_head)
{
    const struct model_spec *spec = loader->spec;
    struct parameters *parameters = loader->parameters;

    if (load_embeddings(loader) || load_stack(loader, &spec->stack, &parameters->stack) ||
        (spec->is_encoder_decoder && load_stack(loader, &spec->encoder, &parameters->encoder)) ||
        (has_head && load_head(loader)))
        return -1;
    return load_classifier(loader);
}

int parameters_load(struct parameters *parameters, const struct model_spec *spec, bool has_head,
                 const struct checkpoint *checkpoint, struct notices *notices, struct error *err)
{
    struct parameters loaded = {0};
    struct loader loader = {.parameters = &loaded, .spec = spec, .checkpoint = checkpoint,
                            .notices = notices, .err = err};
    int rc;

    checkpoint_names_init(&loader.names, checkpoint);
    rc = load_all(&loader, has_head);
    checkpoint_names_release(&loader.names);
    buffer_release(&loader.name);
    if (rc)
        parameters_release(&loaded);
    else
        *parameters = loaded;
    return rc;
}

void parameters_release(struct parameters *parameters)
{
    for (size_t i = 0; i < parameters->n_copies; i++)
        free(parameters->copies[i]);
    free(parameters->copies);
    arena_release(&parameters->arena);
    *parameters = (struct parameters){0};
}
