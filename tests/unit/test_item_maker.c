/* test_item_maker.c - methods that measure before they combine, or want whole rows: what they see
 * and what they make depends neither on threads nor on how the work is cut. */
#include "mix/item_maker.h"

#include <math.h>
#include <stdint.h>

#include "base/memory.h"
#include "made_tensors.h"
#include "mix/item_source.h"

static double item_of(const struct combine_input *input, size_t i)
{
    const char *values = input->values;
    double x;

    dtype_to_double(input->dtype, values + i * dtype_info(input->dtype)->n_bits / 8, &x, 1);
    return x;
}

static void put(const struct combine_call *call, void *out, size_t i, double x)
{
    enum dtype dtype = call->out->dtype;

    dtype_from_double(dtype, &x, (char *)out + i * dtype_info(dtype)->n_bits / 8, 1);
}

/* ---- divide every input by the length of its difference from the base ---- */

static double difference(const struct combine_call *call, size_t input, size_t i)
{
    return item_of(&call->inputs[input], i) - (call->base ? item_of(call->base, i) : 0);
}

static void norm_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = call->n_inputs;
}

static void norm_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    for (size_t k = 0; k < call->n_inputs; k++)
        for (size_t i = 0; i < call->n; i++)
            sums[k] += difference(call, k, i) * difference(call, k, i);
}

static void norm_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    CHECK(call->n_inputs == 2 && call->inputs[1].weight == -0.5 && !call->inputs[0].values);
    for (size_t k = 0; k < call->n_inputs; k++)
        sums[k] = sqrt(sums[k]);
}

static void norm_combine(const struct combine_call *call, void *out)
{
    for (size_t i = 0; i < call->n; i++) {
        double sum = call->base ? item_of(call->base, i) : 0;

        for (size_t k = 0; k < call->n_inputs; k++)
            sum += call->inputs[k].weight * difference(call, k, i) / call->facts[0].sums[k];
        put(call, out, i, sum);
    }
}

static const struct combine_pass norm_passes[] = {
    {.size = norm_size, .measure = norm_measure, .conclude = norm_conclude},
};
static const struct combine_method normed = {
    .name = "normed", .combine = norm_combine, .passes = norm_passes, .n_passes = 1};

/* ---- take the mean of its column from each item: as many sums as there are columns ---- */

static size_t n_columns(const struct combine_call *call)
{
    return call->out->n_dims ? call->out->shape[call->out->n_dims - 1] : 1;
}

static void column_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)n_counts;
    *n_sums = n_columns(call);
}

static void column_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    for (size_t i = 0; i < call->n; i++)
        sums[(call->first + i) % n_columns(call)] += item_of(&call->inputs[0], i);
}

static void column_combine(const struct combine_call *call, void *out)
{
    double n_rows = (double)(call->out->n_items / n_columns(call));

    for (size_t i = 0; i < call->n; i++)
        put(call, out, i, item_of(&call->inputs[0], i) -
                              call->facts[0].sums[(call->first + i) % n_columns(call)] / n_rows);
}

static const struct combine_pass column_passes[] = {
    {.size = column_size, .measure = column_measure},
};
static const struct combine_method centred = {
    .name = "centred", .combine = column_combine, .passes = column_passes, .n_passes = 1};

/* ---- keep the k largest magnitudes, of equal ones those that come first ---- */

enum { N_BUCKETS = 1 << 16 };
enum { FOUND, RANK }; /* what two histograms are concluded to: the bucket, and the rank in it */

static uint32_t magnitude_of(const struct combine_call *call, size_t i)
{
    float x = (float)fabs(item_of(&call->inputs[0], i));
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void histogram_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)call;
    (void)n_sums;
    *n_counts = N_BUCKETS;
}

static void high_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)sums;
    for (size_t i = 0; i < call->n; i++)
        counts[magnitude_of(call, i) >> 16]++;
}

static void find_rank(size_t *counts, size_t rank)
{
    size_t bucket = N_BUCKETS - 1;

    while (bucket > 0 && counts[bucket] < rank)
        rank -= counts[bucket--];
    counts[FOUND] = bucket;
    counts[RANK] = rank;
}

static void high_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)sums;
    find_rank(counts, (size_t)call->settings[0]);
}

