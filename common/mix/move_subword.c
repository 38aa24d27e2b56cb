/* move_subword.c - a new token's row from those of the pieces that the model's own tokenizer cuts its
 * text into. */
#include "move_method.h"

#include <string.h>

#include "mix/move_room.h"

enum { BATCH = 64 };

static size_t batch(const struct move_job *job)
{
    (void)job;
    return BATCH;
}

/* Of piece i of n: a head chooses how a word begins, an embedding stands for all of it, its end most. */
static double weight_mean(size_t i, size_t n, bool is_head)
{
    (void)i;
    (void)is_head;
    return 1.0 / (double)n;
}

static double weight_sum(size_t i, size_t n, bool is_head)
{
    (void)i;
    (void)n;
    (void)is_head;
    return 1;
}

static double weight_by_place(size_t i, size_t n, bool is_head)
{
    double total = (double)n * (double)(n + 1) / 2;

    return (double)(is_head ? n - i : i + 1) / total;
}

static double weight_one(size_t i, size_t n, bool is_head)
{
    return i == (is_head ? 0 : n - 1);
}

static double (*const weights[])(size_t i, size_t n, bool is_head) = {
    [MOVE_MEAN] = weight_mean,
    [MOVE_SUM] = weight_sum,
    [MOVE_WEIGHTED_MEAN] = weight_by_place,
    [MOVE_FIRST_LAST] = weight_one,
};

static int make_row(const struct move_job *job, struct move_room *room, uint32_t id, double *out,
                    struct error *err)
{
    size_t width = job->own->shape[1], n_rows = job->own->shape[0], n = 0;
    const struct encoding *pieces = &room->encoding;

    token_keys_text(job->donor_keys, id, &room->text);
    if (tokenizer_encode(job->tokenizer, room->scratch, room->text.data ? room->text.data : "",
                         room->text.size, NULL, 0, &(struct encode_options){.no_special = true},
                         &room->encoding, err))
        return -1;
    for (size_t i = 0; i < pieces->n_ids; i++) /* those that the model has a row for */
        if (pieces->ids[i] < n_rows)
            pieces->ids[n++] = pieces->ids[i];
    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        double weight = weights[job->settings.pieces](i, n, job->is_head);

        if (move_row_read(job->own, pieces->ids[i], room, room->row, err))
            return -1;
        for (size_t c = 0; weight != 0 && c < width; c++)
            out[c] += weight * room->row[c];
    }
    return 0;
}

static int make(const struct move_job *job, struct move_room *room, const uint32_t *ids, size_t n,
                double *out, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (make_row(job, room, ids[i], out + i * job->own->shape[1], err))
            return -1;
    return 0;
}

const struct move_method move_subword = {
    .name = "subword", .summary = "the rows of the pieces that the model's own tokenizer cuts it into",
    .uses_tokenizer = true, .batch = batch, .make = make,
};
