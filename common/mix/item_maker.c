#include "item_maker.h"

#include <assert.h>
#include <string.h>

#include "base/interrupt.h"
#include "tensor/dtype.h"
#include "tensor/tensor_source.h"

static size_t row_items(const struct output_tensor *out)
{
    size_t n = out->n_dims ? out->shape[out->n_dims - 1] : 1;

    return n ? n : 1;
}

static struct combine_call size_call(const struct plan_item *item)
{
    return (struct combine_call){.out = &item->out, .n_inputs = item->n_sources,
                                 .settings = item->settings};
}

void item_pass_size(const struct plan_item *item, size_t pass, size_t *n_sums, size_t *n_counts)
{
    struct combine_call call = size_call(item);

    *n_sums = *n_counts = 0;
    item->method->passes[pass].size(&call, n_sums, n_counts);
}

static size_t kept_bytes(const struct plan_item *item, size_t pass, size_t grain_items)
{
    const struct combine_pass *own = &item->method->passes[pass];
    struct combine_call call = size_call(item);

    return own->kept_bytes && !item_is_staged(item) ? own->kept_bytes(&call, grain_items) : 0;
}

/* Small enough for the second-level cache with a few models, and the least that is read at once
 * anyway (another number would change the last bits of what is measured); but large enough for the
 * sums of all grains to take no more memory than the items. */
static size_t wanted_items(const struct plan_item *item)
{
    size_t items = COMBINE_GRAIN_ITEMS, n_sums, n_counts;

    for (size_t p = 0; p < item->method->n_passes; p++) {
        item_pass_size(item, p, &n_sums, &n_counts);
        if (!item->method->passes[p].keeps_own && items < n_sums * sizeof(double))
            items = n_sums * sizeof(double);
    }
    return items;
}

static bool wants_rows(const struct plan_item *item)
{
    const struct combine_method *method = item->method;

    return method->wants_rows ? method->wants_rows(item->settings) : method->unit == COMBINE_ROWS;
}

size_t item_grain(const struct plan_item *item)
{
    size_t row, wanted;

    if (!item->method || (!wants_rows(item) && !item->method->n_passes))
        return 0;
    row = wants_rows(item) ? row_items(&item->out) : 1;
    wanted = wanted_items(item);
    return row < wanted ? wanted / row * row : row;
}

size_t item_n_inputs(const struct plan_item *item)
{
    return 2 * (item->n_sources + 1);
}

/* As many as the item has, of 8 bytes each: the sources, the base, the result; then the scratch, first
 * that for the inputs. */
static size_t n_arrays(const struct plan_item *item)
{
    return item->n_sources + (item->base.tensor != NULL) + 1;
}

static size_t input_scratch_bytes(const struct plan_item *item)
{
    return item->method ? item->n_sources * item->method->scratch_input_bytes : 0;
}

size_t item_room_bytes(const struct plan_item *item, size_t n)
{
    size_t scratch = item->method ? item->method->scratch_item_bytes : 0;

    return n * (n_arrays(item) * ITEM_BYTES_MAX + scratch) + input_scratch_bytes(item) +
           (item->method ? item->method->scratch_bytes : 0);
}

static size_t count_grains(const struct plan_item *item)
{
    size_t grain = item_grain(item);

    return grain ? item->out.n_items / grain + (item->out.n_items % grain != 0) : 0;
}

static size_t n_kept_sums(const struct plan_item *item, size_t pass)
{
    const struct combine_pass *own = &item->method->passes[pass];

    return own->keeps_before || own->keeps_own ? count_grains(item) : 0;
}

size_t item_facts_bytes(const struct plan_item *item)
{
    size_t bytes = 0, n_sums, n_counts, n_grains = count_grains(item);

    for (size_t p = 0; item->method && p < item->method->n_passes; p++) {
        item_pass_size(item, p, &n_sums, &n_counts);
        bytes += (1 + n_kept_sums(item, p)) * n_sums * sizeof(double) + n_counts * sizeof(size_t) +
                 n_grains * kept_bytes(item, p, item_grain(item));
    }
    return bytes;
}

