#include "expert_fit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/families.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"

/* One tensor [n_experts, n_parts n_rows, n_columns] of all experts, cut into their matrices. */
struct expert_pieces {
    size_t group, index;
    enum expert_matrix matrix; /* EXPERT_GATE: gate and up */
    size_t n_experts, n_parts, n_rows, n_columns;
    struct tensor *bases, *values; /* [n_experts n_parts] each, in the base, and so far */
    bool *is_changed;              /* likewise */
    size_t n_changed;
};

/* ---- names ---- */

static bool find_name(struct fitter *fitter, const char *name, const char *ending,
                      struct expert_name *found)
{
    const struct model_layout *layout = fitter_layout(fitter);
    char *full = memory_format("%s%s", name, ending);
    bool is_found = layout && expert_name_find(layout, full, found);

    free(full);
    return is_found;
}

static const struct layout_experts *experts_of(struct fitter *fitter, size_t group)
{
    return &fitter_layout(fitter)->experts[group];
}

/* ---- parameters of all experts, where each has matrices of its own ---- */

/* The tensor of an expert, or NULL. */
static const struct tensor *find_apart(struct fitter *fitter, const struct expert_name *all,
                                       size_t expert, enum expert_matrix matrix)
{
    struct expert_name one = *all;

    one.part = EXPERT_PART_ONE;
    one.expert = expert;
    one.matrix = matrix;
    return expert_name_tensor(fitter_layout(fitter), &one);
}

/* Calls `change` for each matrix of all experts: of gate_up_proj gates and ups. 1, 0 when the base has none of
 * them, or -1. */
static int for_each_apart(struct fitter *fitter, const struct expert_name *all, size_t n_experts,
                          int (*change)(struct fitter *, size_t, enum expert_matrix, size_t,
                                        const void *),
                          const void *context)
{
    size_t n_parts = all->matrix == EXPERT_DOWN ? 1 : 2;

    for (size_t e = 0; e < n_experts; e++)
        for (size_t i = 0; i < n_parts; i++) {
            enum expert_matrix matrix = i ? EXPERT_UP : all->matrix;
            const struct tensor *tensor = find_apart(fitter, all, e, matrix);

            if (!tensor)
                return e + i == 0 ? 0
                                  : error_set(fitter->err, ERROR_INCOMPATIBLE, "'%s': layer %zu of '%s' "
                                              "has another number of experts; is the adapter for "
                                              "another model?", fitter->adapter->lora.name,
                                              experts_of(fitter, all->group)->layer,
                                              fitter->model->name);
            if (change(fitter, e, matrix, fitter_index(fitter, tensor), context))
                return -1;
        }
    return 1;
}

/* One matrix of the parameter: of gate_up_proj the gate's rows come first. */
static int add_apart(struct fitter *fitter, size_t expert, enum expert_matrix matrix, size_t index,
                     const void *context)
{
    struct lora_change change = *(const struct lora_change *)context;
    const struct lora_module *module = &change.lora->modules[change.module];
    const struct tensor *base = &fitter->weights->tensors[index];
    size_t n_in = module->a->shape[1], n_out = module->b->shape[0];
    size_t n_rows = base->shape[0] * (matrix == EXPERT_DOWN ? 1 : 2);

    change.is_turned = n_rows == n_in && base->shape[1] == n_out && n_rows != n_out;
    if (base->n_dims != 2 ||
        (!change.is_turned && (n_rows != n_out || base->shape[1] != n_in)))
        return fitter_refuse_shape(fitter, module->name, base, n_out, n_in);
    change.first_expert = expert;
    change.first_row = matrix == EXPERT_UP ? base->shape[0] : 0;
    return fitter_add(fitter, index, &change);
}

