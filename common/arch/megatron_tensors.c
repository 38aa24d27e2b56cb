/* megatron_tensors.c - slices joined, fused matrices cut, layers and experts counted through.
 *
 * What is cut how: rows of what goes into a part (embeddings, heads of queries, keys and values,
 * the first matrix of an MLP), columns of what comes out; norms, routers and the biases of what
 * comes out are copies. Where a first matrix has a gate, each rank holds the rows of its gate
 * before those that are gated. Source: docs/models.md, "Megatron-LM". */
#include "megatron_tensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/model_layout.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "tensor/tensor_made.h"
#include "tensor/tensor_source.h"

/* Of what is made, and of what that is put together from: views into one small storage could ask
 * for any number of tensors. */
enum { MADE_MAX = 1000 * 1000, PARTS_MAX = 2 * 1000 * 1000 };

enum cut { CUT_NOT, CUT_ROWS, CUT_COLUMNS };

struct spot { /* of a layer, or of what stands before and behind them: */
    size_t stage, chunk, layer; /* layer: counted in the chunk; SIZE_MAX: none */
};

struct maker {
    struct megatron_files *files;
    const struct megatron_settings *settings;
    const struct checkpoint *checkpoint;
    struct arena *arena;
    struct spot *spots;      /* [n_layers] */
    bool *is_used;           /* [n_tensors] of the checkpoint */
    struct tensor *made;     /* [n_made] */
    size_t n_made, capacity, n_parts;
    struct buffer name, raw; /* of what is made, of what it is made from */
    struct error *err;
};

#define LENGTH(list) (sizeof(list) / sizeof *(list))

/* ---- names of theirs ---- */

static void add_root(struct buffer *out, const struct megatron_files *files, struct spot spot)
{
    buffer_clear(out);
    if (files->n_chunks > 1)
        buffer_format(out, "model%zu.", spot.chunk);
    else
        buffer_add_text(out, "model.");
}

/* '@' in a name of a layer stands for the number of an expert. */
static void name_raw(struct maker *maker, struct spot spot, const char *name, const char *ending,
                     size_t expert)
{
    add_root(&maker->raw, maker->files, spot);
    if (spot.layer != SIZE_MAX)
        buffer_format(&maker->raw, "%slayers.%zu.", maker->settings->stack, spot.layer);
    for (; *name; name++)
        if (*name == '@')
            buffer_format(&maker->raw, "%zu", expert);
        else
            buffer_add_char(&maker->raw, *name);
    buffer_add_text(&maker->raw, ending);
}

static bool has_raw(struct maker *maker, const struct megatron_rank *rank)
{
    return megatron_rank_find(maker->files, rank, maker->raw.data) != NULL;
}

/* Which of the names the rank has; the first where it has none. NULL-terminated. */
static const char *choose_name(struct maker *maker, struct spot spot, size_t rank,
                               const char *const *names, const char *ending, size_t expert)
{
    const struct megatron_rank *at = megatron_files_rank(maker->files, 0, spot.stage, rank);

    for (size_t i = 0; names[i]; i++) {
        name_raw(maker, spot, names[i], ending, expert);
        if (has_raw(maker, at))
            return names[i];
    }
    return names[0];
}

/* ---- single tensors of ranks ---- */

static int refuse_shape(struct maker *maker, const struct megatron_rank *rank,
                        const struct tensor *tensor, const struct tensor *expected)
{
    struct buffer text = {0};

    buffer_add_text(&text, "has the shape ");
    tensor_add_shape(&text, tensor);
    buffer_add_text(&text, "; by its args it is ");
    tensor_add_shape(&text, expected);
    error_set(maker->err, ERROR_FORMAT, "'%s': tensor '" ERROR_NAME "' %s", rank->name,
              tensor->name, text.data);
    buffer_release(&text);
    return -1;
}

/* The tensor of this rank that maker->raw names, marked as used. */
static const struct tensor *take_raw(struct maker *maker, const struct megatron_rank *rank,
                                     size_t n_dims, const size_t *shape)
{
    const struct tensor *tensor = megatron_rank_find(maker->files, rank, maker->raw.data);
    struct tensor expected = {.n_dims = n_dims, .shape = shape};

    if (!tensor) {
        error_set(maker->err, ERROR_FORMAT, "'%s': no tensor '" ERROR_NAME "', which by its args "
                  "it has", rank->name, maker->raw.data);
        return NULL;
    }
    if (!tensor_same_shape(tensor, &expected)) {
        refuse_shape(maker, rank, tensor, &expected);
        return NULL;
    }
    if (dtype_info(tensor->dtype)->kind != DTYPE_FLOAT || dtype_info(tensor->dtype)->n_bits % 8) {
        error_set(maker->err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "' is stored as %s, "
                  "which is not supported", rank->name, tensor->name,
                  dtype_info(tensor->dtype)->name);
        return NULL;
    }
    maker->is_used[tensor - maker->checkpoint->tensors] = true;
    return tensor;
}

