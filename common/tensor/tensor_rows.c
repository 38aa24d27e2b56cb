#include "tensor/tensor_rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/dtype.h"
#include "tensor/tensor_source.h"

enum {
    STEP = 256,          /* items converted at once */
    MEAN_BYTES = 1 << 18 /* read at once for a mean of all */
};

struct rows {
    struct tensor_source source;
    const struct tensor *like;
    enum dtype dtype, written; /* of the rows */
    const struct tensor **tensors;
    size_t n_tensors;
    const struct tensor_row_map *map;
    size_t width; /* items of a row */
    pthread_mutex_t *lock;
    char *mean;   /* of the rows that have no mean of all, once it was wanted: *has_mean */
    bool *has_mean;
};

struct mean_room {
    double *sums, *values; /* [width] */
    char *stored;          /* [n_rows, width] */
    size_t n_rows;
};

static size_t item_bytes(const struct rows *rows)
{
    return dtype_info(rows->dtype)->n_bits / 8;
}

/* Items of a tensor, in the dtype of the rows. */
static int read_other(const struct rows *rows, const struct tensor *tensor, size_t first, size_t n,
                      char *to, struct error *err)
{
    size_t bytes = item_bytes(rows);
    _Alignas(double) char stored[STEP * sizeof(double)];
    double values[STEP];

    if (tensor->dtype == rows->dtype)
        return tensor_read(tensor, first, n, to, err);
    for (size_t done = 0, run; done < n; done += run) {
        run = n - done < STEP ? n - done : STEP;
        if (tensor_read(tensor, first + done, run, stored, err))
            return -1;
        dtype_to_double(tensor->dtype, stored, values, run);
        dtype_from_double(rows->dtype, values, to + done * bytes, run);
    }
    return 0;
}

/* Items `column` … column + n - 1 of the mean of some picks. */
static int read_average(const struct rows *rows, const struct tensor_row *row, size_t column,
                        size_t n, char *to, struct error *err)
{
    _Alignas(double) char stored[STEP * sizeof(double)];
    double values[STEP], sums[STEP];

    for (size_t done = 0, run; done < n; done += run) {
        run = n - done < STEP ? n - done : STEP;
        memset(sums, 0, sizeof sums);
        for (size_t i = 0; i < row->n; i++) {
            const struct tensor_pick *pick = &rows->map->picks[row->first + i];
            const struct tensor *tensor = rows->tensors[pick->tensor];

            if (tensor_read(tensor, pick->row * rows->width + column + done, run, stored, err))
                return -1;
            dtype_to_double(tensor->dtype, stored, values, run);
            for (size_t k = 0; k < run; k++)
                sums[k] += values[k];
        }
        for (size_t k = 0; k < run; k++)
            sums[k] /= row->n;
        dtype_from_double(rows->dtype, sums, to + done * item_bytes(rows), run);
    }
    return 0;
}

/* How many items from there on lie behind one another in one tensor, at most n. */
static size_t find_run(const struct rows *rows, size_t row, size_t column, size_t n)
{
    const struct tensor_row *at = &rows->map->rows[row];
    size_t run = rows->width - column;

    while (run < n && at[0].n == 1 && at[1].n == 1) {
        const struct tensor_pick *pick = &rows->map->picks[at[0].first];
        const struct tensor_pick *next = &rows->map->picks[at[1].first];

        if (next->tensor != pick->tensor || next->row != pick->row + 1)
            break;
        run += rows->width;
        at++;
    }
    return run < n ? run : n;
}

static int read_run(const struct rows *rows, size_t row, size_t column, size_t n, char *to,
                    struct error *err)
{
    const struct tensor_row *at = &rows->map->rows[row];
    const struct tensor_pick *pick = &rows->map->picks[at->first];

    if (at->n == TENSOR_ROW_ZERO) {
        memset(to, 0, n * item_bytes(rows));
        return 0;
    }
    if (at->n > 1)
        return read_average(rows, at, column, n, to, err);
    return read_other(rows, rows->tensors[pick->tensor], pick->row * rows->width + column, n, to,
                      err);
}

