/* lora_tensor.c - a range is cut into blocks of whole rows, or parts of one, and each is computed by the
 * kernels of matrix products: an item's sum runs over the ranks ascending, whatever range it is read
 * in. */
#include "lora_tensor.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/isa.h"
#include "base/memory.h"
#include "base/threads.h"
#include "math/gemm_kernels.h"
#include "math/svd.h"
#include "math/vector.h"
#include "tensor/tensor_source.h"

/* Blocks have about BLOCK_ITEMS, and never more than ROOM_ITEMS. */
enum { BLOCK_ITEMS = 64 * 1024, ROOM_ITEMS = 2 * BLOCK_ITEMS, ROWS_TOGETHER = 28 };

struct adapted { /* what all sources here begin with */
    struct tensor_source source;
    const struct tensor *base, *values;
    bool is_double;
};

/* ---- of all ---- */

static const struct adapted *adapted_of(const struct tensor_source *source)
{
    return (const struct adapted *)source;
}

static void adapted_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor_source *file = adapted_of(source)->values->source;

    file->kind->describe(file, out);
}

static enum dtype adapted_written(const struct tensor *tensor)
{
    return tensor_written(adapted_of(tensor->source)->base);
}

static struct tensor_stored adapted_stored(const struct tensor *tensor)
{
    const struct tensor *base = adapted_of(tensor->source)->base;
    const struct dtype_info *info;

    if (tensor->n_items == base->n_items)
        return tensor_stored(base);
    info = dtype_info(tensor_written(base));
    return (struct tensor_stored){info->name, tensor->n_items * info->n_bits / 8};
}

static int finish(struct tensor *made, const struct adapted *adapted, struct error *err)
{
    *made = *adapted->base;
    made->dtype = adapted->is_double ? DTYPE_F64 : DTYPE_F32;
    made->source = &adapted->source;
    made->offset = 0;
    made->strides = NULL;
    return tensor_measure(made, err)
               ? error_context(err, "tensor '" ERROR_NAME "'", adapted->base->name)
               : 0;
}

/* n items as floats; `stored` has room for them as they are stored. */
static int read_floats(const struct tensor *tensor, size_t first, size_t n, void *stored,
                       float *out, struct error *err)
{
    enum { STEP = 1024 };
    size_t bytes = dtype_info(tensor->dtype)->n_bits / 8;
    double values[STEP];

    if (tensor->dtype == DTYPE_F32)
        return tensor_read(tensor, first, n, out, err);
    if (tensor_read(tensor, first, n, stored, err))
        return -1;
    if (tensor->dtype == DTYPE_F16 || tensor->dtype == DTYPE_BF16) {
        vector_widen(tensor->dtype, stored, n, out);
        return 0;
    }
    for (size_t i = 0; i < n; i += STEP) {
        size_t m = n - i < STEP ? n - i : STEP;

        dtype_to_double(tensor->dtype, (const char *)stored + i * bytes, values, m);
        for (size_t k = 0; k < m; k++)
            out[i + k] = (float)values[k];
    }
    return 0;
}

static int read_doubles(const struct tensor *tensor, size_t first, size_t n, void *stored,
                        double *out, struct error *err)
{
    if (tensor_read(tensor, first, n, stored, err))
        return -1;
    dtype_to_double(tensor->dtype, stored, out, n);
    return 0;
}

/* ---- W + s B A ---- */

struct weight {
    struct adapted adapted;
    struct lora_change change;
    const struct lora_module *module;
    size_t n_rows, n_columns; /* of a matrix */
    size_t n_ranks;           /* of one expert */
    float scale;
    bool is_pissa;
    pthread_mutex_t *lock;
    struct measured *measured; /* under the lock, and read-only once it is there; NULL: nothing is */
};

/* What depends on all values of W. */
struct measured {
    bool is_there;
    float *factors;     /* DoRA: what each output is multiplied by */
    struct svd removed; /* PiSSA: what training took from W before it began */
};

/* A part of one matrix: whole rows, or columns of one row. */
struct block {
    size_t matrix, row, column, n_rows, n_columns;
};

struct room { /* of a reader */
    const struct gemm_version *kernels;
    struct lora_factors factors;
    void *stored;   /* of a block */
    double *values; /* likewise; only of doubles */
    float *sums;    /* likewise; NULL: floats are made where they go */
    float *left;    /* [n_ranks, group_rows] */
};

/* The most rows of a block: whole groups of the kernels, if one is not too large. */
static size_t block_rows(size_t width)
{
    size_t group = gemm_version(isa_in_use())->group_rows, n = width < BLOCK_ITEMS ? BLOCK_ITEMS / width : 1;

    return n >= group ? n / group * group : group * width <= ROOM_ITEMS ? group : n;
}

