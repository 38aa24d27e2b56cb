#include "mixer.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/chunks.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "tensor/tensor_source.h"
#include "mix/item_maker.h"
#include "mix/special_values.h"

/* As floats, the chunks of a thread (a part of the last-level cache: smaller ones are combined no
 * faster, and cost more in locks of the file being written) and those of all threads together. Of a
 * matrix that is packed across its rows, a chunk takes a piece of each row of words, and each piece a
 * system call: the wider they are the fewer, which counts for more than the cache. */
enum {
    THREAD_BYTES = 3 * 1024 * 1024,
    WIDE_BYTES = 12 * 1024 * 1024,
    ALL_BYTES = 128 * 1024 * 1024,
    ITEMS_MIN = 8192,
};

/* Items that are measured are run together up to so many bytes of their sources: few enough that
 * the system still has them in memory for the next pass. What is found out takes memory, too. */
static const size_t group_bytes = 256 * 1024 * 1024, group_facts_bytes = 64 * 1024 * 1024;

/* Items of a chunk, where the item does not want others. */
struct chunk_sizes {
    size_t plain, wide; /* wide: of sources whose rows are best read together */
};

struct worker_state {
    struct item_room room;
    size_t *counts; /* [n_counts] of the largest pass; of the item `counted`, 0 between passes */
    size_t counted; /* SIZE_MAX: none */
    size_t n_nan, n_inf, first_special; /* index of item; SIZE_MAX: none */
    double read_s, combine_s, write_s;
};

struct mixer {
    const struct plan *plan;
    struct mixer_share share;
    size_t *starts, n_bytes;   /* [plan->n_items], as if all tensors stood in one row; of all */
    struct checkpoint_writer *writer;
    struct threads *threads;
    struct progress *progress;
    struct chunk_sizes sizes;
    struct worker_state *workers;

    /* Of the items that are run together. */
    size_t first, n_items;
    struct item_maker *makers; /* [n_items] */
    struct chunks chunks;      /* of each, the chunks as its items */
    size_t pass;               /* being measured */
    bool *is_needed;           /* [n_items] in the pass */
    double **sums;             /* [n_items][n_grains][n_sums] of the pass */
    pthread_mutex_t lock;      /* for the counts of all workers */
};

static size_t n_passes(const struct plan_item *item)
{
    return item->method ? item->method->n_passes : 0;
}

/* ---- sizes ---- */

static size_t max_inputs(const struct plan *plan)
{
    size_t max = 1;

    for (size_t i = 0; i < plan->n_items; i++) {
        size_t n = plan->items[i].n_sources + (plan->items[i].base.tensor != NULL);

        max = n > max ? n : max;
    }
    return max;
}

static size_t chunk_items_for(const struct plan *plan, size_t n_threads, size_t most_bytes)
{
    size_t share = ALL_BYTES / n_threads;
    size_t bytes = share < most_bytes ? share : most_bytes;
    size_t items = bytes / ((max_inputs(plan) + 1) * sizeof(float)) / ITEMS_MIN * ITEMS_MIN;

    return items > ITEMS_MIN ? items : ITEMS_MIN;
}

static struct chunk_sizes chunk_sizes_for(const struct plan *plan, size_t n_threads)
{
    return (struct chunk_sizes){.plain = chunk_items_for(plan, n_threads, THREAD_BYTES),
                                .wide = chunk_items_for(plan, n_threads, WIDE_BYTES)};
}

/* Whole grains of the item, and whole rows of a source that are best read together. */
static size_t item_chunk(const struct plan_item *item, struct chunk_sizes sizes)
{
    size_t grain = item_grain(item), n = sizes.plain;

    if (item_is_staged(item))
        return ITEM_PIECE;
    for (size_t i = 0; i < item->n_sources; i++)
        if (tensor_wants_rows(item->sources[i].tensor))
            n = sizes.wide;
    if (grain)
        return grain > n ? grain : n / grain * grain;
    for (size_t i = 0; i < item->n_sources; i++)
        n = tensor_chunk(item->sources[i].tensor, n);
    return n;
}