/* sums[width] += the rows from `first` on that lie one behind the other, at most `most` of them; *n is
 * their number. Rows that are the mean themselves do not count. */
static int add_run(const struct rows *rows, size_t first, size_t most, struct mean_room *room,
                   size_t *n, struct error *err)
{
    size_t run = find_run(rows, first, 0, most * rows->width);

    *n = run / rows->width;
    if (read_run(rows, first, 0, run, room->stored, err))
        return -1;
    for (size_t r = 0; r < *n; r++) {
        dtype_to_double(rows->dtype, room->stored + r * rows->width * item_bytes(rows), room->values,
                        rows->width);
        for (size_t i = 0; i < rows->width; i++)
            room->sums[i] += room->values[i];
    }
    return 0;
}

static int add_rows(const struct rows *rows, struct mean_room *room, struct error *err)
{
    size_t n_added = 0;

    for (size_t r = 0, n; r < rows->map->n_rows; r += n) {
        size_t left = rows->map->n_rows - r;

        n = 1;
        if (rows->map->rows[r].n == TENSOR_ROW_MEAN)
            continue;
        if (add_run(rows, r, left < room->n_rows ? left : room->n_rows, room, &n, err))
            return -1;
        n_added += n;
    }
    for (size_t i = 0; n_added && i < rows->width; i++)
        room->sums[i] /= (double)n_added;
    dtype_from_double(rows->dtype, room->sums, rows->mean, rows->width);
    return 0;
}

/* Once, when the first of its readers comes. */
static int find_mean(const struct rows *rows, struct error *err)
{
    struct mean_room room = {.n_rows = MEAN_BYTES / (rows->width * item_bytes(rows)) + 1};
    int rc = 0;

    pthread_mutex_lock(rows->lock);
    if (!*rows->has_mean) {
        rc = -1;
        room.sums = memory_try(2 * rows->width, sizeof *room.sums, "a row", err);
        if (room.sums)
            room.stored = memory_try(room.n_rows * rows->width, item_bytes(rows), "rows", err);
        if (room.stored) {
            memset(room.sums, 0, rows->width * sizeof *room.sums);
            room.values = room.sums + rows->width;
            rc = add_rows(rows, &room, err);
        }
        free(room.sums);
        free(room.stored);
        *rows->has_mean = rc == 0;
    }
    pthread_mutex_unlock(rows->lock);
    return rc;
}

static int rows_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                     struct error *err)
{
    const struct rows *rows = (const struct rows *)source;
    size_t bytes = item_bytes(rows), first = offset / bytes;
    char *to = out;

    for (size_t n = n_bytes / bytes, run; n > 0; n -= run) {
        size_t row = first / rows->width, column = first % rows->width;

        if (rows->map->rows[row].n == TENSOR_ROW_MEAN) {
            run = rows->width - column < n ? rows->width - column : n;
            if (find_mean(rows, err))
                return -1;
            memcpy(to, rows->mean + column * bytes, run * bytes);
        } else {
            run = find_run(rows, row, column, n);
            if (read_run(rows, row, column, run, to, err))
                return -1;
        }
        first += run;
        to += run * bytes;
    }
    return 0;
}

static void rows_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor_source *file = ((const struct rows *)source)->like->source;

    file->kind->describe(file, out);
}

static bool rows_same(const struct tensor_source *a, const struct tensor_source *b)
{
    const struct rows *x = (const struct rows *)a, *y = (const struct rows *)b;
    bool is_same = x->map == y->map && x->n_tensors == y->n_tensors && x->dtype == y->dtype &&
                   x->written == y->written;

    for (size_t i = 0; is_same && i < x->n_tensors; i++)
        is_same = x->tensors[i] && y->tensors[i] ? tensor_same_bytes(x->tensors[i], y->tensors[i])
                                                 : x->tensors[i] == y->tensors[i];
    return is_same;
}

static enum dtype rows_written(const struct tensor *tensor)
{
    return ((const struct rows *)tensor->source)->written;
}

static const struct tensor_source_kind rows_kind = {
    .read = rows_read, .describe = rows_describe, .written = rows_written, .same = rows_same,
};

/* ---- making ---- */

