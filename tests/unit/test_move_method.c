/* test_move_method.c - rows of new tokens, against sums written out here, also of matrices that are read in
 * blocks; and matrices whose rows are made as they are read. */
#include "mix/move_method.h"

#include <math.h>

#include "made_tensors.h"
#include "mix/move_matrix.h"
#include "mix/move_room.h"

enum { N_SHARED = 300, N_NEW = 3, DONOR_WIDTH = 6000, OWN_WIDTH = 3 };

struct models {
    struct made_tensors all;
    const struct tensor *own, *donor;
    struct move_shared shared[N_SHARED];
};

/* The donor's last rows are new; others stand in the model in reverse. */
static void make_models(struct models *models)
{
    models->own = make_tensor(&models->all, "own", DTYPE_F32, 2, (size_t[]){N_SHARED, OWN_WIDTH});
    models->donor = make_tensor(&models->all, "donor", DTYPE_F32, 2,
                                (size_t[]){N_SHARED + N_NEW, DONOR_WIDTH});
    for (uint32_t i = 0; i < N_SHARED; i++)
        models->shared[i] = (struct move_shared){i, N_SHARED - 1 - i};
}

static double dot(const double *x, const double *y, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static const double *row_of(const double *values, size_t width, size_t row)
{
    return values + row * width;
}

static void run(const struct move_job *job, double *out)
{
    const uint32_t ids[] = {N_SHARED, N_SHARED + 1, N_SHARED + 2};
    struct error err = {0};
    struct move_room *room = move_room_new(job, job->settings.method->batch(job), &err);

    CHECK(room && job->settings.method->make(job, room, ids, N_NEW, out, &err) == 0);
    move_room_free(room);
}

static struct move_job job_of(const struct models *models, const struct move_method *method,
                              size_t k)
{
    return (struct move_job){.settings = {.method = method, .k = k}, .own = models->own,
                             .donor = models->donor, .shared = models->shared,
                             .n_shared = N_SHARED};
}

/* Both ways to P; they must agree to the bit, as blocks are the same. */
static void run_both(const struct move_job *job, double *out)
{
    struct move_job held = *job;
    struct error err = {0};
    float *points = move_points_read(job, &err);
    double in_memory[N_NEW * OWN_WIDTH];

    CHECK(points != NULL && err.code == ERROR_NONE);
    held.points = points;
    run(job, out);
    run(&held, in_memory);
    CHECK(memcmp(out, in_memory, sizeof in_memory) == 0);
    free(points);
}

/* With k = 1 it is one row, scaled: that of the largest product, which may be negative. */
static void omp_takes_the_row_of_the_largest_product(void)
{
    struct models models = {.all.n = 0};
    double out[N_NEW * OWN_WIDTH];
    double *own, *donor;
    struct move_job job;

    make_models(&models);
    own = tensor_doubles(models.own);
    donor = tensor_doubles(models.donor);
    job = job_of(&models, &move_omp, 1);
    run_both(&job, out);
    for (size_t i = 0; i < N_NEW; i++) {
        const double *y = row_of(donor, DONOR_WIDTH, N_SHARED + i), *p;
        size_t best = 0;
        double weight;

        for (size_t j = 1; j < N_SHARED; j++)
            if (fabs(dot(y, row_of(donor, DONOR_WIDTH, j), DONOR_WIDTH)) >
                fabs(dot(y, row_of(donor, DONOR_WIDTH, best), DONOR_WIDTH)))
                best = j;
        p = row_of(donor, DONOR_WIDTH, best);
        weight = dot(y, p, DONOR_WIDTH) / dot(p, p, DONOR_WIDTH);
        for (size_t c = 0; c < OWN_WIDTH; c++)
            CHECK(fabs(out[i * OWN_WIDTH + c] -
                       weight * row_of(own, OWN_WIDTH, N_SHARED - 1 - best)[c]) < 1e-6);
    }
    free(own);
    free(donor);
    free_tensors(&models.all);
}

static void the_nearest_row_alone_is_copied(void)
{
    struct models models = {.all.n = 0};
    double out[N_NEW * OWN_WIDTH];
    double *own, *donor;
    struct move_job job;

    make_models(&models);
    own = tensor_doubles(models.own);
    donor = tensor_doubles(models.donor);
    job = job_of(&models, &move_interpolation, 1);
    run_both(&job, out);
    for (size_t i = 0; i < N_NEW; i++) {
        const double *y = row_of(donor, DONOR_WIDTH, N_SHARED + i);
        double least = INFINITY;
        size_t best = 0;

        for (size_t j = 0; j < N_SHARED; j++) {
            const double *p = row_of(donor, DONOR_WIDTH, j);
            double distance = dot(p, p, DONOR_WIDTH) - 2 * dot(p, y, DONOR_WIDTH);

            best = distance < least ? j : best;
            least = fmin(least, distance);
        }
        for (size_t c = 0; c < OWN_WIDTH; c++)
            CHECK(fabs(out[i * OWN_WIDTH + c] - row_of(own, OWN_WIDTH, N_SHARED - 1 - best)[c]) < 1e-6);
    }
    free(own);
    free(donor);
    free_tensors(&models.all);
}

/* Nothing explains zeros; and one of the shared rows is explained by itself, whatever k. */
static void omp_ends_when_nothing_is_left(void)
{
    struct models models = {.all.n = 0};
    double out[N_NEW * OWN_WIDTH];
    double *own;
    struct move_job job;
    char *bytes;
    size_t row = DONOR_WIDTH * sizeof(float);

    make_models(&models);
    bytes = models.all.list[1].bytes;
    memset(bytes + N_SHARED * row, 0, row);
    memcpy(bytes + (N_SHARED + 1) * row, bytes + 7 * row, row);
    own = tensor_doubles(models.own);
    job = job_of(&models, &move_omp, 20);
    run_both(&job, out);
    for (size_t c = 0; c < OWN_WIDTH; c++) {
        CHECK(out[c] == 0);
        CHECK(fabs(out[OWN_WIDTH + c] - row_of(own, OWN_WIDTH, N_SHARED - 1 - 7)[c]) < 1e-5);
    }
    free(own);
    free_tensors(&models.all);
}

static void methods_are_found_by_name(void)
{
    for (size_t i = 0; move_methods[i]; i++)
        CHECK(move_method_find(move_methods[i]->name) == move_methods[i]);
    CHECK(move_method_find("mp_rope") == NULL);
}

/* A bias has no rows to be made: they are zero. */
static void a_bias_moves_with_its_tokens(void)
{
    struct made_tensors all = {.n = 0};
    const struct tensor *bias = make_tensor(&all, "bias", DTYPE_F32, 1, (size_t[]){3});
    const double *values = tensor_doubles(bias);
    struct tensor_row rows[] = {{0, 1}, {0, 0}, {2, 1}, {0, 0}};
    struct tensor_pick picks[] = {{0, 2}, {0, 0}, {0, 1}, {0, 0}};
    struct move_map map = {.map = {rows, 4, picks}};
    struct arena arena = {0};
    struct error err = {0};
    struct tensor moved;
    double *found;

    CHECK(move_tensor(&moved, bias, &map, NULL, &arena, &err) == 0);
    CHECK(moved.n_dims == 1 && moved.n_items == 4);
    found = tensor_doubles(&moved);
    CHECK(found[0] == values[2] && found[1] == 0 && found[2] == values[1] && found[3] == 0);
    free(found);
    free((void *)(uintptr_t)values);
    arena_release(&arena);
    free_tensors(&all);
}

TESTS(TEST(omp_takes_the_row_of_the_largest_product), TEST(the_nearest_row_alone_is_copied),
      TEST(omp_ends_when_nothing_is_left), TEST(methods_are_found_by_name),
      TEST(a_bias_moves_with_its_tokens))
