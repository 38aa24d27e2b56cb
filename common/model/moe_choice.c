#include "moe_choice.h"

#include <math.h>
#include <string.h>

#include "math/vector.h"
#include "model/capacity.h"
#include "model/linear.h"
#include "model/router.h"
#include "model/rows.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of the widest vector inside an expert. */
static size_t find_width(const struct stack_spec *stack, const struct moe_spec *spec)
{
    size_t width =
        spec->intermediate_size > spec->shared_size ? spec->intermediate_size : spec->shared_size;

    if (spec == &stack->attention_moe)
        return stack->n_kv_heads * stack->head_dim;
    return spec->swiglu_limit > 0 || stack->has_double_gate ? 2 * width : width;
}

int moe_init(struct moe *moe, const struct stack_spec *stack, const struct moe_spec *spec,
             const struct batch *batch, const struct routing_watcher *watcher,
             bool is_shared, struct workspace *workspace, struct error *err)
{
    size_t n_tokens = batch_n_tokens(batch), width = find_width(stack, spec);
    size_t n_rows = is_shared ? ROWS_AT_ONCE : rows_at_once(n_tokens);
    size_t n_few = smaller(n_tokens * spec->n_chosen, MOE_FEW_CHOICES);

    n_rows = n_rows > n_few ? n_rows : n_few;

    *moe = (struct moe){.stack = stack, .spec = spec, .batch = batch, .watcher = watcher,
                        .workspace = workspace, .n_tokens = n_tokens, .width = width};
    moe->groups = workspace_take(workspace, spec->n_experts, sizeof *moe->groups, "router", err);
    moe->ends = workspace_take(workspace, spec->n_experts, sizeof *moe->ends, "router", err);
    moe->logits = workspace_take(workspace, n_tokens, spec->n_experts * sizeof *moe->logits,
                                 "router", err);
    moe->scratch = workspace_take(workspace, n_tokens, router_scratch(spec) * sizeof *moe->scratch,
                                  "router", err);
    moe->experts = workspace_take(workspace, n_tokens, spec->n_chosen * sizeof *moe->experts,
                                  "router", err);
    moe->weights = workspace_take(workspace, n_tokens, spec->n_chosen * sizeof *moe->weights,
                                  "router", err);
    moe->order = workspace_take(workspace, n_tokens, spec->n_chosen * sizeof *moe->order,
                                "router", err);
    moe->in = workspace_take(workspace, n_rows, 2 * stack->hidden_size * sizeof *moe->in,
                             "experts", err);
    moe->gate = workspace_take(workspace, n_rows, 2 * width * sizeof *moe->gate, "experts", err);
    moe->hidden = workspace_take(workspace, n_rows, spec->gate_size * sizeof *moe->hidden,
                                 "router", err);
    if (watcher->see) {
        moe->watched = workspace_take(workspace, n_tokens,
                                      spec->n_experts * sizeof *moe->watched, "router", err);
        if (!moe->watched)
            return -1;
    }
    if (!moe->groups || !moe->ends || !moe->logits || !moe->scratch || !moe->experts || !moe->weights ||
        !moe->order || !moe->in || !moe->gate || !moe->hidden)
        return -1;
    moe->out = moe->in + n_rows * stack->hidden_size;
    moe->up = moe->gate + n_rows * width;
    return 0;
}

/* ---- choosing ---- */

static void choose_rows(void *context, size_t begin, size_t end)
{
    const struct moe *moe = context;
    const struct moe_spec *spec = moe->spec;

    for (size_t t = begin; t < end; t++)
        router_choose(spec, moe->choice_bias, moe->logits + t * spec->n_experts,
                      moe->scratch + t * router_scratch(spec), moe->experts + t * spec->n_chosen,
                      moe->weights + t * spec->n_chosen);
}

static void drop_choices(struct moe *moe)
{
    const struct moe_spec *spec = moe->spec;
    const struct batch *batch = moe->batch;
    size_t begin = 0;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t first = begin * spec->n_chosen;

        capacity_drop(spec, moe->experts + first, batch->ends[s] - begin, moe->ends,
                      moe->weights + first);
        begin = batch->ends[s];
    }
}

