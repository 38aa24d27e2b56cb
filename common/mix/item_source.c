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

/* A unit on its way: its first pieces have been combined. */
struct staged {
    size_t unit, n_pieces; /* SIZE_MAX: none */
    void *state;
};

/* Of a source, all states that it remembers. */
static const size_t states_bytes = 4 * 1024 * 1024;

struct item_source {
    struct tensor_source source;
    struct item_maker maker;
    pthread_mutex_t lock; /* for measuring, once, and for units */
    bool is_measured;
    double *sums;         /* of one grain, for the largest pass */
    size_t n_staged;      /* 0: units are not staged */
    struct staged *staged; /* [n_staged]; unit u at u % n_staged */
};

static size_t block_items(const struct item_maker *maker)
{
    size_t grain = maker->grain_items;

    if (item_is_staged(maker->item))
        return ITEM_PIECE;
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

/* Unit by unit; of rows, each is a grain. */
static int run_units(struct item_source *source, size_t pass, struct item_room *room,
                     struct error *err)
{
    struct item_maker *maker = &source->maker;
    const struct item_facts *facts = &maker->facts[pass];
    size_t first, n;

    for (size_t u = 0; u < item_n_units(maker->item); u++) {
        if (item_stage(maker, pass, u, room, err))
            return -1;
        memset(source->sums, 0, facts->n_sums * sizeof *source->sums);
        for (size_t k = 0; item_find_piece(maker->item, u, k, &first, &n); k++) {
            if (item_read(maker, first, n, room, err))
                return -1;
            item_measure(maker, pass, first, n, room, source->sums, facts->counts);
        }
        item_add_grain(maker, pass, u, source->sums);
    }
    item_conclude(maker, pass);
    return 0;
}

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
        if (item_pass_is_needed(&source->maker, p) &&
            (source->n_staged ? run_units : run_pass)(source, p, room, err))
            return -1;
    }
    source->is_measured = true;
    return 0;
}

static int measure(struct item_source *source, struct item_room *room, struct error *err)
{
    int rc = 0;

    pthread_mutex_lock(&source->lock);
    if (source->n_staged)
        room->state = source->staged[0].state;
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
static int read_items(struct item_source *source, size_t first, size_t end, char *out,
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

/* A piece, combined to room->out: those in front of it must have been. */
static int make_piece(struct item_source *source, size_t unit, size_t k, struct item_room *room,
                      struct error *err)
{
    const struct item_maker *maker = &source->maker;
    struct staged *staged = &source->staged[unit % source->n_staged];
    bool is_new = staged->unit != unit || staged->n_pieces > k;
    size_t first, n;

    room->state = staged->state;
    if (is_new) {
        staged->unit = SIZE_MAX;
        if (item_stage(maker, maker->n_passes, unit, room, err))
            return -1;
        staged->n_pieces = 0;
    }
    for (staged->unit = SIZE_MAX; staged->n_pieces <= k; staged->n_pieces++) {
        item_find_piece(maker->item, unit, staged->n_pieces, &first, &n);
        if (item_read(maker, first, n, room, err))
            return -1;
        item_combine(maker, first, n, room, room->out);
    }
    staged->unit = unit;
    return 0;
}

static int read_units(struct item_source *source, size_t first, size_t end, char *out,
                      struct item_room *room, struct error *err)
{
    const struct plan_item *item = source->maker.item;
    size_t bytes = item_bytes(source), begin, n, stop, unit, k;

    for (; first < end; first = stop) {
        item_locate(item, first, &unit, &k);
        item_find_piece(item, unit, k, &begin, &n);
        stop = begin + n < end ? begin + n : end;
        if (make_piece(source, unit, k, room, err))
            return -1;
        memcpy(out, room->out + (first - begin) * bytes, (stop - first) * bytes);
        out += (stop - first) * bytes;
    }
    return 0;
}

static int read_locked(struct item_source *source, size_t first, size_t end, char *out,
                       struct item_room *room, struct error *err)
{
    int rc;

    pthread_mutex_lock(&source->lock);
    rc = read_units(source, first, end, out, room, err);
    pthread_mutex_unlock(&source->lock);
    return rc;
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
        rc = (source->n_staged ? read_locked : read_items)(
            source, offset / bytes, (offset + n_bytes) / bytes, out, &room, err);
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

static void make_states(struct item_source *source, struct arena *arena)
{
    const struct plan_item *item = source->maker.item;
    size_t bytes = item_state_bytes(item);

    if (!item_is_staged(item))
        return;
    source->n_staged = states_bytes / bytes < item_n_units(item) ? states_bytes / bytes
                                                                 : item_n_units(item);
    source->n_staged = source->n_staged ? source->n_staged : 1;
    source->staged = arena_alloc(arena, source->n_staged * sizeof *source->staged);
    for (size_t i = 0; i < source->n_staged; i++)
        source->staged[i] = (struct staged){SIZE_MAX, 0, arena_alloc(arena, bytes)};
}

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
    make_states(source, arena);
    *tensor = (struct tensor){.name = item->out.name, .dtype = item->out.dtype,
                              .n_dims = item->out.n_dims, .shape = item->out.shape,
                              .n_items = item->out.n_items, .size_bytes = item->out.size_bytes,
                              .source = &source->source};
}