static int replace_apart(struct fitter *fitter, size_t expert, enum expert_matrix matrix,
                         size_t index, const void *context)
{
    const struct lora_whole *whole = context;
    const struct tensor *base = &fitter->weights->tensors[index], *all = whole->tensor;
    struct arena *arena = &fitter->weights->arena;
    size_t n_parts = matrix == EXPERT_DOWN ? 1 : 2, at;
    struct tensor *part = arena_alloc(arena, sizeof *part), made;

    if (base->n_dims != 2 || all->shape[1] != base->shape[0] * n_parts ||
        all->shape[2] != base->shape[1])
        return fitter_refuse_whole(fitter, whole, base);
    at = (expert * n_parts + (matrix == EXPERT_UP)) * base->n_items;
    if (fitter_check_floats(fitter, base) ||
        tensor_part(part, all, at, 2, base->shape, NULL, arena, fitter->err) ||
        lora_tensor_add(&made, base, part, NULL, 0, arena, fitter->err))
        return -1;
    fitter_keep(fitter, index, &made);
    return 0;
}

/* One expert more than the adapter has, in the base. */
static bool has_more(struct fitter *fitter, const struct expert_name *all, size_t n_experts)
{
    return find_apart(fitter, all, n_experts, EXPERT_DOWN) != NULL;
}

/* ---- single experts, where the base has one tensor of all ---- */

static int cut(struct fitter *fitter, struct expert_pieces *pieces)
{
    const struct tensor *base = &fitter->weights->tensors[pieces->index];
    const struct tensor *values = fitter_values(fitter, pieces->index);
    struct arena *arena = &fitter->weights->arena;
    size_t n = pieces->n_experts * pieces->n_parts;
    size_t shape[2] = {pieces->n_rows, pieces->n_columns};

    pieces->bases = arena_alloc(arena, n * sizeof *pieces->bases);
    pieces->values = arena_alloc(arena, n * sizeof *pieces->values);
    pieces->is_changed = memory_zalloc(n + 1, sizeof *pieces->is_changed);
    for (size_t i = 0; i < n; i++) {
        size_t first = i * shape[0] * shape[1];

        if (tensor_part(&pieces->bases[i], base, first, 2, shape, NULL, arena, fitter->err) ||
            tensor_part(&pieces->values[i], values, first, 2, shape, NULL, arena, fitter->err))
            return -1;
    }
    return 0;
}

/* The pieces of the tensor that has the expert's matrix; NULL without an error when the base has no
 * such. */
static struct expert_pieces *find_pieces(struct fitter *fitter, const struct expert_name *one)
{
    struct expert_name all = *one;
    const struct tensor *tensor;
    struct expert_pieces *pieces;
    size_t index;

    all.part = EXPERT_PART_ALL;
    all.matrix = one->matrix == EXPERT_DOWN ? EXPERT_DOWN : EXPERT_GATE;
    tensor = expert_name_tensor(fitter_layout(fitter), &all);
    if (!tensor || tensor->n_dims != 3 || tensor->n_items == 0)
        return NULL;
    index = fitter_index(fitter, tensor);
    if (!fitter->pieces)
        fitter->pieces = memory_zalloc(fitter->weights->n_tensors + 1, sizeof *fitter->pieces);
    if (fitter->pieces[index])
        return fitter->pieces[index];
    pieces = memory_zalloc(1, sizeof *pieces);
    fitter->pieces[index] = pieces;
    *pieces = (struct expert_pieces){.group = one->group, .index = index, .matrix = all.matrix,
                                     .n_experts = tensor->shape[0],
                                     .n_parts = all.matrix == EXPERT_DOWN ? 1 : 2,
                                     .n_columns = tensor->shape[2]};
    pieces->n_rows = tensor->shape[1] / pieces->n_parts;
    return fitter_check_floats(fitter, tensor) || cut(fitter, pieces) ? NULL : pieces;
}

/* Which piece, SIZE_MAX: there is no such expert. */
static size_t piece_of(const struct expert_pieces *pieces, const struct expert_name *one)
{
    return one->expert < pieces->n_experts
               ? one->expert * pieces->n_parts + (one->matrix == EXPERT_UP)
               : SIZE_MAX;
}

