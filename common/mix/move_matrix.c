/* move_matrix.c - the rows of new tokens, made as they are read.
 *
 * They come in batches, which depend on the map alone and never on who reads: so the result is the same
 * for any number of threads. A batch is kept in a slot until the slot is needed: readers go through the
 * matrix side by side, so there are little more slots than readers. */
#include "move_matrix.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mix/move_room.h"
#include "tensor/tensor_source.h"

enum { IDLE_SLOTS = 2 };

/* ---- the map ---- */

enum { PICK_OWN, PICK_MADE }; /* places in the tensors of move_tensor */

static void add_row(struct move_map *map, uint32_t id, enum token_match match, uint32_t own,
                    bool makes)
{
    struct tensor_pick pick = {PICK_OWN, own};

    map->n_copied += match == TOKEN_SAME;
    map->n_matched += match == TOKEN_SAME_BYTE || match == TOKEN_PREFIX;
    if (match == TOKEN_SAME)
        map->shared[map->n_shared++] = (struct move_shared){id, own};
    if (match == TOKEN_NO_MATCH) {
        if (!makes)
            return;
        pick = (struct tensor_pick){PICK_MADE, (uint32_t)map->n_made};
        map->made[map->n_made++] = id;
    }
    map->rows[id] = (struct tensor_row){id, 1};
    map->picks[id] = pick;
}

void move_map_init(struct move_map *map, const struct token_keys *own, size_t n_own_rows,
                   const struct token_keys *donor, size_t n_donor_rows, struct move_search search)
{
    struct token_search how = {search.bytes, search.prefixes, n_own_rows};
    struct buffer key = {0};
    size_t n_rows = token_keys_n_ids(donor);

    *map = (struct move_map){0};
    map->rows = memory_zalloc(n_rows, sizeof *map->rows);
    map->picks = memory_zalloc(n_rows, sizeof *map->picks);
    map->made = memory_zalloc(n_rows, sizeof *map->made);
    map->shared = memory_zalloc(n_rows, sizeof *map->shared);
    map->map = (struct tensor_row_map){map->rows, n_rows, map->picks};
    for (size_t id = 0; id < n_rows; id++) {
        enum token_match match;
        uint32_t found = 0;

        if (!token_keys_of(donor, (uint32_t)id, &key))
            continue;
        if (id >= n_donor_rows) {
            map->n_without_row++;
            continue;
        }
        match = token_keys_match(own, &how, &key, &found);
        add_row(map, (uint32_t)id, match, found, search.makes);
    }
    buffer_release(&key);
}

void move_map_release(struct move_map *map)
{
    free(map->rows);
    free(map->picks);
    free(map->made);
    free(map->shared);
    *map = (struct move_map){0};
}

/* ---- slots ---- */

struct slot {
    size_t batch;    /* SIZE_MAX: none */
    bool is_busy;    /* it is being filled */
    size_t n_readers;
    uint64_t used;   /* when, for the one that was not for the longest time */
    char *bytes;     /* [batch, row] as they are stored */
    double *values;
    struct move_room *room;
};

struct move_matrix {
    struct tensor_source source;
    struct move_job job;
    const struct move_map *map;
    struct tensor made; /* [n_made, width] */
    size_t shape[2], row_bytes, batch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot **slots; /* [n_slots] */
    size_t n_slots;
    uint64_t time;
    bool is_prepared;
    double *prepared;
    float *points;
};

static struct slot *find_slot(const struct move_matrix *matrix, size_t batch)
{
    for (size_t i = 0; i < matrix->n_slots; i++)
        if (matrix->slots[i]->batch == batch)
            return matrix->slots[i];
    return NULL;
}

/* One that nobody needs; a new one unless there are enough of them. */
static struct slot *spare_slot(struct move_matrix *matrix)
{
    struct slot *oldest = NULL;
    size_t n_idle = 0;

    for (size_t i = 0; i < matrix->n_slots; i++) {
        struct slot *slot = matrix->slots[i];

        if (slot->is_busy || slot->n_readers)
            continue;
        n_idle++;
        if (!oldest || slot->used < oldest->used)
            oldest = slot;
    }
    if (n_idle >= IDLE_SLOTS)
        return oldest;
    matrix->slots = memory_resize(matrix->slots, matrix->n_slots + 1, sizeof *matrix->slots);
    oldest = memory_zalloc(1, sizeof *oldest);
    oldest->batch = SIZE_MAX;
    matrix->slots[matrix->n_slots++] = oldest;
    return oldest;
}

static int make_room(struct slot *slot, const struct move_matrix *matrix, struct error *err)
{
    if (slot->room)
        return 0;
    if (!slot->bytes)
        slot->bytes = memory_try(matrix->batch, matrix->row_bytes + 1, "rows of an embedding", err);
    if (slot->bytes && !slot->values)
        slot->values = memory_try(matrix->batch * matrix->job.own->shape[1] + 1, sizeof *slot->values,
                                  "rows of an embedding", err);
    if (slot->values)
        slot->room = move_room_new(&matrix->job, matrix->batch, err);
    return slot->room ? 0 : -1;
}

static int fill(struct slot *slot, const struct move_matrix *matrix, struct error *err)
{
    const struct move_map *map = matrix->map;
    size_t first = slot->batch * matrix->batch, left = map->n_made - first;
    size_t n = left < matrix->batch ? left : matrix->batch;

    if (make_room(slot, matrix, err) ||
        matrix->job.settings.method->make(&matrix->job, slot->room, map->made + first, n,
                                          slot->values, err))
        return -1;
    dtype_from_double(matrix->job.own->dtype, slot->values, slot->bytes,
                      n * matrix->job.own->shape[1]);
    return 0;
}