static int check_tensor(const struct rows *rows, const struct tensor *tensor, bool is_combined,
                        struct error *err)
{
    const struct tensor *like = rows->like;
    const struct dtype_info *info = dtype_info(tensor->dtype);
    bool fits = tensor->n_dims == like->n_dims && tensor->n_dims > 0;

    for (size_t i = 1; fits && i < like->n_dims; i++)
        fits = tensor->shape[i] == like->shape[i];
    if (!fits)
        return error_set(err, ERROR_INCOMPATIBLE, "tensor '" ERROR_NAME "': its rows are of another "
                         "size than those of tensor '" ERROR_NAME "' of another model",
                         tensor->name, like->name);
    if (info->n_bits % 8 || ((is_combined || tensor->dtype != rows->dtype) &&
                             (info->kind != DTYPE_FLOAT || !dtype_info(rows->dtype)->is_mixable)))
        return error_set(err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "': rows of %s cannot be moved "
                         "to other tokens", tensor->name, info->name);
    return 0;
}

static int check_picks(const struct rows *rows, struct error *err)
{
    for (size_t r = 0; r < rows->map->n_rows; r++) {
        const struct tensor_row *row = &rows->map->rows[r];

        for (size_t i = 0; row->n != TENSOR_ROW_MEAN && i < row->n; i++) {
            const struct tensor_pick *pick = &rows->map->picks[row->first + i];
            const struct tensor *tensor = pick->tensor < rows->n_tensors
                                              ? rows->tensors[pick->tensor] : NULL;

            if (!tensor || pick->row >= tensor->shape[0])
                return error_set(err, ERROR_INCOMPATIBLE, "tensor '" ERROR_NAME "': a model that "
                                 "gives it row %zu %s", rows->like->name, r,
                                 tensor ? "has fewer rows" : "has no such tensor");
        }
    }
    return 0;
}

bool tensor_row_map_combines(const struct tensor_row_map *map)
{
    for (size_t r = 0; r < map->n_rows; r++)
        if (map->rows[r].n > 1)
            return true;
    return false;
}

static int measure(struct tensor *made, const struct rows *rows, struct arena *arena,
                   struct error *err)
{
    size_t *shape = arena_alloc(arena, rows->like->n_dims * sizeof *shape);

    memcpy(shape, rows->like->shape, rows->like->n_dims * sizeof *shape);
    shape[0] = rows->map->n_rows;
    *made = (struct tensor){.name = rows->like->name, .dtype = rows->dtype,
                            .n_dims = rows->like->n_dims, .shape = shape, .source = &rows->source};
    return tensor_measure(made, err);
}

int tensor_rows(struct tensor *made, const struct tensor *like, enum dtype dtype,
                enum dtype written, const struct tensor *const *tensors, size_t n_tensors,
                const struct tensor_row_map *map, struct arena *arena, struct error *err)
{
    struct rows *rows = arena_alloc(arena, sizeof *rows);
    bool is_combined = tensor_row_map_combines(map);

    *rows = (struct rows){.source = {&rows_kind}, .like = like, .dtype = dtype,
                          .written = written, .map = map, .n_tensors = n_tensors,
                          .width = 1};
    rows->tensors = arena_alloc(arena, n_tensors * sizeof *rows->tensors);
    if (check_tensor(rows, like, is_combined, err))
        return -1;
    for (size_t i = 0; i < n_tensors; i++) {
        if (tensors[i] && check_tensor(rows, tensors[i], is_combined, err))
            return -1;
        rows->tensors[i] = tensors[i];
    }
    for (size_t i = 1; i < like->n_dims; i++)
        rows->width *= like->shape[i];
    if (check_picks(rows, err) || measure(made, rows, arena, err))
        return -1;
    rows->lock = arena_alloc(arena, sizeof *rows->lock);
    pthread_mutex_init(rows->lock, NULL);
    rows->has_mean = arena_alloc(arena, sizeof *rows->has_mean);
    *rows->has_mean = false;
    rows->mean = is_combined ? arena_alloc(arena, rows->width * item_bytes(rows)) : NULL;
    return 0;
}
