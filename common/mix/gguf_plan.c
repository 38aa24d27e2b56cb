#include "gguf_plan.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/gguf_settings.h"
#include "arch/tensor_names.h"
#include "base/hash.h"
#include "base/memory.h"
#include "mix/item_source.h"
#include "tensor/q8_0.h"
#include "tensor/tensor_made.h"
#include "tensor/tensor_source.h"

/* One tensor of the file: of one item, or of that of each expert. */
struct entry {
    const char *name;
    enum gguf_how how;
    struct plan_item **parts; /* [n_parts] */
    size_t n_parts;
};

struct maker {
    struct plan *plan, *from;
    const struct gguf_plan_options *options;
    struct notices *notices;
    struct entry *entries;
    size_t n_entries, capacity;
    struct hash_map by_name; /* of entries */
    struct error *err;
};

/* ---- names ---- */

/* Mixtures in the spelling of transformers 5: of all experts at once, without an ending; and a router
 * that Mixtral has elsewhere. */
static const struct fused {
    const char *hf; /* behind the number of the layer */
    const char *gguf;
    enum gguf_how how;
} fused[] = {
    {"mlp.experts.gate_up_proj", "ffn_gate_exps", GGUF_GATE_ROWS},
    {"mlp.experts.gate_up_proj", "ffn_up_exps", GGUF_UP_ROWS},
    {"mlp.experts.down_proj", "ffn_down_exps", GGUF_AS_IS},
    {"block_sparse_moe.experts.gate_up_proj", "ffn_gate_exps", GGUF_GATE_ROWS},
    {"block_sparse_moe.experts.gate_up_proj", "ffn_up_exps", GGUF_UP_ROWS},
    {"block_sparse_moe.experts.down_proj", "ffn_down_exps", GGUF_AS_IS},
    {"mlp.gate.weight", "ffn_gate_inp", GGUF_AS_IS},
};

/* As the table of names spells it. */
static void spell(const struct maker *maker, const char *name, struct buffer *out)
{
    unsigned set = maker->options->architecture->set;
    struct buffer plain = {0};

    tensor_names_plain(name, &plain);
    buffer_clear(out);
    if (!(set & GGUF_BERT) && strncmp(plain.data, "lm_head.", 8) != 0)
        buffer_add_text(out, set & GGUF_GPT2 ? "transformer." : "model.");
    buffer_add_text(out, plain.data);
    buffer_release(&plain);
}

static struct entry *find_entry(struct maker *maker, const char *name, enum gguf_how how,
                                size_t n_parts)
{
    size_t length = strlen(name), *found = hash_map_find(&maker->by_name, name, length);
    struct entry *entry;

    if (found)
        return &maker->entries[*found];
    if (maker->n_entries == maker->capacity) {
        maker->capacity = maker->capacity ? 2 * maker->capacity : 64;
        maker->entries = memory_resize(maker->entries, maker->capacity, sizeof *maker->entries);
    }
    entry = &maker->entries[maker->n_entries];
    *entry = (struct entry){
        .name = arena_copy(&maker->plan->arena, name, length), .how = how, .n_parts = n_parts,
        .parts = arena_alloc(&maker->plan->arena, n_parts * sizeof *entry->parts)};
    hash_map_add(&maker->by_name, entry->name, length, maker->n_entries++);
    return entry;
}

/* Whether the item is one of `fused`, and its entries, which are added. */
static bool add_fused(struct maker *maker, struct plan_item *item, const char *spelled)
{
    struct name_layer layer;
    bool is_one = false;

    if (!(maker->options->architecture->set & GGUF_EXPERTS) ||
        !tensor_names_find_layer(spelled, &layer))
        return false;
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++)
        if (strcmp(spelled + layer.start + layer.length + 1, fused[i].hf) == 0) {
            char *name = memory_format("blk.%zu.%s.weight", layer.number, fused[i].gguf);

            find_entry(maker, name, fused[i].how, 1)->parts[0] = item;
            free(name);
            is_one = true;
        }
    return is_one;
}