/* Other ranks hold it once more: it must be there and look alike. */
static int check_copies(struct maker *maker, struct spot spot, size_t tensor_rank,
                        const struct tensor *first)
{
    for (size_t e = 1; e < maker->files->n_expert; e++) {
        const struct megatron_rank *rank =
            megatron_files_rank(maker->files, tensor_rank, spot.stage, e);
        const struct tensor *copy = take_raw(maker, rank, first->n_dims, first->shape);

        if (!copy)
            return -1;
        if (copy->dtype != first->dtype)
            return error_set(maker->err, ERROR_FORMAT, "'%s': tensor '" ERROR_NAME "' is %s, in "
                             "the files of other ranks %s", rank->name, copy->name,
                             dtype_info(copy->dtype)->name, dtype_info(first->dtype)->name);
    }
    return 0;
}

/* Of an expert that only one rank has. */
static const size_t no_expert = SIZE_MAX;

/* parts[n_tensor] of what maker->raw names: those of the rank of experts, or of all of them copies.
 * shape: of one part. */
static int take_parts(struct maker *maker, struct spot spot, size_t expert_rank, size_t n_dims,
                      const size_t *shape, const struct tensor **parts)
{
    for (size_t t = 0; t < maker->files->n_tensor; t++) {
        const struct megatron_rank *rank =
            megatron_files_rank(maker->files, t, spot.stage,
                                expert_rank == no_expert ? 0 : expert_rank);

        parts[t] = take_raw(maker, rank, n_dims, shape);
        if (!parts[t] || (expert_rank == no_expert && check_copies(maker, spot, t, parts[t])))
            return -1;
    }
    return 0;
}

/* The share of a rank. */
static int divide(struct maker *maker, size_t n, const char *what, size_t *share)
{
    size_t n_ranks = maker->files->n_tensor;

    *share = n / n_ranks;
    if (n % n_ranks == 0)
        return 0;
    return error_set(maker->err, ERROR_FORMAT, "args: %s %zu cannot be divided among %zu tensor "
                     "parallel ranks", what, n, n_ranks);
}

static const struct tensor **new_parts(struct maker *maker, size_t n)
{
    return arena_alloc(maker->arena, n * sizeof(const struct tensor *));
}

/* n tensors that others are put together from; NULL when these are too many. */
static struct tensor *new_part(struct maker *maker, size_t n)
{
    if (n > PARTS_MAX - maker->n_parts) {
        error_set(maker->err, ERROR_FORMAT, "more than %d parts of tensors to be put together",
                  PARTS_MAX);
        return NULL;
    }
    maker->n_parts += n;
    return arena_alloc(maker->arena, n * sizeof(struct tensor));
}

/* ---- what is made ---- */

static int add_made(struct maker *maker, const struct tensor *tensor)
{
    struct tensor *made;

    if (maker->n_made == MADE_MAX)
        return error_set(maker->err, ERROR_FORMAT, "its args speak of more than %d tensors",
                         MADE_MAX);
    if (maker->n_made == maker->capacity) {
        maker->capacity = maker->capacity ? 2 * maker->capacity : 64;
        maker->made = memory_resize(maker->made, maker->capacity, sizeof *maker->made);
    }
    made = &maker->made[maker->n_made++];
    *made = *tensor;
    made->name = arena_copy(maker->arena, maker->name.data, maker->name.size);
    return 0;
}

/* The place of layer `number`; without one SIZE_MAX. */
static void name_made(struct maker *maker, size_t number, const char *name, const char *ending,
                      size_t expert)
{
    const char *prefix = number == SIZE_MAX ? "" : maker->settings->family->names->layers->prefix;
    bool is_head = strcmp(name, maker->settings->family->names->head) == 0;
    struct buffer plain = {0};

    layout_name(&plain, (struct place){prefix, number, expert}, name, ending);
    buffer_clear(&maker->name);
    buffer_format(&maker->name, "%s%s", is_head ? "" : "model.", plain.data);
    buffer_release(&plain);
}

/* Parts put one behind the other; of one, that. */
static int join(struct maker *maker, const struct tensor *const *parts, size_t n_parts, size_t dim,
                struct tensor *out)
{
    if (n_parts == 1) {
        *out = *parts[0];
        return 0;
    }
    return tensor_join(out, arena_copy(maker->arena, maker->name.data, maker->name.size), parts,
                       n_parts, dim, maker->arena, maker->err);
}