static struct block find_block(const struct weight *weight, size_t first, size_t n)
{
    size_t width = weight->n_columns, matrix_items = weight->n_rows * width;
    size_t at = first % matrix_items;
    struct block block = {.matrix = first / matrix_items, .row = at / width, .column = at % width};
    size_t most = block_rows(width);

    block.n_rows = 1;
    block.n_columns = width - block.column;
    if (block.column == 0 && n >= width) {
        block.n_rows = n / width < most ? n / width : most;
        if (block.n_rows > weight->n_rows - block.row)
            block.n_rows = weight->n_rows - block.row;
    }
    if (block.n_columns > n)
        block.n_columns = n;
    if (block.n_columns > BLOCK_ITEMS)
        block.n_columns = BLOCK_ITEMS;
    return block;
}

/* Where rank k of the expert stands among the rows of a factor: A has an expert's together, B the
 * experts' of one rank. */
static size_t rank_row(const struct weight *weight, bool is_a, size_t expert, size_t k)
{
    return is_a ? expert * weight->n_ranks + k : k * weight->module->n_experts + expert;
}

static size_t rank_step(const struct weight *weight, bool is_a)
{
    return is_a ? 1 : weight->module->n_experts;
}

/* Rows of W's left factor, turned: left [n_ranks, n_rows]. */
static void gather_left(const struct weight *weight, const struct room *room, size_t expert,
                        size_t row, size_t n_rows)
{
    bool is_a = weight->change.is_turned;
    const struct lora_panels *panels = is_a ? &room->factors.a : &room->factors.b;
    size_t first = weight->change.first_row + row;

    for (size_t k = 0; k < weight->n_ranks; k++)
        for (size_t i = 0; i < n_rows; i++) {
            size_t column = first + i, at = rank_row(weight, is_a, expert, k);

            room->left[k * n_rows + i] =
                panels->values[(column / LORA_PANEL * panels->n_rows + at) * LORA_PANEL +
                               column % LORA_PANEL];
        }
}

/* sums [n_rows, kernels->panel_out] = left times the columns of the right factor from `column` on, a
 * multiple of panel_out. */
static void multiply(const struct weight *weight, const struct room *room, size_t expert,
                     size_t n_rows, size_t column, float *sums)
{
    bool is_a = !weight->change.is_turned;
    const struct lora_panels *panels = is_a ? &room->factors.a : &room->factors.b;
    const float *panel = panels->values + column / LORA_PANEL * panels->n_rows * LORA_PANEL +
                         column % LORA_PANEL;
    size_t stride = rank_step(weight, is_a) * LORA_PANEL;

    for (size_t k = 0; k < weight->n_ranks; k += GEMM_BLOCK_IN) {
        size_t n = weight->n_ranks - k < GEMM_BLOCK_IN ? weight->n_ranks - k : GEMM_BLOCK_IN;

        room->kernels->multiply(n_rows, n, room->left + k * n_rows, true,
                                panel + rank_row(weight, is_a, expert, k) * LORA_PANEL, stride,
                                k > 0, sums);
    }
}

/* Rows of a block: y [n_rows, n_columns] += s L R. */
static void add_rows(const struct weight *weight, const struct room *room,
                     const struct block *block, size_t row, size_t n_rows, float *y)
{
    _Alignas(64) float sums[GEMM_GROUP_ROWS_MAX * GEMM_PANEL_OUT_MAX];
    size_t expert = weight->change.first_expert + block->matrix;
    size_t width = room->kernels->panel_out, end = block->column + block->n_columns;

    gather_left(weight, room, expert, row, n_rows);
    for (size_t column = block->column / width * width; column < end; column += width) {
        size_t skipped = column < block->column ? block->column - column : 0;
        size_t n = end - column < width ? end - column : width;
        float *to = y + (column + skipped - block->column);

        multiply(weight, room, expert, n_rows, column, sums);
        if (skipped) /* of a row of its own */
            for (size_t i = skipped; i < n; i++)
                to[i - skipped] += sums[i] * weight->scale;
        else
            room->kernels->finish(n_rows, n, sums, weight->scale, true, to, block->n_columns);
    }
}

static void add_block(const struct weight *weight, const struct room *room,
                      const struct block *block, float *y)
{
    size_t group = room->kernels->group_rows;

    for (size_t i = 0; i < block->n_rows; i += group)
        add_rows(weight, room, block, block->row + i,
                 block->n_rows - i < group ? block->n_rows - i : group, y + i * block->n_columns);
}

