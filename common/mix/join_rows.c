/* join_rows.c - the rows that tokens have in each model, as maps for tensor_rows.h. */
#include "join.h"

#include <stdlib.h>
#include <string.h>

#include "arch/tensor_names.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "mix/token_part.h"
#include "tensor/tensor_rows.h"
#include "tensor/tensor_source.h"

struct group { /* models that are merged with one another */
    const struct join *join;
    struct model_folder *models; /* [n] */
    const size_t *which;         /* [n] */
    size_t n, base;
    const struct checkpoint **weights; /* [n] */
    struct arena *arena;         /* of the model that is worked at */
};

static const struct join_model *member(const struct group *group, size_t i)
{
    return &group->join->models[group->which[i]];
}

/* ---- the map ---- */

struct map_maker {
    struct tensor_row *rows;
    struct tensor_pick *picks;
    size_t n_picks;
    bool moves; /* a row is not the model's own in its old place */
};

static void pick(struct map_maker *maker, size_t row, size_t tensor, size_t from)
{
    if (maker->rows[row].n++ == 0)
        maker->rows[row].first = (uint32_t)maker->n_picks;
    maker->picks[maker->n_picks++] = (struct tensor_pick){(uint32_t)tensor, (uint32_t)from};
}

/* Which of the group a model of the join is. */
static int find_member(const struct group *group, const struct join_rule *rule, size_t *found,
                       struct error *err)
{
    for (*found = 0; *found < group->n; ++*found)
        if (group->which[*found] == rule->model)
            return 0;
    return error_set(err, ERROR_FORMAT, "token '" ERROR_NAME "': its source '" ERROR_NAME "' is none of the "
                     "models that are merged with one another", rule->token,
                     group->join->models[rule->model].name);
}

static int pick_by_rule(const struct group *group, const struct join_rule *rule, size_t id,
                        struct map_maker *maker, struct error *err)
{
    size_t from = 0;

    if (rule->kind == JOIN_ROW_ZERO)
        return 0;
    if (find_member(group, rule, &from, err))
        return -1;
    pick(maker, id, from, rule->kind == JOIN_ROW_TOKEN ? rule->other_id : member(group, from)->rows[id]);
    return 0;
}

/* For models that lack the token: of the only one that has it, or of the base; else the mean of all that
 * have it; zero where there is none. */
static void pick_usual(const struct group *group, size_t id, struct map_maker *maker)
{
    bool has_base = group->base != JOIN_NO_BASE && member(group, group->base)->rows[id] != TOKEN_NONE;

    for (size_t i = 0; i < group->n; i++)
        if (member(group, i)->rows[id] != TOKEN_NONE && (!has_base || i == group->base))
            pick(maker, id, i, member(group, i)->rows[id]);
}

/* Whether a row of the model belongs to one of its tokens. */
static bool is_used(const struct join *join, const struct join_model *model, size_t row)
{
    const struct vocabulary *vocabulary = model->is_assumed ? &join->models[0].vocabulary
                                                            : &model->vocabulary;
    size_t length;

    return token_table_token(&vocabulary->tokens, (uint32_t)row, &length) != NULL;
}

/* A row that no token of the result has. */
static void pick_padding(const struct group *group, size_t i, size_t row, struct map_maker *maker)
{
    const struct join_model *base = &group->join->models[0], *own = member(group, i);
    bool keeps = group->join->options.keeps_padding && group->which[0] == 0;

    if (keeps && row < own->n_rows && !is_used(group->join, own, row))
        pick(maker, row, i, row);
    else if (keeps && row < base->n_rows && !is_used(group->join, base, row))
        pick(maker, row, 0, row);
    else
        maker->rows[row].n = TENSOR_ROW_MEAN;
}

static int pick_row(const struct group *group, size_t i, size_t row, struct map_maker *maker,
                    struct error *err)
{
    const struct join *join = group->join;
    const struct join_rule *rule = join_rule_of(join, row);

    if (row >= join->n_ids || !join->has_token[row])
        pick_padding(group, i, row, maker);
    else if (member(group, i)->rows[row] != TOKEN_NONE && !(rule && rule->is_forced))
        pick(maker, row, i, member(group, i)->rows[row]);
    else if (rule && rule->kind != JOIN_ROW_USUAL)
        return pick_by_rule(group, rule, row, maker, err);
    else
        pick_usual(group, row, maker);
    return 0;
}

static bool is_own(const struct map_maker *maker, size_t i, size_t row)
{
    const struct tensor_row *at = &maker->rows[row];

    return at->n == 1 && maker->picks[at->first].tensor == i && maker->picks[at->first].row == row;
}