static int add_joined(struct maker *maker, const struct tensor *const *parts, size_t n_parts,
                      size_t dim)
{
    struct tensor made;

    return join(maker, parts, n_parts, dim, &made) || add_made(maker, &made) ? -1 : 0;
}

/* Rows of a matrix, or items of a vector. */
static int take_rows(struct maker *maker, const struct tensor *tensor, size_t first, size_t n,
                     struct tensor *out)
{
    size_t width = tensor->n_dims > 1 ? tensor->shape[1] : 1;
    size_t shape[2] = {n, width};

    return tensor_part(out, tensor, first * width, tensor->n_dims, shape, NULL, maker->arena,
                       maker->err);
}

/* ---- plain parts of a layer ---- */

/* One matrix [n_out, n_in] or, with n_in 0, a vector, of whatever theirs is called. */
static int add_whole(struct maker *maker, struct spot spot, size_t number, const char *const *names,
                     const char *raw_ending, const char *name, const char *ending, size_t n_out,
                     size_t n_in, enum cut cut)
{
    const char *raw = choose_name(maker, spot, 0, names, raw_ending, 0);
    const struct tensor **parts = new_parts(maker, maker->files->n_tensor);
    size_t shape[2] = {n_out, n_in}, n_parts = cut == CUT_NOT ? 1 : maker->files->n_tensor;
    size_t *divided = &shape[cut == CUT_COLUMNS];

    if (cut != CUT_NOT && divide(maker, *divided, name, divided))
        return -1;
    name_raw(maker, spot, raw, raw_ending, 0);
    name_made(maker, number, name, ending, 0);
    return take_parts(maker, spot, no_expert, n_in ? 2 : 1, shape, parts) ||
                   add_joined(maker, parts, n_parts, cut == CUT_COLUMNS)
               ? -1
               : 0;
}

static int add_norm(struct maker *maker, struct spot spot, size_t number, const char *const *names,
                    const char *name, size_t n)
{
    if (add_whole(maker, spot, number, names, "weight", name, ".weight", n, 0, CUT_NOT))
        return -1;
    return maker->settings->has_norm_bias
               ? add_whole(maker, spot, number, names, "bias", name, ".bias", n, 0, CUT_NOT)
               : 0;
}

/* ---- queries, keys and values ---- */

/* Which rows of a group: its heads of queries, then its key, then its value. */
struct band {
    const char *name;
    size_t first, n_rows;
};

static int add_band(struct maker *maker, size_t number, const struct tensor *const *parts,
                    const struct band *band, const char *ending, size_t group_rows,
                    size_t n_groups)
{
    size_t n_ranks = maker->files->n_tensor, n = 0;
    const struct tensor **list = new_parts(maker, n_ranks * n_groups);

    for (size_t t = 0; t < n_ranks; t++)
        for (size_t g = 0; g < n_groups; g++) {
            struct tensor *rows = new_part(maker, 1);

            if (!rows || take_rows(maker, parts[t], g * group_rows + band->first, band->n_rows,
                                   rows))
                return -1;
            list[n++] = rows;
        }
    name_made(maker, number, band->name, ending, 0);
    return add_joined(maker, list, n, 0);
}

/* [groups (heads + 2) head_dim, hidden_size], whole groups on each rank; or the bias. */
static int add_qkv(struct maker *maker, struct spot spot, size_t number, bool is_bias)
{
    static const char *const names[] = {"self_attention.linear_qkv.",
                                        "self_attention.query_key_value.", NULL};
    const struct megatron_settings *settings = maker->settings;
    const struct layer_names *ours = settings->family->names->layers;
    const char *ending = is_bias ? "bias" : "weight", *our_ending = is_bias ? ".bias" : ".weight";
    size_t n = settings->head_dim, n_queries = settings->n_heads / settings->n_kv_heads * n;
    const struct band bands[] = {{ours->q, 0, n_queries}, {ours->k, n_queries, n},
                                 {ours->v, n_queries + n, n}};
    const struct tensor **parts = new_parts(maker, maker->files->n_tensor);
    size_t n_groups, shape[2] = {0, settings->hidden_size};

    if (divide(maker, settings->n_kv_heads, "the number of groups of queries", &n_groups))
        return -1;
    shape[0] = n_groups * (n_queries + 2 * n);
    name_raw(maker, spot, choose_name(maker, spot, 0, names, ending, 0), ending, 0);
    if (take_parts(maker, spot, no_expert, is_bias ? 1 : 2, shape, parts))
        return -1;
    for (size_t i = 0; i < LENGTH(bands); i++)
        if (add_band(maker, number, parts, &bands[i], our_ending, n_queries + 2 * n, n_groups))
            return -1;
    return 0;
}