/* A counting sort. What weighs nothing is left out. */
void moe_group_by_expert(struct moe *moe, size_t begin, size_t end)
{
    size_t n_experts = moe->spec->n_experts, n_chosen = moe->spec->n_chosen;

    memset(moe->ends, 0, n_experts * sizeof *moe->ends);
    for (size_t i = begin * n_chosen; i < end * n_chosen; i++)
        moe->ends[moe->experts[i]] += moe->weights[i] != 0;
    for (size_t e = 0, start = 0; e < n_experts; e++) {
        size_t count = moe->ends[e];

        moe->ends[e] = start; /* moves to the end of its group as that fills */
        start += count;
    }
    for (size_t i = begin * n_chosen; i < end * n_chosen; i++)
        if (moe->weights[i] != 0)
            moe->order[moe->ends[moe->experts[i]]++] = i;
}

static void show(const struct moe *moe)
{
    struct routing routing = {
        .stack = moe->stack,
        .spec = moe->spec,
        .batch = moe->batch,
        .layer = moe->layer,
        .is_attention = moe->spec == &moe->stack->attention_moe,
        .logits = moe->watched,
        .experts = moe->experts,
        .weights = moe->weights,
    };

    moe->watcher->see(moe->watcher->context, &routing);
}

struct gate_rows {
    enum gate_kind kind;
    float *hidden;
    size_t n;
};

/* Between the two products of a gate. */
static void turn_hidden_rows(void *context, size_t begin, size_t end)
{
    const struct gate_rows *rows = context;

    for (size_t r = begin; r < end; r++) {
        float *row = rows->hidden + r * rows->n;
        double sum = 0;

        if (rows->kind == GATE_MLP) {
            vector_activate(ACTIVATION_GELU, row, rows->n, row);
            continue;
        }
        for (size_t i = 0; i < rows->n; i++)
            sum += (double)row[i] * (double)row[i];
        vector_scale(row, (float)(1 / fmax(sqrt(sum), 1e-12)), rows->n, row);
    }
}

static void find_logits(const struct moe *moe, const struct engine *engine,
                        const struct moe_weights *weights, const float *x)
{
    const struct moe_spec *spec = moe->spec;
    struct gate_rows rows = {spec->gate, moe->hidden, spec->gate_size};

    if (spec->gate == GATE_LINEAR) {
        linear_run(engine, &weights->router, x, moe->n_tokens, moe->logits, spec->n_experts);
        return;
    }
    for (size_t first = 0; first < moe->n_tokens; first += ROWS_AT_ONCE) {
        size_t n_rows = rows_at_once(moe->n_tokens - first);

        linear_run(engine, &weights->router_hidden, x + first * moe->stack->hidden_size, n_rows,
                     moe->hidden, spec->gate_size);
        rows_each(engine->threads, n_rows, spec->gate_size, turn_hidden_rows, &rows);
        linear_run(engine, &weights->router, moe->hidden, n_rows,
                     moe->logits + first * spec->n_experts, spec->n_experts);
    }
}

void moe_choose(struct moe *moe, const struct engine *engine, const struct moe_weights *weights,
                const float *x)
{
    const struct moe_spec *spec = moe->spec;

    moe->choice_bias = weights->choice_bias;
    find_logits(moe, engine, weights, x);
    if (moe->watched)
        memcpy(moe->watched, moe->logits,
               moe->n_tokens * spec->n_experts * sizeof *moe->watched);
    rows_each(engine->threads, moe->n_tokens, spec->n_experts * spec->n_chosen, choose_rows,
                 moe);
    if (capacity_is_limited(spec))
        drop_choices(moe);
    if (moe->watched)
        show(moe);
    if (!engine->experts)
        moe_group_by_expert(moe, 0, moe->n_tokens);
}

/* The choices from number `first` on, of the expert that has them. */
static struct moe_group group_at(const struct moe *moe, size_t expert, size_t first)
{
    struct moe_group group = {.expert = expert, .first = first};

    while (group.expert < moe->spec->n_experts && moe->ends[group.expert] <= first)
        group.expert++;
    if (group.expert == moe->spec->n_experts)
        return group;
    group.n_rows = rows_at_once(moe->ends[group.expert] - first);
    group.choices = moe->order + first;
    return group;
}

struct moe_group moe_first(const struct moe *moe)
{
    return group_at(moe, 0, 0);
}

struct moe_group moe_next(const struct moe *moe, const struct moe_group *group)
{
    return group_at(moe, group->expert, group->first + group->n_rows);
}