static size_t room_bytes(const struct plan *plan, struct chunk_sizes sizes)
{
    size_t max = 1;

    for (size_t i = 0; i < plan->n_items; i++) {
        size_t n = item_room_bytes(&plan->items[i], item_chunk(&plan->items[i], sizes));

        max = n > max ? n : max;
    }
    return max;
}

static size_t state_bytes(const struct plan *plan)
{
    size_t max = 0;

    for (size_t i = 0; i < plan->n_items; i++) {
        size_t n = item_state_bytes(&plan->items[i]);

        max = n > max ? n : max;
    }
    return max;
}

static size_t room_inputs(const struct plan *plan)
{
    size_t max = 1;

    for (size_t i = 0; i < plan->n_items; i++) {
        size_t n = item_n_inputs(&plan->items[i]);

        max = n > max ? n : max;
    }
    return max;
}

size_t mixer_buffer_bytes(const struct plan *plan, size_t n_threads)
{
    return n_threads * (room_bytes(plan, chunk_sizes_for(plan, n_threads)) + state_bytes(plan));
}

/* ---- shares ---- */

/* Whose share the byte is in: each has one piece of the row. */
static bool is_ours(const struct mixer *mixer, size_t byte)
{
    return mixer->share.count == 1 || mixer->n_bytes == 0 ||
           (size_t)((double)byte / (double)mixer->n_bytes * (double)mixer->share.count) ==
               mixer->share.number;
}

/* Whether it goes to one rank: it is measured, or read in units. */
static bool is_whole(const struct plan_item *item)
{
    return n_passes(item) || item_is_staged(item);
}

static bool is_our_item(const struct mixer *mixer, size_t index)
{
    size_t number = mixer->first + index;

    return is_ours(mixer, mixer->starts[number] +
                              mixer->plan->items[number].out.size_bytes / 2);
}

static bool is_our_chunk(const struct mixer *mixer, size_t index, size_t chunk)
{
    size_t number = mixer->first + index;
    const struct plan_item *item = &mixer->plan->items[number];
    size_t first = chunk * item_chunk(item, mixer->sizes);

    return is_whole(item)
               ? is_our_item(mixer, index)
               : is_ours(mixer, mixer->starts[number] +
                                    (size_t)((double)first / (double)item->out.n_items *
                                             (double)item->out.size_bytes));
}

static void list_starts(struct mixer *mixer)
{
    const struct plan *plan = mixer->plan;

    mixer->starts = memory_zalloc(plan->n_items, sizeof *mixer->starts);
    for (size_t i = 0; i < plan->n_items; i++) {
        mixer->starts[i] = mixer->n_bytes;
        mixer->n_bytes += plan->items[i].out.size_bytes;
    }
}

/* ---- one chunk ---- */

static void count_special(struct worker_state *state, enum dtype dtype, const void *values,
                          size_t n, size_t item)
{
    size_t n_nan = 0, n_inf = 0;

    special_values_count(dtype, values, n, &n_nan, &n_inf);
    state->n_nan += n_nan;
    state->n_inf += n_inf;
    if (n_nan + n_inf && item < state->first_special)
        state->first_special = item;
}

/* A task: a chunk of item makers[index], or a unit of it. */
struct task {
    size_t index, chunk;
    bool is_unit;
};

static struct task find_task(const struct mixer *mixer, size_t number)
{
    struct task task;
    size_t one;

    task.index = chunks_find(&mixer->chunks, number, &task.chunk, &one);
    task.is_unit = item_is_staged(mixer->makers[task.index].item);
    return task;
}