void item_maker_init(struct item_maker *maker, const struct plan_item *item, struct arena *arena)
{
    *maker = (struct item_maker){.item = item, .grain_items = item_grain(item),
                                 .n_passes = item->method ? item->method->n_passes : 0};
    assert(maker->n_passes <= COMBINE_PASSES_MAX);
    maker->n_grains = count_grains(item);
    maker->inputs = arena_alloc(arena, item_n_inputs(item) * sizeof *maker->inputs);
    maker->facts = arena_alloc(arena, maker->n_passes * sizeof *maker->facts);
    for (size_t p = 0; p < maker->n_passes; p++) {
        struct item_facts *facts = &maker->facts[p];

        item_pass_size(item, p, &facts->n_sums, &facts->n_counts);
        facts->sums = arena_alloc(arena, facts->n_sums * sizeof *facts->sums);
        facts->counts = arena_alloc(arena, facts->n_counts * sizeof *facts->counts);
        if (n_kept_sums(item, p))
            facts->before = arena_alloc(arena, n_kept_sums(item, p) * facts->n_sums *
                                                   sizeof *facts->before);
        facts->kept_bytes = kept_bytes(item, p, maker->grain_items);
        if (facts->kept_bytes)
            facts->kept = arena_alloc(arena, maker->n_grains * facts->kept_bytes);
    }
}

/* ---- units ---- */

/* What the items of a row may take, when it is held. */
static const size_t held_bytes = 4 * 1024 * 1024;

static size_t n_columns(const struct plan_item *item)
{
    const struct combine_stages *stages = item->method ? item->method->stages : NULL;
    struct combine_call call = size_call(item);

    return stages && stages->n_columns ? stages->n_columns(&call) : 0;
}

bool item_is_staged(const struct plan_item *item)
{
    return item->method && item->method->stages && item->out.n_items > 0 &&
           (n_columns(item) || (wants_rows(item) &&
                                item_room_bytes(item, row_items(&item->out)) > held_bytes));
}

size_t item_state_bytes(const struct plan_item *item)
{
    struct combine_call call = size_call(item);

    return item_is_staged(item) ? item->method->stages->state_bytes(&call) : 0;
}

size_t item_n_units(const struct plan_item *item)
{
    size_t columns = n_columns(item);

    return columns ? (columns + COMBINE_COLUMNS - 1) / COMBINE_COLUMNS
                   : item->out.n_items / row_items(&item->out);
}

bool item_find_piece(const struct plan_item *item, size_t unit, size_t k, size_t *first, size_t *n)
{
    size_t columns = n_columns(item), length = columns ? columns : row_items(&item->out), begin;

    if (columns > COMBINE_COLUMNS) {
        *first = k * columns + unit * COMBINE_COLUMNS;
        *n = columns - unit * COMBINE_COLUMNS;
        *n = *n < COMBINE_COLUMNS ? *n : COMBINE_COLUMNS;
        return *first < item->out.n_items;
    }
    /* All columns are one unit, and whole rows its pieces. */
    length = columns ? item->out.n_items : length;
    begin = k * (columns ? ITEM_PIECE / columns * columns : ITEM_PIECE);
    if (begin >= length)
        return false;
    *first = unit * length + begin;
    *n = columns ? ITEM_PIECE / columns * columns : ITEM_PIECE;
    *n = length - begin < *n ? length - begin : *n;
    return true;
}

void item_locate(const struct plan_item *item, size_t place, size_t *unit, size_t *k)
{
    size_t columns = n_columns(item), row = row_items(&item->out);

    if (columns > COMBINE_COLUMNS) {
        *unit = place % columns / COMBINE_COLUMNS;
        *k = place / columns;
    } else if (columns) {
        *unit = 0;
        *k = place / (ITEM_PIECE / columns * columns);
    } else {
        *unit = place / row;
        *k = place % row / ITEM_PIECE;
    }
}

/* ---- reading ---- */

static bool takes_part(const struct plan_item *item, const struct plan_source *source)
{
    return !item->method || !item->method->skips_zero_weights || source->weight != 0;
}

