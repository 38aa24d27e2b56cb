/* compare.c - stream two models side by side.
 *
 * The work is cut into chunks; each leaves its sums in a slot of its own, and the slots are added
 * in order, so that the figures do not depend on the number of threads. */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/checkpoint_names.h"
#include "base/chunks.h"
#include "base/interrupt.h"
#include "base/memory.h"

enum { CHUNK_ITEMS = 32768, ITEM_BYTES_MAX = 16, BLOCK_ITEMS = 512 };

double difference_relative_l2(const struct difference *difference)
{
    if (difference->sum_diff == 0)
        return 0;
    return sqrt(difference->sum_diff) / sqrt(difference->sum_a);
}

double difference_cosine(const struct difference *difference)
{
    if (difference->is_identical && !isnan(difference->sum_a))
        return 1;
    return difference->sum_ab / (sqrt(difference->sum_a) * sqrt(difference->sum_b));
}

void difference_add(struct difference *sum, const struct difference *difference)
{
    sum->is_identical = sum->is_identical && difference->is_identical;
    if (!(difference->max_abs <= sum->max_abs) && !isnan(sum->max_abs)) /* NaN wins */
        sum->max_abs = difference->max_abs;
    sum->sum_diff += difference->sum_diff;
    sum->sum_a += difference->sum_a;
    sum->sum_b += difference->sum_b;
    sum->sum_ab += difference->sum_ab;
}

struct comparer {
    struct comparison *comparison;
    struct progress *progress;
    struct chunks chunks;          /* a list per row, of its chunks */
    struct difference *partial;    /* per task */
    char **buffers;                /* per worker: [2][CHUNK_ITEMS * ITEM_BYTES_MAX] */
};

static bool same_layout(const struct comparison_row *row)
{
    return tensor_same_shape(row->a, row->b) &&
           (dtype_info(row->a->dtype)->kind == DTYPE_COMPLEX) ==
               (dtype_info(row->b->dtype)->kind == DTYPE_COMPLEX);
}

static void compare_values(const struct comparison_row *row, const char *a, const char *b, size_t n,
                           struct difference *difference)
{
    size_t n_values = dtype_info(row->a->dtype)->kind == DTYPE_COMPLEX ? 2 : 1;
    size_t at_a, at_b, n_bytes;
    double x[2 * BLOCK_ITEMS], y[2 * BLOCK_ITEMS];

    dtype_range_bytes(row->a->dtype, 0, n, &at_a, &n_bytes);
    difference->is_identical = row->a->dtype == row->b->dtype && memcmp(a, b, n_bytes) == 0;
    for (size_t first = 0; first < n; first += BLOCK_ITEMS) {
        size_t block = n - first < BLOCK_ITEMS ? n - first : BLOCK_ITEMS;

        dtype_range_bytes(row->a->dtype, first, block, &at_a, &n_bytes);
        dtype_range_bytes(row->b->dtype, first, block, &at_b, &n_bytes);
        dtype_to_double(row->a->dtype, a + at_a, x, block);
        dtype_to_double(row->b->dtype, b + at_b, y, block);
        for (size_t i = 0; i < block * n_values; i++) {
            /* Equal infinities do not differ, though their difference is NaN. */
            double d = x[i] == y[i] ? 0 : x[i] - y[i];

            if (!(fabs(d) <= difference->max_abs) && !isnan(difference->max_abs))
                difference->max_abs = fabs(d);
            difference->sum_diff += d * d;
            difference->sum_a += x[i] * x[i];
            difference->sum_b += y[i] * y[i];
            difference->sum_ab += x[i] * y[i];
        }
    }
}

/* What is read at once of both. */
static size_t chunk_items_of(const struct comparison_row *row)
{
    size_t a = tensor_chunk(row->a, CHUNK_ITEMS), b = tensor_chunk(row->b, CHUNK_ITEMS);

    return a < b ? a : b;
}

static int compare_chunk(void *context, size_t task, size_t worker, struct error *err)
{
    const struct comparer *comparer = context;
    size_t first, n, index = chunks_find(&comparer->chunks, task, &first, &n);
    const struct comparison_row *row = &comparer->comparison->rows[index];
    size_t chunk = chunk_items_of(row);
    char *a = comparer->buffers[worker], *b = a + CHUNK_ITEMS * ITEM_BYTES_MAX;

    first *= chunk;
    n = row->a->n_items - first < chunk ? row->a->n_items - first : chunk;
    if (interrupt_check(err) || tensor_read(row->a, first, n, a, err) ||
        tensor_read(row->b, first, n, b, err))
        return -1;
    compare_values(row, a, b, n, &comparer->partial[task]);
    atomic_fetch_add(&comparer->progress->done_bytes, n * dtype_info(row->a->dtype)->n_bits / 8);
    if (worker == 0 && comparer->progress->show)
        comparer->progress->show(comparer->progress);
    return 0;
}

static void add_only(char ***list, size_t *n, const struct model_component *component,
                     const struct tensor *tensor)
{
    *list = memory_resize(*list, *n + 1, sizeof **list);
    (*list)[(*n)++] = model_component_tensor_name(component, tensor);
}