/* y -= what PiSSA took away. */
static void remove_block(const struct weight *weight, const struct block *block, float *y)
{
    const struct svd *removed = weight->measured ? &weight->measured->removed : NULL;

    for (size_t i = 0; removed && removed->rank && i < block->n_rows; i++) {
        float *row = y + i * block->n_columns;

        for (size_t k = 0; k < weight->n_ranks && k < removed->rank; k++) {
            float left = removed->left[k * weight->n_rows + block->row + i];
            const float *right = removed->right + k * weight->n_columns + block->column;

            for (size_t j = 0; j < block->n_columns; j++)
                row[j] -= left * right[j];
        }
    }
}

static size_t item_bytes(const struct weight *weight)
{
    return weight->adapted.is_double ? sizeof(double) : sizeof(float);
}

static size_t block_first(const struct weight *weight, const struct block *block)
{
    return (block->matrix * weight->n_rows + block->row) * weight->n_columns + block->column;
}

/* V of a block, as floats in `floats`, or as doubles in room->values. */
static int compute(const struct weight *weight, const struct room *room,
                   const struct block *block, float *floats, struct error *err)
{
    size_t n = block->n_rows * block->n_columns, first = block_first(weight, block);
    const struct tensor *values = weight->adapted.values;

    if (!weight->adapted.is_double) {
        if (read_floats(values, first, n, room->stored, floats, err))
            return -1;
        remove_block(weight, block, floats);
        add_block(weight, room, block, floats);
        return 0;
    }
    if (read_doubles(values, first, n, room->stored, room->values, err))
        return -1;
    memset(room->sums, 0, n * sizeof *room->sums);
    remove_block(weight, block, room->sums);
    add_block(weight, room, block, room->sums);
    for (size_t i = 0; i < n; i++)
        room->values[i] += (double)room->sums[i];
    return 0;
}

/* ---- DoRA ---- */

static size_t output_of(const struct weight *weight, const struct block *block, size_t i)
{
    return weight->change.is_turned ? block->column + i % block->n_columns
                                    : block->row + i / block->n_columns;
}

/* The squares of each output are added up. */
static int add_squares(const struct weight *weight, const struct room *room, double *squares,
                       struct error *err)
{
    size_t n_items = weight->n_rows * weight->n_columns;

    for (size_t first = 0; first < n_items;) {
        struct block block = find_block(weight, first, n_items - first);
        size_t n = block.n_rows * block.n_columns;

        if (compute(weight, room, &block, room->sums, err))
            return -1;
        for (size_t i = 0; i < n; i++) {
            double value = weight->adapted.is_double ? room->values[i] : (double)room->sums[i];

            squares[output_of(weight, &block, i)] += value * value;
        }
        first += n;
    }
    return 0;
}

static int measure_norms(const struct weight *weight, const struct room *room, struct error *err)
{
    size_t n = weight->change.is_turned ? weight->n_columns : weight->n_rows;
    double *squares = memory_zalloc(n, sizeof *squares);
    float *magnitudes = memory_zalloc(n, sizeof *magnitudes);
    int rc = tensor_read_floats(weight->module->magnitude, magnitudes, err) ||
                     add_squares(weight, room, squares, err)
                 ? -1
                 : 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        float norm = (float)sqrt(squares[i]);

        if (!(norm > 0 && isfinite(norm)))
            rc = error_set(err, ERROR_FORMAT, "'%s': module '" ERROR_NAME "': the weights of output "
                           "%zu have a norm of %g, by which DoRA would divide",
                           weight->change.lora->name, weight->module->name, i, (double)norm);
        else
            weight->measured->factors[i] = magnitudes[i] / norm;
    }
    free(squares);
    free(magnitudes);
    return rc;
}

/* ---- PiSSA ---- */

/* The first singular values of W: of a matrix that LAPACK decomposes in a second or two exactly, else as
 * svd.h has them. */
static int decompose(const struct weight *weight, const float *values, struct error *err)
{
    enum { EXACT_MAX = 1024 };
    size_t rows = weight->n_rows, columns = weight->n_columns;
    size_t least = rows < columns ? rows : columns;
    struct svd_size size = {.rank = least <= EXACT_MAX ? least : weight->n_ranks};
    struct threads *threads = threads_new(1, err);
    struct gemm *gemm = threads ? gemm_new(threads, err) : NULL;
    int rc = gemm ? svd_approximate(&weight->measured->removed, values, rows, columns, size, gemm, err)
                  : -1;

    gemm_free(gemm);
    threads_free(threads);
    return rc;
}

