#include "move_room.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"

static size_t block_rows(const struct move_job *job)
{
    size_t width = job->donor->shape[1], n = MOVE_BLOCK_BYTES / sizeof(float) / (width ? width : 1);

    n = n > 16 ? n : 16;
    return n < job->n_shared ? n : job->n_shared;
}

static size_t row_bytes(const struct tensor *tensor)
{
    return tensor->shape[1] * (dtype_info(tensor->dtype)->n_bits / 8);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int make_room(struct move_room *room, const struct move_job *job, size_t batch,
                     struct error *err)
{
    size_t width = larger(job->own->shape[1], job->donor->shape[1]);

    room->bytes = memory_try(larger(row_bytes(job->own), row_bytes(job->donor)) + 1, 1, "a row", err);
    room->row = room->bytes ? memory_try(width + 1, sizeof *room->row, "a row", err) : NULL;
    if (!room->row)
        return -1;
    if (job->settings.method->uses_tokenizer)
        room->scratch = tokenizer_scratch_new(job->tokenizer);
    if (!job->settings.method->uses_donor)
        return 0;
    room->n_block_rows = block_rows(job);
    if (!job->points)
        room->block = memory_try(room->n_block_rows * job->donor->shape[1], sizeof *room->block,
                                 "rows of an embedding", err);
    if (job->points || room->block)
        room->scores = memory_try(batch * room->n_block_rows, sizeof *room->scores, "products of rows",
                                  err);
    room->threads = room->scores ? threads_new(1, err) : NULL;
    room->gemm = room->threads ? gemm_new(room->threads, err) : NULL;
    return room->gemm ? 0 : -1;
}

struct move_room *move_room_new(const struct move_job *job, size_t batch, struct error *err)
{
    struct move_room *room = memory_zalloc(1, sizeof *room);

    if (make_room(room, job, batch, err) == 0)
        return room;
    move_room_free(room);
    return NULL;
}

void move_room_free(struct move_room *room)
{
    if (!room)
        return;
    gemm_free(room->gemm);
    threads_free(room->threads);
    free(room->block);
    free(room->scores);
    free(room->bytes);
    free(room->row);
    tokenizer_scratch_free(room->scratch);
    encoding_release(&room->encoding);
    buffer_release(&room->text);
    free(room->own);
    free(room);
}

int move_row_read(const struct tensor *tensor, size_t row, struct move_room *room, double *out,
                  struct error *err)
{
    size_t width = tensor->shape[1];

    if (tensor_read(tensor, row * width, width, room->bytes, err))
        return -1;
    dtype_to_double(tensor->dtype, room->bytes, out, width);
    return 0;
}

int move_row_floats(const struct tensor *tensor, size_t row, struct move_room *room, float *out,
                    struct error *err)
{
    if (move_row_read(tensor, row, room, room->row, err))
        return -1;
    for (size_t i = 0; i < tensor->shape[1]; i++)
        out[i] = (float)room->row[i];
    return 0;
}

static int read_points(const struct move_job *job, struct move_room *room, size_t first, size_t n,
                       float *out, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if ((i % 1024 == 0 && interrupt_check(err)) ||
            move_row_floats(job->donor, job->shared[first + i].donor, room,
                            out + i * job->donor->shape[1], err))
            return -1;
    return 0;
}

float *move_points_read(const struct move_job *job, struct error *err)
{
    size_t width = job->donor->shape[1];
    struct move_room room = {0};
    float *points = NULL;
    int rc;

    if (job->n_shared > MOVE_POINTS_BYTES / sizeof *points / width)
        return NULL;
    points = memory_try(job->n_shared * width + 1, sizeof *points, "rows of an embedding", err);
    room.bytes = points ? memory_try(row_bytes(job->donor) + 1, 1, "a row", err) : NULL;
    room.row = room.bytes ? memory_try(width + 1, sizeof *room.row, "a row", err) : NULL;
    rc = room.row ? read_points(job, &room, 0, job->n_shared, points, err) : -1;
    free(room.bytes);
    free(room.row);
    if (rc) {
        free(points);
        points = NULL;
    }
    return points;
}

int move_block_products(const struct move_job *job, struct move_room *room, size_t first, size_t *n,
                        const float *x, size_t n_x, struct error *err)
{
    size_t width = job->donor->shape[1], left = job->n_shared - first;
    struct gemm_matrix block = {.format = &matrix_f32, .n_in = width, .stride = width};

    *n = left < room->n_block_rows ? left : room->n_block_rows;
    if (interrupt_check(err))
        return -1;
    if (!job->points && read_points(job, room, first, *n, room->block, err))
        return -1;
    room->rows = job->points ? job->points + first * width : room->block;
    block.data = room->rows;
    block.n_out = *n;
    gemm_multiply(room->gemm, n_x, x, width, &block, NULL, room->scores, room->n_block_rows);
    return 0;
}

int move_combine(const struct move_job *job, struct move_room *room, const uint32_t *indices,
                 const double *weights, size_t n, double *out, struct error *err)
{
    size_t width = job->own->shape[1];

    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        if (weights[i] == 0)
            continue;
        if (move_row_read(job->own, job->shared[indices[i]].own, room, room->row, err))
            return -1;
        for (size_t c = 0; c < width; c++)
            out[c] += weights[i] * room->row[c];
    }
    return 0;
}

double move_norm(const double *x, size_t n)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += x[c] * x[c];
    return sqrt(sum);
}
