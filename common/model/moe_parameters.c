#include "moe_parameters.h"

#include <math.h>
#include <string.h>

#include "arch/families.h"

/* ---- experts ---- */

/* Expert number `expert` of those that stand in `tensor` one behind the other, each [n_out, n_in] or
 * [n_in, n_out]. */
static int use_expert(struct loader *loader, const struct tensor *tensor, size_t expert,
                      size_t n_out, size_t n_in, bool is_transposed, struct linear *out)
{
    size_t shape[] = {is_transposed ? n_in : n_out, is_transposed ? n_out : n_in};
    struct tensor part;

    if (tensor_part(&part, tensor, expert * n_out * n_in, 2, shape, NULL,
                    &loader->parameters->arena, loader->err))
        return -1;
    return loader_use(loader, &part, n_out, n_in, is_transposed, &out->matrix);
}

/* The same of a tensor [E, n_out, n_in], or [E, n_in, n_out]. */
static int use_slice(struct loader *loader, const struct tensor *tensor, size_t n_experts,
                     size_t expert, size_t n_out, size_t n_in, bool is_transposed,
                     struct linear *out)
{
    size_t shape[] = {n_experts, is_transposed ? n_in : n_out, is_transposed ? n_out : n_in};

    if (tensor->n_dims != 3 || memcmp(tensor->shape, shape, sizeof shape) != 0)
        return error_set(loader->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': by %s its "
                         "shape is [%zu, %zu, %zu]", tensor->name, loader->spec->config_name,
                         shape[0], shape[1], shape[2]);
    return use_expert(loader, tensor, expert, n_out, n_in, is_transposed, out);
}

static int load_fused_expert(struct loader *loader, const struct stack_spec *stack,
                             const struct moe_names *names, struct place place,
                             struct moe_weights *moe)
{
    const struct moe_spec *spec = &stack->moe;
    size_t n = stack->hidden_size, m = spec->intermediate_size, e = place.expert;
    const struct tensor *tensor;
    struct linear fused = {0};

    loader_set_name(loader, place, names->fused_gate_up, "");
    tensor = loader_need(loader);
    if (!tensor || use_slice(loader, tensor, spec->n_experts, e, 2 * m, n, false, &fused))
        return -1;
    moe->gate[e] = loader_part(&fused, 0, m);
    moe->up[e] = loader_part(&fused, m, m);
    loader_set_name(loader, place, names->fused_down, "");
    tensor = loader_need(loader);
    return tensor ? use_slice(loader, tensor, spec->n_experts, e, n, m, false, &moe->down[e]) : -1;
}

/* Row number `expert` of biases [E, n]. */
static int load_expert_bias(struct loader *loader, size_t n_experts, size_t expert, size_t n,
                            struct linear *out)
{
    const struct tensor *tensor = loader_need(loader);
    struct tensor row;
    float *values;

    if (!tensor || loader_check(loader, tensor, 2, n_experts, n))
        return -1;
    if (tensor_part(&row, tensor, expert * n, 1, &n, NULL, &loader->parameters->arena,
                    loader->err))
        return -1;
    values = arena_alloc(&loader->parameters->arena, n * sizeof *values);
    out->bias = values;
    return tensor_read_floats(&row, values, loader->err);
}

/* Of [E, n_in, n_out]; bias NULL: there is none. */
static int load_turned(struct loader *loader, const struct moe_spec *spec, struct place place,
                       const char *name, const char *bias, size_t n_out, size_t n_in,
                       struct linear *out)
{
    const struct tensor *tensor;

    loader_set_name(loader, place, name, "");
    tensor = loader_need(loader);
    if (!tensor || use_slice(loader, tensor, spec->n_experts, place.expert, n_out, n_in, true, out))
        return -1;
    if (!bias)
        return 0;
    loader_set_name(loader, place, bias, "");
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

    if (names->gate && loader_linear(loader, place, names->gate, m, n, false, false, &moe->gate[e]))
        return -1;
    return loader_linear(loader, place, names->up, m, n, false, false, &moe->up[e]) ||
           loader_linear(loader, place, names->down, n, m, false, false, &moe->down[e]) ? -1 : 0;
}

/* The rows of all experts one behind the other; those of w2 are columns. */
static int use_stacked(struct loader *loader, struct place place, const char *name,
                       size_t n_experts, size_t n_out, size_t n_in, bool is_transposed,
                       struct linear *out)
{
    size_t n_rows = is_transposed ? n_in : n_out, n = is_transposed ? n_out : n_in;
    const struct tensor *tensor;

