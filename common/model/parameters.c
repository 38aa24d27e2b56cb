#include "parameters.h"

#include <stdlib.h>

#include "arch/families.h"
#include "arch/layout_check.h"
#include "model/loader.h"
#include "model/moe_parameters.h"

static const struct place top = {.prefix = ""};

/* ---- parts of a layer ---- */

static int load_mla(struct loader *loader, const struct stack_spec *stack, struct place place,
                    struct attention_weights *out)
{
    const struct mla_names *names = stack->names->mla;
    struct mla_weights *mla = out->mla = arena_alloc(&loader->parameters->arena, sizeof *mla);
    bool bias = stack->has_qkv_bias;

    if (stack->mla.q_lora_rank == 0) {
        if (loader_linear(loader, place, names->q, false, false, &mla->q_b))
            return -1;
    } else if (loader_linear(loader, place, names->q_a, false, bias, &mla->q_a) ||
               loader_norm(loader, place, names->q_norm, NORM_RMS, &mla->q_norm) ||
               loader_linear(loader, place, names->q_b, false, false, &mla->q_b)) {
        return -1;
    }
    if (loader_linear(loader, place, names->kv_a, false, bias, &mla->kv_a) ||
        loader_norm(loader, place, names->kv_norm, NORM_RMS, &mla->kv_norm))
        return -1;
    return loader_linear(loader, place, names->kv_b, false, false, &mla->kv_b);
}

static int load_cross_attention(struct loader *loader, const struct stack_spec *stack,
                                struct place place, struct layer *layer)
{
    const struct layer_names *names = stack->names;
    bool bias = stack->has_qkv_bias;

    if (loader_norm(loader, place, names->cross_norm, stack->norm, &layer->cross_norm) ||
        loader_linear(loader, place, names->cross_q, false, bias, &layer->cross.q) ||
        loader_linear(loader, place, names->cross_k, false, bias, &layer->cross.k) ||
        loader_linear(loader, place, names->cross_v, false, bias, &layer->cross.v))
        return -1;
    return loader_linear(loader, place, names->cross_o, false, stack->has_o_bias,
                         &layer->cross.o);
}

static int load_mlp(struct loader *loader, const struct stack_spec *stack,
                    const struct layer_names *names, struct place place, struct layer *layer)
{
    size_t m = stack->intermediate_size;
    bool bias = stack->has_mlp_bias, turned = stack->is_conv1d;
    struct linear fused;

    if (stack->is_gated && names->gate_up) {
        fused = (struct linear){0};
        if (loader_linear(loader, place, names->gate_up, turned, bias, &fused))
            return -1;
        layer->gate = loader_part(&fused, 0, m);
        layer->up = loader_part(&fused, m, m);
    } else {
        const char *up = stack->is_gated && names->gated_up ? names->gated_up : names->up;

        if (loader_linear(loader, place, up, turned, bias, &layer->up) ||
            (stack->is_gated &&
             loader_linear(loader, place, names->gate, turned, bias, &layer->gate)))
            return -1;
    }
    return loader_linear(loader, place, names->down, turned, bias, &layer->down);
}

/* ---- attention ---- */

static int load_attention(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct attention_weights *out)
{
    const struct layer_names *names = stack->names;
    bool bias = stack->has_qkv_bias, turned = stack->is_conv1d;

    if (stack->attention_moe.n_experts)
        return moe_parameters_load_attention(loader, stack, place, out);
    if (stack->qkv == QKV_LATENT) {
        if (load_mla(loader, stack, place, out))
            return -1;
    } else if (stack->qkv == QKV_SEPARATE) {
        if (loader_linear(loader, place, names->q, turned, bias, &out->q) ||
            loader_linear(loader, place, names->k, turned, bias, &out->k) ||
            loader_linear(loader, place, names->v, turned, bias, &out->v))
            return -1;
    } else if (loader_linear(loader, place, names->qkv, turned, bias, &out->q)) {
        return -1;
    }
    if (loader_linear(loader, place, names->o, turned, stack->has_o_bias, &out->o) ||
        (stack->has_sinks && loader_vector(loader, place, names->sinks, "", &out->sinks)))
        return -1;
    if (stack->position == POSITION_RELATIVE && (place.layer == 0 || stack->has_bias_per_layer))
        return loader_vector(loader, place, names->relative_bias, ".weight", &out->relative_bias);
    return 0;
}

