#include "moe_folder.h"

#include <stdlib.h>
#include <string.h>

#include "arch/expert_tensor.h"
#include "arch/families.h"
#include "arch/layout_check.h"
#include "arch/model_layout.h"
#include "arch/quantized.h"
#include "arch/tensor_names.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "tensor/tensor_floats.h"
#include "tensor/tensor_source.h"

enum { N_MATRICES = 3 }; /* of an MLP: gate, up, down */

/* ---- a dense model ---- */

struct dense { /* its tensors by what they are */
    const struct model_folder *model;
    struct model_spec spec;
    struct checkpoint_names names;
    struct model_layout layout;
};

static int dense_open(struct dense *dense, struct model_folder *model, struct notices *notices,
                      struct error *err)
{
    const struct checkpoint *weights = model_folder_weights(model, notices, err);

    *dense = (struct dense){.model = model};
    if (!weights || quantized_check(model, err) ||
        model_spec_load(&dense->spec, &model->config, MODEL_DECODER, model->name, err))
        return -1;
    checkpoint_names_init(&dense->names, weights);
    layout_make(&dense->layout, &dense->spec, MODEL_DECODER, &dense->names);
    return layout_check(&dense->layout, err) ? error_context(err, "'%s'", model->name) : 0;
}

static void dense_release(struct dense *dense)
{
    layout_release(&dense->layout);
    checkpoint_names_release(&dense->names);
    model_spec_release(&dense->spec);
}

/* A tensor of a layer, or NULL. */
static const struct tensor *dense_find(const struct dense *dense, size_t layer, const char *name,
                                       const char *ending)
{
    struct place place = {dense->spec.stack.names->prefix, layer, SIZE_MAX};
    const struct layout_entry *entry;
    struct buffer text = {0};

    layout_name(&text, place, name, ending);
    entry = layout_find(&dense->layout, text.data);
    buffer_release(&text);
    return entry ? entry->tensor : NULL;
}

static int differ(const struct dense *dense, const struct dense *base, const char *what, size_t own,
                  size_t other, struct error *err)
{
    return error_set(err, ERROR_INCOMPATIBLE, "%s is %zu in '%s' and %zu in '%s': it cannot be an "
                     "expert there", what, own, dense->model->name, other, base->model->name);
}

/* Only its MLPs matter, whose shapes and activation must be the base's. */
static int check_expert(const struct dense *dense, const struct dense *base, struct error *err)
{
    const struct stack_spec *a = &dense->spec.stack, *b = &base->spec.stack;

    if (a->n_layers != b->n_layers)
        return differ(dense, base, "num_hidden_layers", a->n_layers, b->n_layers, err);
    if (a->hidden_size != b->hidden_size)
        return differ(dense, base, "hidden_size", a->hidden_size, b->hidden_size, err);
    if (a->intermediate_size != b->intermediate_size)
        return differ(dense, base, "intermediate_size", a->intermediate_size, b->intermediate_size,
                      err);
    if (a->activation != b->activation)
        return error_set(err, ERROR_INCOMPATIBLE, "hidden_act is another one in '%s' than in '%s': it "
                         "cannot be an expert there", dense->model->name, base->model->name);
    if (a->has_mlp_bias)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': an expert has no place for biases "
                         "(mlp_bias)", dense->model->name);
    return 0;
}

/* ---- tensors ---- */

struct maker {
    const struct moe_design *design;
    struct dense base;
    struct dense *models; /* [n_models] that become experts, each once */
    size_t n_models, *model_of; /* [n_parts], of the experts and then the shared one: which of them */
    size_t n_parts;
    struct checkpoint *checkpoint; /* of the mixture */
    struct arena *arena;           /* its own */
    struct tensor *tensors;
    size_t n_tensors;
    char *prefix; /* in front of plain names */
    struct error *err;
};

static const struct moe_part *part_of(const struct maker *maker, size_t number)
{
    return number < maker->design->n_experts ? &maker->design->experts[number]
                                             : maker->design->shared;
}

static void add(struct maker *maker, const struct tensor *tensor, const char *name)
{
    size_t n = maker->n_tensors;

    if ((n & (n - 1)) == 0) /* doubles at powers of two */
        maker->tensors = memory_resize(maker->tensors, n ? 2 * n : 1, sizeof *maker->tensors);
    maker->tensors[maker->n_tensors] = *tensor;
    maker->tensors[maker->n_tensors++].name = name;
}

/* "model.layers.3.mlp.gate" and ".weight", in the arena. */
static const char *name_of(struct maker *maker, size_t layer, const char *name, const char *ending)
{
    char *text = memory_format("%slayers.%zu.%s%s", maker->prefix, layer, name, ending);
    const char *own = arena_copy(maker->arena, text, strlen(text));

    free(text);
    return own;
}

