/* move_omp.c - orthogonal matching pursuit: y as a sum of k rows of P, chosen one by one.
 *
 * Each step takes the row that has the largest product with what is left of y, and takes from y what
 * lies in the space of all rows chosen. Q and R of the chosen rows grow by Gram and Schmidt, done twice
 * (once loses orthogonality); the weights solve R c = Q^T y. */
#include "move_method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mix/move_room.h"

enum { SPACE_BYTES = 32 * 1024 * 1024, BATCH_MAX = 128 };

/* What is left of a row, relative to all of it, when it lies in the space of the others; and of y,
 * when nothing more can be found out from floats. */
static const double dependent = 1e-6, nothing_left = 1e-7;

struct pursuit { /* of one y */
    float *left;       /* [width] what is not yet explained: in the batch's own array */
    float *q;          /* [k, width] */
    double *y, *r;     /* [width], [k, k] by columns */
    double *product;   /* [k] Q^T y */
    uint32_t *chosen;  /* [k] */
    size_t n;          /* rows chosen */
    double norm;       /* of y */
    uint32_t best;
    float score;
    bool is_done;
};

struct space { /* of a batch */
    struct pursuit *all;
    float *left;
    double *atom, *weights;
    size_t width, k;
};

static size_t bytes_of_one(size_t width, size_t k)
{
    return k * width * sizeof(float) + (2 * width + k * k + 2 * k) * sizeof(double);
}

/* More rows than they have items explain everything. */
static size_t count_steps(const struct move_job *job)
{
    size_t width = job->donor->shape[1];

    return job->settings.k < width ? job->settings.k : width;
}

static size_t batch(const struct move_job *job)
{
    size_t n = SPACE_BYTES / (bytes_of_one(job->donor->shape[1], count_steps(job)) + 1);

    return n < 1 ? 1 : n > BATCH_MAX ? BATCH_MAX : n;
}

/* ---- memory ---- */

/* Everything in one piece, the room's own. */
static struct space *find_space(const struct move_job *job, struct move_room *room, struct error *err)
{
    size_t width = job->donor->shape[1], k = count_steps(job), n = batch(job);
    size_t doubles = n * (width + k * k + k) + width + k, floats = n * (k + 1) * width, words = n * k;
    struct space *space = room->own;
    double *at;

    if (space)
        return space;
    room->own = memory_try(1, sizeof *space + n * sizeof *space->all + doubles * sizeof(double) +
                                  floats * sizeof(float) + words * sizeof(uint32_t), "rows of an embedding", err);
    space = room->own;
    if (!space)
        return NULL;
    *space = (struct space){.all = (struct pursuit *)(space + 1), .width = width, .k = k};
    at = (double *)(space->all + n);
    space->atom = at;
    space->weights = at + width;
    at += width + k;
    for (size_t i = 0; i < n; i++, at += width + k * k + k)
        space->all[i] = (struct pursuit){.y = at, .r = at + width, .product = at + width + k * k};
    space->left = (float *)at;
    for (size_t i = 0; i < n; i++) {
        space->all[i].left = space->left + i * width;
        space->all[i].q = space->left + (n + i * k) * width;
        space->all[i].chosen = (uint32_t *)(space->left + n * (k + 1) * width) + i * k;
    }
    return space;
}

static int start(const struct move_job *job, struct move_room *room, struct space *space,
                 const uint32_t *ids, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct pursuit *one = &space->all[i];
        double sum = 0;

        if (move_row_read(job->donor, ids[i], room, one->y, err))
            return -1;
        for (size_t c = 0; c < space->width; c++) {
            one->left[c] = (float)one->y[c];
            sum += one->y[c] * one->y[c];
        }
        one->norm = sqrt(sum);
        one->n = 0;
        one->is_done = !(one->norm > 0) || isinf(one->norm); /* nothing to be explained, or no way to */
    }
    return 0;
}

/* ---- steps ---- */

static bool is_chosen(const struct pursuit *one, size_t index)
{
    for (size_t i = 0; i < one->n; i++)
        if (one->chosen[i] == index)
            return true;
    return false;
}

static void look_at_block(struct pursuit *one, const float *scores, size_t first, size_t n)
{
    for (size_t j = 0; j < n; j++)
        if (fabsf(scores[j]) > one->score && !is_chosen(one, first + j)) {
            one->score = fabsf(scores[j]);
            one->best = (uint32_t)(first + j);
        }
}

