/* move_interpolation.c - the k rows of P that are nearest to y, weighted by how near they are, or so that
 * they make y as well as they can. */
#include "move_method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "math/lapack.h"
#include "mix/move_room.h"

enum { BATCH_MAX = 128, BATCH_BYTES = 32 * 1024 * 1024 };

static const double least_distance = 1e-6, least_sum = 1e-6;
/* Eigenvalues of products of rows that count as zero, relative to the largest: what single precision
 * tells of a matrix of rows, squared. */
static const double least_eigen = 1e-10;

struct near { /* of one y, the nearest first */
    uint32_t *indices; /* [k] */
    float *distances;  /* [k]: squared, or 1 - cosine */
    size_t n;
    double norm;       /* of y */
};

struct space { /* of a batch */
    struct near *all;
    float *y;        /* [batch, width] */
    double *row;     /* [width] y of one */
    double *points;  /* [k, width] its neighbours; only where weights are solved for */
    double *weights; /* [k + 1], and behind them what the system is solved with */
    double *system;  /* [k + 1, k + 1] */
};

static bool solves(const struct move_job *job)
{
    return job->settings.weighting != MOVE_DISTANCE;
}

static size_t batch(const struct move_job *job)
{
    size_t n = BATCH_BYTES / (job->donor->shape[1] * sizeof(float) + job->settings.k * 8 + 1);

    return n < 1 ? 1 : n > BATCH_MAX ? BATCH_MAX : n;
}

static struct space *find_space(const struct move_job *job, struct move_room *room, struct error *err)
{
    size_t width = job->donor->shape[1], k = job->settings.k, n = batch(job);
    size_t solved = solves(job) ? k * width + (k + 1) * (k + 1) : 0;
    size_t doubles = width + 3 * (k + 1) + solved, floats = n * width + n * k, words = n * k;
    struct space *space = room->own;
    double *at;

    if (space)
        return space;
    room->own = memory_try(1, sizeof *space + n * sizeof *space->all + doubles * sizeof(double) +
                                  floats * sizeof(float) + words * sizeof(uint32_t), "rows of an embedding", err);
    space = room->own;
    if (!space)
        return NULL;
    at = (double *)((struct near *)(space + 1) + n);
    *space = (struct space){.all = (struct near *)(space + 1), .row = at, .weights = at + width};
    at += width + 3 * (k + 1);
    space->points = at;
    space->system = at + (solves(job) ? k * width : 0);
    space->y = (float *)(at + solved);
    for (size_t i = 0; i < n; i++)
        space->all[i] = (struct near){.distances = space->y + n * width + i * k,
                                      .indices = (uint32_t *)(space->y + n * (width + k)) + i * k};
    return space;
}

/* ---- neighbours ---- */

static double norm_of_floats(const float *x, size_t n)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += (double)x[c] * x[c];
    return sqrt(sum);
}

static double cosine(double product, double a, double b)
{
    return product / fmax(a * b, least_sum);
}

/* Of equal ones the first stays in front. */
static void consider(struct near *near, size_t k, uint32_t index, float distance)
{
    size_t at = near->n;

    if (at == k && !(distance < near->distances[k - 1]))
        return;
    at -= at == k;
    for (; at > 0 && distance < near->distances[at - 1]; at--) {
        near->distances[at] = near->distances[at - 1];
        near->indices[at] = near->indices[at - 1];
    }
    near->distances[at] = distance;
    near->indices[at] = index;
    near->n += near->n < k;
}

static void look_at_block(const struct move_job *job, const struct move_room *room, struct space *space,
                          size_t n, size_t first, size_t n_block)
{
    size_t width = job->donor->shape[1];

    for (size_t j = 0; j < n_block; j++) {
        double norm = norm_of_floats(room->rows + j * width, width);

        for (size_t i = 0; i < n; i++) {
            struct near *near = &space->all[i];
            double product = room->scores[i * room->n_block_rows + j];
            double distance = job->settings.is_cosine
                                  ? 1 - cosine(product, near->norm, norm)
                                  : near->norm * near->norm + norm * norm - 2 * product;

            consider(near, job->settings.k, (uint32_t)(first + j), (float)distance);
        }
    }
}