static void add_entry(struct maker *maker, struct plan_item *item, const struct gguf_place *place)
{
    bool is_stacked = place->name->how == GGUF_STACKED;
    size_t n_parts = is_stacked ? maker->options->spec->stack.moe.n_experts : 1;
    struct buffer name = {0};

    gguf_names_add(&name, place->name->gguf, place);
    if (place->expert < n_parts)
        find_entry(maker, name.data, place->name->how, n_parts)->parts[place->expert] = item;
    buffer_release(&name);
}

/* Of a matrix that becomes two: the row of the second. */
static const struct gguf_name *find_up(const struct maker *maker, const struct gguf_name *gate)
{
    const struct gguf_name *name;

    for (size_t i = 0; (name = gguf_names_next(maker->options->architecture, &i));)
        if (name->how == GGUF_UP_ROWS && strcmp(name->hf, gate->hf) == 0)
            return name;
    return NULL;
}

/* What an encoder can have besides, which its vectors do not depend on. */
static bool is_left_out(const struct maker *maker, const char *name)
{
    struct buffer plain = {0};
    bool result;

    tensor_names_plain(name, &plain);
    result = maker->options->architecture->set & GGUF_BERT &&
             (tensor_names_is_pooler(plain.data) || strncmp(plain.data, "cls.", 4) == 0);
    buffer_release(&plain);
    return result;
}

static bool may_have(const struct maker *maker, const struct gguf_place *place)
{
    unsigned set = maker->options->architecture->set;

    if (strcmp(place->name->gguf, "output") == 0 && set & (GGUF_GEMMA | GGUF_GEMMA2))
        return false;
    return strcmp(place->ending, ".bias") != 0 || place->name->biased & set;
}

static int place_item(struct maker *maker, struct plan_item *item, size_t *n_left_out)
{
    struct buffer spelled = {0};
    struct gguf_place place;
    int rc = 0;

    spell(maker, item->out.name, &spelled);
    if (add_fused(maker, item, spelled.data)) {
        /* it has its entries */
    } else if (gguf_names_find_hf(maker->options->architecture, spelled.data, &place) &&
               may_have(maker, &place)) {
        add_entry(maker, item, &place);
        if (place.name->how == GGUF_GATE_ROWS) {
            place.name = find_up(maker, place.name);
            add_entry(maker, item, &place);
        }
    } else if (is_left_out(maker, item->out.name)) {
        ++*n_left_out;
    } else if (item->is_parameter) {
        rc = error_set(maker->err, ERROR_UNSUPPORTED, "tensor '" ERROR_NAME "' has no place in a GGUF "
                       "file of architecture %s", item->out.name,
                       maker->options->architecture->name);
    }
    buffer_release(&spelled);
    return rc;
}

/* ---- tensors ---- */

/* Sources need what they are made of to stay where it is. */
static struct tensor *keep(struct maker *maker, const struct tensor *tensor)
{
    struct tensor *kept = arena_alloc(&maker->plan->arena, sizeof *kept);

    *kept = *tensor;
    return kept;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Tables and routers are never stored in fewer bits. */
static bool is_small(const char *name)
{
    static const char *const endings[] = {"ffn_gate_inp.weight", "position_embd.weight",
                                          "token_types.weight"};

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i]))
            return true;
    return false;
}

/* A matrix of one row is a vector in GGUF. */
static bool is_flat(const struct entry *entry, const struct output_tensor *item)
{
    return item->n_dims == 2 && item->shape[0] == 1 &&
           ends_with(entry->name, ".ffn_gate_inp_shexp.weight");
}

/* The length of a row as the file has it; 0: it is a vector. */
static size_t row_of(const struct entry *entry)
{
    const struct output_tensor *item = &entry->parts[0]->out;

    if (item->n_dims < 2 || is_flat(entry, item))
        return 0;
    return item->shape[entry->how == GGUF_TURNED ? 0 : item->n_dims - 1];
}

