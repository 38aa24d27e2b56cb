#include "moe_parameters.h"

#include <math.h>

#include "arch/families.h"
#include "arch/layout_experts.h"

/* ---- experts ---- */

/* Counts a matrix. Whether it is loaded here. */
static bool is_here(struct loader *loader, struct share here, size_t expert, size_t size_bytes)
{
    bool is_loaded = expert >= here.begin && expert < here.end;

    loader->parameters->all_expert_bytes += size_bytes;
    loader->parameters->expert_bytes += is_loaded ? size_bytes : 0;
    return is_loaded;
}

static int load_matrix(struct loader *loader, const struct layout_experts *experts, size_t expert,
                       struct share here, enum expert_matrix matrix, struct linear *out)
{
    struct tensor tensor;
    bool is_transposed;

    if (layout_expert(loader->layout, experts, expert, matrix, &loader->parameters->arena, &tensor,
                      &is_transposed, loader->err))
        return -1;
    if (!is_here(loader, here, expert, tensor.size_bytes))
        return 0;
    return loader_use(loader, &tensor, tensor.shape[is_transposed], tensor.shape[!is_transposed],
                      is_transposed, &out->matrix);
}

/* biases[e] of every expert that is here: rows of [E, n]. */
static int load_expert_biases(struct loader *loader, struct place place, const char *name,
                              struct share here, struct linear *experts)
{
    struct arena *arena = &loader->parameters->arena;
    const struct layout_entry *entry;
    struct tensor row;
    float *values;

    if (!name)
        return 0;
    entry = loader_find(loader, place, name, "");
    for (size_t e = here.begin; e < here.end; e++) {
        if (tensor_part(&row, entry->tensor, e * entry->shape[1], 1, &entry->shape[1], NULL, arena,
                        loader->err) ||
            loader_floats(loader, &row, &values))
            return -1;
        experts[e].bias = values;
    }
    return 0;
}

static int load_biases_apart(struct loader *loader, const struct stack_spec *stack,
                             const struct moe_names *names, struct place place, struct share here,
                             struct moe_weights *moe)
{
    for (size_t e = here.begin; e < here.end; e++) {
        place.expert = e;
        if ((stack->is_gated &&
             loader_vector(loader, place, names->gate, ".bias", &moe->gate[e].bias)) ||
            loader_vector(loader, place, names->up, ".bias", &moe->up[e].bias) ||
            loader_vector(loader, place, names->down, ".bias", &moe->down[e].bias))
            return -1;
    }
    return 0;
}

static int load_experts(struct loader *loader, const struct stack_spec *stack, struct place place,
                        struct moe_weights *moe)
{
    const struct layout_experts *experts =
        layout_find_experts(loader->layout, stack, place.layer);
    const struct moe_names *names = experts->names;
    size_t n = stack->moe.n_experts;
    struct share here = expert_group_share(loader->experts, n);
    bool has_gate = stack->is_gated && (names->gate || names->stacked_gate ||
                                        names->fused_gate_up || names->turned_gate);
    struct arena *arena = &loader->parameters->arena;

    moe->gate = arena_alloc(arena, n * sizeof *moe->gate);
    moe->up = arena_alloc(arena, n * sizeof *moe->up);
    moe->down = arena_alloc(arena, n * sizeof *moe->down);
    for (size_t e = 0; e < n; e++)
        if ((has_gate &&
             load_matrix(loader, experts, e, here, EXPERT_GATE, &moe->gate[e])) ||
            load_matrix(loader, experts, e, here, EXPERT_UP, &moe->up[e]) ||
            load_matrix(loader, experts, e, here, EXPERT_DOWN, &moe->down[e]))
            return -1;
    if (stack->moe.has_expert_bias && load_biases_apart(loader, stack, names, place, here, moe))
        return -1;
    return load_expert_biases(loader, place, names->turned_gate_up_bias, here, moe->up) ||
                   load_expert_biases(loader, place, names->turned_down_bias, here, moe->down)
               ? -1
               : 0;
}

static int load_shared_expert(struct loader *loader, const struct stack_spec *stack,
                              const struct moe_names *names, struct place place,
                              struct moe_weights *moe)
{
    if ((stack->is_gated &&
         loader_linear(loader, place, names->shared_gate, false, false, &moe->shared_gate)) ||
        loader_linear(loader, place, names->shared_up, false, false, &moe->shared_up) ||
        loader_linear(loader, place, names->shared_down, false, false, &moe->shared_down))
        return -1;
    if (!stack->moe.has_shared_gate)
        return 0;
    return loader_linear(loader, place, names->shared_router, false, false, &moe->shared_router);
}

/* ---- routers ---- */

/* Rows [n_experts, n] brought to the length exp(temperature): a product with rows of length 1 then
 * gives the logits. */
static int load_centroids(struct loader *loader, const struct gate_names *names,
                          struct place place, struct gemm_matrix *out)
{
    const struct layout_entry *entry;
    size_t n_experts, n;
    const float *temperature;
    float *rows;