static int find_nearest(const struct move_job *job, struct move_room *room, struct space *space,
                        const uint32_t *ids, size_t n, struct error *err)
{
    size_t width = job->donor->shape[1], n_block;

    for (size_t i = 0; i < n; i++) {
        if (move_row_floats(job->donor, ids[i], room, space->y + i * width, err))
            return -1;
        space->all[i].n = 0;
        space->all[i].norm = norm_of_floats(space->y + i * width, width);
    }
    for (size_t first = 0; first < job->n_shared; first += n_block) {
        if (move_block_products(job, room, first, &n_block, space->y, n, err))
            return -1;
        look_at_block(job, room, space, n, first, n_block);
    }
    return 0;
}

/* ---- weights ---- */

/* The weight of a neighbour that stands in `point`, as far as its own distance says it. */
static double own_weight(const struct move_job *job, const double *y, const double *point)
{
    size_t width = job->donor->shape[1];
    double product = 0, square = 0;

    for (size_t c = 0; c < width; c++) {
        product += y[c] * point[c];
        square += (y[c] - point[c]) * (y[c] - point[c]);
    }
    if (job->settings.is_cosine)
        return cosine(product, move_norm(y, width), move_norm(point, width));
    return 1 / fmax(sqrt(square), least_distance);
}

static int weigh_by_distance(const struct move_job *job, struct move_room *room, struct space *space,
                             const struct near *near, struct error *err)
{
    double sum = 0;

    for (size_t i = 0; i < near->n; i++) {
        if (move_row_read(job->donor, job->shared[near->indices[i]].donor, room, room->row, err))
            return -1;
        space->weights[i] = own_weight(job, space->row, room->row);
        sum += space->weights[i];
    }
    for (size_t i = 0; i < near->n; i++)
        space->weights[i] /= fmax(sum, least_sum);
    return 0;
}

static double product(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++)
        sum += a[c] * b[c];
    return sum;
}

/* x [n] = the shortest solution of the symmetric system [n, n] x = b; in place of the system stand its
 * eigenvectors then. `room` [2 n]. */
static int solve(double *system, size_t n, double *b, double *room, struct error *err)
{
    double *values = room, *x = room + n, largest = 0;

    if (lapack_eigen(system, n, values, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(values[i]));
    memset(x, 0, n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        const double *vector = system + i * n;
        double share = fabs(values[i]) > largest * least_eigen ? product(vector, b, n) / values[i] : 0;

        for (size_t c = 0; c < n; c++)
            x[c] += share * vector[c];
    }
    memcpy(b, x, n * sizeof *x);
    return 0;
}

/* P P^T w = P y, and with MOVE_BARYCENTRIC one more unknown, for which the weights sum to 1. */
static int weigh_by_fit(const struct move_job *job, struct move_room *room, struct space *space,
                        const struct near *near, struct error *err)
{
    size_t width = job->donor->shape[1], k = near->n;
    size_t n = k + (job->settings.weighting == MOVE_BARYCENTRIC);

    if (lapack_load(err))
        return -1;
    for (size_t i = 0; i < k; i++)
        if (move_row_read(job->donor, job->shared[near->indices[i]].donor, room,
                          space->points + i * width, err))
            return -1;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            space->system[i * n + j] = i < k && j < k ? product(space->points + i * width,
                                                                space->points + j * width, width)
                                                      : i != j;
        space->weights[i] = i < k ? product(space->points + i * width, space->row, width) : 1;
    }
    return solve(space->system, n, space->weights, space->weights + job->settings.k + 1, err);
}

static int make(const struct move_job *job, struct move_room *room, const uint32_t *ids, size_t n,
                double *out, struct error *err)
{
    size_t width = job->donor->shape[1];
    struct space *space = find_space(job, room, err);

    if (!space || find_nearest(job, room, space, ids, n, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        const struct near *near = &space->all[i];

        for (size_t c = 0; c < width; c++)
            space->row[c] = space->y[i * width + c];
        if ((solves(job) ? weigh_by_fit : weigh_by_distance)(job, room, space, near, err) ||
            move_combine(job, room, near->indices, space->weights, near->n,
                         out + i * job->own->shape[1], err))
            return -1;
    }
    return 0;
}

const struct move_method move_interpolation = {
    .name = "common_interpolation", .summary = "the k nearest rows, weighted",
    .uses_donor = true, .batch = batch, .make = make,
};
