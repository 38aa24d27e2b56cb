#include "gguf_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "tensor/tensor_made.h"
#include "tensor/tensor_source.h"

struct maker {
    struct checkpoint *checkpoint;
    struct gguf_model *model;
    struct tensor *tensors; /* the logical ones */
    size_t n_tensors, capacity;
    struct error *err;
};

static int make(struct maker *maker, const struct gguf_place *place, const struct tensor *tensor);

/* ---- single tensors ---- */

static int refuse_shape(const struct maker *maker, const struct tensor *tensor, const char *fact)
{
    struct buffer text = {0};

    tensor_add_shape(&text, tensor);
    error_set(maker->err, ERROR_FORMAT,
              "tensor '" ERROR_NAME "': has the shape %s, but %s", tensor->name,
              text.data, fact);
    buffer_release(&text);
    return -1;
}

static int refuse_heads(const struct maker *maker, const struct tensor *tensor)
{
    const struct gguf_model *model = maker->model;
    char fact[160];

    snprintf(fact, sizeof fact, "by the metadata heads are %zu (%zu of keys and values) of %zu rows",
             model->n_heads, model->n_kv_heads, model->head_dim);
    return refuse_shape(maker, tensor, fact);
}

static int add(struct maker *maker, const struct gguf_place *place, struct tensor tensor)
{
    struct buffer name = {0};

    gguf_names_add(&name, place->name->hf, place);
    tensor.name = arena_copy(&maker->checkpoint->arena, name.data, name.size);
    buffer_release(&name);
    if (maker->n_tensors == maker->capacity) {
        maker->capacity = maker->capacity ? 2 * maker->capacity : 64;
        maker->tensors = memory_resize(maker->tensors, maker->capacity, sizeof tensor);
    }
    maker->tensors[maker->n_tensors++] = tensor;
    return 0;
}

/* Sources need what they are made of to stay where it is. */
static const struct tensor *keep(struct maker *maker, const struct tensor *tensor)
{
    struct tensor *kept = arena_alloc(&maker->checkpoint->arena, sizeof *kept);

    *kept = *tensor;
    return kept;
}

static const struct tensor *find(const struct maker *maker, const char *pattern,
                                 const struct gguf_place *place)
{
    const struct tensor *found;
    struct buffer name = {0};

    gguf_names_add(&name, pattern, place);
    found = checkpoint_find(maker->checkpoint, name.data);
    buffer_release(&name);
    return found;
}

/* ---- rows of heads ---- */

static int add_halves(struct maker *maker, const struct gguf_place *place,
                      const struct tensor *tensor, size_t n_heads)
{
    const struct gguf_model *model = maker->model;
    struct tensor made;

    if (tensor->n_dims == 0 || tensor->shape[0] != n_heads * model->head_dim)
        return refuse_heads(maker, tensor);
    return tensor_to_halves(&made, keep(maker, tensor), n_heads, &maker->checkpoint->arena,
                            maker->err)
               ? -1
               : add(maker, place, made);
}

/* n_rows rows from `first` on. */
static int part_of_rows(struct maker *maker, const struct tensor *tensor, size_t first,
                        size_t n_rows, struct tensor *part)
{
    size_t width = tensor->n_items / tensor->shape[0], shape[] = {n_rows, width};

    return tensor_part(part, tensor, first * width, tensor->n_dims == 1 ? 1 : 2, shape, NULL,
                       &maker->checkpoint->arena, maker->err);
}

static int make_under(struct maker *maker, const struct gguf_place *place, const char *pattern,
                      const struct tensor *tensor)
{
    struct buffer name = {0};
    struct gguf_place other;
    bool is_known;

    gguf_names_add(&name, pattern, place);
    is_known = gguf_names_find(maker->model->architecture, name.data, &other);
    buffer_release(&name);
    if (!is_known)
        return error_set(maker->err, ERROR_INTERNAL, "no row for %s", pattern);
    return make(maker, &other, tensor);
}

static int make_qkv(struct maker *maker, const struct gguf_place *place,
                    const struct tensor *tensor)
{
    static const char *const names[] = {"blk.#.attn_q", "blk.#.attn_k", "blk.#.attn_v"};
    const struct gguf_model *model = maker->model;
    size_t n_q = model->n_heads * model->head_dim, n_kv = model->n_kv_heads * model->head_dim;
    size_t n_rows[] = {n_q, n_kv, n_kv}, first = 0;

    if (tensor->n_dims == 0 || tensor->n_dims > 2 || tensor->shape[0] != n_q + 2 * n_kv)
        return refuse_heads(maker, tensor);
    for (size_t i = 0; i < 3; i++) {
        struct tensor part;

        if (part_of_rows(maker, tensor, first, n_rows[i], &part) ||
            make_under(maker, place, names[i], &part))
            return -1;
        first += n_rows[i];
    }
    return 0;
}

/* ---- experts ---- */