static void choose(const struct maker *maker, const struct entry *entry, struct output_tensor *out)
{
    const struct gguf_plan_options *options = maker->options;
    size_t row = row_of(entry);

    out->dtype = options->dtype;
    if (row == 0 || is_small(entry->name)) {
        out->dtype = DTYPE_F32;
    } else if (options->packs) {
        bool is_whole = row % Q8_0_ITEMS == 0;

        out->dtype = is_whole ? DTYPE_F32 : DTYPE_F16;
        out->packing = is_whole ? OUTPUT_Q8_0 : OUTPUT_PLAIN;
    }
}

/* What an item makes, looked at when it is first read: until then its weights and settings may change,
 * and what a method measures depends on them. */
struct late_source {
    struct tensor_source source;
    const struct plan_item *item;
    struct plan *plan;
    pthread_mutex_t lock;
    bool is_made;
    struct tensor made;
};

static int late_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                     struct error *err)
{
    /* For the arena, which all have in common. */
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    struct late_source *late = (struct late_source *)source;

    pthread_mutex_lock(&late->lock);
    if (!late->is_made) {
        pthread_mutex_lock(&making);
        item_source_make(&late->made, late->item, &late->plan->arena);
        pthread_mutex_unlock(&making);
        late->is_made = true;
    }
    pthread_mutex_unlock(&late->lock);
    return late->made.source->kind->read(late->made.source, offset, n_bytes, out, err);
}

static void late_describe(const struct tensor_source *source, struct buffer *out)
{
    const struct tensor *first = ((const struct late_source *)source)->item->sources[0].tensor;

    first->source->kind->describe(first->source, out);
}

static const struct tensor_source_kind late_kind = {.read = late_read, .describe = late_describe};

static struct tensor make_late(struct maker *maker, const struct plan_item *item)
{
    struct late_source *late = arena_alloc(&maker->plan->arena, sizeof *late);
    const struct output_tensor *out = &item->out;

    *late = (struct late_source){.source = {&late_kind}, .item = item, .plan = maker->plan};
    pthread_mutex_init(&late->lock, NULL);
    return (struct tensor){.dtype = out->dtype, .n_dims = out->n_dims, .shape = out->shape,
                           .n_items = out->n_items, .size_bytes = out->size_bytes,
                           .source = &late->source};
}

/* What the item makes; of a copy what it is made of. */
static int make_part(struct maker *maker, struct plan_item *item, enum dtype dtype,
                     struct tensor **part)
{
    const struct tensor *source = item->sources[0].tensor;
    struct tensor made;

    if (!dtype_info(source->dtype)->is_mixable)
        return error_set(maker->err, ERROR_UNSUPPORTED, "'%s': tensor '" ERROR_NAME "': numbers of type "
                         "%s have no place in a GGUF file", maker->options->name, source->name,
                         dtype_info(source->dtype)->name);
    if (maker->options->is_copy || !item->method) {
        made = *source;
    } else {
        item->out.dtype = dtype;
        if (output_tensor_measure(&item->out, maker->err))
            return -1;
        made = make_late(maker, item);
    }
    made.name = item->out.name;
    *part = keep(maker, &made);
    return 0;
}

/* For each expert, rows of the first or the second half of a tensor [E, 2 I, H]. */
static int take_rows(struct maker *maker, const struct tensor *tensor, bool is_up, struct tensor *out)
{
    size_t shape[3], strides[3];

    if (tensor->n_dims != 3 || tensor->shape[1] % 2)
        return error_set(maker->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': has no rows of gate and "
                         "up", tensor->name);
    memcpy(shape, (size_t[]){tensor->shape[0], tensor->shape[1] / 2, tensor->shape[2]}, sizeof shape);
    memcpy(strides, (size_t[]){tensor->shape[1] * tensor->shape[2], tensor->shape[2], 1},
           sizeof strides);
    return tensor_part(out, tensor, is_up ? shape[1] * shape[2] : 0, 3, shape, strides,
                       &maker->plan->arena, maker->err);
}