/* ---- layers ---- */

static int load_extra_mlp(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct layer *layer)
{
    const struct layer_names *names = stack->names->extra_mlp;

    return loader_norm(loader, place, names->norm2, stack->norm, &layer->extra_norm) ||
                   load_mlp(loader, stack, names, place, layer)
               ? -1
               : 0;
}

static int load_layer(struct loader *loader, const struct stack_spec *stack, size_t number,
                      struct layer *layer)
{
    const struct layer_names *names = stack->names;
    struct place place = {.prefix = names->prefix, .layer = number};
    enum norm_kind norm = stack->norm;
    bool is_sparse = stack->is_sparse && stack->is_sparse[number];

    if (loader_norm(loader, place, names->norm1, norm, &layer->norm1) ||
        load_attention(loader, stack, place, &layer->self) ||
        loader_norm(loader, place, names->norm2, norm, &layer->norm2) ||
        (is_sparse ? moe_parameters_load(loader, stack, place, layer)
                   : load_mlp(loader, stack, names, place, layer)) ||
        (is_sparse && stack->has_extra_mlp && load_extra_mlp(loader, stack, place, layer)))
        return -1;
    if (stack->has_qk_norm &&
        (loader_norm(loader, place, names->q_norm, norm, &layer->q_norm) ||
         loader_norm(loader, place, names->k_norm, norm, &layer->k_norm)))
        return -1;
    if (stack->has_post_norms &&
        (loader_norm(loader, place, names->post_attention_norm, norm,
                     &layer->post_attention_norm) ||
         loader_norm(loader, place, names->post_mlp_norm, norm, &layer->post_mlp_norm)))
        return -1;
    return stack->has_cross_attention ? load_cross_attention(loader, stack, place, layer) : 0;
}

static int load_table(struct loader *loader, const char *name, struct gemm_matrix *out)
{
    return loader_matrix(loader, top, name, ".weight", false, out);
}

/* Where a stack's own table differs from the one that both share, transformers 5 uses it. */
static int load_own_table(struct loader *loader, const struct stack_spec *spec, struct stack *stack)
{
    const char *name = spec->names->table;
    const struct layout_entry *own = name ? loader_find(loader, top, name, ".weight") : NULL;
    const struct tensor *shared;
    int is_copy;

    stack->embedding = loader->parameters->embedding;
    if (!own)
        return 0;
    shared = loader_find(loader, top, loader->spec->family->names->embedding, ".weight")->tensor;
    is_copy = tensor_equal(own->tensor, shared, loader->err);
    if (is_copy)
        return is_copy < 0 ? -1 : 0;
    notices_add(loader->notices, "'" ERROR_NAME "' differs from '" ERROR_NAME "': it is used",
                own->tensor->name, shared->name);
    return load_table(loader, name, &stack->embedding);
}

static int load_stack(struct loader *loader, const struct stack_spec *spec, struct stack *stack)
{
    if (load_own_table(loader, spec, stack))
        return -1;
    stack->layers = arena_alloc(&loader->parameters->arena, spec->n_layers * sizeof *stack->layers);
    for (size_t i = 0; i < spec->n_layers; i++)
        if (load_layer(loader, spec, i, &stack->layers[i]))
            return -1;
    return spec->has_final_norm ? loader_norm(loader, top, spec->names->final_norm, spec->norm,
                                              &stack->final_norm)
                                : 0;
}

/* ---- what stands before and behind the layers ---- */