static int add_attention(struct maker *maker, struct spot spot, size_t number)
{
    static const char *const outs[] = {"self_attention.linear_proj.", "self_attention.dense.",
                                       NULL};
    static const char *const q_norms[] = {"self_attention.q_layernorm.", NULL};
    static const char *const k_norms[] = {"self_attention.k_layernorm.", NULL};
    const struct megatron_settings *settings = maker->settings;
    const struct layer_names *ours = settings->family->names->layers;
    size_t n = settings->hidden_size;

    if (add_qkv(maker, spot, number, false) ||
        (settings->has_qkv_bias && add_qkv(maker, spot, number, true)) ||
        add_whole(maker, spot, number, outs, "weight", ours->o, ".weight", n,
                  settings->n_heads * settings->head_dim, CUT_COLUMNS) ||
        (settings->has_bias &&
         add_whole(maker, spot, number, outs, "bias", ours->o, ".bias", n, 0, CUT_NOT)))
        return -1;
    if (!settings->has_qk_norm)
        return 0;
    return add_norm(maker, spot, number, q_norms, ours->q_norm, settings->head_dim) ||
                   add_norm(maker, spot, number, k_norms, ours->k_norm, settings->head_dim)
               ? -1
               : 0;
}

/* ---- MLPs and experts ---- */

struct mlp { /* one to be made */
    struct spot spot;
    size_t number;             /* of the layer */
    size_t expert;             /* of all; 0 of a plain MLP */
    size_t expert_rank, local; /* where it stands; expert_rank no_expert: everywhere */
    size_t size;               /* rows of its first matrix, less those of the gate */
    bool has_bias;
    const char *gate, *up, *down; /* ours */
    const char *const *first, *const *second; /* theirs, up to "weight" or "bias" */
    bool is_numbered; /* the number of the expert stands behind that: Transformer Engine */
};

static void name_first(struct maker *maker, const struct mlp *mlp, const char *const *names,
                       const char *ending)
{
    size_t rank = mlp->expert_rank == no_expert ? 0 : mlp->expert_rank;
    const char *name = choose_name(maker, mlp->spot, rank, names, ending, mlp->local);

    name_raw(maker, mlp->spot, name, ending, mlp->local);
    if (mlp->is_numbered)
        buffer_format(&maker->raw, "%zu", mlp->local);
}

/* The rows from share * half on of each part. */
static int add_half(struct maker *maker, const struct mlp *mlp, const struct tensor *const *parts,
                    const char *name, const char *ending, size_t half, size_t share)
{
    size_t n_ranks = maker->files->n_tensor;
    const struct tensor **list = new_parts(maker, n_ranks);

    for (size_t t = 0; t < n_ranks; t++) {
        struct tensor *rows = new_part(maker, 1);

        if (!rows || take_rows(maker, parts[t], half * share, share, rows))
            return -1;
        list[t] = rows;
    }
    name_made(maker, mlp->number, name, ending, mlp->expert);
    return add_joined(maker, list, n_ranks, 0);
}

/* [2 size, hidden_size] gate before up, or [size, hidden_size]; or the bias of it. */
static int add_first(struct maker *maker, const struct mlp *mlp, bool is_bias)
{
    const char *ending = is_bias ? "bias" : "weight", *our_ending = is_bias ? ".bias" : ".weight";
    const struct tensor **parts = new_parts(maker, maker->files->n_tensor);
    bool is_gated = maker->settings->is_gated;
    size_t share, shape[2] = {0, maker->settings->hidden_size};

    if (divide(maker, mlp->size, "the size of an MLP", &share))
        return -1;
    shape[0] = is_gated ? 2 * share : share;
    name_first(maker, mlp, mlp->first, ending);
    if (take_parts(maker, mlp->spot, mlp->expert_rank, is_bias ? 1 : 2, shape, parts) ||
        (is_gated && add_half(maker, mlp, parts, mlp->gate, our_ending, 0, share)))
        return -1;
    return add_half(maker, mlp, parts, mlp->up, our_ending, is_gated, share);
}

static int add_second(struct maker *maker, const struct mlp *mlp, bool is_bias)
{
    const struct tensor **parts = new_parts(maker, maker->files->n_tensor);
    size_t shape[2] = {maker->settings->hidden_size, 0};

    if (divide(maker, mlp->size, "the size of an MLP", &shape[1]))
        return -1;
    name_first(maker, mlp, mlp->second, is_bias ? "bias" : "weight");
    if (take_parts(maker, mlp->spot, mlp->expert_rank, is_bias ? 1 : 2, shape, parts))
        return -1;
    name_made(maker, mlp->number, mlp->down, is_bias ? ".bias" : ".weight", mlp->expert);
    return add_joined(maker, parts, is_bias ? 1 : maker->files->n_tensor, 1);
}