static int add_piece(struct fitter *fitter, const struct lora_change *change,
                     const struct expert_name *one)
{
    const struct lora_module *module = &change->lora->modules[change->module];
    struct expert_pieces *pieces = find_pieces(fitter, one);
    size_t at = pieces ? piece_of(pieces, one) : SIZE_MAX;
    struct arena *arena = &fitter->weights->arena;
    struct tensor *values, made;

    if (at == SIZE_MAX)
        return fitter->err->code ? -1
                                 : fitter_refuse_module(fitter, module, "has fewer experts");
    if (module->bias)
        return fitter_refuse_module(fitter, module,
                                    "has no bias, to which lora_B.bias would be added");
    if (module->is_embedding || module->parameter || module->b->shape[0] != pieces->n_rows ||
        module->a->shape[1] != pieces->n_columns)
        return fitter_refuse_shape(fitter, module->name, &pieces->bases[at], module->b->shape[0],
                                   module->a->shape[1]);
    values = arena_alloc(arena, sizeof *values);
    *values = pieces->values[at];
    if (lora_tensor_make(&made, &pieces->bases[at], values, change, arena, fitter->err))
        return -1;
    pieces->values[at] = made;
    pieces->is_changed[at] = true;
    pieces->n_changed++;
    return 0;
}

static int replace_piece(struct fitter *fitter, const struct lora_whole *whole,
                         const struct expert_name *one)
{
    struct expert_pieces *pieces = find_pieces(fitter, one);
    size_t at = pieces ? piece_of(pieces, one) : SIZE_MAX;
    struct tensor made;

    if (at == SIZE_MAX)
        return fitter->err->code ? -1 : 0;
    if (!tensor_same_shape(&pieces->bases[at], whole->tensor))
        return fitter_refuse_whole(fitter, whole, &pieces->bases[at]);
    if (lora_tensor_add(&made, &pieces->bases[at], whole->tensor, NULL, 0,
                        &fitter->weights->arena, fitter->err))
        return -1;
    pieces->values[at] = made;
    pieces->is_changed[at] = true;
    pieces->n_changed++;
    return 1;
}

/* ---- putting the pieces together ---- */

/* All of one dtype: what did not change is given as floats, too. */
static int join_one(struct fitter *fitter, struct expert_pieces *pieces)
{
    const struct tensor *base = &fitter->weights->tensors[pieces->index];
    struct arena *arena = &fitter->weights->arena;
    size_t n = pieces->n_experts * pieces->n_parts;
    const struct tensor **parts = arena_alloc(arena, n * sizeof(*parts));
    struct tensor *joined = arena_alloc(arena, sizeof *joined), made;

    for (size_t i = 0; i < n; i++) {
        struct tensor *floats = arena_alloc(arena, sizeof *floats);

        *floats = pieces->values[i];
        if (!pieces->is_changed[i] &&
            lora_tensor_add(floats, &pieces->bases[i], &pieces->values[i], NULL, 0, arena,
                            fitter->err))
            return -1;
        parts[i] = floats;
    }
    if (tensor_join(joined, base->name, parts, n, 0, arena, fitter->err) ||
        tensor_part(&made, joined, 0, base->n_dims, base->shape, NULL, arena, fitter->err))
        return -1;
    fitter_keep(fitter, pieces->index, &made);
    return 0;
}

static void free_pieces(struct expert_pieces *pieces)
{
    if (pieces)
        free(pieces->is_changed);
    free(pieces);
}

static int join_all(struct fitter *fitter, bool is_last)
{
    for (size_t i = 0; fitter->pieces && i < fitter->weights->n_tensors; i++) {
        if (!fitter->pieces[i])
            continue;
        if (fitter->pieces[i]->n_changed && join_one(fitter, fitter->pieces[i]))
            return -1;
        if (is_last)
            continue;
        free_pieces(fitter->pieces[i]);
        fitter->pieces[i] = NULL;
    }
    return 0;
}

int expert_fit_join(struct fitter *fitter)
{
    return join_all(fitter, false);
}

void expert_fit_release(struct fitter *fitter)
{
    for (size_t i = 0; fitter->pieces && i < fitter->weights->n_tensors; i++)
        free_pieces(fitter->pieces[i]);
    free(fitter->pieces);
    free(fitter->later);
}