/* Piece k of it: a chunk is all one. */
static bool find_piece(const struct mixer *mixer, const struct task *task, size_t k, size_t *first,
                       size_t *n)
{
    const struct plan_item *item = mixer->makers[task->index].item;
    size_t n_items = item_chunk(item, mixer->sizes);

    if (task->is_unit)
        return item_find_piece(item, task->chunk, k, first, n);
    *first = task->chunk * n_items;
    *n = item->out.n_items - *first < n_items ? item->out.n_items - *first : n_items;
    return k == 0;
}

static int write_piece(const struct mixer *mixer, size_t index, size_t first, size_t n,
                       struct worker_state *state, struct error *err)
{
    const struct item_maker *maker = &mixer->makers[index];
    const struct plan_item *item = maker->item;
    const char *out = state->room.bytes;
    size_t offset, n_bytes;
    double start = clock_now_s(), read, combined;

    if (item_read(maker, first, n, &state->room, err))
        return -1;
    read = clock_now_s();
    if (item->method) {
        out = state->room.out;
        item_combine(maker, first, n, &state->room, state->room.out);
        count_special(state, item->out.dtype, out, n, mixer->first + index);
    }
    combined = clock_now_s();
    dtype_range_bytes(item->out.dtype, first, n, &offset, &n_bytes);
    if (checkpoint_writer_write(mixer->writer, mixer->first + index, offset, out, n_bytes, err))
        return -1;
    state->read_s += read - start;
    state->combine_s += combined - read;
    state->write_s += clock_now_s() - combined;
    return 0;
}

static int write_task(void *context, size_t number, size_t worker, struct error *err)
{
    const struct mixer *mixer = context;
    struct task task = find_task(mixer, number);
    const struct item_maker *maker = &mixer->makers[task.index];
    struct worker_state *state = &mixer->workers[worker];
    size_t first, n;

    if (!is_our_chunk(mixer, task.index, task.chunk))
        return 0;
    if (task.is_unit && item_stage(maker, maker->n_passes, task.chunk, &state->room, err))
        return -1;
    for (size_t k = 0; find_piece(mixer, &task, k, &first, &n); k++) {
        const struct output_tensor *out = &maker->item->out;

        if (interrupt_check(err) || write_piece(mixer, task.index, first, n, state, err))
            return -1;
        atomic_fetch_add(&mixer->progress->done_bytes, n * out->size_bytes / out->n_items);
        if (worker == 0 && mixer->progress->show)
            mixer->progress->show(mixer->progress);
    }
    return 0;
}

/* What the worker has counted of an item, to the others'. */
static void add_counts(struct mixer *mixer, struct worker_state *state)
{
    const struct item_facts *facts;

    if (state->counted == SIZE_MAX)
        return;
    facts = &mixer->makers[state->counted].facts[mixer->pass];
    pthread_mutex_lock(&mixer->lock);
    for (size_t i = 0; i < facts->n_counts; i++)
        facts->counts[i] += state->counts[i];
    pthread_mutex_unlock(&mixer->lock);
    memset(state->counts, 0, facts->n_counts * sizeof *state->counts);
    state->counted = SIZE_MAX;
}

static int measure_piece(struct mixer *mixer, size_t index, size_t first, size_t n,
                         struct worker_state *state, struct error *err)
{
    const struct item_maker *maker = &mixer->makers[index];
    const struct item_facts *facts = &maker->facts[mixer->pass];
    double start = clock_now_s(), read;

    if (interrupt_check(err) || item_read(maker, first, n, &state->room, err))
        return -1;
    read = clock_now_s();
    item_measure(maker, mixer->pass, first, n, &state->room,
                 mixer->sums[index] + first / maker->grain_items * facts->n_sums, state->counts);
    state->read_s += read - start;
    state->combine_s += clock_now_s() - read;
    return 0;
}

