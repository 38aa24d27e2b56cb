#include "mixer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/chunks.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"

/* As floats, the chunks of a thread (a part of the last-level cache: smaller ones are combined no
 * faster, and cost more in locks of the file being written) and those of all threads together. */
enum {
    THREAD_BYTES = 3 * 1024 * 1024,
    ALL_BYTES = 128 * 1024 * 1024,
    ITEMS_MIN = 8192,
    ITEM_BYTES_MAX = 8,
};

struct worker_state {
    char *bytes; /* [n_models + 1][chunk_items * ITEM_BYTES_MAX]: inputs, then the output */
    struct combine_input *inputs;
    size_t n_nan, n_inf, first_special; /* index of item; SIZE_MAX: none */
    double read_s, combine_s, write_s;
};

struct mixer {
    const struct plan *plan;
    const struct plan_model *models;
    const double *weights;
    const struct combine_method *method;
    struct checkpoint_writer *writer;
    struct progress *progress;
    struct chunks chunks; /* a list per item of the plan */
    struct worker_state *workers;
};

static size_t chunk_items_for(size_t n_models, size_t n_threads)
{
    size_t share = ALL_BYTES / n_threads;
    size_t bytes = share < THREAD_BYTES ? share : THREAD_BYTES;
    size_t items = bytes / ((n_models + 1) * sizeof(float)) / ITEMS_MIN * ITEMS_MIN;

    return items > ITEMS_MIN ? items : ITEMS_MIN;
}

size_t mixer_buffer_bytes(size_t n_models, size_t n_threads)
{
    return n_threads * (n_models + 1) * chunk_items_for(n_models, n_threads) * ITEM_BYTES_MAX;
}

static void count_special(struct worker_state *state, enum dtype dtype, const void *values,
                          size_t n, size_t item)
{
    size_t n_nan = 0, n_inf = 0;

    combine_count_special(dtype, values, n, &n_nan, &n_inf);
    state->n_nan += n_nan;
    state->n_inf += n_inf;
    if (n_nan + n_inf && item < state->first_special)
        state->first_special = item;
}

/* Reads the range from the models that count, into state->inputs. Returns how many, or -1. */
static int read_inputs(const struct mixer *mixer, const struct plan_item *item, size_t first,
                       size_t n, struct worker_state *state, struct error *err)
{
    size_t stride = mixer->chunks.chunk_items * ITEM_BYTES_MAX;
    int n_inputs = 0;

    for (size_t i = 0; i < (item->is_copied ? 1 : mixer->plan->n_models); i++) {
        char *bytes = state->bytes + (size_t)n_inputs * stride;

        if (!item->is_copied && mixer->method->skips_zero_weights && mixer->weights[i] == 0)
            continue;
        if (tensor_read(item->sources[i], first, n, bytes, err))
            return error_context(err, "'%s'", mixer->models[i].name);
        state->inputs[n_inputs++] =
            (struct combine_input){bytes, item->sources[i]->dtype, mixer->weights[i]};
    }
    return n_inputs;
}

static int run_chunk(const struct mixer *mixer, const struct plan_item *item, size_t index,
                     size_t first, size_t n, struct worker_state *state, struct error *err)
{
    size_t offset, n_bytes;
    const char *out = state->bytes;
    double start = clock_now_s(), read, combined;
    int n_inputs = read_inputs(mixer, item, first, n, state, err);

    if (n_inputs < 0)
        return -1;
    read = clock_now_s();
    if (!item->is_copied) {
        char *room = state->bytes +
                     mixer->plan->n_models * mixer->chunks.chunk_items * ITEM_BYTES_MAX;

        mixer->method->combine(state->inputs, (size_t)n_inputs, n, item->out.dtype, room);
        count_special(state, item->out.dtype, room, n, index);
        out = room;
    }
    combined = clock_now_s();
    dtype_range_bytes(item->out.dtype, first, n, &offset, &n_bytes);
    if (checkpoint_writer_write(mixer->writer, index, offset, out, n_bytes, err))
        return -1;
    state->read_s += read - start;
    state->combine_s += combined - read;
    state->write_s += clock_now_s() - combined;
    return 0;
}

static int run_task(void *context, size_t task, size_t worker, struct error *err)
{
    const struct mixer *mixer = context;
    size_t first, n, index = chunks_find(&mixer->chunks, task, &first, &n);
    const struct plan_item *item = &mixer->plan->items[index];

    if (interrupt_check(err) ||
        run_chunk(mixer, item, index, first, n, &mixer->workers[worker], err))
        return -1;
    atomic_fetch_add(&mixer->progress->done_bytes, n * dtype_info(item->out.dtype)->n_bits / 8);
    if (worker == 0 && mixer->progress->show)
        mixer->progress->show(mixer->progress);
    return 0;
}

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
    if (!stats->first_special && first != SIZE_MAX)
        stats->first_special = mixer->plan->items[first].out.name;
}

int mixer_run(const struct plan *plan, const struct plan_model *models, const double *weights,
              const struct combine_method *method, struct checkpoint_writer *writer,
              struct threads *threads, struct progress *progress, struct mixer_stats *stats,
              struct error *err)
{
    size_t n_threads = threads_count(threads);
    size_t chunk_items = chunk_items_for(plan->n_models, n_threads);
    struct mixer mixer = {.plan = plan, .models = models, .weights = weights, .method = method,
                          .writer = writer, .progress = progress};
    int rc = -1;

    chunks_init(&mixer.chunks, plan->n_items, chunk_items);
    mixer.workers = memory_zalloc(n_threads, sizeof *mixer.workers);
    for (size_t i = 0; i < plan->n_items; i++)
        chunks_set(&mixer.chunks, i, plan->items[i].out.n_items);
    for (size_t w = 0; w < n_threads; w++) {
        mixer.workers[w].first_special = SIZE_MAX;
        mixer.workers[w].inputs = memory_zalloc(plan->n_models, sizeof *mixer.workers[w].inputs);
        mixer.workers[w].bytes = memory_try((plan->n_models + 1) * chunk_items, ITEM_BYTES_MAX,
                                            "buffers; use fewer --threads", err);
        if (!mixer.workers[w].bytes)
            goto done;
    }
    rc = threads_run(threads, chunks_n_tasks(&mixer.chunks), run_task, &mixer, err);
    collect(&mixer, n_threads, stats);
done:
    for (size_t w = 0; w < n_threads; w++) {
        free(mixer.workers[w].bytes);
        free(mixer.workers[w].inputs);
    }
    free(mixer.workers);
    chunks_release(&mixer.chunks);
    return rc;
}
