#include "parameters.h"

#include <stdlib.h>

#include "arch/families.h"
#include "model/loader.h"
#include "model/moe_parameters.h"

static const struct place top = {.prefix = ""};

/* ---- parts of a layer ---- */

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
        if (loader_linear(loader, place, names->q, n_q, n, false, false, &mla->q_b))
            return -1;
    } else if (loader_linear(loader, place, names->q_a, spec->q_rank, n, false, bias, &mla->q_a) ||
               loader_norm(loader, place, names->q_norm, NORM_RMS, spec->q_rank, &mla->q_norm) ||
               loader_linear(loader, place, names->q_b, n_q, spec->q_rank, false, false,
                             &mla->q_b)) {
        return -1;
    }
    if (loader_linear(loader, place, names->kv_a, spec->kv_rank + rotating, n, false, bias,
                      &mla->kv_a) ||
        loader_norm(loader, place, names->kv_norm, NORM_RMS, spec->kv_rank, &mla->kv_norm))
        return -1;
    return loader_linear(loader, place, names->kv_b,
                         stack->n_heads * (spec->still_dim + stack->value_dim), spec->kv_rank,
                         false, false, &mla->kv_b);
}

static int load_cross_attention(struct loader *loader, const struct stack_spec *stack,
                                struct place place, struct layer *layer)
{
    const struct layer_names *names = stack->names;
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias;

    if (loader_norm(loader, place, names->cross_norm, stack->norm, n, &layer->cross_norm) ||
        loader_linear(loader, place, names->cross_q, n_q, n, false, bias, &layer->cross.q) ||
        loader_linear(loader, place, names->cross_k, n_kv, n, false, bias, &layer->cross.k) ||
        loader_linear(loader, place, names->cross_v, n_kv, n, false, bias, &layer->cross.v))
        return -1;
    return loader_linear(loader, place, names->cross_o, n, n_q, false, stack->has_o_bias,
                         &layer->cross.o);
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
        if (loader_linear(loader, place, names->gate_up, 2 * m, n, turned, bias, &fused))
            return -1;
        layer->gate = loader_part(&fused, 0, m);
        layer->up = loader_part(&fused, m, m);
    } else {
        const char *up = stack->is_gated && names->gated_up ? names->gated_up : names->up;

        if (loader_linear(loader, place, up, m, n, turned, bias, &layer->up) ||
            (stack->is_gated &&
             loader_linear(loader, place, names->gate, n_gate, n, turned, bias, &layer->gate)))
            return -1;
    }
    return loader_linear(loader, place, names->down, n, m, turned, bias, &layer->down);
}

/* ---- attention ---- */

static int load_attention(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct attention_weights *out)
{
    const struct layer_names *names = stack->names;
    size_t n = stack->hidden_size, n_q = stack->n_heads * stack->head_dim;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    bool bias = stack->has_qkv_bias, turned = stack->is_conv1d;

    if (stack->attention_moe.n_experts)
        return moe_parameters_load_attention(loader, stack, place, out);
    if (stack->qkv == QKV_LATENT) {
        if (load_mla(loader, stack, place, out))
            return -1;
    } else if (stack->qkv == QKV_SEPARATE) {
        if (loader_linear(loader, place, names->q, n_q, n, turned, bias, &out->q) ||
            loader_linear(loader, place, names->k, n_kv, n, turned, bias, &out->k) ||
            loader_linear(loader, place, names->v, n_kv, n, turned, bias, &out->v))
            return -1;
    } else if (loader_linear(loader, place, names->qkv, n_q + 2 * n_kv, n, turned, bias, &out->q)) {
        return -1;
    }
    if (loader_linear(loader, place, names->o, n, stack->n_heads * stack->value_dim, turned,
                      stack->has_o_bias, &out->o))
        return -1;
    if (stack->has_sinks) {
        loader_set_name(loader, place, names->sinks, "");
        if (loader_vector(loader, stack->n_heads, &out->sinks))
            return -1;
    }
    if (stack->position == POSITION_RELATIVE &&
        (place.layer == 0 || stack->has_bias_per_layer)) {
        const struct tensor *tensor;
        float *values;

        loader_set_name(loader, place, names->relative_bias, ".weight");
        tensor = loader_need(loader);
        if (!tensor || loader_check(loader, tensor, 2, stack->n_buckets, stack->n_heads))
            return -1;
        values = arena_alloc(&loader->parameters->arena, tensor->n_items * sizeof *values);
        out->relative_bias = values;
        return tensor_read_floats(tensor, values, loader->err);
    }
    return 0;
}