static int measure_task(void *context, size_t number, size_t worker, struct error *err)
{
    struct mixer *mixer = context;
    struct task task = find_task(mixer, number);
    struct worker_state *state = &mixer->workers[worker];
    size_t first, n;

    if (state->counted != task.index)
        add_counts(mixer, state);
    state->counted = task.index;
    if (task.is_unit && item_stage(&mixer->makers[task.index], mixer->pass, task.chunk,
                                   &state->room, err))
        return -1;
    for (size_t k = 0; find_piece(mixer, &task, k, &first, &n); k++)
        if (measure_piece(mixer, task.index, first, n, state, err))
            return -1;
    return 0;
}

/* ---- some items ---- */

/* One task per chunk of every item, or of those that need the pass. */
static int run_tasks(struct mixer *mixer, const bool *is_wanted, threads_task *task,
                     struct error *err)
{
    int rc;

    chunks_init(&mixer->chunks, mixer->n_items, 1);
    for (size_t i = 0; i < mixer->n_items; i++) {
        const struct plan_item *item = mixer->makers[i].item;
        size_t n = item_chunk(item, mixer->sizes);
        size_t n_items = is_wanted && !is_wanted[i] ? 0 : item->out.n_items;
        size_t n_chunks = n_items / n + (n_items % n != 0);

        chunks_set(&mixer->chunks, i,
                   n_items && item_is_staged(item) ? item_n_units(item) : n_chunks);
    }
    rc = threads_run(mixer->threads, chunks_n_tasks(&mixer->chunks), task, mixer, err);
    chunks_release(&mixer->chunks);
    return rc;
}

static void conclude(struct mixer *mixer, size_t index)
{
    struct item_maker *maker = &mixer->makers[index];
    size_t n_sums = maker->facts[mixer->pass].n_sums;

    for (size_t g = 0; g < maker->n_grains; g++)
        item_add_grain(maker, mixer->pass, g, mixer->sums[index] + g * n_sums);
    item_conclude(maker, mixer->pass);
}

static int run_pass(struct mixer *mixer, size_t pass, struct error *err)
{
    int rc;

    mixer->pass = pass;
    for (size_t i = 0; i < mixer->n_items; i++) {
        const struct item_maker *maker = &mixer->makers[i];

        mixer->is_needed[i] = is_our_item(mixer, i) && item_pass_is_needed(maker, pass);
        if (mixer->is_needed[i])
            mixer->sums[i] = memory_zalloc(maker->n_grains * maker->facts[pass].n_sums,
                                           sizeof **mixer->sums);
    }
    rc = run_tasks(mixer, mixer->is_needed, measure_task, err);
    for (size_t w = 0; w < threads_count(mixer->threads); w++)
        add_counts(mixer, &mixer->workers[w]);
    for (size_t i = 0; i < mixer->n_items; i++) {
        if (mixer->is_needed[i])
            conclude(mixer, i);
        free(mixer->sums[i]);
        mixer->sums[i] = NULL;
    }
    return rc;
}

/* The items from `first` on that are run together, all when none is measured. */
static size_t group_items(const struct plan *plan, size_t first)
{
    size_t bytes = 0, facts = 0, n = 0;

    while (first + n < plan->n_items && bytes < group_bytes && facts < group_facts_bytes) {
        const struct plan_item *item = &plan->items[first + n++];

        for (size_t k = 0; n_passes(item) && k < item->n_sources; k++)
            bytes += item->sources[k].tensor->size_bytes;
        if (n_passes(item) && item->base.tensor)
            bytes += item->base.tensor->size_bytes;
        facts += item_facts_bytes(item);
    }
    return n;
}