static int read_source(const struct plan_source *source, size_t first, size_t n, char *bytes,
                       struct combine_input *input, struct error *err)
{
    if (tensor_read(source->tensor, first, n, bytes, err))
        return source->owner ? error_context(err, "'%s'", source->owner) : -1;
    *input = (struct combine_input){bytes, source->tensor->dtype, source->weight, source->settings};
    return 0;
}

int item_read(const struct item_maker *maker, size_t first, size_t n, struct item_room *room,
              struct error *err)
{
    const struct plan_item *item = maker->item;
    char *bytes = room->bytes;

    room->n_inputs = 0;
    room->out = bytes + n * (n_arrays(item) - 1) * ITEM_BYTES_MAX;
    room->input_scratch = room->out + n * ITEM_BYTES_MAX;
    room->scratch = room->input_scratch + input_scratch_bytes(item);
    for (size_t i = 0; i < item->n_sources; i++) {
        if (!takes_part(item, &item->sources[i]))
            continue;
        if (read_source(&item->sources[i], first, n, bytes, &room->inputs[room->n_inputs++], err))
            return -1;
        bytes += n * ITEM_BYTES_MAX;
    }
    return item->base.tensor ? read_source(&item->base, first, n, bytes,
                                           &room->inputs[room->n_inputs], err)
                             : 0;
}

/* The inputs as item_read has them, but for their values. */
static struct item_room unread(const struct item_maker *maker)
{
    const struct plan_item *item = maker->item;
    struct item_room room = {.inputs = maker->inputs};

    for (size_t i = 0; i <= item->n_sources; i++) {
        const struct plan_source *source = i < item->n_sources ? &item->sources[i] : &item->base;

        if (i < item->n_sources ? takes_part(item, source) : source->tensor != NULL)
            room.inputs[room.n_inputs++] = (struct combine_input){
                NULL, source->tensor->dtype, source->weight, source->settings};
    }
    room.n_inputs -= item->base.tensor != NULL;
    return room;
}

/* ---- calls ---- */

/* What the first n_passes passes know in front of a grain. */
static void list_facts(const struct item_maker *maker, size_t n_passes, size_t grain,
                       struct combine_facts *out)
{
    for (size_t p = 0; p < n_passes; p++) {
        const struct item_facts *facts = &maker->facts[p];

        out[p] = (struct combine_facts){facts->sums, facts->counts,
                                        facts->before ? facts->before + grain * facts->n_sums
                                                      : NULL,
                                        facts->kept ? facts->kept + grain * facts->kept_bytes
                                                    : NULL};
    }
}

/* A call for `n` items from `first` on, which the room's inputs point to. */
static struct combine_call range_call(const struct item_maker *maker, size_t first, size_t n,
                                      const struct item_room *room,
                                      const struct combine_facts *facts)
{
    const struct plan_item *item = maker->item;

    return (struct combine_call){
        .out = &item->out,
        .base = item->base.tensor ? &room->inputs[room->n_inputs] : NULL,
        .inputs = room->inputs,
        .n_inputs = room->n_inputs,
        .settings = item->settings,
        .first = first,
        .n = n,
        .facts = facts,
        .scratch = room->scratch,
        .input_scratch = room->input_scratch,
        .spare = &room->inputs[room->n_inputs + 1],
        .seed = item->seed,
        .state = item_is_staged(item) ? room->state : NULL,
    };
}

static size_t item_bytes(enum dtype dtype)
{
    return dtype_info(dtype)->n_bits / 8;
}

static void advance(const struct item_maker *maker, struct item_room *room, size_t n)
{
    for (size_t i = 0; i < room->n_inputs + (maker->item->base.tensor != NULL); i++)
        room->inputs[i].values = (const char *)room->inputs[i].values +
                                 n * item_bytes(room->inputs[i].dtype);
}

void item_measure(const struct item_maker *maker, size_t pass, size_t first, size_t n,
                  struct item_room *room, double *sums, size_t *counts)
{
    struct combine_facts facts[COMBINE_PASSES_MAX];