/* ---- one module, one tensor ---- */

/* A router, or an expert, that the base has under another name. */
static int add_spelling(struct fitter *fitter, const struct tensor *tensor,
                        const struct lora_change *change)
{
    const struct lora_module *module = &change->lora->modules[change->module];
    size_t index = fitter_index(fitter, tensor);
    struct lora_change turned = *change;

    if (module->bias)
        return fitter_refuse_module(fitter, module,
                                    "has no bias, to which lora_B.bias would be added");
    return fitter_choose_way(fitter, module, index, &turned.is_turned) ||
                   fitter_add(fitter, index, &turned)
               ? -1
               : 1;
}

static int add_all_apart(struct fitter *fitter, const struct lora_change *change,
                         const struct expert_name *all)
{
    const struct lora_module *module = &change->lora->modules[change->module];

    if (has_more(fitter, all, module->n_experts))
        return fitter_refuse_module(fitter, module, "has more experts");
    fitter->apart[all->matrix == EXPERT_DOWN].row = all->row;
    fitter->apart[all->matrix == EXPERT_DOWN].module = change->module;
    return for_each_apart(fitter, all, module->n_experts, add_apart, change);
}

int expert_fit_module(struct fitter *fitter, const struct lora_change *change)
{
    const struct lora_module *module = &change->lora->modules[change->module];
    char *ending = memory_format(".%s", module->parameter ? module->parameter : "weight");
    struct expert_name name;
    bool is_found = find_name(fitter, module->name, ending, &name);
    const struct tensor *tensor;

    free(ending);
    if (!is_found)
        return 0;
    tensor = expert_name_tensor(fitter_layout(fitter), &name);
    if (tensor)
        return add_spelling(fitter, tensor, change);
    if (name.part == EXPERT_PART_ALL)
        return add_all_apart(fitter, change, &name);
    if (name.part == EXPERT_PART_ROUTER || experts_of(fitter, name.group)->way != EXPERTS_FUSED)
        return 0;
    fitter->later = memory_resize(fitter->later, fitter->n_later + 1, sizeof *fitter->later);
    fitter->later[fitter->n_later++] = change->module;
    fitter->row = name.row;
    return 1;
}

int expert_fit_whole(struct fitter *fitter, const struct lora_whole *whole)
{
    struct expert_name name;
    const struct tensor *tensor;
    struct tensor made;

    if (!find_name(fitter, whole->name, "", &name))
        return 0;
    tensor = expert_name_tensor(fitter_layout(fitter), &name);
    if (!tensor && name.part == EXPERT_PART_ONE)
        return replace_piece(fitter, whole, &name);
    if (!tensor && name.part == EXPERT_PART_ALL && whole->tensor->n_dims == 3 &&
        !has_more(fitter, &name, whole->tensor->shape[0]))
        return for_each_apart(fitter, &name, whole->tensor->shape[0], replace_apart, whole);
    if (!tensor)
        return 0;
    if (!tensor_same_shape(tensor, whole->tensor))
        return fitter_refuse_whole(fitter, whole, tensor);
    if (fitter_check_floats(fitter, tensor) ||
        lora_tensor_add(&made, tensor, whole->tensor, NULL, 0, &fitter->weights->arena,
                        fitter->err))
        return -1;
    fitter_keep(fitter, fitter_index(fitter, tensor), &made);
    return 1;
}

/* ---- the end ---- */

/* `plain` with the prefix that the adapter has for the module `like`. */
static char *add_prefix(const char *plain, const char *like)
{
    struct buffer start = {0};
    char *name;

    tensor_names_plain(like, &start);
    name = memory_format("%.*s%s", (int)(strlen(like) - start.size), like, plain);
    buffer_release(&start);
    return name;
}

