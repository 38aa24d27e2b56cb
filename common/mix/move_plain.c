/* move_plain.c - the methods that ask nothing of the new token: the mean of all rows, and zeros. */
#include "move_method.h"

#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "mix/move_room.h"

enum { PLAIN_BATCH = 64 };

static size_t plain_batch(const struct move_job *job)
{
    (void)job;
    return PLAIN_BATCH;
}

/* ---- mean ---- */

static double *prepare_mean(const struct move_job *job, struct error *err)
{
    size_t n_rows = job->own->shape[0], width = job->own->shape[1];
    struct move_room *room = move_room_new(job, 1, err);
    double *mean = room ? memory_try(width + 1, sizeof *mean, "a row", err) : NULL;
    int rc = mean ? 0 : -1;

    if (mean)
        memset(mean, 0, width * sizeof *mean);
    for (size_t row = 0; rc == 0 && row < n_rows; row++) {
        rc = interrupt_check(err) || move_row_read(job->own, row, room, room->row, err) ? -1 : 0;
        for (size_t c = 0; rc == 0 && c < width; c++)
            mean[c] += room->row[c];
    }
    for (size_t c = 0; rc == 0 && c < width; c++)
        mean[c] /= (double)n_rows;
    move_room_free(room);
    if (rc) {
        free(mean);
        mean = NULL;
    }
    return mean;
}

static int make_mean(const struct move_job *job, struct move_room *room, const uint32_t *ids,
                     size_t n, double *out, struct error *err)
{
    size_t width = job->own->shape[1];

    (void)room;
    (void)ids;
    (void)err;
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * width, job->prepared, width * sizeof *out);
    return 0;
}

const struct move_method move_mean = {
    .name = "mean", .summary = "the mean of all rows of the model", .batch = plain_batch,
    .prepare = prepare_mean, .make = make_mean,
};

/* ---- zero ---- */

static int make_zero(const struct move_job *job, struct move_room *room, const uint32_t *ids,
                     size_t n, double *out, struct error *err)
{
    (void)room;
    (void)ids;
    (void)err;
    memset(out, 0, n * job->own->shape[1] * sizeof *out);
    return 0;
}

const struct move_method move_zero = {
    .name = "zero", .summary = "zeros", .batch = plain_batch, .make = make_zero,
};