static void low_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)sums;
    for (size_t i = 0; i < call->n; i++)
        if (magnitude_of(call, i) >> 16 == call->facts[0].counts[FOUND])
            counts[magnitude_of(call, i) & 0xffff]++;
}

static void low_conclude(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)sums;
    find_rank(counts, call->facts[0].counts[RANK]);
}

static uint32_t threshold_of(const struct combine_call *call)
{
    return (uint32_t)(call->facts[0].counts[FOUND] << 16 | call->facts[1].counts[FOUND]);
}

static void ties_size(const struct combine_call *call, size_t *n_sums, size_t *n_counts)
{
    (void)call;
    (void)n_counts;
    *n_sums = 1;
}

static void ties_measure(const struct combine_call *call, double *sums, size_t *counts)
{
    (void)counts;
    for (size_t i = 0; i < call->n; i++)
        *sums += magnitude_of(call, i) == threshold_of(call);
}

static void largest_combine(const struct combine_call *call, void *out)
{
    double n_ties = *call->facts[2].before;

    for (size_t i = 0; i < call->n; i++) {
        bool is_tie = magnitude_of(call, i) == threshold_of(call);
        bool stays = is_tie ? n_ties < (double)call->facts[1].counts[RANK]
                            : magnitude_of(call, i) > threshold_of(call);

        n_ties += is_tie;
        put(call, out, i, stays ? item_of(&call->inputs[0], i) : 0);
    }
}

static const struct combine_pass largest_passes[] = {
    {.size = histogram_size, .measure = high_measure, .conclude = high_conclude},
    {.size = histogram_size, .measure = low_measure, .conclude = low_conclude},
    {.size = ties_size, .measure = ties_measure, .keeps_before = true},
};
static const struct combine_method largest = {
    .name = "largest", .combine = largest_combine, .passes = largest_passes, .n_passes = 3};

/* ---- sort within rows ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void sorted_combine(const struct combine_call *call, void *out)
{
    size_t row = call->out->n_dims ? call->out->shape[call->out->n_dims - 1] : 1;
    double *values = call->scratch;

    CHECK(call->first % row == 0 && call->n % row == 0);
    for (size_t i = 0; i < call->n; i++)
        values[i] = item_of(&call->inputs[0], i);
    for (size_t i = 0; i < call->n; i += row)
        qsort(values + i, row, sizeof *values, compare_doubles);
    for (size_t i = 0; i < call->n; i++)
        put(call, out, i, values[i]);
}

static const struct combine_method sorted = {
    .name = "sorted", .combine = sorted_combine, .unit = COMBINE_ROWS,
    .scratch_item_bytes = sizeof(double)};

/* ---- plans of them ---- */

/* Around the size of grains and chunks; rows longer than either. */
static const struct shape {
    size_t n_dims, sizes[MADE_DIMS];
} shapes[] = {
    {0, {0}}, {1, {1}}, {1, {7}}, {1, {8192}}, {1, {8193}}, {1, {300007}}, {2, {300, 77}},
    {2, {3, 20000}}, {3, {5, 9, 1000}}, {2, {2, 270000}}, {2, {0, 5}},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static const double weights[] = {0.75, -0.5};
static double ranks[N_SHAPES]; /* largest: k */

static void add(struct plan *plan, struct made_tensors *tensors, size_t shape,
                const struct combine_method *method)
{
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16};
    const struct shape *at = &shapes[shape];
    struct error err = {0};
    char name[32];
    const struct tensor *first;
    struct output_tensor out;
    struct plan_item *item;

    snprintf(name, sizeof name, "%s.%02zu", method->name, shape);
    first = make_tensor(tensors, name, dtypes[shape % 2], at->n_dims, at->sizes);
    out = output_tensor_like(first);
    item = plan_add_item(plan, &out, method == &normed ? 2 : 1, &err);
    CHECK(item);
    item->method = method;
    item->sources[0].tensor = first;
    ranks[shape] = (double)(first->n_items / 3 + 1);
    item->settings = method == &largest ? &ranks[shape] : NULL;
    if (method != &normed)
        return;
    item->sources[1].tensor = make_tensor(tensors, "second", dtypes[(shape + 1) % 2], at->n_dims,
                                          at->sizes);
    item->sources[1].input = 1;
    if (shape % 3 == 0)
        item->base.tensor = make_tensor(tensors, "base", DTYPE_F32, at->n_dims, at->sizes);
}