/* The experts one behind the other. */
static int stack(struct maker *maker, const struct entry *entry, struct tensor *const *parts,
                 struct tensor *out)
{
    size_t *shape = arena_alloc(&maker->plan->arena, 3 * sizeof *shape);

    if (parts[0]->n_dims != 2)
        return error_set(maker->err, ERROR_FORMAT, "tensor '" ERROR_NAME "': is no matrix",
                         parts[0]->name);
    if (tensor_join(out, entry->name, (const struct tensor *const *)parts, entry->n_parts, 0,
                    &maker->plan->arena, maker->err))
        return -1;
    shape[0] = entry->n_parts;
    shape[1] = parts[0]->shape[0];
    shape[2] = parts[0]->shape[1];
    out->n_dims = 3; /* the same items in the same order */
    out->shape = shape;
    return 0;
}

static int change(struct maker *maker, const struct entry *entry, struct tensor *const *parts,
                  struct tensor *out)
{
    const struct stack_spec *spec = &maker->options->spec->stack;
    struct arena *arena = &maker->plan->arena;
    const struct tensor *part = parts[0];

    switch (entry->how) {
    case GGUF_PAIRS_OF_Q: return tensor_to_pairs(out, part, spec->n_heads, arena, maker->err);
    case GGUF_PAIRS_OF_K: return tensor_to_pairs(out, part, spec->n_kv_heads, arena, maker->err);
    case GGUF_PLUS_1: return tensor_add(out, part, 1, arena, maker->err);
    case GGUF_TURNED:
        if (part->n_dims == 2)
            return tensor_turn(out, part, arena, maker->err);
        break;
    case GGUF_STACKED: return stack(maker, entry, parts, out);
    case GGUF_GATE_ROWS: return take_rows(maker, part, false, out);
    case GGUF_UP_ROWS: return take_rows(maker, part, true, out);
    default: break;
    }
    *out = *part;
    return 0;
}

static int check_parts(struct maker *maker, const struct entry *entry)
{
    for (size_t i = 0; i < entry->n_parts; i++)
        if (!entry->parts[i])
            return error_set(maker->err, ERROR_FORMAT, "'%s': no expert %zu for tensor '" ERROR_NAME
                             "'", maker->options->name, i, entry->name);
    return 0;
}

/* An item whose values are those of the tensor, rounded to what the file has. */
static int add_item(struct maker *maker, const struct tensor *tensor, const struct output_tensor *out,
                    bool is_parameter)
{
    struct plan_item *item = plan_add_item(maker->plan, out, 1, maker->err);

    if (!item)
        return -1;
    item->is_parameter = is_parameter;
    item->method = &combine_convert;
    item->sources[0] = (struct plan_source){.tensor = tensor, .owner = maker->options->name,
                                            .weight = 1};
    return 0;
}

static int make_entry(struct maker *maker, const struct entry *entry)
{
    struct tensor **parts = arena_alloc(&maker->plan->arena, entry->n_parts * sizeof *parts), made;
    struct output_tensor out = {.name = entry->name};

    if (check_parts(maker, entry))
        return -1;
    choose(maker, entry, &out);
    for (size_t i = 0; i < entry->n_parts; i++)
        if (make_part(maker, entry->parts[i], entry->how == GGUF_PLUS_1 ? DTYPE_F32 : out.dtype,
                      &parts[i]))
            return -1;
    if (change(maker, entry, parts, &made))
        return -1;
    out.n_dims = made.n_dims - (row_of(entry) == 0 && made.n_dims == 2);
    out.shape = made.shape + (made.n_dims - out.n_dims);
    return add_item(maker, keep(maker, &made), &out, true);
}