/* ---- layers ---- */

static int load_extra_mlp(struct loader *loader, const struct stack_spec *stack,
                          struct place place, struct layer *layer)
{
    const struct layer_names *names = stack->names->extra_mlp;

    return loader_norm(loader, place, names->norm2, stack->norm, stack->hidden_size,
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

    if (loader_norm(loader, place, names->norm1, stack->norm, n, &layer->norm1) ||
        load_attention(loader, stack, place, &layer->self) ||
        loader_norm(loader, place, names->norm2, stack->norm, n, &layer->norm2) ||
        (is_sparse ? moe_parameters_load(loader, stack, place, layer)
                   : load_mlp(loader, stack, names, place, layer)) ||
        (is_sparse && stack->has_extra_mlp && load_extra_mlp(loader, stack, place, layer)))
        return -1;
    if (stack->has_qk_norm &&
        (loader_norm(loader, place, names->q_norm, stack->norm, n_q, &layer->q_norm) ||
         loader_norm(loader, place, names->k_norm, stack->norm, n_k, &layer->k_norm)))
        return -1;
    if (stack->has_post_norms &&
        (loader_norm(loader, place, names->post_attention_norm, stack->norm, n,
                     &layer->post_attention_norm) ||
         loader_norm(loader, place, names->post_mlp_norm, stack->norm, n, &layer->post_mlp_norm)))
        return -1;
    return stack->has_cross_attention ? load_cross_attention(loader, stack, place, layer) : 0;
}

static int load_stack(struct loader *loader, const struct stack_spec *spec, struct stack *stack)
{
    stack->layers = arena_alloc(&loader->parameters->arena, spec->n_layers * sizeof *stack->layers);
    for (size_t i = 0; i < spec->n_layers; i++)
        if (load_layer(loader, spec, i, &stack->layers[i]))
            return -1;
    return spec->has_final_norm ? loader_norm(loader, top, spec->names->final_norm,
                                              spec->norm, spec->hidden_size, &stack->final_norm)
                                : 0;
}

/* ---- what stands before and behind the layers ---- */

static int load_table(struct loader *loader, const char *name, size_t n_rows,
                      struct gemm_matrix *out)
{
    loader_set_name(loader, top, name, ".weight");
    return loader_matrix(loader, n_rows, loader->spec->hidden_size, false, out);
}

/* T5 stores its one embedding under any of three names. */
static int load_embedding(struct loader *loader)
{
    static const char *const aliases[] = {"encoder.embed_tokens", "decoder.embed_tokens"};
    const struct model_spec *spec = loader->spec;
    const char *name = spec->family->names->embedding;

    loader_set_name(loader, top, name, ".weight");
    for (size_t i = 0; spec->family->is_encoder_decoder && !loader_find(loader) && i < 2; i++) {
        loader_set_name(loader, top, aliases[i], ".weight");
        if (loader_find(loader))
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
               ? loader_norm(loader, top, names->embedding_norm, spec->stack.norm,
                             spec->hidden_size, &parameters->embedding_norm)
               : 0;
}

/* A head that is stored is used, tied or not: where it differs, transformers 5 does so too. */
static int load_head(struct loader *loader)
{
    const struct model_spec *spec = loader->spec;
    struct parameters *parameters = loader->parameters;
    const struct tensor *tensor;

    loader_set_name(loader, top, spec->family->names->head, ".bias");
    if (spec->has_head_bias && loader_vector(loader, spec->vocab_size, &parameters->head.bias))
        return -1;
    loader_set_name(loader, top, spec->family->names->head, ".weight");
    tensor = loader_find(loader);
    if (!tensor) {
        parameters->head.matrix = parameters->embedding;
        if (!spec->has_tied_head)
            notices_add(loader->notices, "no tensor '" ERROR_NAME "', though config.json says that "
                        "it is not tied: the embedding takes its place", loader->name.data);
        return 0;
    }
    if (loader_use(loader, tensor, spec->vocab_size, spec->hidden_size, false,
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
    if (rows[kind].dense && loader_linear(loader, top, rows[kind].dense, n, n, false, true,
                                          &loader->parameters->classifier_dense))
        return -1;
    loader_set_name(loader, top, rows[kind].out, ".weight");
    tensor = loader_need(loader);
    if (!tensor)
        return -1;
    return loader_linear(loader, top, rows[kind].out, tensor->n_dims ? tensor->shape[0] : 0, n,
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