/* What stands in front of "layers." in the names of the base. */
static char *find_prefix(const struct dense *base)
{
    const struct tensor *tensor = dense_find(base, 0, base->spec.stack.names->gate, ".weight");
    const char *end = tensor ? strstr(tensor->name, "layers.0.") : NULL;

    return end ? memory_format("%.*s", (int)(end - tensor->name), tensor->name)
               : memory_copy("model.");
}

/* Everything but the MLPs. */
static void add_base(struct maker *maker)
{
    const struct checkpoint *weights = maker->base.names.checkpoint;

    for (size_t i = 0; i < weights->n_tensors; i++) {
        const struct tensor *tensor = &weights->tensors[i];
        struct name_layer layer;

        if (!tensor_names_find_layer(tensor->name, &layer) || !strstr(tensor->name, ".mlp."))
            add(maker, tensor, arena_copy(maker->arena, tensor->name, strlen(tensor->name)));
    }
}

/* One matrix of an MLP, as its expert has it; the arena's. NULL with an error. */
static const struct tensor *take_matrix(struct maker *maker, size_t number, size_t layer,
                                        size_t matrix)
{
    const struct layer_names *names = maker->base.spec.stack.names;
    const char *const all[N_MATRICES] = {names->gate, names->up, names->down};
    const struct moe_part *part = part_of(maker, number);
    const struct tensor *found = dense_find(&maker->models[maker->model_of[number]], layer,
                                            all[matrix], ".weight");
    struct expert_change change = {
        .noise = part->noise, .scale = matrix == 2 ? part->scale : 1, .seed = maker->design->seed,
        .stream = ((uint64_t)layer * N_MATRICES + matrix) * maker->n_parts + number,
    };
    struct tensor *made;

    if (change.noise == 0 && change.scale == 1)
        return found;
    made = arena_alloc(maker->arena, sizeof *made);
    return expert_tensor(made, found, &change, maker->arena, maker->err) ? NULL : made;
}

/* The matrices of one MLP, each by itself, behind `prefix`. */
static int add_apart(struct maker *maker, size_t number, size_t layer, const char *prefix)
{
    static const char *const ends[N_MATRICES] = {"gate_proj", "up_proj", "down_proj"};

    for (size_t m = 0; m < N_MATRICES; m++) {
        const struct tensor *tensor = take_matrix(maker, number, layer, m);
        char *name = memory_format("%s%s", prefix, ends[m]);

        if (tensor)
            add(maker, tensor, name_of(maker, layer, name, ".weight"));
        free(name);
        if (!tensor)
            return -1;
    }
    return 0;
}

/* Matrices `first` to `last` of all experts one behind the other: [E, n_rows, n]. */
static int add_fused(struct maker *maker, size_t layer, size_t first, size_t last, const char *name,
                     size_t n_rows, size_t n)
{
    size_t n_experts = maker->design->n_experts, n_parts = 0;
    const struct tensor **parts = arena_alloc(maker->arena, 2 * n_experts * sizeof(*parts));
    struct tensor *joined = arena_alloc(maker->arena, sizeof *joined), made;

    for (size_t e = 0; e < n_experts; e++)
        for (size_t m = first; m <= last; m++)
            if (!(parts[n_parts++] = take_matrix(maker, e, layer, m)))
                return -1;
    name = name_of(maker, layer, name, "");
    if (tensor_join(joined, name, parts, n_parts, 0, maker->arena, maker->err) ||
        tensor_part(&made, joined, 0, 3, (const size_t[]){n_experts, n_rows, n}, NULL, maker->arena,
                    maker->err))
        return -1;
    add(maker, &made, name);
    return 0;
}

static int add_router(struct maker *maker, size_t layer, const char *name, size_t first,
                      size_t n_rows)
{
    size_t n = maker->base.spec.stack.hidden_size;
    const float *rows = maker->design->rows + (layer * (maker->design->n_experts + 1) + first) * n;
    struct tensor made;

    name = name_of(maker, layer, name, ".weight");
    if (tensor_floats(&made, name, 2, (const size_t[]){n_rows, n}, rows, "the recipe's prompts",
                      maker->arena, maker->err))
        return -1;
    add(maker, &made, name);
    return 0;
}

/* Zeros where the base has no biases of q, k and v. */
static int add_biases(struct maker *maker, size_t layer)
{
    const struct stack_spec *stack = &maker->base.spec.stack;
    const struct {
        const char *name;
        size_t n;
    } rows[] = {
        {stack->names->q, stack->n_heads * stack->head_dim},
        {stack->names->k, stack->n_kv_heads * stack->head_dim},
        {stack->names->v, stack->n_kv_heads * stack->head_dim},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *name = name_of(maker, layer, rows[i].name, ".bias");
        struct tensor made;

        if (dense_find(&maker->base, layer, rows[i].name, ".bias"))
            continue;
        if (tensor_floats(&made, name, 1, &rows[i].n,
                          arena_alloc(maker->arena, rows[i].n * sizeof(float)), "zeros",
                          maker->arena, maker->err))
            return -1;
        add(maker, &made, name);
    }
    return 0;
}