    loader_set_name(loader, place, name, "");
    tensor = loader_need(loader);
    if (!tensor || loader_check(loader, tensor, 2, n_experts * n_rows, n))
        return -1;
    return use_expert(loader, tensor, place.expert, n_out, n_in, is_transposed, out);
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
            loader_set_name(loader, place, ways[w - 1].name, ways[w - 1].ending);
            if (loader_find(loader))
                return moe;
        }
    }
    return &all[n - 1];
}

static int load_bias(struct loader *loader, struct place place, const char *name,
                     const float **out)
{
    loader_set_name(loader, place, name, "");
    return loader_vector(loader, loader->spec->hidden_size, out);
}

static int load_shared_expert(struct loader *loader, const struct stack_spec *stack,
                              const struct moe_names *names, struct place place,
                              struct moe_weights *moe)
{
    size_t n = stack->hidden_size, m = stack->moe.shared_size;

    if (loader_linear(loader, place, names->shared_gate, m, n, false, false, &moe->shared_gate) ||
        loader_linear(loader, place, names->shared_up, m, n, false, false, &moe->shared_up) ||
        loader_linear(loader, place, names->shared_down, n, m, false, false, &moe->shared_down))
        return -1;
    if (!stack->moe.has_shared_gate)
        return 0;
    return loader_linear(loader, place, names->shared_router, 1, n, false, false,
                         &moe->shared_router);
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

    loader_set_name(loader, place, names->temperature, "");
    if (loader_vector(loader, 1, &temperature))
        return -1;
    loader_set_name(loader, place, names->out, "");
    tensor = loader_need(loader);
    if (!tensor || loader_check(loader, tensor, 2, n_experts, n))
        return -1;
    rows = arena_alloc(&loader->parameters->arena, n_experts * n * sizeof *rows);
    if (tensor_read_floats(tensor, rows, loader->err))
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

    if (names->hidden && loader_linear(loader, place, names->hidden, spec->gate_size, n, false,
                                       spec->gate == GATE_MLP, &moe->router_hidden))
        return -1;
    if (spec->gate == GATE_COSINE)
        return load_centroids(loader, names, place, spec->n_experts, n_in, &moe->router.matrix);
    return loader_linear(loader, place, names->out, spec->n_experts, n_in, false, false,
                         &moe->router);
}

static int load_router(struct loader *loader, const struct moe_spec *spec, size_t n,
                       const struct moe_names *names, struct place place, struct moe_weights *moe)
{
    if (names->gates)
        return load_gate(loader, spec, n, &names->gates[spec->gate], place, moe);
    if (!names->router_matrix)
        return loader_linear(loader, place, names->router, spec->n_experts, n, false,
                             spec->has_router_bias, &moe->router);
    loader_set_name(loader, place, names->router_matrix, "");
    return loader_matrix(loader, spec->n_experts, n, false, &moe->router.matrix);
}

int moe_parameters_load(struct loader *loader, const struct stack_spec *stack, struct place place,
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
        loader_set_name(loader, place, names->choice_bias, "");
        if (loader_vector(loader, n_experts, &moe->choice_bias))
            return -1;
    }
    moe->gate = arena_alloc(arena, n_experts * sizeof *moe->gate);
    moe->up = arena_alloc(arena, n_experts * sizeof *moe->up);
    moe->down = arena_alloc(arena, n_experts * sizeof *moe->down);
    for (place.expert = 0; place.expert < n_experts; place.expert++)
        if (load(loader, stack, names, place, moe))
            return -1;
    if (load == load_expert) {
        loader_set_name(loader, place, names->up, ".weight");
        if (loader_find(loader))
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
        return loader_linear(loader, place, names->k, n_kv, n, false, bias, &out->k) ||
                       loader_linear(loader, place, names->v, n_kv, n, false, bias, &out->v)
                   ? -1
                   : 0;
    if (loader_linear(loader, place, names->kv, 2 * n_kv, n, false, bias, &fused))
        return -1;
    out->k = loader_part(&fused, 0, n_kv);
    out->v = loader_part(&fused, n_kv, n_kv);
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
    loader_set_name(loader, place, names->fused_gate_up, "");
    queries = loader_need(loader);
    loader_set_name(loader, place, names->fused_down, "");
    outputs = queries ? loader_need(loader) : NULL;
    return !outputs ||
                   use_slice(loader, queries, spec->n_experts, e, n_q, n, false, &moe->up[e]) ||
                   use_slice(loader, outputs, spec->n_experts, e, n, n_q, false, &moe->down[e])
               ? -1
               : 0;
}

/* An expert gives one query head for each head of keys and values. */
int moe_parameters_load_attention(struct loader *loader, const struct stack_spec *stack,
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