/* `crowd` more sources, of an item of its own, make chunks smaller. */
static void make_plan(struct plan *plan, struct made_tensors *tensors, size_t crowd)
{
    static double many[MADE_MAX];
    struct error err = {0};
    struct output_tensor out;
    const struct tensor *tensor;
    struct plan_item *item;

    for (size_t s = 0; s < N_SHAPES; s++) {
        add(plan, tensors, s, &normed);
        add(plan, tensors, s, &largest);
        add(plan, tensors, s, &sorted);
        add(plan, tensors, s, &centred);
    }
    /* A copied one and one that measures nothing, among them. */
    tensor = make_tensor(tensors, "copied", DTYPE_F32, 1, (const size_t[]){10});
    out = output_tensor_like(tensor);
    plan_add_item(plan, &out, 1, &err)->sources[0].tensor = tensor;
    out.name = "summed";
    item = plan_add_item(plan, &out, 1 + crowd, &err);
    item->method = &combine_linear;
    for (size_t i = 0; i < 1 + crowd; i++) {
        item->sources[i].tensor = tensor;
        item->sources[i].input = i;
    }
    CHECK(plan_finish(plan, &safetensors_writer, &err) == 0);
    memcpy(many, weights, sizeof weights);
    plan_set_weights(plan, many);
}

static void neither_threads_nor_chunks_change_a_byte(void)
{
    static const size_t n_threads[] = {1, 2, 3, 8}, crowds[] = {2, 40, 90};
    static struct made_tensors tensors;
    char *first = NULL;
    size_t n_first = 0, n;

    for (size_t c = 0; c < 3; c++) {
        struct plan plan = {0};

        make_plan(&plan, &tensors, crowds[c]);
        for (size_t t = 0; t < 4; t++) {
            char *bytes = run_plan(&plan, n_threads[t], &n);

            if (!first) {
                first = bytes;
                n_first = n;
                continue;
            }
            CHECK(n == n_first && memcmp(bytes, first, n) == 0);
            free(bytes);
        }
        plan_release(&plan);
        free_tensors(&tensors);
    }
    free(first);
}

/* ---- what they must be ---- */