static int measure_removed(const struct weight *weight, struct error *err)
{
    const struct tensor *tensor = weight->adapted.values;
    float *values = memory_try(tensor->n_items, sizeof *values, "a matrix that PiSSA changes", err);
    int rc = values ? tensor_read_floats(tensor, values, err) : -1;

    for (size_t i = 0; rc == 0 && i < tensor->n_items; i++)
        if (!isfinite(values[i]))
            rc = error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': value %zu is not finite, and PiSSA "
                           "needs its singular values", tensor->name, i);
    if (rc == 0)
        rc = decompose(weight, values, err);
    free(values);
    return rc;
}

/* ---- measured once ---- */

static int measure(const struct weight *weight, const struct room *room, struct error *err)
{
    struct measured *measured = weight->measured;
    int rc = 0;

    if (!measured)
        return 0;
    pthread_mutex_lock(weight->lock);
    if (!measured->is_there) {
        if (weight->is_pissa && !measured->removed.rank)
            rc = measure_removed(weight, err);
        if (rc == 0 && measured->factors)
            rc = measure_norms(weight, room, err);
        measured->is_there = rc == 0;
    }
    pthread_mutex_unlock(weight->lock);
    return rc;
}

/* What is at `at`, floats or doubles. */
static void stretch(const struct weight *weight, const struct block *block, char *at)
{
    size_t n = block->n_rows * block->n_columns, bytes = item_bytes(weight);

    for (size_t i = 0; i < n; i++, at += bytes) {
        float factor = weight->measured->factors[output_of(weight, block, i)];
        double large;
        float small;

        if (weight->adapted.is_double) {
            memcpy(&large, at, bytes);
            large *= (double)factor;
            memcpy(at, &large, bytes);
        } else {
            memcpy(&small, at, bytes);
            small *= factor;
            memcpy(at, &small, bytes);
        }
    }
}

/* ---- reading ---- */

static void room_release(const struct weight *weight, struct room *room)
{
    if (room->factors.a.values)
        lora_store_give(weight->change.store, weight->change.module);
    free(room->stored);
    free(room->values);
    free(room->sums);
    free(room->left);
}

/* Blocks of at most n items. Floats are made where they go, if that `is_aligned`. */
static int room_init(struct room *room, const struct weight *weight, size_t n, bool is_aligned,
                     struct error *err)
{
    size_t items = n < ROOM_ITEMS ? n : ROOM_ITEMS;

    *room = (struct room){.kernels = gemm_version(isa_in_use())};
    if (lora_store_take(weight->change.store, weight->change.module, &room->factors, err))
        return -1;
    room->stored = memory_alloc(items * sizeof(double));
    if (weight->adapted.is_double || weight->module->magnitude || !is_aligned)
        room->sums = memory_alloc(items * sizeof *room->sums);
    if (weight->adapted.is_double)
        room->values = memory_alloc(items * sizeof *room->values);
    room->left = memory_try(weight->n_ranks, room->kernels->group_rows * sizeof *room->left,
                            "factors of an adapter", err);
    if (room->left)
        return 0;
    room_release(weight, room);
    return -1;
}

static int weight_read(const struct tensor_source *source, size_t offset, size_t n_bytes,
                       void *out, struct error *err)
{
    const struct weight *weight = (const struct weight *)source;
    size_t bytes = item_bytes(weight);
    size_t first = offset / bytes, left = n_bytes / bytes;
    bool is_dora = weight->module->magnitude != NULL;
    char *to = out;
    struct room room;
    int rc = 0;

    if (left == 0)
        return 0;
    /* The norms need whole blocks. */
    if (room_init(&room, weight, is_dora ? ROOM_ITEMS : left, (uintptr_t)out % sizeof(float) == 0, err))
        return -1;
    rc = measure(weight, &room, err);
    while (rc == 0 && left > 0) {
        struct block block = find_block(weight, first, left);
        size_t n = block.n_rows * block.n_columns;

        rc = compute(weight, &room, &block, room.sums ? room.sums : (void *)to, err);
        if (rc == 0 && room.sums)
            memcpy(to, room.values ? (void *)room.values : room.sums, n * bytes);
        if (rc == 0 && is_dora)
            stretch(weight, &block, to);
        to += n * bytes;
        first += n;
        left -= n;
    }
    room_release(weight, &room);
    return rc;
}

static size_t weight_rows_together(const struct tensor *tensor)
{
    (void)tensor;
    return ROWS_TOGETHER;
}