/* [E, n_rows, n_in], for each expert `n_each` rows from `first` on. */
static int add_experts(struct maker *maker, struct gguf_place place, const struct tensor *tensor,
                       size_t first, size_t n_each)
{
    size_t shape[] = {n_each, tensor->shape[2]};
    size_t step = tensor->shape[1] * tensor->shape[2];

    for (place.expert = 0; place.expert < maker->model->n_experts; place.expert++) {
        struct tensor part;

        if (tensor_part(&part, tensor, place.expert * step + first * shape[1], 2, shape, NULL,
                        &maker->checkpoint->arena, maker->err) ||
            add(maker, &place, part))
            return -1;
    }
    return 0;
}

static int check_experts(const struct maker *maker, const struct tensor *tensor)
{
    char fact[80];

    if (tensor->n_dims == 3 && tensor->shape[0] == maker->model->n_experts)
        return 0;
    snprintf(fact, sizeof fact, "by the metadata there are %zu experts", maker->model->n_experts);
    return refuse_shape(maker, tensor, fact);
}

static int make_gate_up(struct maker *maker, const struct gguf_place *place,
                        const struct tensor *tensor)
{
    static const char *const names[] = {"blk.#.ffn_gate_exps", "blk.#.ffn_up_exps"};

    if (check_experts(maker, tensor))
        return -1;
    if (tensor->shape[1] % 2)
        return refuse_shape(maker, tensor, "its rows should be gate and up");
    for (size_t i = 0; i < 2; i++) {
        size_t n_each = tensor->shape[1] / 2;
        struct buffer name = {0};
        struct gguf_place other;

        gguf_names_add(&name, names[i], place);
        gguf_names_find(maker->model->architecture, name.data, &other);
        buffer_release(&name);
        if (add_experts(maker, other, tensor, i * n_each, n_each))
            return -1;
    }
    return 0;
}

/* GraniteMoE's, from its gate and its up. */
static int join_gate_up(struct maker *maker, const struct gguf_place *place,
                        const struct tensor *gate)
{
    const struct tensor *up = find(maker, "blk.#.ffn_up_exps", place), *parts[] = {gate, up};
    struct tensor joined;

    if (!up)
        return error_set(maker->err, ERROR_FORMAT, "no tensor 'blk.%zu.ffn_up_exps.weight'",
                         place->layer);
    if (check_experts(maker, gate) || check_experts(maker, up))
        return -1;
    if (gate->shape[1] != up->shape[1] || gate->shape[2] != up->shape[2])
        return refuse_shape(maker, up, "it should be as large as 'ffn_gate_exps'");
    return tensor_join(&joined, gate->name, parts, 2, 1, &maker->checkpoint->arena, maker->err)
               ? -1
               : add(maker, place, joined);
}

/* ---- latent attention ---- */

/* kv_b [heads (k, v), rank], from k_b [heads, rank, k] and v_b [heads, v, rank]. */
static int join_kv_b(struct maker *maker, const struct gguf_place *place, const struct tensor *k_b)
{
    const struct tensor *v_b = find(maker, "blk.#.attn_v_b", place), *parts[2];
    size_t n_heads = maker->model->n_heads, k = k_b->n_dims ? k_b->shape[k_b->n_dims - 1] : 1;
    size_t rank = v_b && v_b->n_dims ? v_b->shape[v_b->n_dims - 1] : 1, v, shape[3], strides[3];
    struct arena *arena = &maker->checkpoint->arena;
    struct tensor turned, values, joined, flat;

    if (find(maker, "blk.#.attn_kv_b", place)) /* files of a short time have all three */
        return 0;
    if (!v_b)
        return error_set(maker->err, ERROR_FORMAT, "no tensor 'blk.%zu.attn_v_b.weight'",
                         place->layer);
    v = v_b->n_items / n_heads / rank;
    if (k_b->n_items != n_heads * rank * k || v_b->n_items != n_heads * rank * v)
        return refuse_shape(maker, k_b, "that does not fit 'attn_v_b'");
    memcpy(shape, (size_t[]){n_heads, k, rank}, sizeof shape);
    memcpy(strides, (size_t[]){rank * k, 1, k}, sizeof strides);
    if (tensor_part(&turned, k_b, 0, 3, shape, strides, arena, maker->err))
        return -1;
    shape[1] = v;
    if (tensor_part(&values, v_b, 0, 3, shape, NULL, arena, maker->err))
        return -1;
    parts[0] = keep(maker, &turned);
    parts[1] = keep(maker, &values);
    shape[0] = n_heads * (k + v);
    shape[1] = rank;
    if (tensor_join(&joined, k_b->name, parts, 2, 1, arena, maker->err) ||
        tensor_part(&flat, keep(maker, &joined), 0, 2, shape, NULL, arena, maker->err))
        return -1;
    return make_under(maker, place, "blk.#.attn_kv_b", &flat);
}

/* ---- all ---- */