/* The name that the adapter would have for it. */
static char *spell_piece(struct fitter *fitter, const struct expert_pieces *pieces, size_t piece)
{
    const char *like = fitter->adapter->lora.modules[fitter->later[0]].name;
    enum expert_matrix matrix = piece % pieces->n_parts ? EXPERT_UP : pieces->matrix;
    struct buffer plain = {0};
    char *name;

    expert_name_write(fitter_layout(fitter), pieces->group, fitter->row, piece / pieces->n_parts,
                      matrix, &plain);
    name = add_prefix(plain.data, like);
    buffer_release(&plain);
    return name;
}

/* PEFT names its targets by patterns, which single experts can be chosen with: whoever is chosen must be
 * there. */
static int check_pieces(struct fitter *fitter, const struct expert_pieces *pieces)
{
    struct lora_folder *lora = &fitter->adapter->lora;
    size_t n = pieces->n_experts * pieces->n_parts;

    for (size_t i = 0; i < n && !lora->config.targets_all; i++) {
        char *name = pieces->is_changed[i] ? NULL : spell_piece(fitter, pieces, i);
        int is = name ? lora_config_is_target(&lora->config, name, fitter->err) : 0;

        if (is > 0)
            fitter_refuse_incomplete(fitter, name, "target_modules");
        free(name);
        if (is)
            return -1;
    }
    return 0;
}

/* Those of layers that the adapter has nothing of, too. */
static int check_all_pieces(struct fitter *fitter)
{
    const struct model_layout *layout = fitter_layout(fitter);

    for (size_t i = 0; i < layout->n_experts; i++)
        for (size_t k = 0; k < 2; k++) {
            struct expert_name one = {EXPERT_PART_ONE, i, fitter->row,
                                      k ? EXPERT_DOWN : EXPERT_GATE, 0};
            struct expert_pieces *pieces =
                layout->experts[i].way == EXPERTS_FUSED ? find_pieces(fitter, &one) : NULL;

            if (fitter->err->code || (pieces && check_pieces(fitter, pieces)))
                return -1;
        }
    return 0;
}

/* A parameter that the base has apart, in a layer that the adapter has nothing of. */
static int check_apart(struct fitter *fitter, size_t group, bool is_down)
{
    struct lora_folder *lora = &fitter->adapter->lora;
    struct expert_name all = {EXPERT_PART_ALL, group, fitter->apart[is_down].row,
                              is_down ? EXPERT_DOWN : EXPERT_GATE, 0};
    const struct tensor *first = find_apart(fitter, &all, 0, all.matrix);
    const char *like = lora->modules[fitter->apart[is_down].module].name, **names;
    struct buffer plain = {0};
    char *name, *dot;
    size_t n = 0;
    int rc;

    if (!first || fitter->is_changed[fitter_index(fitter, first)])
        return 0;
    expert_name_write_all(fitter_layout(fitter), &all, &plain);
    name = add_prefix(plain.data, like);
    buffer_release(&plain);
    dot = strrchr(name, '.');
    *dot = '\0';
    rc = lora_config_parameters(&lora->config, name, true, &names, &n, &fitter->weights->arena,
                                fitter->err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (strcmp(names[i], dot + 1) == 0)
            rc = fitter_refuse_incomplete(fitter, name, "target_parameters");
    free(name);
    return rc;
}

static int check_all_apart(struct fitter *fitter)
{
    for (size_t down = 0; down < 2; down++)
        for (size_t i = 0; fitter->apart[down].row && i < fitter_layout(fitter)->n_experts; i++)
            if (check_apart(fitter, i, down))
                return -1;
    return 0;
}

int expert_fit_finish(struct fitter *fitter)
{
    const struct lora_folder *lora = &fitter->adapter->lora;

    for (size_t i = 0; i < fitter->n_later; i++) {
        struct lora_change change = {fitter->adapter->store, lora, fitter->later[i], false, 0, 0};
        const char *module = lora->modules[fitter->later[i]].name;
        struct expert_name name;

        if (!find_name(fitter, module, ".weight", &name) || add_piece(fitter, &change, &name))
            return -1;
    }
    if (fitter->n_later && (check_all_pieces(fitter) || join_all(fitter, true)))
        return -1;
    return check_all_apart(fitter);
}