    if (loader_vector(loader, place, names->temperature, "", &temperature))
        return -1;
    entry = loader_find(loader, place, names->out, "");
    if (loader_floats(loader, entry->tensor, &rows))
        return -1;
    n_experts = entry->shape[0];
    n = entry->shape[1];
    for (size_t e = 0; e < n_experts; e++) {
        float *row = rows + e * n;
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += (double)row[i] * (double)row[i];
        for (size_t i = 0; i < n; i++)
            row[i] = (float)(row[i] / fmax(sqrt(sum), 1e-12) * exp(*temperature));
    }
    *out = (struct gemm_matrix){.format = &matrix_f32, .data = rows, .n_out = n_experts,
                                .n_in = n, .stride = n};
    return 0;
}

static int load_gate(struct loader *loader, enum gate_kind kind, const struct gate_names *names,
                     struct place place, struct moe_weights *moe)
{
    if (names->hidden && loader_linear(loader, place, names->hidden, false, kind == GATE_MLP,
                                       &moe->router_hidden))
        return -1;
    if (kind == GATE_COSINE)
        return load_centroids(loader, names, place, &moe->router.matrix);
    return loader_linear(loader, place, names->out, false, false, &moe->router);
}

static int load_router(struct loader *loader, const struct moe_spec *spec,
                       const struct moe_names *names, struct place place, struct moe_weights *moe)
{
    if (names->gates)
        return load_gate(loader, spec->gate, &names->gates[spec->gate], place, moe);
    if (!names->router_matrix)
        return loader_linear(loader, place, names->router, false, spec->has_router_bias,
                             &moe->router);
    return loader_matrix(loader, place, names->router_matrix, "", false, &moe->router.matrix);
}

int moe_parameters_load(struct loader *loader, const struct stack_spec *stack, struct place place,
                        struct layer *layer)
{
    const struct family_names *all = loader->spec->family->names;
    const struct moe_names *names =
        stack->names == all->encoder_layers ? all->encoder_moe : all->moe;
    struct moe_weights *moe = layer->moe =
        arena_alloc(&loader->parameters->arena, sizeof *moe);

    if (load_router(loader, &stack->moe, names, place, moe))
        return -1;
    if (stack->moe.has_choice_bias &&
        loader_vector(loader, place, names->choice_bias, "", &moe->choice_bias))
        return -1;
    if (load_experts(loader, stack, place, moe) ||
        (stack->moe.has_bias && loader_vector(loader, place, names->bias, "", &moe->bias)))
        return -1;
    return stack->moe.shared_size ? load_shared_expert(loader, stack, names, place, moe) : 0;
}

/* ---- attention ---- */

/* Those that all experts share. */
static int load_shared_kv(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct attention_weights *out)
{
    const struct layer_names *names = stack->names;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias;
    struct linear fused = {0};

    if (stack->lacks_kv)
        return 0;
    if (!names->kv)
        return loader_linear(loader, place, names->k, false, bias, &out->k) ||
                       loader_linear(loader, place, names->v, false, bias, &out->v)
                   ? -1
                   : 0;
    if (loader_linear(loader, place, names->kv, false, bias, &fused))
        return -1;
    out->k = loader_part(&fused, 0, n_kv);
    out->v = loader_part(&fused, n_kv, n_kv);
    return 0;
}

/* Expert e of [E, n_out, n_in], or of [E, n_in, n_out]. */
static int load_query_matrix(struct loader *loader, struct place place, const char *name,
                             bool is_transposed, size_t e, struct share here, struct linear *out)
{
    const struct layout_entry *entry = loader_find(loader, place, name, "");
    const size_t *shape = &entry->shape[1];
    struct tensor part;

    if (tensor_part(&part, entry->tensor, e * shape[0] * shape[1], 2, shape, NULL,
                    &loader->parameters->arena, loader->err))
        return -1;
    if (!is_here(loader, here, e, part.size_bytes))
        return 0;
    return loader_use(loader, &part, shape[is_transposed], shape[!is_transposed], is_transposed,
                      &out->matrix);
}

/* An expert gives one query head for each head of keys and values. */
int moe_parameters_load_attention(struct loader *loader, const struct stack_spec *stack,
                                  struct place place, struct attention_weights *out)
{
    const struct moe_names *names = stack->names->attention_moe;
    const struct moe_spec *spec = &stack->attention_moe;
    struct arena *arena = &loader->parameters->arena;
    struct moe_weights *moe = out->experts = arena_alloc(arena, sizeof *moe);
    struct share here = expert_group_share(loader->experts, spec->n_experts);
    bool is_turned = names->turned_up != NULL;

    if (load_shared_kv(loader, stack, place, out) ||
        load_router(loader, spec, names, place, moe) ||
        (names->bias && loader_vector(loader, place, names->bias, "", &moe->bias)))
        return -1;
    moe->up = arena_alloc(arena, spec->n_experts * sizeof *moe->up);
    moe->down = arena_alloc(arena, spec->n_experts * sizeof *moe->down);
    for (size_t e = 0; e < spec->n_experts; e++)
        if (load_query_matrix(loader, place, is_turned ? names->turned_up : names->fused_gate_up,
                              is_turned, e, here, &moe->up[e]) ||
            load_query_matrix(loader, place, is_turned ? names->turned_down : names->fused_down,
                              is_turned, e, here, &moe->down[e]))
            return -1;
    return 0;
}
