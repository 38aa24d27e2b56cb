#include "move.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/adapted_model.h"
#include "arch/quantized.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "mix/move_class.h"
#include "mix/move_files.h"
#include "mix/token_part.h"
#include "tensor/tensor_source.h"

/* ---- opening ---- */

static int open_model(struct model_folder *model, const char *path, const char *name,
                      bool follow_symlinks, const struct checkpoint **weights, struct notices *notices,
                      struct error *err)
{
    if (adapted_model_open(model, path, name, follow_symlinks, notices, err) ||
        model_folder_need_config(model, err))
        return -1;
    *weights = model_folder_weights(model, notices, err);
    return *weights ? quantized_check(model, err) : -1;
}

static int load_keys(struct token_keys *keys, const struct model_folder *model,
                     struct notices *notices, struct error *err)
{
    struct vocabulary vocabulary;

    if (model_folder_vocabulary(model, &vocabulary, err))
        return -1;
    if (!vocabulary.kind)
        return error_set(err, ERROR_FORMAT, "'%s' has no tokenizer", model->name);
    if (vocabulary.problem)
        notices_add(notices, "the tokenizer of '%s' cannot be run here: %s", model->name,
                    vocabulary.problem);
    return token_keys_load(keys, &vocabulary, model->folder, model_folder_tokenizer_at(model), err);
}

/* ---- the parts over the vocabulary ---- */

static int check_dtype(const struct model_folder *model, const struct tensor *tensor,
                       struct error *err)
{
    if (dtype_info(tensor->dtype)->is_mixable && dtype_info(tensor->dtype)->n_bits % 8 == 0)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "': rows of %s cannot be made",
                     model->name, tensor->name, dtype_info(tensor->dtype)->name);
}

static int check_shape(const struct model_folder *model, const struct tensor *tensor, size_t n_dims,
                       struct error *err)
{
    struct buffer shape = {0};

    if (tensor->n_items && tensor->n_dims == n_dims && tensor->shape[0] < TOKEN_ID_MAX)
        return 0;
    tensor_add_shape(&shape, tensor);
    error_set(err, ERROR_FORMAT, "'%s': tensor '" ERROR_NAME "' has shape %s, not one row for each token",
              model->name, tensor->name, shape.data);
    buffer_release(&shape);
    return -1;
}

static int add_part(struct move *move, const struct tensor *stored, const struct tensor *donor,
                    bool is_head, struct error *err)
{
    const struct tensor *own = donor ? stored : token_part_as_rows(stored, &move->arena);
    struct move_part *part;

    if (check_dtype(&move->own, own, err) ||
        check_shape(&move->own, own, donor ? 2 : own->n_dims, err) ||
        (donor && (check_dtype(&move->donor, donor, err) ||
                   check_shape(&move->donor, donor, 2, err))))
        return -1;
    move->parts = memory_resize(move->parts, move->n_parts + 1, sizeof *move->parts);
    part = &move->parts[move->n_parts++];
    *part = (struct move_part){.stored = stored, .own = own, .donor = donor, .is_head = is_head};
    return 0;
}

static int add_parts(struct move *move, const struct checkpoint *own, const struct checkpoint *donor,
                     struct error *err)
{
    const struct tensor *embedding = token_part_find(own, TOKEN_PART_EMBEDDING);
    const struct tensor *of_donor = token_part_find(donor, TOKEN_PART_EMBEDDING);
    const struct tensor *head_of_donor = token_part_find(donor, TOKEN_PART_HEAD);
    struct buffer plain = {0};
    int rc = 0;