static int add_mlp(struct maker *maker, const struct mlp *mlp)
{
    if (add_first(maker, mlp, false) || (mlp->has_bias && add_first(maker, mlp, true)) ||
        add_second(maker, mlp, false))
        return -1;
    return mlp->has_bias ? add_second(maker, mlp, true) : 0;
}

static int add_dense(struct maker *maker, struct spot spot, size_t number)
{
    static const char *const first[] = {"mlp.linear_fc1.", "mlp.dense_h_to_4h.", NULL};
    static const char *const second[] = {"mlp.linear_fc2.", "mlp.dense_4h_to_h.", NULL};
    const struct layer_names *ours = maker->settings->family->names->layers;
    struct mlp mlp = {
        .spot = spot, .number = number, .expert_rank = no_expert,
        .size = maker->settings->intermediate_size, .has_bias = maker->settings->has_bias,
        .gate = ours->gate, .up = ours->up, .down = ours->down, .first = first, .second = second,
    };

    return add_mlp(maker, &mlp);
}

/* ---- experts in one matrix ---- */

/* GroupedMLP: all experts of the rank in [hidden_size, E W], whose memory is read as [E,
 * hidden_size, W], W the columns of the gate before the others; and [E size, hidden_size]. Of each
 * part [n_in, n_out], rows `stride` items apart, from item `first` on, is turned and joined. */
static int add_turned(struct maker *maker, const struct mlp *mlp,
                      const struct tensor *const *parts, const char *name, size_t first,
                      size_t n_in, size_t n_out, size_t stride, size_t dim)
{
    size_t n_ranks = maker->files->n_tensor, shape[2] = {n_in, n_out}, strides[2] = {stride, 1};
    const struct tensor **list = new_parts(maker, n_ranks);

    for (size_t t = 0; t < n_ranks; t++) {
        struct tensor *part = new_part(maker, 2);

        if (!part ||
            tensor_part(&part[0], parts[t], first, 2, shape, strides, maker->arena, maker->err) ||
            tensor_turn(&part[1], &part[0], maker->arena, maker->err))
            return -1;
        list[t] = &part[1];
    }
    name_made(maker, mlp->number, name, ".weight", mlp->expert);
    return add_joined(maker, list, n_ranks, dim);
}

static int add_grouped(struct maker *maker, const struct mlp *mlp)
{
    const struct megatron_settings *settings = maker->settings;
    const struct tensor **parts = new_parts(maker, maker->files->n_tensor);
    size_t n = settings->hidden_size, n_local = settings->n_experts / maker->files->n_expert;
    size_t share, width, shape[2];

    if (divide(maker, mlp->size, "the size of an expert", &share))
        return -1;
    width = settings->is_gated ? 2 * share : share;
    shape[0] = n;
    shape[1] = n_local * width;
    name_raw(maker, mlp->spot, "mlp.experts.weight1", "", 0);
    if (take_parts(maker, mlp->spot, mlp->expert_rank, 2, shape, parts) ||
        (settings->is_gated && add_turned(maker, mlp, parts, mlp->gate, mlp->local * n * width, n,
                                          share, width, 0)) ||
        add_turned(maker, mlp, parts, mlp->up, mlp->local * n * width + (width - share), n, share,
                   width, 0))
        return -1;
    parts = new_parts(maker, maker->files->n_tensor);
    shape[0] = n_local * share;
    shape[1] = n;
    name_raw(maker, mlp->spot, "mlp.experts.weight2", "", 0);
    if (take_parts(maker, mlp->spot, mlp->expert_rank, 2, shape, parts))
        return -1;
    return add_turned(maker, mlp, parts, mlp->down, mlp->local * share * n, share, n, n, 1);
}

/* ---- a layer of experts ---- */

/* How experts are called, by who wrote them. */
static const struct expert_names {
    const char *mark;             /* a tensor that tells, of expert 0 */
    const char *first[2], *second[2];
    bool is_numbered;
} expert_names[] = {
    {"mlp.experts.local_experts.0.linear_fc1.weight",
     {"mlp.experts.local_experts.@.linear_fc1."}, {"mlp.experts.local_experts.@.linear_fc2."},
     false},
    {"mlp.experts.linear_fc1.weight0", {"mlp.experts.linear_fc1."}, {"mlp.experts.linear_fc2."},
     true},
    {"mlp.local_experts.0.linear_fc1.weight", {"mlp.local_experts.@.linear_fc1."},
     {"mlp.local_experts.@.linear_fc2."}, false},
    {"mlp.local_experts.0.dense_h_to_4h.weight", {"mlp.local_experts.@.dense_h_to_4h."},
     {"mlp.local_experts.@.dense_4h_to_h."}, false},
    {"mlp.experts.0.dense_h_to_4h.weight", {"mlp.experts.@.dense_h_to_4h."},
     {"mlp.experts.@.dense_4h_to_h."}, false},
};