static int load_embeddings(struct loader *loader)
{
    const struct model_spec *spec = loader->spec;
    const struct family_names *names = spec->family->names;
    struct parameters *parameters = loader->parameters;

    if (load_table(loader, names->embedding, &parameters->embedding) ||
        (spec->n_positions && load_table(loader, names->positions, &parameters->positions)) ||
        (spec->n_token_types && load_table(loader, names->token_types, &parameters->token_types)))
        return -1;
    return spec->has_embedding_norm ? loader_norm(loader, top, names->embedding_norm,
                                                  spec->stack.norm, &parameters->embedding_norm)
                                    : 0;
}

/* A head that is stored is used, tied or not: where it differs, transformers 5 does so too. */
static int load_head(struct loader *loader)
{
    const struct model_spec *spec = loader->spec;
    const char *name = spec->family->names->head;
    struct parameters *parameters = loader->parameters;
    const struct tensor *tensor, *embedding;

    if (spec->has_head_bias &&
        loader_vector(loader, top, name, ".bias", &parameters->head.bias))
        return -1;
    tensor = loader_find(loader, top, name, ".weight")->tensor;
    if (!tensor) {
        parameters->head.matrix = parameters->embedding;
        if (!spec->has_tied_head)
            notices_add(loader->notices, "no tensor '" ERROR_NAME "', though config.json says that "
                        "it is not tied: the embedding takes its place", loader->name.data);
        return 0;
    }
    if (load_table(loader, name, &parameters->head.matrix))
        return -1;
    embedding = loader_find(loader, top, spec->family->names->embedding, ".weight")->tensor;
    if (spec->has_tied_head && tensor != embedding) {
        int is_copy = tensor_equal(tensor, embedding, loader->err);

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
    const struct classifier_names *names = classifier_names_of(loader->spec->classifier);
    struct parameters *parameters = loader->parameters;

    if (!names)
        return 0;
    if (names->dense &&
        loader_linear(loader, top, names->dense, false, true, &parameters->classifier_dense))
        return -1;
    return loader_linear(loader, top, names->out, false, names->has_bias,
                         &parameters->classifier);
}

static int load_all(struct loader *loader, enum model_type type)
{
    const struct model_spec *spec = loader->spec;
    struct parameters *parameters = loader->parameters;

    if (layout_check(loader->layout, loader->err) || load_embeddings(loader) ||
        load_stack(loader, &spec->stack, &parameters->stack) ||
        (spec->is_encoder_decoder && load_stack(loader, &spec->encoder, &parameters->encoder)) ||
        (model_spec_has_head(spec, type) && load_head(loader)))
        return -1;
    return load_classifier(loader);
}

/* Nothing of a model is left aside without a word. */
static void note_unused(const struct model_layout *layout, enum model_type type, const char *name,
                        struct notices *notices)
{
    const char *first, *as = model_type_name(type);
    size_t n = layout_count_unused(layout, &first);

    if (n == 1)
        notices_add(notices, "'%s': tensor '" ERROR_NAME "' is no part of the model as %s and is not "
                    "used", name, first, as);
    else if (n)
        notices_add(notices, "'%s': %zu tensors, '" ERROR_NAME "' the first, are no part of the "
                    "model as %s and are not used", name, n, first, as);
}

int parameters_load(struct parameters *parameters, const struct model_spec *spec,
                    enum model_type type, const struct checkpoint *checkpoint,
                    const struct expert_group *experts, const char *name, struct notices *notices, struct error *err)
{
    struct parameters loaded = {0};
    struct checkpoint_names names;
    struct model_layout layout;
    struct loader loader = {.parameters = &loaded, .spec = spec, .layout = &layout,
                            .experts = experts, .notices = notices, .err = err};
    int rc;

    checkpoint_names_init(&names, checkpoint);
    layout_make(&layout, spec, type, &names);
    rc = load_all(&loader, type);
    if (rc == 0)
        note_unused(&layout, type, name, notices);
    layout_release(&layout);
    checkpoint_names_release(&names);
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
