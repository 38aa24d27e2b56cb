#include "item_source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mix/item_maker.h"
#include "tensor/dtype.h"
#include "tensor/tensor_source.h"

/* Read and combined at once where the method leaves it open. */
enum { BLOCK_ITEMS = 32768 };

struct item_source {
    struct tensor_source source;
    struct item_maker maker;
    pthread_mutex_t lock; /* for measuring, once */
    bool is_measured;
    double *sums;         /* of one grain, for the largest pass */
};

static size_t block_items(const struct item_maker *maker)
{
    size_t grain = maker->grain_items;

    return !grain || grain > BLOCK_ITEMS ? (grain ? grain : BLOCK_ITEMS)
                                         : BLOCK_ITEMS / grain * grain;
}

static int room_init(struct item_room *room, const struct item_maker *maker, struct error *err)
{
    const struct plan_item *item = maker->item;

    *room = (struct item_room){0};
    room->bytes = memory_try(item_room_bytes(item, block_items(maker)), 1,
                             "a merge that is read from", err);
    room->inputs = memory_zalloc(item_n_inputs(item), sizeof *room->inputs);
    return room->bytes ? 0 : -1;
}

static void room_release(struct item_room *room)
{
    free(room->bytes);
    free(room->inputs);
}

/* ---- measuring ---- */

static int run_pass(struct item_source *source, size_t pass, struct item_room *room,
                    struct error *err)
{
    struct item_maker *maker = &source->maker;
    const struct item_facts *facts = &maker->facts[pass];

    for (size_t g = 0; g < maker->n_grains; g++) {
        size_t first = g * maker->grain_items, left = maker->item->out.n_items - first;
        size_t n = left < maker->grain_items ? left : maker->grain_items;

        if (item_read(maker, first, n, room, err))
            return -1;
        memset(source->sums, 0, facts->n_sums * sizeof *source->sums);
        item_measure(maker, pass, first, n, room, source->sums, facts->counts);
        item_add_grain(maker, pass, g, source->sums);
    }
    item_conclude(maker, pass);
    return 0;
}

/* A pass that failed has left half of its counts: whoever comes next begins anew. */
static int run_passes(struct item_source *source, struct item_room *room, struct error *err)
{
    for (size_t p = 0; p < source->maker.n_passes; p++) {
        struct item_facts *facts = &source->maker.facts[p];

        memset(facts->sums, 0, facts->n_sums * sizeof *facts->sums);
        memset(facts->counts, 0, facts->n_counts * sizeof *facts->counts);
        if (item_pass_is_needed(&source->maker, p) && run_pass(source, p, room, err))
            return -1;
    }
    source->is_measured = true;
    return 0;
}

static int measure(struct item_source *source, struct item_room *room, struct error *err)
{
    int rc = 0;

    pthread_mutex_lock(&source->lock);
    if (!source->is_measured)
        rc = run_passes(source, room, err);
    pthread_mutex_unlock(&source->lock);
    return rc;
}

/* ---- reading ---- */

static size_t item_bytes(const struct item_source *source)
{
    return dtype_info(source->maker.item->out.dtype)->n_bits / 8;
}

/* Items first … end - 1, block by block; a block is made whole, and what is asked for copied. */
static int read_items(const struct item_source *source, size_t first, size_t end, char *out,
                      struct item_room *room, struct error *err)
{
    const struct item_maker *maker = &source->maker;
    size_t block = block_items(maker), bytes = item_bytes(source);

    while (first < end) {
        size_t begin = maker->grain_items ? first / maker->grain_items * maker->grain_items : first;
        size_t left = (maker->grain_items ? maker->item->out.n_items : end) - begin;
        size_t n = left < block ? left : block;
        size_t stop = begin + n < end ? begin + n : end;

        if (item_read(maker, begin, n, room, err))
            return -1;
        item_combine(maker, begin, n, room, room->out);
        memcpy(out, room->out + (first - begin) * bytes, (stop - first) * bytes);
        out += (stop - first) * bytes;
        first = stop;
    }
    return 0;
}

static int item_source_read(const struct tensor_source *base, size_t offset, size_t n_bytes,
                            void *out, struct error *err)
{
    struct item_source *source = (struct item_source *)base;
    size_t bytes = item_bytes(source);
    struct item_room room;
    int rc = room_init(&room, &source->maker, err);

    if (rc == 0)
        rc = measure(source, &room, err);
    if (rc == 0)
        rc = read_items(source, offset / bytes, (offset + n_bytes) / bytes, out, &room, err);
    room_release(&room);
    return rc;
}

/* The files of all that goes in, each once. */
static void item_source_describe(const struct tensor_source *base, struct buffer *out)
{
    const struct plan_item *item = ((const struct item_source *)base)->maker.item;

    for (size_t i = 0; i < item->n_sources; i++) {
        const struct tensor_source *file = item->sources[i].tensor->source;
        size_t k = 0;

        while (k < i && item->sources[k].tensor->source != file)
            k++;
        if (k < i)
            continue;
        if (i > 0)
            buffer_add_text(out, ", ");
        file->kind->describe(file, out);
    }
}

static const struct tensor_source_kind item_source_kind = {.read = item_source_read,
                                                           .describe = item_source_describe};

void item_source_make(struct tensor *tensor, const struct plan_item *item, struct arena *arena)
{
    struct item_source *source;
    size_t max_sums = 0;

    if (!item->method) { /* there is nothing to make */
        *tensor = *item->sources[0].tensor;
        tensor->name = item->out.name;
        return;
    }
    source = arena_alloc(arena, sizeof *source);
    source->source.kind = &item_source_kind;
    pthread_mutex_init(&source->lock, NULL);
    item_maker_init(&source->maker, item, arena);
    source->is_measured = source->maker.n_passes == 0;
    for (size_t p = 0; p < source->maker.n_passes; p++)
        max_sums = source->maker.facts[p].n_sums > max_sums ? source->maker.facts[p].n_sums
                                                            : max_sums;
    source->sums = arena_alloc(arena, max_sums * sizeof *source->sums);
    *tensor = (struct tensor){.name = item->out.name, .dtype = item->out.dtype,
                              .n_dims = item->out.n_dims, .shape = item->out.shape,
                              .n_items = item->out.n_items, .size_bytes = item->out.size_bytes,
                              .source = &source->source};
}