/* Those of the layer; NULL: they stand in one matrix. */
static const struct expert_names *find_names(struct maker *maker, struct spot spot)
{
    const struct megatron_rank *rank = megatron_files_rank(maker->files, 0, spot.stage, 0);

    for (size_t i = 0; i < LENGTH(expert_names); i++) {
        name_raw(maker, spot, expert_names[i].mark, "", 0);
        if (has_raw(maker, rank))
            return &expert_names[i];
    }
    name_raw(maker, spot, "mlp.experts.weight1", "", 0);
    return has_raw(maker, rank) ? NULL : &expert_names[0];
}

static int add_experts(struct maker *maker, struct spot spot, size_t number)
{
    const struct megatron_settings *settings = maker->settings;
    const struct moe_names *ours = settings->family->names->moe;
    const struct expert_names *names = find_names(maker, spot);
    size_t n_local = settings->n_experts / maker->files->n_expert;

    if (!names && settings->has_bias)
        return error_set(maker->err, ERROR_FORMAT, "'%s': '%s', but args.add_bias_linear is true",
                         megatron_files_rank(maker->files, 0, spot.stage, 0)->name,
                         maker->raw.data);
    for (size_t e = 0; e < settings->n_experts; e++) {
        struct mlp mlp = {
            .spot = spot, .number = number, .expert = e, .expert_rank = e / n_local,
            .local = e % n_local, .size = settings->expert_size, .has_bias = settings->has_bias,
            .gate = ours->gate, .up = ours->up, .down = ours->down,
            .first = names ? names->first : NULL, .second = names ? names->second : NULL,
            .is_numbered = names && names->is_numbered,
        };

        if (names ? add_mlp(maker, &mlp) : add_grouped(maker, &mlp))
            return -1;
    }
    return 0;
}

static int add_shared(struct maker *maker, struct spot spot, size_t number)
{
    static const char *const first[] = {"mlp.shared_experts.linear_fc1.", NULL};
    static const char *const second[] = {"mlp.shared_experts.linear_fc2.", NULL};
    static const char *const gate[] = {"mlp.shared_experts.gate_weight", NULL};
    const struct megatron_settings *settings = maker->settings;
    const struct moe_names *ours = settings->family->names->moe;
    struct mlp mlp = {
        .spot = spot, .number = number, .expert_rank = no_expert, .size = settings->shared_size,
        .gate = ours->shared_gate, .up = ours->shared_up, .down = ours->shared_down,
        .first = first, .second = second,
    };

    if (add_mlp(maker, &mlp))
        return -1;
    return settings->has_shared_gate
               ? add_whole(maker, spot, number, gate, "", ours->shared_router, ".weight", 1,
                           settings->hidden_size, CUT_NOT)
               : 0;
}

static int add_moe(struct maker *maker, struct spot spot, size_t number)
{
    static const char *const router[] = {"mlp.router.", NULL};
    const struct megatron_settings *settings = maker->settings;
    const struct moe_names *ours = settings->family->names->moe;
    size_t n = settings->n_experts;

    if (add_whole(maker, spot, number, router, "weight", ours->router, ".weight", n,
                  settings->hidden_size, CUT_NOT) ||
        (settings->has_router_bias &&
         add_whole(maker, spot, number, router, "bias", ours->router, ".bias", n, 0, CUT_NOT)) ||
        (settings->has_choice_bias && add_whole(maker, spot, number, router, "expert_bias",
                                                ours->choice_bias, "", n, 0, CUT_NOT)) ||
        add_experts(maker, spot, number))
        return -1;
    return settings->shared_size ? add_shared(maker, spot, number) : 0;
}

static int add_layer(struct maker *maker, size_t number)
{
    static const char *const before[] = {"input_layernorm.", "input_norm.",
                                         "self_attention.linear_qkv.layer_norm_", NULL};
    static const char *const between[] = {"pre_mlp_layernorm.", "post_attention_norm.",
                                          "post_attention_layernorm.", "mlp.linear_fc1.layer_norm_",
                                          NULL};
    const struct megatron_settings *settings = maker->settings;
    const struct layer_names *ours = settings->family->names->layers;
    struct spot spot = maker->spots[number];

    if (add_norm(maker, spot, number, before, ours->norm1, settings->hidden_size) ||
        add_attention(maker, spot, number) ||
        add_norm(maker, spot, number, between, ours->norm2, settings->hidden_size))
        return -1;
    return settings->is_sparse && settings->is_sparse[number] ? add_moe(maker, spot, number)
                                                              : add_dense(maker, spot, number);
}