    if (!embedding || !of_donor)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': none of its tensors is known as the embedding of "
                         "its tokens", embedding ? move->donor.name : move->own.name);
    rc = add_part(move, embedding, of_donor, false, err);
    for (size_t i = 0; rc == 0 && i < own->n_tensors; i++) {
        const struct tensor *tensor = &own->tensors[i];
        enum token_part kind = tensor == embedding ? TOKEN_PART_NONE : token_part_of(tensor, &plain);

        if (kind == TOKEN_PART_EMBEDDING)
            rc = add_part(move, tensor, of_donor, false, err);
        else if (kind == TOKEN_PART_HEAD)
            rc = add_part(move, tensor, head_of_donor ? head_of_donor : of_donor, true, err);
        else if (kind == TOKEN_PART_BIAS)
            rc = add_part(move, tensor, NULL, true, err);
        else if (tensor != embedding && token_part_check_other(tensor, embedding, err))
            rc = error_context(err, "'%s'", move->own.name);
    }
    buffer_release(&plain);
    return rc;
}

/* An earlier part with the same values: a tied head, or one table that is stored under several names. */
static int find_same(const struct move *move, size_t part, const struct move_part **same,
                     struct error *err)
{
    *same = NULL;
    for (size_t i = 0; i < part; i++) {
        const struct move_part *other = &move->parts[i];
        int equal;

        if (!other->donor || (move->parts[part].is_head != other->is_head &&
                              !model_folder_is_tied(&move->own)))
            continue;
        equal = tensor_equal(other->own, move->parts[part].own, err);
        if (equal < 0)
            return -1;
        if (equal) {
            *same = other;
            return 0;
        }
    }
    return 0;
}

/* ---- maps and matrices ---- */

static int check_ids(const struct move *move, const struct move_part *part, struct error *err)
{
    const struct token_table *tokens = &move->donor_keys.vocabulary.tokens;
    size_t n_rows = part->donor->shape[0];

    if (tokens->max_id < n_rows + tokens->n_entries)
        return 0;
    return error_set(err, ERROR_FORMAT, "'%s': the tokenizer has an id of %u, the embedding %zu rows for "
                     "%zu tokens", move->donor.name, (unsigned)tokens->max_id, n_rows,
                     tokens->n_entries);
}

static int check_shared(const struct move *move, const struct move_part *part,
                        const struct move_settings *settings, struct error *err)
{
    if (!settings->method->uses_donor || part->map.n_made == 0 || settings->k <= part->map.n_shared)
        return 0;
    return error_set(err, ERROR_INCOMPATIBLE, "'%s' and '%s' have %zu tokens in common, '%s' makes rows of "
                     "%zu: choose a smaller --k", move->own.name, move->donor.name, part->map.n_shared,
                     settings->method->name, settings->k);
}

static bool counts(enum move_place place, bool is_head)
{
    return place == MOVE_BOTH || place == (is_head ? MOVE_HEAD : MOVE_EMBEDDING);
}

static int make_part(struct move *move, struct move_part *part, const struct move_options *options,
                     struct error *err)
{
    const struct tensor *donor = part->donor ? part->donor : move->parts[0].donor;
    struct move_search search = {counts(options->bytes, part->is_head),
                                 counts(options->prefixes, part->is_head), part->donor != NULL};
    struct move_job job = {
        .settings = options->settings, .own = part->own, .donor = part->donor,
        .is_head = part->is_head, .donor_keys = &move->donor_keys, .tokenizer = move->tokenizer};

    move_map_init(&part->map, &move->own_keys, part->own->shape[0], &move->donor_keys,
                  donor->shape[0], search);
    if (check_shared(move, part, &options->settings, err))
        return -1;
    if (part->map.n_made)
        part->matrix = move_matrix_new(&job, &part->map);
    return 0;
}

static void tell(const struct move *move, struct notices *notices)
{
    const struct move_map *map = &move->parts[0].map;
    size_t n_tokens = move->donor_keys.vocabulary.tokens.n_entries;

    if (map->n_without_row)
        notices_add(notices, "tokens of '%s' without a row in its embedding: %zu; their rows are zeros",
                    move->donor.name, map->n_without_row);
    if (map->map.n_rows > n_tokens)
        notices_add(notices, "ids of '%s' without a token: %zu; their rows are zeros", move->donor.name,
                    map->map.n_rows - n_tokens);
}