/* ---- factors of rotary embeddings ---- */

struct floats_source {
    struct tensor_source source;
    float *items;
};

static int floats_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                       struct error *err)
{
    (void)err;
    memcpy(out, (const char *)((const struct floats_source *)source)->items + offset, n_bytes);
    return 0;
}

static void floats_describe(const struct tensor_source *source, struct buffer *out)
{
    (void)source;
    buffer_add_text(out, "computed from the settings");
}

static const struct tensor_source_kind floats_kind = {.read = floats_read,
                                                      .describe = floats_describe};

/* A tensor of n floats, to be filled in. */
static int add_floats(struct maker *maker, const char *name, size_t n, float **items)
{
    struct arena *arena = &maker->plan->arena;
    struct floats_source *source = arena_alloc(arena, sizeof *source);
    struct tensor *tensor = arena_alloc(arena, sizeof *tensor);
    size_t *shape = arena_alloc(arena, sizeof *shape);
    struct output_tensor out = {.name = name, .dtype = DTYPE_F32, .n_dims = 1, .shape = shape};

    *shape = n;
    *items = arena_alloc(arena, n * sizeof **items);
    *source = (struct floats_source){{&floats_kind}, *items};
    *tensor = (struct tensor){.name = name, .dtype = DTYPE_F32, .n_dims = 1, .shape = shape,
                              .source = &source->source};
    if (tensor_measure(tensor, maker->err))
        return -1;
    return add_item(maker, tensor, &out, false);
}

static int add_factors(struct maker *maker, const char *name, const double *factors, size_t n)
{
    float *items;

    if (add_floats(maker, name, n, &items))
        return -1;
    for (size_t i = 0; i < n; i++)
        items[i] = (float)factors[i];
    return 0;
}

static int add_rope(struct maker *maker)
{
    const struct stack_spec *spec = &maker->options->spec->stack;
    const struct rope_spec *rope = &spec->rope[0];
    float *items;

    if (spec->position != POSITION_ROTARY)
        return 0;
    if (rope->kind == ROPE_LLAMA3) {
        if (add_floats(maker, "rope_freqs.weight", rope->n_dims / 2, &items))
            return -1;
        gguf_settings_rope_freqs(rope, items);
    }
    if (rope->kind == ROPE_LONGROPE)
        return add_factors(maker, "rope_factors_long.weight", rope->long_factors, rope->n_dims / 2) ||
                       add_factors(maker, "rope_factors_short.weight", rope->short_factors,
                                   rope->n_dims / 2)
                   ? -1
                   : 0;
    return 0;
}

/* ---- all ---- */

static int make_all(struct maker *maker)
{
    size_t n_left_out = 0;

    for (size_t i = 0; i < maker->from->n_items; i++)
        if (place_item(maker, &maker->from->items[i], &n_left_out))
            return error_context(maker->err, "'%s'", maker->options->name);
    for (size_t i = 0; i < maker->n_entries; i++)
        if (make_entry(maker, &maker->entries[i]))
            return -1;
    if (n_left_out)
        notices_add(maker->notices, "'%s': %zu tensors of a pooler or of a head over words are left out: "
                    "a GGUF file has no place for them", maker->options->name, n_left_out);
    return add_rope(maker);
}

int gguf_plan_make(struct plan *plan, struct plan *from, const struct gguf_plan_options *options,
                   struct notices *notices, struct error *err)
{
    struct maker maker = {.plan = plan, .from = from, .options = options, .notices = notices,
                          .err = err};
    int rc;

    *plan = (struct plan){.method = from->method, .inputs = from->inputs,
                          .n_inputs = from->n_inputs, .has_base = from->has_base};
    rc = make_all(&maker);
    if (rc == 0)
        rc = plan_finish(plan, &gguf_writer, err);
    hash_map_release(&maker.by_name);
    free(maker.entries);
    if (rc)
        plan_release(plan);
    return rc;
}