/* Marks in is_paired[] the tensors of b that have one in a. `b` NULL: there is no such component. */
static void pair_tensors(struct comparison *comparison, const struct model_component *a,
                         const struct model_component *b, bool *is_paired)
{
    struct checkpoint_names a_names, b_names = {0};

    checkpoint_names_init(&a_names, a->checkpoint);
    if (b)
        checkpoint_names_init(&b_names, b->checkpoint);
    for (size_t i = 0; i < a->checkpoint->n_tensors; i++) {
        const struct tensor *tensor = &a->checkpoint->tensors[i];
        const struct tensor *other = b ? checkpoint_names_match(&a_names, i, &b_names) : NULL;

        if (!other) {
            add_only(&comparison->only_a, &comparison->n_only_a, a, tensor);
            continue;
        }
        is_paired[other - b->checkpoint->tensors] = true;
        comparison->rows[comparison->n_rows++] =
            (struct comparison_row){model_component_tensor_name(a, tensor), tensor, other, {0}};
    }
    checkpoint_names_release(&a_names);
    checkpoint_names_release(&b_names);
}

static void pair_components(struct comparison *comparison, const struct model_components *a,
                            const struct model_components *b)
{
    bool **is_paired = memory_zalloc(b->n_items, sizeof *is_paired);

    comparison->rows = memory_zalloc(model_components_n_tensors(a), sizeof *comparison->rows);
    for (size_t i = 0; i < b->n_items; i++)
        is_paired[i] = memory_zalloc(b->items[i].checkpoint->n_tensors, sizeof **is_paired);
    for (size_t i = 0; i < a->n_items; i++) {
        const struct model_component *other = model_components_find(b, a->items[i].path);

        pair_tensors(comparison, &a->items[i], other,
                     other ? is_paired[other - b->items] : NULL);
    }
    for (size_t i = 0; i < b->n_items; i++) {
        for (size_t k = 0; k < b->items[i].checkpoint->n_tensors; k++)
            if (!is_paired[i][k])
                add_only(&comparison->only_b, &comparison->n_only_b, &b->items[i],
                         &b->items[i].checkpoint->tensors[k]);
        free(is_paired[i]);
    }
    free(is_paired);
}

static void add_up(struct comparer *comparer)
{
    struct comparison *comparison = comparer->comparison;

    comparison->total.is_identical = comparison->n_only_a + comparison->n_only_b == 0;
    for (size_t i = 0; i < comparison->n_rows; i++) {
        struct comparison_row *row = &comparison->rows[i];

        row->difference.is_identical = same_layout(row) && row->a->dtype == row->b->dtype;
        for (size_t t = comparer->chunks.first_task[i];
             t < comparer->chunks.first_task[i + 1]; t++)
            difference_add(&row->difference, &comparer->partial[t]);
        if (same_layout(row)) {
            difference_add(&comparison->total, &row->difference);
        } else {
            row->difference = (struct difference){false, NAN, NAN, NAN, NAN, NAN};
            comparison->total.is_identical = false;
        }
    }
}

int comparison_make(struct comparison *comparison, const struct model_components *a,
                    const struct model_components *b, struct threads *threads,
                    struct progress *progress, struct error *err)
{
    size_t n_threads = threads_count(threads);
    struct comparer comparer = {.comparison = comparison, .progress = progress};
    int rc = -1;

    *comparison = (struct comparison){0};
    pair_components(comparison, a, b);
    chunks_init(&comparer.chunks, comparison->n_rows, 1);
    for (size_t i = 0; i < comparison->n_rows; i++) {
        const struct comparison_row *row = &comparison->rows[i];
        size_t n = same_layout(row) ? row->a->n_items : 0, chunk = chunk_items_of(row);

        chunks_set(&comparer.chunks, i, n / chunk + (n % chunk != 0));
        progress->total_bytes += n * dtype_info(row->a->dtype)->n_bits / 8;
    }
    /* A tensor with a stride of 0 can be larger than any disk. */
    comparer.partial = memory_try(chunks_n_tasks(&comparer.chunks),
                                  sizeof *comparer.partial, "partial sums", err);
    if (!comparer.partial)
        goto done;
    comparer.buffers = memory_zalloc(n_threads, sizeof *comparer.buffers);
    for (size_t w = 0; w < n_threads; w++)
        comparer.buffers[w] = memory_alloc(2 * CHUNK_ITEMS * ITEM_BYTES_MAX);
    rc = threads_run(threads, chunks_n_tasks(&comparer.chunks), compare_chunk, &comparer,
                     err);
    if (rc == 0)
        add_up(&comparer);
done:
    if (rc)
        comparison_release(comparison);
    for (size_t w = 0; comparer.buffers && w < n_threads; w++)
        free(comparer.buffers[w]);
    free(comparer.buffers);
    free(comparer.partial);
    chunks_release(&comparer.chunks);
    return rc;
}

void comparison_release(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->n_rows; i++)
        free(comparison->rows[i].name);
    free(comparison->rows);
    folder_names_free(comparison->only_a, comparison->n_only_a);
    folder_names_free(comparison->only_b, comparison->n_only_b);
    *comparison = (struct comparison){0};
}