/* The map for model i, in its arena; NULL with an error. */
static const struct tensor_row_map *make_map(const struct group *group, size_t i, bool *moves,
                                             struct error *err)
{
    struct tensor_row_map *map = arena_alloc(group->arena, sizeof *map);
    size_t n_rows = group->join->n_rows;
    struct map_maker maker = {.rows = arena_alloc(group->arena, n_rows * sizeof *maker.rows)};
    size_t capacity = n_rows;

    maker.picks = memory_alloc((capacity + group->n) * sizeof *maker.picks);
    for (size_t row = 0; row < n_rows; row++) {
        if (maker.n_picks > capacity) {
            capacity = 2 * maker.n_picks;
            maker.picks = memory_resize(maker.picks, capacity + group->n, sizeof *maker.picks);
        }
        if (pick_row(group, i, row, &maker, err)) {
            free(maker.picks);
            return NULL;
        }
        maker.moves = maker.moves || !is_own(&maker, i, row);
    }
    *map = (struct tensor_row_map){maker.rows, n_rows,
                                   arena_alloc(group->arena, maker.n_picks * sizeof *maker.picks)};
    memcpy((void *)(uintptr_t)map->picks, maker.picks, maker.n_picks * sizeof *maker.picks);
    free(maker.picks);
    *moves = maker.moves;
    return map;
}

/* ---- tensors ---- */

static const struct tensor *find_plain(const struct checkpoint *weights, const char *plain)
{
    struct buffer name = {0};
    const struct tensor *found = NULL;

    for (size_t i = 0; !found && i < weights->n_tensors; i++) {
        tensor_names_plain(weights->tensors[i].name, &name);
        if (strcmp(name.data, plain) == 0)
            found = &weights->tensors[i];
    }
    buffer_release(&name);
    return found;
}

/* What model i has for a tensor of another one: a head that it lacks is its embedding. */
static const struct tensor *find_like(const struct group *group, size_t i, const char *plain)
{
    const struct tensor *found = find_plain(group->weights[i], plain);
    const struct tied_name *tied = tensor_names_find_tied(plain);

    for (size_t k = 0; !found && tied && tied->owners[k]; k++)
        found = find_plain(group->weights[i], tied->owners[k]);
    for (size_t k = 0; !found && (tied = tensor_names_find_owned(plain, k)); k++)
        if (!tied->is_head)
            found = find_plain(group->weights[i], tied->name);
    return found;
}

static enum dtype promoted(enum dtype a, enum dtype b)
{
    return a == b ? a : a == DTYPE_F64 || b == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
}

static int move_tensor(const struct group *group, struct tensor *made, const struct tensor *tensor,
                       const char *plain, const struct tensor_row_map *map, struct error *err)
{
    const struct tensor **tensors = memory_zalloc(group->n, sizeof *tensors);
    enum dtype dtype = tensor->dtype, written = tensor_written(tensor);
    int rc;

    for (size_t i = 0; i < group->n; i++) {
        const struct tensor *like = find_like(group, i, plain);

        if (like && group->join->options.promotes) {
            dtype = promoted(dtype, like->dtype);
            written = promoted(written, tensor_written(like));
        }
        tensors[i] = like ? token_part_as_rows(like, group->arena) : NULL;
    }
    if (tensor_row_map_combines(map)) /* means are rounded once, when the result is stored */
        dtype = promoted(dtype, DTYPE_F32);
    rc = tensor_rows(made, token_part_as_rows(tensor, group->arena), dtype, written, tensors, group->n, map,
                     group->arena, err);
    if (rc == 0)
        token_part_shape_like(made, tensor, group->arena);
    free(tensors);
    return rc;
}

/* A head that is tied is the embedding; but tokens that the model lacks come from heads of others. Where the
 * first model has a head of its own, the model gets one as made[*n_made]. */
static int move_tied_heads(const struct group *group, size_t i, const struct tensor_row_map *map,
                           struct tensor *made, size_t *n_made, struct error *err)
{
    struct buffer plain = {0};
    int rc = 0;

    for (size_t k = 0; rc == 0 && i > 0 && k < group->weights[0]->n_tensors; k++) {
        const struct tensor *head = &group->weights[0]->tensors[k], *own;

        if (token_part_of(head, &plain) != TOKEN_PART_HEAD || find_plain(group->weights[i], plain.data))
            continue;
        own = find_like(group, i, plain.data);
        rc = own ? move_tensor(group, &made[*n_made], own, plain.data, map, err) : 0;
        if (own && rc == 0)
            made[(*n_made)++].name = head->name;
    }
    buffer_release(&plain);
    return rc;
}