static int prepare(struct move_matrix *matrix, struct error *err)
{
    const struct move_method *method = matrix->job.settings.method;

    if (matrix->is_prepared)
        return 0;
    if (method->prepare && !(matrix->prepared = method->prepare(&matrix->job, err)))
        return -1;
    if (method->uses_donor && !(matrix->points = move_points_read(&matrix->job, err)) && err->code)
        return -1;
    matrix->job.prepared = matrix->prepared;
    matrix->job.points = matrix->points;
    matrix->is_prepared = true;
    return 0;
}

/* The slot of the batch, filled, and one reader more of it; NULL with an error. The lock is held. */
static struct slot *take_slot(struct move_matrix *matrix, size_t batch, struct error *err)
{
    struct slot *slot;
    int rc;

    if (prepare(matrix, err))
        return NULL;
    while ((slot = find_slot(matrix, batch)) && slot->is_busy)
        pthread_cond_wait(&matrix->changed, &matrix->lock);
    if (!slot) {
        slot = spare_slot(matrix);
        slot->batch = batch;
        slot->is_busy = true;
        pthread_mutex_unlock(&matrix->lock);
        rc = fill(slot, matrix, err);
        pthread_mutex_lock(&matrix->lock);
        slot->is_busy = false;
        pthread_cond_broadcast(&matrix->changed);
        if (rc) {
            slot->batch = SIZE_MAX;
            return NULL;
        }
    }
    slot->n_readers++;
    slot->used = ++matrix->time;
    return slot;
}

/* n bytes of the row that was made as number `index`, from byte `at` of it on. */
static int read_made(struct move_matrix *matrix, size_t index, size_t at, size_t n, void *out,
                     struct error *err)
{
    struct slot *slot;

    pthread_mutex_lock(&matrix->lock);
    slot = take_slot(matrix, index / matrix->batch, err);
    if (slot) {
        memcpy(out, slot->bytes + index % matrix->batch * matrix->row_bytes + at, n);
        slot->n_readers--;
    }
    pthread_mutex_unlock(&matrix->lock);
    return slot ? 0 : -1;
}

/* ---- reading ---- */

static size_t item_bytes(const struct tensor *tensor)
{
    return dtype_info(tensor->dtype)->n_bits / 8;
}

static int matrix_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                       struct error *err)
{
    struct move_matrix *matrix = (struct move_matrix *)(uintptr_t)source;
    char *to = out;

    while (n_bytes > 0) {
        size_t at = offset % matrix->row_bytes, n = matrix->row_bytes - at;

        n = n < n_bytes ? n : n_bytes;
        if (read_made(matrix, offset / matrix->row_bytes, at, n, to, err))
            return -1;
        offset += n;
        to += n;
        n_bytes -= n;
    }
    return 0;
}

static void matrix_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor_source *own = ((const struct move_matrix *)source)->job.own->source;

    own->kind->describe(own, out);
}

static const struct tensor_source_kind matrix_kind = {.read = matrix_read,
                                                      .describe = matrix_describe};

struct move_matrix *move_matrix_new(const struct move_job *job, const struct move_map *map)
{
    struct move_matrix *matrix = memory_zalloc(1, sizeof *matrix);

    matrix->source.kind = &matrix_kind;
    matrix->job = *job;
    matrix->job.shared = map->shared;
    matrix->job.n_shared = map->n_shared;
    matrix->map = map;
    matrix->row_bytes = job->own->shape[1] * item_bytes(job->own);
    matrix->batch = job->settings.method->batch(&matrix->job);
    pthread_mutex_init(&matrix->lock, NULL);
    pthread_cond_init(&matrix->changed, NULL);
    return matrix;
}

void move_matrix_free(struct move_matrix *matrix)
{
    if (!matrix)
        return;
    for (size_t i = 0; i < matrix->n_slots; i++) {
        move_room_free(matrix->slots[i]->room);
        free(matrix->slots[i]->bytes);
        free(matrix->slots[i]->values);
        free(matrix->slots[i]);
    }
    free(matrix->slots);
    free(matrix->prepared);
    free(matrix->points);
    pthread_cond_destroy(&matrix->changed);
    pthread_mutex_destroy(&matrix->lock);
    free(matrix);
}

/* The rows that are made, as a tensor; its shape is the matrix's own. */
static int measure(struct tensor *made, struct move_matrix *matrix, struct error *err)
{
    const struct tensor *own = matrix->job.own;

    matrix->shape[0] = matrix->map->n_made;
    matrix->shape[1] = own->shape[1];
    *made = (struct tensor){.name = own->name, .dtype = own->dtype, .n_dims = 2,
                            .shape = matrix->shape, .source = &matrix->source};
    return tensor_measure(made, err);
}

int move_tensor(struct tensor *tensor, const struct tensor *own, const struct move_map *map,
                struct move_matrix *matrix, struct arena *arena, struct error *err)
{
    const struct tensor *tensors[] = {[PICK_OWN] = own,
                                      [PICK_MADE] = matrix ? &matrix->made : NULL};

    if (matrix && measure(&matrix->made, matrix, err))
        return -1;
    return tensor_rows(tensor, own, own->dtype, tensor_written(own), tensors, matrix ? 2 : 1,
                       &map->map, arena, err);
}