static bool weight_same(const struct tensor_source *a, const struct tensor_source *b)
{
    const struct weight *x = (const struct weight *)a, *y = (const struct weight *)b;

    return x->module == y->module && x->change.is_turned == y->change.is_turned &&
           x->change.first_expert == y->change.first_expert &&
           x->change.first_row == y->change.first_row &&
           tensor_same_bytes(x->adapted.values, y->adapted.values);
}

static const struct tensor_source_kind weight_kind = {
    .read = weight_read, .describe = adapted_describe, .stored = adapted_stored,
    .written = adapted_written, .rows_together = weight_rows_together, .same = weight_same,
};

int lora_tensor_make(struct tensor *made, const struct tensor *base, const struct tensor *values,
                     const struct lora_change *change, struct arena *arena, struct error *err)
{
    const struct lora_module *module = &change->lora->modules[change->module];
    struct weight *weight = arena_alloc(arena, sizeof *weight);
    size_t n = base->n_dims;

    *weight = (struct weight){
        .adapted = {{&weight_kind}, base, values, tensor_written(base) == DTYPE_F64},
        .change = *change, .module = module, .n_rows = base->shape[n - 2],
        .n_columns = base->shape[n - 1], .n_ranks = module->rank, .scale = (float)module->scale,
    };
    weight->is_pissa = change->lora->config.is_pissa && !module->is_embedding;
    if (weight->is_pissa && (n != 2 || module->parameter))
        return error_set(err, ERROR_UNSUPPORTED, "'%s': module '" ERROR_NAME "': PiSSA of parameters "
                         "(target_parameters) is not merged", change->lora->name, module->name);
    if (module->magnitude || weight->is_pissa) {
        weight->lock = arena_alloc(arena, sizeof *weight->lock);
        pthread_mutex_init(weight->lock, NULL);
        weight->measured = arena_alloc(arena, sizeof *weight->measured);
        lora_store_keep(change->store, &weight->measured->removed);
    }
    if (module->magnitude)
        weight->measured->factors =
            arena_alloc(arena, module->magnitude->n_items * sizeof(float));
    return finish(made, &weight->adapted, err);
}

/* ---- item by item ---- */

struct sum {
    struct adapted adapted;
    const struct tensor *addend;
    double scale;
};

/* n floats, or doubles, at `to`; stored [n] and values [n] have room. */
static int add_items(const struct sum *sum, size_t first, size_t n, void *stored, char *to,
                     struct error *err)
{
    enum { STEP = 512 };
    double values[STEP], addends[STEP];

    for (size_t i = 0; i < n; i += STEP) {
        size_t m = n - i < STEP ? n - i : STEP;

        if (read_doubles(sum->adapted.values, first + i, m, stored, values, err) ||
            (sum->addend && read_doubles(sum->addend, first + i, m, stored, addends, err)))
            return -1;
        for (size_t k = 0; k < m; k++) {
            float x = (float)values[k];

            if (sum->adapted.is_double) {
                values[k] += sum->addend ? addends[k] * sum->scale : 0;
                memcpy(to + (i + k) * sizeof *values, &values[k], sizeof *values);
                continue;
            }
            if (sum->addend)
                x += (float)addends[k] * (float)sum->scale;
            memcpy(to + (i + k) * sizeof x, &x, sizeof x);
        }
    }
    return 0;
}

static int sum_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                    struct error *err)
{
    const struct sum *sum = (const struct sum *)source;
    size_t bytes = sum->adapted.is_double ? sizeof(double) : sizeof(float);
    double stored[512];

    return add_items(sum, offset / bytes, n_bytes / bytes, stored, out, err);
}

static bool sum_same(const struct tensor_source *a, const struct tensor_source *b)
{
    const struct sum *x = (const struct sum *)a, *y = (const struct sum *)b;

    return x->addend == y->addend && tensor_same_bytes(x->adapted.values, y->adapted.values) &&
           tensor_written(x->adapted.base) == tensor_written(y->adapted.base);
}

static const struct tensor_source_kind sum_kind = {
    .read = sum_read, .describe = adapted_describe, .stored = adapted_stored,
    .written = adapted_written, .same = sum_same,
};

int lora_tensor_add(struct tensor *made, const struct tensor *base, const struct tensor *values,
                    const struct tensor *addend, double scale, struct arena *arena,
                    struct error *err)
{
    struct sum *sum = arena_alloc(arena, sizeof *sum);

    *sum = (struct sum){{{&sum_kind}, base, values, tensor_written(base) == DTYPE_F64}, addend,
                        scale};
    return finish(made, &sum->adapted, err);
}