/* Of each y the row of P with the largest product; TOKEN_NONE when all are zero. */
static int find_best(const struct move_job *job, struct move_room *room, struct space *space, size_t n,
                     struct error *err)
{
    size_t n_block;

    for (size_t i = 0; i < n; i++) {
        space->all[i].best = TOKEN_NONE;
        space->all[i].score = 0;
    }
    for (size_t first = 0; first < job->n_shared; first += n_block) {
        if (move_block_products(job, room, first, &n_block, space->left, n, err))
            return -1;
        for (size_t i = 0; i < n; i++)
            if (!space->all[i].is_done)
                look_at_block(&space->all[i], room->scores + i * room->n_block_rows, first, n_block);
    }
    return 0;
}

static double dot(const double *x, const float *q, size_t n)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += x[c] * q[c];
    return sum;
}

/* x -= its part in the directions of Q; what that is is added to column[one->n]. */
static void take_off(const struct pursuit *one, size_t width, double *x, double *column)
{
    for (size_t t = 0; t < one->n; t++) {
        const float *q = one->q + t * width;
        double share = dot(x, q, width);

        column[t] += share;
        for (size_t c = 0; c < width; c++)
            x[c] -= share * q[c];
    }
}

/* Takes the row in space->atom to those chosen. */
static void add_atom(struct pursuit *one, const struct space *space)
{
    double *atom = space->atom, *column = one->r + one->n * space->k;
    double whole = move_norm(atom, space->width), rest;
    float *q = one->q + one->n * space->width;

    memset(column, 0, space->k * sizeof *column);
    take_off(one, space->width, atom, column);
    take_off(one, space->width, atom, column);
    rest = move_norm(atom, space->width);
    if (!(rest > whole * dependent)) { /* the others have all of it already: nothing is left to explain by it */
        one->is_done = true;
        return;
    }
    column[one->n] = rest;
    for (size_t c = 0; c < space->width; c++)
        q[c] = (float)(atom[c] / rest);
    one->product[one->n] = dot(one->y, q, space->width);
    one->chosen[one->n++] = one->best;
}

static void update_left(struct pursuit *one, const struct space *space)
{
    double *left = space->atom;
    double sum = 0;

    memcpy(left, one->y, space->width * sizeof *left);
    for (size_t t = 0; t < one->n; t++)
        for (size_t c = 0; c < space->width; c++)
            left[c] -= one->product[t] * one->q[t * space->width + c];
    for (size_t c = 0; c < space->width; c++) {
        one->left[c] = (float)left[c];
        sum += left[c] * left[c];
    }
    one->is_done |= sqrt(sum) <= one->norm * nothing_left;
}

static int step(const struct move_job *job, struct move_room *room, struct space *space, size_t n,
                struct error *err)
{
    if (find_best(job, room, space, n, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct pursuit *one = &space->all[i];

        one->is_done |= one->best == TOKEN_NONE;
        if (one->is_done)
            continue;
        if (move_row_read(job->donor, job->shared[one->best].donor, room, space->atom, err))
            return -1;
        add_atom(one, space);
        update_left(one, space);
    }
    return 0;
}

/* R c = Q^T y, from the last row on. */
static void solve(const struct pursuit *one, size_t k, double *weights)
{
    for (size_t t = one->n; t-- > 0;) {
        double sum = one->product[t];

        for (size_t u = t + 1; u < one->n; u++)
            sum -= one->r[u * k + t] * weights[u];
        weights[t] = sum / one->r[t * k + t];
    }
}

static int make(const struct move_job *job, struct move_room *room, const uint32_t *ids, size_t n,
                double *out, struct error *err)
{
    struct space *space = find_space(job, room, err);

    if (!space || start(job, room, space, ids, n, err))
        return -1;
    for (size_t t = 0; t < space->k; t++) {
        bool is_done = true;

        for (size_t i = 0; i < n; i++)
            is_done &= space->all[i].is_done;
        if (is_done)
            break;
        if (step(job, room, space, n, err))
            return -1;
    }
    for (size_t i = 0; i < n; i++) {
        solve(&space->all[i], space->k, space->weights);
        if (move_combine(job, room, space->all[i].chosen, space->weights, space->all[i].n,
                         out + i * job->own->shape[1], err))
            return -1;
    }
    return 0;
}

const struct move_method move_omp = {
    .name = "omp", .summary = "orthogonal matching pursuit: a sum of k rows that fit best, one by one",
    .uses_donor = true, .batch = batch, .make = make,
};