static int keep_rope(struct maker *maker, const struct gguf_place *place,
                     const struct tensor *tensor)
{
    struct gguf_model *model = maker->model;
    const char *name = place->name->gguf;
    const struct tensor **kept = strcmp(name, "rope_freqs") == 0          ? &model->rope_freqs
                                 : strcmp(name, "rope_factors_long") == 0 ? &model->rope_long
                                                                          : &model->rope_short;

    *kept = tensor;
    return 0;
}

static int make(struct maker *maker, const struct gguf_place *place, const struct tensor *tensor)
{
    const struct gguf_model *model = maker->model;
    struct arena *arena = &maker->checkpoint->arena;
    struct tensor made = *tensor;

    switch (place->name->how) {
    case GGUF_AS_IS: break;
    case GGUF_PAIRS_OF_Q: return add_halves(maker, place, tensor, model->n_heads);
    case GGUF_PAIRS_OF_K: return add_halves(maker, place, tensor, model->n_kv_heads);
    case GGUF_PLUS_1:
        if (tensor_add(&made, tensor, -1, arena, maker->err))
            return -1;
        break;
    case GGUF_TURNED:
        if (strcmp(place->ending, ".weight") == 0 && tensor_turn(&made, tensor, arena, maker->err))
            return -1;
        break;
    case GGUF_STACKED:
        return check_experts(maker, tensor)
                   ? -1
                   : add_experts(maker, *place, tensor, 0, tensor->shape[1]);
    case GGUF_GATE_ROWS: return join_gate_up(maker, place, tensor);
    case GGUF_UP_ROWS: return 0; /* with the gate; without one, that is missing */
    case GGUF_QKV: return make_qkv(maker, place, tensor);
    case GGUF_GATE_UP: return make_gate_up(maker, place, tensor);
    case GGUF_K_B: return join_kv_b(maker, place, tensor);
    case GGUF_V_B: return 0;
    case GGUF_ROPE: return keep_rope(maker, place, tensor);
    case GGUF_DROPPED: return 0;
    }
    return add(maker, place, made);
}

static int make_next(struct maker *maker, const struct tensor *tensor)
{
    const struct gguf_model *model = maker->model;
    struct gguf_place place;

    if (!gguf_names_find(model->architecture, tensor->name, &place) ||
        (strcmp(place.ending, ".bias") == 0 && !(place.name->biased & model->architecture->set)))
        return error_set(maker->err, ERROR_UNSUPPORTED,
                         "tensor '" ERROR_NAME "': a model of "
                         "architecture %s is not known to have it",
                         tensor->name, model->architecture->name);
    if (place.layer >= model->n_layers)
        return error_set(maker->err, ERROR_FORMAT,
                         "tensor '" ERROR_NAME "': by the metadata there are "
                         "%zu layers",
                         tensor->name, model->n_layers);
    if (strchr(place.name->gguf, '@') && place.expert >= model->n_experts)
        return error_set(maker->err, ERROR_FORMAT,
                         "tensor '" ERROR_NAME "': by the metadata there are "
                         "%zu experts",
                         tensor->name, model->n_experts);
    return make(maker, &place, tensor);
}

/* ---- what must be there ---- */

static int need(const struct checkpoint *checkpoint, const struct gguf_name *name,
                struct gguf_place place, struct error *err)
{
    struct buffer text = {0};
    int rc = 0;

    gguf_names_add(&text, name->hf, &place);
    if (!checkpoint_find(checkpoint, text.data)) {
        buffer_clear(&text);
        gguf_names_add(&text, name->gguf, &place);
        rc = error_set(err, ERROR_FORMAT, "no tensor '%s'%s", text.data,
                       strchr(name->hf, '@') ? " for each expert" : "");
    }
    buffer_release(&text);
    return rc;
}

static int check_needed(const struct checkpoint *checkpoint, const struct gguf_model *model,
                        struct error *err)
{
    const struct gguf_name *name;

    for (size_t i = 0; (name = gguf_names_next(model->architecture, &i));) {
        size_t n_layers = name->hf && strchr(name->hf, '#') ? model->n_layers : 1;
        size_t n_experts = name->hf && strchr(name->hf, '@') ? model->n_experts : 1;

        for (size_t k = 0; name->is_needed && k < n_layers * n_experts; k++)
            if (need(checkpoint, name,
                     (struct gguf_place){name, k / n_experts, k % n_experts, ".weight"}, err))
                return -1;
    }
    return 0;
}

int gguf_tensors_make(struct checkpoint *checkpoint, struct gguf_model *model, struct error *err)
{
    struct maker maker = {.checkpoint = checkpoint, .model = model, .err = err};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < checkpoint->n_tensors; i++)
        rc = make_next(&maker, &checkpoint->tensors[i]);
    if (rc == 0 && maker.n_tensors == 0)
        rc = error_set(err, ERROR_FORMAT, "no tensor 'token_embd.weight'");
    if (rc) {
        free(maker.tensors);
        return -1;
    }
    return checkpoint_replace_tensors(checkpoint, maker.tensors, maker.n_tensors, err) ||
                   check_needed(checkpoint, model, err)
               ? -1
               : 0;
}