    for (size_t end = first + n, step; first < end; first += step) {
        struct combine_call call;

        step = end - first < maker->grain_items ? end - first : maker->grain_items;
        list_facts(maker, pass + 1, first / maker->grain_items, facts);
        call = range_call(maker, first, step, room, facts);
        maker->item->method->passes[pass].measure(&call, sums, counts);
        sums += maker->facts[pass].n_sums;
        advance(maker, room, step);
    }
}

void item_add_grain(struct item_maker *maker, size_t pass, size_t grain, const double *sums)
{
    struct item_facts *facts = &maker->facts[pass];
    bool keeps_own = maker->item->method->passes[pass].keeps_own;

    if (keeps_own)
        memcpy(facts->before + grain * facts->n_sums, sums, facts->n_sums * sizeof *sums);
    else if (facts->before)
        memcpy(facts->before + grain * facts->n_sums, facts->sums,
               facts->n_sums * sizeof *facts->sums);
    for (size_t i = 0; !keeps_own && i < facts->n_sums; i++)
        facts->sums[i] += sums[i];
}

/* A call without a range, for which the first n_passes passes are done. */
static struct combine_call whole_call(const struct item_maker *maker, size_t n_passes,
                                      struct combine_facts *facts)
{
    struct item_room room = unread(maker);

    list_facts(maker, n_passes, 0, facts);
    return range_call(maker, 0, 0, &room, facts);
}

bool item_pass_is_needed(const struct item_maker *maker, size_t pass)
{
    struct combine_facts facts[COMBINE_PASSES_MAX];
    struct combine_call call;

    if (pass >= maker->n_passes)
        return false;
    call = whole_call(maker, pass, facts);
    return !maker->item->method->passes[pass].is_needed ||
           maker->item->method->passes[pass].is_needed(&call);
}

void item_conclude(struct item_maker *maker, size_t pass)
{
    const struct combine_pass *row = &maker->item->method->passes[pass];
    struct combine_facts facts[COMBINE_PASSES_MAX];
    struct combine_call call = whole_call(maker, pass, facts);

    if (row->conclude)
        row->conclude(&call, maker->facts[pass].sums, maker->facts[pass].counts);
}

void item_combine(const struct item_maker *maker, size_t first, size_t n, struct item_room *room,
                  void *out)
{
    size_t grain = maker->grain_items ? maker->grain_items : n;
    struct combine_facts facts[COMBINE_PASSES_MAX];
    char *place = out;

    for (size_t end = first + n, step; first < end; first += step) {
        struct combine_call call;

        step = end - first < grain ? end - first : grain;
        list_facts(maker, maker->n_passes, first / grain, facts);
        call = range_call(maker, first, step, room, facts);
        maker->item->method->combine(&call, place);
        place += step * item_bytes(maker->item->out.dtype);
        advance(maker, room, step);
    }
}

static bool wants_stage(const struct combine_call *call, const struct combine_stages *stages,
                        size_t pass)
{
    return !stages->is_needed || stages->is_needed(call, pass);
}

int item_stage(const struct item_maker *maker, size_t pass, size_t unit, struct item_room *room,
               struct error *err)
{
    const struct combine_stages *stages = maker->item->method->stages;
    void *state = room->state;
    bool goes_on = true;

    memset(state, 0, item_state_bytes(maker->item));
    while (goes_on) {
        struct combine_facts facts[COMBINE_PASSES_MAX];
        struct combine_call call = {0};
        size_t first, n;

        for (size_t k = 0; item_find_piece(maker->item, unit, k, &first, &n); k++) {
            if (interrupt_check(err) || item_read(maker, first, n, room, err))
                return -1;
            list_facts(maker, pass, maker->grain_items ? first / maker->grain_items : 0, facts);
            call = range_call(maker, first, n, room, facts);
            if (!wants_stage(&call, stages, pass))
                return 0;
            stages->look(&call, state);
        }
        goes_on = stages->turn && stages->turn(&call, state);
    }
    return 0;
}