/* Fills made[*n_made] with what the model has from now on; *moves: whether that is something else. */
static int move_tensors(const struct group *group, size_t i, struct tensor *made, size_t *n_made,
                        bool *moves, struct error *err)
{
    const struct checkpoint *weights = group->weights[i];
    const struct tensor *embedding = token_part_find(weights, TOKEN_PART_EMBEDDING);
    struct buffer plain = {0};
    bool maps = false;
    const struct tensor_row_map *map = make_map(group, i, &maps, err);
    int rc = map ? 0 : -1;

    for (size_t k = 0; rc == 0 && k < weights->n_tensors; k++) {
        const struct tensor *tensor = &weights->tensors[k];
        enum token_part part = token_part_of(tensor, &plain);

        made[k] = *tensor;
        if (tensor->n_dims == 0 ||
            (!maps && token_part_as_rows(tensor, group->arena)->shape[0] == map->n_rows))
            continue;
        if (part == TOKEN_PART_NONE) {
            rc = token_part_check_other(tensor, embedding, err);
            continue;
        }
        rc = move_tensor(group, &made[k], tensor, plain.data, map, err);
        *moves = true;
    }
    *n_made = weights->n_tensors;
    if (rc == 0 && maps)
        rc = move_tied_heads(group, i, map, made, n_made, err);
    buffer_release(&plain);
    return rc ? error_context(err, "'%s'", group->models[i].name) : 0;
}

static int open_group(struct group *group, struct error *err)
{
    struct notices told = {0}; /* join_open has told them */
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < group->n; i++) {
        group->weights[i] = model_folder_weights(&group->models[i], &told, err);
        rc = group->weights[i] ? 0 : -1;
    }
    notices_release(&told);
    return rc;
}

/* All are made before one is replaced: they are made of one another. */
static int move_group(struct group *group, struct tensor **made, size_t *n_made, bool *moves,
                      struct error *err)
{
    for (size_t i = 0; i < group->n; i++) {
        struct checkpoint *own = model_folder_own(&group->models[i], group->weights[i]);

        group->arena = &own->arena;
        made[i] = memory_zalloc(own->n_tensors + group->weights[0]->n_tensors, sizeof *made[i]);
        if (move_tensors(group, i, made[i], &n_made[i], &moves[i], err))
            return -1;
    }
    for (size_t i = 0; i < group->n; i++) {
        struct checkpoint *own = model_folder_own(&group->models[i], group->weights[i]);
        struct tensor *tensors = made[i];

        if (!moves[i])
            continue;
        made[i] = NULL;
        if (checkpoint_replace_tensors(own, tensors, n_made[i], err))
            return -1;
    }
    return 0;
}

static bool has_row(const struct group *group, size_t id)
{
    for (size_t i = 0; i < group->n; i++)
        if (member(group, i)->rows[id] != TOKEN_NONE)
            return true;
    return false;
}

/* Tokens that only models of other slices have a row of; what no model has, join_open has told. */
static void tell_without_row(const struct group *group, struct notices *notices)
{
    const struct join *join = group->join;
    size_t n = 0, first = 0;
    const char *text;

    for (size_t id = 0; id < join->n_ids; id++) {
        const struct join_rule *rule = join_rule_of(join, id);
        bool is_elsewhere = false;

        if (!join->has_token[id] || (rule && rule->kind != JOIN_ROW_USUAL) || has_row(group, id))
            continue;
        for (size_t i = 0; i < join->n_models; i++)
            is_elsewhere = is_elsewhere || join->models[i].rows[id] != TOKEN_NONE;
        if (is_elsewhere && n++ == 0)
            first = id;
    }
    text = n ? token_table_token(&join->tokens, (uint32_t)first, &(size_t){0}) : NULL;
    if (n)
        notices_add(notices, "tokens that no model of the slice with '%s' has a row of (%zu: '" ERROR_NAME
                    "', …): it becomes zero there", group->models[0].name, n, text ? text : "");
}

int join_move(const struct join *join, struct model_folder *models, const size_t *which, size_t n,
              size_t base, struct notices *notices, struct error *err)
{
    struct group group = {.join = join, .models = models, .which = which, .n = n, .base = base};
    struct tensor **made = memory_zalloc(n, sizeof *made);
    size_t *n_made = memory_zalloc(n, sizeof *n_made);
    bool *moves = memory_zalloc(n, sizeof *moves);
    int rc;

    group.weights = memory_zalloc(n, sizeof *group.weights);
    rc = open_group(&group, err) || move_group(&group, made, n_made, moves, err) ? -1 : 0;
    if (rc == 0 && n < join->n_models)
        tell_without_row(&group, notices);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = join_set_config(join, &models[i], which[i], i == 0 ? notices : NULL, err);
    for (size_t i = 0; i < n; i++)
        free(made[i]);
    free(made);
    free(n_made);
    free(moves);
    free(group.weights);
    return rc;
}
