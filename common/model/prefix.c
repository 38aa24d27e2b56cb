#include "prefix.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Keys and values of a prefix; and tokens that must be spared to be worth two passes more, each of
 * which reads all weights. */
enum { BYTES_MAX = 256 << 20, SPARED_MIN = 128 };

void prefix_release(struct prefix *prefix)
{
    cache_free(prefix->cache);
    ids_release(&prefix->ids);
    *prefix = (struct prefix){0};
}

size_t prefix_limit(const struct model *model)
{
    const struct stack_spec *stack = &model->spec.stack;
    size_t n_floats = stack->n_layers * cache_token_floats(stack);

    if (!stack->is_causal || model->spec.is_encoder_decoder || model_needs_whole_prompts(model))
        return 0;
    return BYTES_MAX / sizeof(float) / n_floats;
}

size_t prefix_common(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    size_t n = n_a < n_b ? n_a : n_b, i = 0;

    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* ---- one ---- */

/* Rows of `hidden` that nobody needs. */
static float *take_rows(struct model *model, size_t n, struct error *err)
{
    return workspace_take(&model->engine.workspace, n, model->spec.hidden_size * sizeof(float),
                          "hidden states", err);
}

int prefix_set(struct prefix *prefix, struct model *model, const uint32_t *ids, size_t n,
               float *hidden, struct error *err)
{
    struct workspace *workspace = &model->engine.workspace;
    size_t mark = workspace_mark(workspace);
    size_t n_kept = prefix_common(prefix->ids.items, prefix->ids.n_items, ids, n);
    size_t n_new = n - n_kept;
    const struct batch_rows none = {0};
    struct batch batch = {.ids = ids + n_kept, .ends = &n_new, .n_sequences = 1,
                          .caches = &prefix->cache, .wanted = hidden ? NULL : &none};
    int rc = 0;

    if (!prefix->cache)
        prefix->cache = cache_new(&model->spec.stack);
    cache_truncate(prefix->cache, n_kept);
    prefix->ids.n_items = n_kept;
    if (n_new) {
        hidden = hidden ? hidden + n_kept * model->spec.hidden_size : take_rows(model, n_new, err);
        rc = hidden ? model_run(model, &batch, hidden, err) : -1;
    }
    for (size_t i = n_kept; rc == 0 && i < n; i++)
        ids_add(&prefix->ids, ids[i]);
    workspace_return(workspace, mark);
    return rc;
}

size_t prefix_choose(const size_t *common, size_t n, size_t n_there, size_t *n_members)
{
    size_t length = SIZE_MAX, best = SPARED_MIN - 1, chosen = 0;

    *n_members = 1;
    for (size_t i = 0; i < n; i++) {
        length = common[i] < length ? common[i] : length;
        if (length <= n_there)
            break;
        if ((i + 1) * (length - n_there) > best) {
            best = (i + 1) * (length - n_there);
            chosen = length;
            *n_members = i + 2;
        }
    }
    return chosen;
}

bool prefix_is_worth(size_t n_there)
{
    return n_there >= SPARED_MIN;
}

/* ---- those of a batch ---- */

struct part { /* sequences first … first + n - 1 of a batch */
    struct model *model;
    const struct batch *batch;
    size_t first, n;
    float *hidden; /* of the whole batch */
    size_t *ends;  /* [n_sequences], scratch */
};

/* The part as a batch of its own, without the first n_left_out tokens of each sequence, which are put
 * together in ids; NULL: none is left out. */
static struct batch part_batch(const struct part *part, size_t n_left_out, uint32_t *ids,
                               uint8_t *type_ids)
{
    const struct batch *whole = part->batch;
    size_t begin = batch_start(whole->ends, part->first), at = 0;
    struct batch batch = {.ids = whole->ids + begin, .ends = part->ends, .n_sequences = part->n,
                          .type_ids = whole->type_ids ? whole->type_ids + begin : NULL};

    for (size_t s = 0; s < part->n; s++) {
        size_t start = batch_start(whole->ends, part->first + s) + n_left_out;
        size_t n = whole->ends[part->first + s] - start;

        if (ids)
            memcpy(ids + at, whole->ids + start, n * sizeof *ids);
        if (ids && type_ids)
            memcpy(type_ids + at, whole->type_ids + start, n);
        part->ends[s] = at += n;
    }
    if (ids)
        batch.ids = ids;
    if (ids && batch.type_ids)
        batch.type_ids = type_ids;
    return batch;
}

static int run_plain(const struct part *part, struct error *err)
{
    size_t begin = batch_start(part->batch->ends, part->first);
    struct batch batch = part_batch(part, 0, NULL, NULL);

    if (part->batch->wanted)
        batch.wanted = part->batch->wanted + part->first;
    return part->n == 0 ? 0
                        : model_run(part->model, &batch,
                                    part->hidden + begin * part->model->spec.hidden_size, err);
}

/* To each sequence the rows of its beginning and its own. */
static void spread_rows(const struct part *part, const float *prefix, size_t n_prefix,
                        const float *own)
{
    size_t width = part->model->spec.hidden_size;

    for (size_t s = 0; s < part->n; s++) {
        float *out = part->hidden + batch_start(part->batch->ends, part->first + s) * width;
        size_t start = batch_start(part->ends, s), n = part->ends[s] - start;

        memcpy(out, prefix, n_prefix * width * sizeof *out);
        memcpy(out + n_prefix * width, own + start * width, n * width * sizeof *out);
    }
}

static int run_shared(const struct part *part, size_t n_prefix, struct error *err)
{
    struct workspace *workspace = &part->model->engine.workspace;
    size_t mark = workspace_mark(workspace), begin = batch_start(part->batch->ends, part->first);
    size_t n = part->batch->ends[part->first + part->n - 1] - begin - part->n * n_prefix;
    uint32_t *ids = workspace_take(workspace, n, sizeof *ids, "token ids", err);
    uint8_t *type_ids = workspace_take(workspace, n, sizeof *type_ids, "token ids", err);
    float *rows = take_rows(part->model, n_prefix + n, err);
    float *own = rows ? rows + n_prefix * part->model->spec.hidden_size : NULL;
    struct prefix prefix = {0};
    int rc = -1;

    if (ids && type_ids && rows &&
        prefix_set(&prefix, part->model, part->batch->ids + begin, n_prefix, rows, err) == 0) {
        struct batch batch = part_batch(part, n_prefix, ids,
                                        part->batch->type_ids ? type_ids : NULL);

        batch.prefix = prefix.cache;
        rc = model_run(part->model, &batch, own, err);
    }
    if (rc == 0)
        spread_rows(part, rows, n_prefix, own);
    prefix_release(&prefix);
    workspace_return(workspace, mark);
    return rc;
}

/* common[s]: tokens that s and s + 1 begin with, of which one is left to either. */
static void find_common(const struct batch *batch, size_t limit, size_t *common)
{
    for (size_t s = 0; s + 1 < batch->n_sequences; s++) {
        size_t a = batch_start(batch->ends, s), b = batch->ends[s];
        size_t n_a = b - a, n_b = batch_length(batch->ends, s + 1), n;

        n = n_a && n_b ? prefix_common(batch->ids + a, n_a - 1, batch->ids + b, n_b - 1) : 0;
        n = n < limit ? n : limit;
        for (common[s] = 0; common[s] < n; common[s]++)
            if (batch->type_ids && batch->type_ids[a + common[s]] != batch->type_ids[b + common[s]])
                break;
    }
}

static int run_parts(struct part *part, const size_t *common, struct error *err)
{
    size_t n = part->batch->n_sequences, n_members;

    for (size_t s = 0; s < n; s += n_members) {
        size_t n_prefix = prefix_choose(common + s, n - 1 - s, 0, &n_members);

        if (n_prefix == 0) {
            n_members = 1;
            part->n++;
            continue;
        }
        if (run_plain(part, err))
            return -1;
        part->first = s;
        part->n = n_members;
        if (run_shared(part, n_prefix, err))
            return -1;
        part->first = s + n_members;
        part->n = 0;
    }
    return run_plain(part, err);
}

int prefix_run(struct model *model, const struct batch *batch, float *hidden, struct error *err)
{
    struct part part = {.model = model, .batch = batch, .hidden = hidden};
    size_t limit = prefix_limit(model), n = batch->n_sequences, *common;
    int rc;

    if (limit == 0 || n < 2 || model->watcher.see)
        return model_run(model, batch, hidden, err);
    common = memory_zalloc(n, sizeof *common);
    part.ends = memory_zalloc(n, sizeof *part.ends);
    find_common(batch, limit, common);
    rc = run_parts(&part, common, err);
    free(common);
    free(part.ends);
    return rc;
}