/* ---- which layers a stage has ---- */

/* The number behind "layers." in a name that begins with `prefix`; SIZE_MAX: none, or too large. */
static size_t layer_number(const char *name, const char *prefix)
{
    size_t length = strlen(prefix), number = 0, n_digits;

    if (strncmp(name, prefix, length) != 0)
        return SIZE_MAX;
    name += length;
    n_digits = strspn(name, "0123456789");
    if (n_digits == 0 || n_digits > 9 || name[n_digits] != '.')
        return SIZE_MAX;
    for (size_t i = 0; i < n_digits; i++)
        number = number * 10 + (size_t)(name[i] - '0');
    return number;
}

static size_t count_layers(struct maker *maker, struct spot spot)
{
    const struct megatron_rank *rank = megatron_files_rank(maker->files, 0, spot.stage, 0);
    const struct checkpoint *checkpoint = maker->checkpoint;
    size_t n = 0;

    add_root(&maker->raw, maker->files, spot);
    buffer_format(&maker->raw, "%slayers.", maker->settings->stack);
    for (size_t i = 0; i < rank->by_name.n_slots; i++) {
        const struct hash_entry *slot = &rank->by_name.slots[i];
        size_t number = slot->key ? layer_number(checkpoint->tensors[slot->value].name,
                                                 maker->raw.data)
                                  : SIZE_MAX;

        if (number != SIZE_MAX && number >= n)
            n = number + 1;
    }
    return n;
}

/* Stages count their layers from 0. A stage that is cut into chunks has those of the first round,
 * then of the second. */
static int find_spots(struct maker *maker)
{
    const struct megatron_files *files = maker->files;
    size_t n_layers = maker->settings->n_layers, n = 0;

    maker->spots = memory_zalloc(n_layers, sizeof *maker->spots);
    for (size_t chunk = 0; chunk < files->n_chunks; chunk++)
        for (size_t stage = 0; stage < files->n_stages; stage++) {
            struct spot spot = {stage, chunk, 0};
            size_t n_here = count_layers(maker, spot);

            if (n_here > n_layers - n)
                return error_set(maker->err, ERROR_FORMAT, "'%s': its layers make at least %zu, by "
                                 "its args there are %zu",
                                 megatron_files_rank(files, 0, stage, 0)->name, n + n_here,
                                 n_layers);
            for (spot.layer = 0; spot.layer < n_here; spot.layer++)
                maker->spots[n++] = spot;
        }
    return n == n_layers ? 0
                         : error_set(maker->err, ERROR_FORMAT, "'%s': %zu layers in all stages, by "
                                     "its args there are %zu", files->ranks[0].name, n, n_layers);
}

/* ---- what stands before and behind the layers ---- */

/* [padded_vocab_size, hidden_size], cut into rows, less the padding. */
static int add_table(struct maker *maker, struct spot spot, const char *const *names,
                     const char *name)
{
    const struct megatron_settings *settings = maker->settings;
    const struct tensor **parts = new_parts(maker, maker->files->n_tensor);
    struct tensor *joined = arena_alloc(maker->arena, sizeof *joined), made;
    size_t shape[2] = {0, settings->hidden_size};

    if (divide(maker, settings->padded_vocab_size, "padded_vocab_size", &shape[0]))
        return -1;
    name_raw(maker, spot, choose_name(maker, spot, 0, names, "", 0), "", 0);
    name_made(maker, SIZE_MAX, name, ".weight", 0);
    if (take_parts(maker, spot, no_expert, 2, shape, parts) ||
        join(maker, parts, maker->files->n_tensor, 0, joined) ||
        take_rows(maker, joined, 0, settings->vocab_size, &made))
        return -1;
    return add_made(maker, &made);
}

static const char *const word_names[] = {
    "embedding.word_embeddings.weight", "language_model.embedding.word_embeddings.weight", NULL};

static int add_embeddings(struct maker *maker)
{
    static const char *const positions[] = {
        "embedding.position_embeddings.weight",
        "language_model.embedding.position_embeddings.weight", NULL};
    const struct megatron_settings *settings = maker->settings;
    struct spot first = {0, 0, SIZE_MAX};

    if (add_table(maker, first, word_names, settings->family->names->embedding))
        return -1;
    return settings->has_positions
               ? add_whole(maker, first, SIZE_MAX, positions, "",
                           settings->family->names->positions, ".weight", settings->max_positions, settings->hidden_size, CUT_NOT)
               : 0;
}