/* ---- the model that is made ---- */

/* The same matrix under two names has one source: its rows are made once. */
static int make_parts(struct move *move, struct arena *arena, struct error *err)
{
    for (size_t i = 0; i < move->n_parts; i++) {
        struct move_part *part = &move->parts[i];
        const struct move_part *same = NULL;

        if (part->donor && find_same(move, i, &same, err))
            return -1;
        if (!same && move_tensor(&part->made, part->own, &part->map, part->matrix, arena, err))
            return -1;
        if (same)
            part->made = same->made;
        token_part_shape_like(&part->made, part->stored, arena);
        part->made.name = part->own->name;
    }
    return 0;
}

static const struct tensor *find_made(const struct move *move, const struct tensor *own)
{
    for (size_t i = 0; i < move->n_parts; i++)
        if (move->parts[i].stored == own)
            return &move->parts[i].made;
    return own;
}

static int make_weights(struct move *move, const struct checkpoint *own, struct notices *notices,
                        struct error *err)
{
    struct checkpoint *made = model_folder_own(&move->made,
                                               model_folder_weights(&move->made, notices, err));
    struct tensor *tensors;

    if (!made || make_parts(move, &made->arena, err))
        return -1;
    tensors = memory_zalloc(own->n_tensors, sizeof *tensors);
    for (size_t i = 0; i < own->n_tensors; i++)
        tensors[i] = *find_made(move, &own->tensors[i]);
    return checkpoint_replace_tensors(made, tensors, own->n_tensors, err);
}

static int make_model(struct move *move, const struct checkpoint *own, const char *name,
                      struct notices *notices, struct error *err)
{
    struct notices ignored = {0}; /* those of the model, once more */
    int rc = model_folder_reopen(&move->made, &move->own, name, err);

    if (rc == 0)
        rc = make_weights(move, own, &ignored, err);
    if (rc == 0)
        rc = move_config_files(&move->made, &move->donor, &move->own_keys, &move->donor_keys,
                               move->parts[0].map.map.n_rows, notices, err);
    if (rc == 0)
        rc = move_tokenizer_files(&move->made, &move->donor, err);
    if (rc == 0)
        rc = move_tokenizer_class(&move->made, &move->donor, notices, err);
    notices_release(&ignored);
    return rc;
}

int move_open(struct move *move, const char *const paths[2], const char *const names[2],
              const struct move_options *options, struct notices *notices, struct error *err)
{
    const struct checkpoint *own, *donor;

    *move = (struct move){0};
    if (open_model(&move->own, paths[0], names[0], options->follow_symlinks, &own, notices, err) ||
        open_model(&move->donor, paths[1], names[1], options->follow_symlinks, &donor, notices, err) ||
        load_keys(&move->own_keys, &move->own, notices, err) ||
        load_keys(&move->donor_keys, &move->donor, notices, err) ||
        add_parts(move, own, donor, err) || check_ids(move, &move->parts[0], err))
        return -1;
    if (options->settings.method->uses_tokenizer) {
        move->tokenizer = tokenizer_load(move->own.folder, model_folder_tokenizer_at(&move->own), err);
        if (!move->tokenizer)
            return -1;
    }
    for (size_t i = 0; i < move->n_parts; i++)
        if (make_part(move, &move->parts[i], options, err))
            return -1;
    tell(move, notices);
    return make_model(move, own, names[0], notices, err);
}

void move_release(struct move *move)
{
    model_folder_release(&move->made);
    for (size_t i = 0; i < move->n_parts; i++) {
        move_matrix_free(move->parts[i].matrix);
        move_map_release(&move->parts[i].map);
    }
    free(move->parts);
    tokenizer_free(move->tokenizer);
    arena_release(&move->arena);
    token_keys_release(&move->own_keys);
    token_keys_release(&move->donor_keys);
    model_folder_release(&move->donor);
    model_folder_release(&move->own);
    *move = (struct move){0};
}