static int add_experts(struct maker *maker, size_t layer)
{
    const struct stack_spec *stack = &maker->base.spec.stack;
    size_t n = stack->hidden_size, m = stack->intermediate_size;

    if (maker->design->output->is_fused)
        return add_fused(maker, layer, 0, 1, "mlp.experts.gate_up_proj", 2 * m, n) ||
                       add_fused(maker, layer, 2, 2, "mlp.experts.down_proj", n, m)
                   ? -1
                   : 0;
    for (size_t e = 0; e < maker->design->n_experts; e++) {
        char *prefix = memory_format("mlp.experts.%zu.", e);
        int rc = add_apart(maker, e, layer, prefix);

        free(prefix);
        if (rc)
            return -1;
    }
    return 0;
}

static int add_layer(struct maker *maker, size_t layer)
{
    const struct moe_design *design = maker->design;
    const struct moe_output *output = design->output;

    if (add_router(maker, layer, output->router, 0, design->n_experts) || add_experts(maker, layer))
        return -1;
    if (design->shared &&
        add_apart(maker, design->n_experts, layer, output->shared_prefix))
        return -1;
    if (design->shared && output->gates_shared &&
        add_router(maker, layer, output->shared_router, design->n_experts, 1))
        return -1;
    return output->needs_qkv_bias ? add_biases(maker, layer) : 0;
}

/* ---- all ---- */

static int open_model(struct maker *maker, struct model_folder *model, struct notices *notices,
                      size_t *number)
{
    struct dense *dense;

    for (*number = 0; *number < maker->n_models; (*number)++)
        if (maker->models[*number].model == model)
            return 0;
    dense = &maker->models[maker->n_models++];
    return dense_open(dense, model, notices, maker->err) ||
                   check_expert(dense, &maker->base, maker->err)
               ? -1
               : 0;
}

static int open_models(struct maker *maker, struct notices *notices)
{
    const struct moe_design *design = maker->design;

    maker->n_parts = design->n_experts + (design->shared != NULL);
    if (dense_open(&maker->base, design->base, notices, maker->err))
        return -1;
    maker->models = memory_zalloc(maker->n_parts, sizeof *maker->models);
    maker->model_of = memory_zalloc(maker->n_parts, sizeof *maker->model_of);
    for (size_t i = 0; i < maker->n_parts; i++)
        if (open_model(maker, part_of(maker, i)->model, notices, &maker->model_of[i]))
            return -1;
    return 0;
}

static int make_tensors(struct maker *maker)
{
    maker->prefix = find_prefix(&maker->base);
    add_base(maker);
    for (size_t i = 0; i < maker->base.spec.stack.n_layers; i++)
        if (add_layer(maker, i))
            return -1;
    return 0;
}

static int make_config(struct maker *maker, struct model_folder *model, struct notices *notices)
{
    const struct moe_design *design = maker->design;
    struct buffer text = {0};
    int rc = moe_output_add_config(design->output, design->base, &maker->base.spec,
                                   design->n_experts, design->n_chosen, design->shared != NULL,
                                   &text, notices, maker->err);

    if (rc == 0)
        rc = model_folder_set_config(model, &text, maker->err);
    buffer_release(&text);
    return rc;
}

static void release(struct maker *maker)
{
    for (size_t i = 0; i < maker->n_models; i++)
        dense_release(&maker->models[i]);
    free(maker->models);
    free(maker->model_of);
    dense_release(&maker->base);
    free(maker->tensors);
    free(maker->prefix);
}

int moe_folder_make(struct model_folder *model, const struct moe_design *design,
                    struct notices *notices, struct error *err)
{
    struct maker maker = {.design = design, .err = err};
    struct notices ignored = {0}; /* those of the base's weights */
    int rc = open_models(&maker, notices);

    maker.checkpoint = rc ? NULL : model_folder_own(model, model_folder_weights(model, &ignored, err));
    if (maker.checkpoint) {
        maker.arena = &maker.checkpoint->arena;
        rc = make_tensors(&maker);
    }
    if (rc == 0 && maker.checkpoint) {
        rc = checkpoint_replace_tensors(maker.checkpoint, maker.tensors, maker.n_tensors, err);
        maker.tensors = NULL;
    }
    if (rc == 0 && maker.checkpoint)
        rc = make_config(&maker, model, notices);
    if (!maker.checkpoint)
        rc = -1;
    release(&maker);
    notices_release(&ignored);
    return rc ? -1 : 0;
}

int moe_folder_sizes(const struct model_folder *base, size_t *n_layers, size_t *hidden_size,
                     struct error *err)
{
    struct model_spec spec;

    if (model_spec_load(&spec, &base->config, MODEL_DECODER, base->name, err))
        return -1;
    *n_layers = spec.stack.n_layers;
    *hidden_size = spec.stack.hidden_size;
    model_spec_release(&spec);
    return 0;
}