static int run_group(struct mixer *mixer, struct error *err)
{
    const struct plan_item *items = mixer->plan->items + mixer->first;
    struct arena arena = {0};
    size_t passes = 0;
    int rc = 0;

    mixer->makers = memory_zalloc(mixer->n_items, sizeof *mixer->makers);
    mixer->sums = memory_zalloc(mixer->n_items, sizeof *mixer->sums);
    mixer->is_needed = memory_zalloc(mixer->n_items, sizeof *mixer->is_needed);
    for (size_t i = 0; i < mixer->n_items; i++) {
        item_maker_init(&mixer->makers[i], &items[i], &arena);
        passes = n_passes(&items[i]) > passes ? n_passes(&items[i]) : passes;
    }
    for (size_t p = 0; rc == 0 && p < passes; p++)
        rc = run_pass(mixer, p, err);
    if (rc == 0)
        rc = run_tasks(mixer, NULL, write_task, err);
    free(mixer->is_needed);
    free(mixer->makers);
    free(mixer->sums);
    arena_release(&arena);
    return rc;
}

/* ---- all ---- */

static void collect(const struct mixer *mixer, size_t n_threads, struct mixer_stats *stats)
{
    size_t first = SIZE_MAX;

    for (size_t w = 0; w < n_threads; w++) {
        const struct worker_state *state = &mixer->workers[w];

        stats->n_nan += state->n_nan;
        stats->n_inf += state->n_inf;
        stats->read_s += state->read_s;
        stats->combine_s += state->combine_s;
        stats->write_s += state->write_s;
        if (state->first_special < first)
            first = state->first_special;
    }
    stats->first_special_item = first;
    if (!stats->first_special && first != SIZE_MAX)
        stats->first_special = mixer->plan->items[first].out.name;
}

static size_t max_counts(const struct plan *plan)
{
    size_t max = 0, n_sums, n_counts;

    for (size_t i = 0; i < plan->n_items; i++)
        for (size_t p = 0; p < n_passes(&plan->items[i]); p++) {
            item_pass_size(&plan->items[i], p, &n_sums, &n_counts);
            max = n_counts > max ? n_counts : max;
        }
    return max;
}

static int make_workers(struct mixer *mixer, size_t n_threads, struct error *err)
{
    const struct plan *plan = mixer->plan;

    mixer->workers = memory_zalloc(n_threads, sizeof *mixer->workers);
    for (size_t w = 0; w < n_threads; w++)
        mixer->workers[w].first_special = mixer->workers[w].counted = SIZE_MAX;
    for (size_t w = 0; w < n_threads; w++) {
        struct worker_state *state = &mixer->workers[w];

        state->counts = memory_zalloc(max_counts(plan), sizeof *state->counts);
        state->room.inputs = memory_zalloc(room_inputs(plan), sizeof *state->room.inputs);
        state->room.bytes = memory_try(room_bytes(plan, mixer->sizes), 1,
                                       "buffers; use fewer --threads", err);
        state->room.state = memory_try(state_bytes(plan) + 1, 1, "buffers; use fewer --threads", err);
        if (!state->room.bytes || !state->room.state)
            return -1;
    }
    return 0;
}

int mixer_run(const struct plan *plan, struct mixer_share share, struct checkpoint_writer *writer,
              struct threads *threads, struct progress *progress, struct mixer_stats *stats,
              struct error *err)
{
    size_t n_threads = threads_count(threads);
    struct mixer mixer = {.plan = plan, .share = share, .writer = writer, .threads = threads,
                          .progress = progress, .sizes = chunk_sizes_for(plan, n_threads),
                          .lock = PTHREAD_MUTEX_INITIALIZER};
    int rc = make_workers(&mixer, n_threads, err);

    list_starts(&mixer);
    for (; rc == 0 && mixer.first < plan->n_items; mixer.first += mixer.n_items) {
        mixer.n_items = group_items(plan, mixer.first);
        rc = run_group(&mixer, err);
    }
    collect(&mixer, n_threads, stats);
    for (size_t w = 0; w < n_threads; w++) {
        free(mixer.workers[w].room.bytes);
        free(mixer.workers[w].room.state);
        free(mixer.workers[w].room.inputs);
        free(mixer.workers[w].counts);
    }
    free(mixer.workers);
    free(mixer.starts);
    return rc;
}