static void check_normed(const struct plan_item *item, const double *found)
{
    double *x[2], *base = item->base.tensor ? tensor_doubles(item->base.tensor) : NULL;
    double norms[2] = {0}, worst = 0;
    size_t n = item->out.n_items;

    for (size_t k = 0; k < 2; k++) {
        x[k] = tensor_doubles(item->sources[k].tensor);
        for (size_t i = 0; i < n; i++) {
            x[k][i] -= base ? base[i] : 0;
            norms[k] += x[k][i] * x[k][i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        double expected = (base ? base[i] : 0) + weights[0] * x[0][i] / sqrt(norms[0]) +
                          weights[1] * x[1][i] / sqrt(norms[1]);

        worst = fmax(worst, fabs(found[i] - expected) / (fabs(expected) + 1e-3));
    }
    CHECK(worst < 0.005); /* rounded to bf16 */
    free(x[0]);
    free(x[1]);
    free(base);
}

static void check_centred(const struct plan_item *item, const double *found)
{
    size_t n = item->out.n_items;
    size_t columns = item->out.n_dims ? item->out.shape[item->out.n_dims - 1] : 1;
    double *x = tensor_doubles(item->sources[0].tensor);
    double *sums = memory_zalloc(columns, sizeof *sums), worst = 0;

    for (size_t i = 0; i < n; i++)
        sums[i % columns] += x[i];
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs(found[i] - x[i] +
                                 sums[i % columns] * (double)columns / (double)n));
    CHECK(worst < 0.01); /* rounded to bf16 */
    free(sums);
    free(x);
}

static void check_largest(const struct plan_item *item, const double *found)
{
    size_t n = item->out.n_items, k = (size_t)item->settings[0], n_above = 0, n_wrong = 0;
    double *x = tensor_doubles(item->sources[0].tensor), *sizes, threshold;

    sizes = memory_zalloc(n + 1, sizeof *sizes);
    for (size_t i = 0; i < n; i++)
        sizes[i] = fabs(x[i]);
    qsort(sizes, n, sizeof *sizes, compare_doubles);
    threshold = n ? sizes[n - k] : 0;
    for (size_t i = 0; i < n; i++)
        n_above += fabs(x[i]) > threshold;
    for (size_t i = 0, n_equal = 0; i < n; i++) {
        bool stays = fabs(x[i]) > threshold ||
                     (fabs(x[i]) == threshold && n_equal++ < k - n_above);

        n_wrong += found[i] != (stays ? x[i] : 0);
    }
    CHECK(n_wrong == 0);
    free(sizes);
    free(x);
}

static void check_sorted(const struct plan_item *item, const double *found)
{
    size_t n = item->out.n_items, n_wrong = 0;
    size_t row = item->out.n_dims ? item->out.shape[item->out.n_dims - 1] : 1;
    double *x = tensor_doubles(item->sources[0].tensor);

    for (size_t i = 0; i < n; i += row)
        qsort(x + i, row, sizeof *x, compare_doubles);
    for (size_t i = 0; i < n; i++)
        n_wrong += found[i] != x[i];
    CHECK(n_wrong == 0);
    free(x);
}

static void every_pass_sees_the_whole_tensor(void)
{
    static struct made_tensors tensors;
    struct plan plan = {0};
    char *bytes, *place;
    size_t n;

    make_plan(&plan, &tensors, 2);
    place = bytes = run_plan(&plan, 2, &n);
    for (size_t i = 0; i < plan.n_items; i++) {
        const struct plan_item *item = &plan.items[i];
        double *found = memory_zalloc(item->out.n_items, sizeof *found);

        dtype_to_double(item->out.dtype, place, found, item->out.n_items);
        if (item->method == &normed)
            check_normed(item, found);
        else if (item->method == &centred)
            check_centred(item, found);
        else if (item->method == &largest)
            check_largest(item, found);
        else if (item->method == &sorted)
            check_sorted(item, found);
        place += item->out.size_bytes;
        free(found);
    }
    free(bytes);
    plan_release(&plan);
    free_tensors(&tensors);
}

/* ---- the same, read as tensors ---- */

/* In pieces that have nothing to do with grains. */
static void check_pieces(const struct tensor *tensor, const char *expected)
{
    static const size_t pieces[] = {1, 1000, 8191, 8193, 50000, 123457};
    size_t bytes = dtype_info(tensor->dtype)->n_bits / 8, first = 0, n_wrong = 0;
    char *values = memory_alloc(123457 * bytes);
    struct error err = {0};

    for (size_t p = 0; first < tensor->n_items; p++) {
        size_t n = pieces[p % 6];

        n = n < tensor->n_items - first ? n : tensor->n_items - first;
        CHECK(tensor_read(tensor, first, n, values, &err) == 0);
        n_wrong += memcmp(values, expected + first * bytes, n * bytes) != 0;
        first += n;
    }
    CHECK(n_wrong == 0);
    free(values);
}

static void an_item_read_as_a_tensor_has_the_bytes_that_are_written(void)
{
    static struct made_tensors tensors;
    struct plan plan = {0};
    struct arena arena = {0};
    char *bytes, *place;
    size_t n;

    make_plan(&plan, &tensors, 2);
    place = bytes = run_plan(&plan, 2, &n);
    for (size_t i = 0; i < plan.n_items; i++) {
        struct tensor tensor;

        item_source_make(&tensor, &plan.items[i], &arena);
        CHECK(strcmp(tensor.name, plan.items[i].out.name) == 0);
        CHECK(tensor.n_items == plan.items[i].out.n_items);
        check_pieces(&tensor, place);
        place += tensor.size_bytes;
    }
    free(bytes);
    arena_release(&arena);
    plan_release(&plan);
    free_tensors(&tensors);
}

TESTS(TEST(neither_threads_nor_chunks_change_a_byte), TEST(every_pass_sees_the_whole_tensor),
      TEST(an_item_read_as_a_tensor_has_the_bytes_that_are_written))