/* Where the last stage is not the first it holds a tied head once more: that is left out. */
static int skip_tied_head(struct maker *maker, struct spot last)
{
    static const char *const heads[] = {"output_layer.weight", "word_embeddings_for_head.weight",
                                        NULL};
    const struct megatron_settings *settings = maker->settings;
    const struct tensor **embedding = new_parts(maker, maker->files->n_tensor);
    const struct tensor **parts = new_parts(maker, maker->files->n_tensor);
    const struct spot first = {0, 0, SIZE_MAX};
    size_t shape[2] = {settings->padded_vocab_size / maker->files->n_tensor,
                       settings->hidden_size};
    int same = 1;

    if (last.stage == 0 && last.chunk == 0)
        return 0;
    name_raw(maker, first, choose_name(maker, first, 0, word_names, "", 0), "", 0);
    if (take_parts(maker, first, no_expert, 2, shape, embedding))
        return -1;
    name_raw(maker, last, choose_name(maker, last, 0, heads, "", 0), "", 0);
    if (take_parts(maker, last, no_expert, 2, shape, parts))
        return -1;
    for (size_t t = 0; same == 1 && t < maker->files->n_tensor; t++)
        same = tensor_equal(embedding[t], parts[t], maker->err);
    if (same == 0)
        error_set(maker->err, ERROR_FORMAT, "'%s': tensor '" ERROR_NAME "' is not the embedding, "
                  "though its args say that the two are tied",
                  megatron_files_rank(maker->files, 0, last.stage, 0)->name, maker->raw.data);
    return same == 1 ? 0 : -1;
}

static int add_end(struct maker *maker)
{
    static const char *const heads[] = {"output_layer.weight", "language_model.output_layer.weight",
                                        NULL};
    const struct megatron_settings *settings = maker->settings;
    struct spot last = {maker->files->n_stages - 1, maker->files->n_chunks - 1, SIZE_MAX};
    char *new_name = memory_format("%sfinal_layernorm.", settings->stack);
    char *old_name = memory_format("%sfinal_norm.", settings->stack);
    const char *const norms[] = {new_name, old_name, NULL};
    int rc = add_norm(maker, last, SIZE_MAX, norms, settings->family->names->layers->final_norm,
                      settings->hidden_size);

    free(new_name);
    free(old_name);
    if (rc)
        return -1;
    return settings->is_tied ? skip_tied_head(maker, last)
                             : add_table(maker, last, heads, settings->family->names->head);
}

/* ---- all ---- */

/* Transformer Engine's scales of FP8, and tables that follow from the settings. */
static bool is_passed_over(const char *name)
{
    static const char *const parts[] = {"_extra_state", "rotary_pos_emb.", ".inv_freq",
                                        "local_tokens_per_expert", "global_tokens_per_expert"};

    for (size_t i = 0; i < LENGTH(parts); i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

static const char *file_of(const struct megatron_files *files, const struct tensor *tensor)
{
    size_t i = 0;

    while (i + 1 < files->n_ranks &&
           files->checkpoint->files[files->ranks[i].file].source != tensor->source)
        i++;
    return files->ranks[i].name;
}

static int check_all_used(struct maker *maker)
{
    for (size_t i = 0; i < maker->checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &maker->checkpoint->tensors[i];

        if (!maker->is_used[i] && !is_passed_over(tensor->name))
            return error_set(maker->err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "' has no "
                             "place in the GPT that its args describe, and is not supported",
                             file_of(maker->files, tensor), tensor->name);
    }
    return 0;
}

static int make_all(struct maker *maker)
{
    if (find_spots(maker) || add_embeddings(maker))
        return -1;
    for (size_t i = 0; i < maker->settings->n_layers; i++)
        if (add_layer(maker, i))
            return -1;
    return add_end(maker) || check_all_used(maker) ? -1 : 0;
}

int megatron_tensors_make(struct megatron_files *files, const struct megatron_settings *settings,
                          struct error *err)
{
    struct maker maker = {.files = files, .settings = settings, .checkpoint = files->checkpoint,
                          .arena = &files->checkpoint->arena, .err = err};
    int rc;

    maker.is_used = memory_zalloc(files->checkpoint->n_tensors, sizeof *maker.is_used);
    rc = make_all(&maker);
    if (rc == 0)
        rc = checkpoint_replace_tensors(files->checkpoint, maker.made, maker.n_made, err);
    else
        free(maker.made);
    free(maker.is_used);
    free(maker.spots);
    buffer_release(&maker.name);
    buffer_release(&maker.raw);
    return rc;
}
