#include "moe.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "math/vector.h"
#include "model/capacity.h"
#include "model/linear.h"
#include "model/mlp.h"
#include "model/router.h"
#include "model/rows.h"

/* Choices that run expert by expert, a task each, where there are so many tasks for each thread: a
 * small product is done before other threads have heard of it. */
enum { FEW_CHOICES = 256, TASKS_PER_THREAD = 2 };

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
             struct workspace *workspace, struct error *err)
{
    size_t n_tokens = batch_n_tokens(batch), width = find_width(stack, spec);
    size_t n_rows = rows_at_once(n_tokens), n_few = smaller(n_tokens * spec->n_chosen, FEW_CHOICES);

    n_rows = n_rows > n_few ? n_rows : n_few;

    *moe = (struct moe){.stack = stack, .spec = spec, .batch = batch, .watcher = watcher,
                        .n_tokens = n_tokens, .width = width};
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
static void group_by_expert(struct moe *moe)
{
    size_t n_experts = moe->spec->n_experts, n = moe->n_tokens * moe->spec->n_chosen;

    memset(moe->ends, 0, n_experts * sizeof *moe->ends);
    for (size_t i = 0; i < n; i++)
        moe->ends[moe->experts[i]] += moe->weights[i] != 0;
    for (size_t e = 0, start = 0; e < n_experts; e++) {
        size_t count = moe->ends[e];

        moe->ends[e] = start; /* moves to the end of its group as that fills */
        start += count;
    }
    for (size_t i = 0; i < n; i++)
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
    group_by_expert(moe);
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

/* ---- running ---- */

struct rows { /* of one expert */
    const struct moe *moe;
    const size_t *choices; /* [n_rows] */
    const float *x;
    float *in, *out;       /* of the first of them */
    float *delta;
};

static size_t token_of(const struct rows *rows, size_t row)
{
    return rows->choices[row] / rows->moe->spec->n_chosen;
}

static void gather_rows(void *context, size_t begin, size_t end)
{
    const struct rows *rows = context;
    size_t n = rows->moe->stack->hidden_size;

    for (size_t r = begin; r < end; r++)
        memcpy(rows->in + r * n, rows->x + token_of(rows, r) * n, n * sizeof(float));
}

static void scatter_rows(void *context, size_t begin, size_t end)
{
    const struct rows *rows = context;
    size_t n = rows->moe->stack->hidden_size;

    for (size_t r = begin; r < end; r++) {
        float *out = rows->out + r * n;

        vector_scale(out, rows->moe->weights[rows->choices[r]], n, out);
        vector_add(out, n, rows->delta + token_of(rows, r) * n);
    }
}

/* gpt-oss: pairs of gate and up -> (up + 1) gate sigmoid(alpha gate), both kept within the limit
 * (gate only from above). */
static void clamp_row(const struct moe_spec *spec, const float *pairs, float *out)
{
    size_t n = spec->intermediate_size;
    float limit = spec->swiglu_limit, alpha = spec->swiglu_alpha;

    for (size_t i = 0; i < n; i++)
        out[i] = alpha * (pairs[2 * i] > limit ? limit : pairs[2 * i]);
    vector_activate(ACTIVATION_SIGMOID, out, n, out);
    for (size_t i = 0; i < n; i++) {
        float gate = pairs[2 * i] > limit ? limit : pairs[2 * i], up = pairs[2 * i + 1];

        up = up > limit ? limit : up < -limit ? -limit : up;
        out[i] *= gate * (up + 1);
    }
}

static void clamp_rows(void *context, size_t begin, size_t end)
{
    const struct moe *moe = context;
    size_t n = moe->spec->intermediate_size;

    for (size_t r = begin; r < end; r++)
        clamp_row(moe->spec, moe->up + r * 2 * n, moe->gate + r * n);
}

static void run_clamped(const struct moe *moe, const struct engine *engine,
                        const struct moe_weights *weights, size_t expert, size_t n_rows)
{
    size_t n = moe->spec->intermediate_size;

    linear_run(engine, &weights->up[expert], moe->in, n_rows, moe->up, 2 * n);
    rows_each(engine->threads, n_rows, n, clamp_rows, (void *)moe);
    linear_run(engine, &weights->down[expert], moe->gate, n_rows, moe->out,
                 moe->stack->hidden_size);
}

static void run_group(const struct moe *moe, const struct engine *engine,
                      const struct moe_weights *weights, const struct moe_group *group,
                      const float *x, float *delta)
{
    struct rows rows = {moe, group->choices, x, moe->in, moe->out, delta};
    size_t e = group->expert, n = moe->stack->hidden_size;

    rows_each(engine->threads, group->n_rows, n, gather_rows, &rows);
    if (moe->spec->swiglu_limit > 0)
        run_clamped(moe, engine, weights, e, group->n_rows);
    else
        mlp_run(engine, moe->stack->activation, &weights->gate[e], &weights->up[e],
                &weights->down[e], moe->in, group->n_rows, moe->gate, moe->up, moe->out);
    rows_each(engine->threads, group->n_rows, n, scatter_rows, &rows);
}

/* A model need not fit into memory. While one expert works the next one is fetched. */
static void prefetch(const struct moe_weights *weights, const struct moe_group *group)
{
    const struct linear *parts[] = {weights->gate, weights->up, weights->down};

    for (size_t i = 0; group->n_rows && i < 3; i++) {
        const struct gemm_matrix *matrix = &parts[i][group->expert].matrix;

        if (matrix->data)
            gemm_matrix_prefetch(matrix);
    }
}

/* ---- experts with few rows each ---- */

struct few {
    const struct moe *moe;
    const struct engine *engine;
    const struct moe_weights *weights;
    const float *x;
};

static int run_expert(void *context, size_t task, size_t worker, struct error *err)
{
    const struct few *few = context;
    const struct moe *moe = few->moe;
    const struct moe_group *group = &moe->groups[task];
    const struct linear *gate = &few->weights->gate[group->expert];
    const struct linear *up = &few->weights->up[group->expert];
    size_t n_rows = group->n_rows, at = group->first * moe->stack->hidden_size;
    struct rows rows = {moe, group->choices, few->x, moe->in + at, NULL, NULL};
    float *gates = moe->gate + group->first * moe->width;
    float *ups = moe->up + group->first * moe->width;
    bool is_gated = gate->matrix.data != NULL, is_clamped = moe->spec->swiglu_limit > 0;

    (void)err;
    gather_rows(&rows, 0, n_rows);
    linear_block(few->engine, worker, up, rows.in, n_rows, ups);
    if (is_gated)
        linear_block(few->engine, worker, gate, rows.in, n_rows, gates);
    if (!is_clamped)
        mlp_turn_rows(moe->stack->activation, is_gated ? gates : NULL, gate->matrix.n_out, ups,
                      up->matrix.n_out, n_rows);
    for (size_t r = 0; is_clamped && r < n_rows; r++)
        clamp_row(moe->spec, ups + r * up->matrix.n_out, gates + r * moe->spec->intermediate_size);
    linear_block(few->engine, worker, &few->weights->down[group->expert],
                 is_clamped ? gates : ups, n_rows, moe->out + at);
    return 0;
}

static void run_few(const struct moe *moe, const struct engine *engine,
                    const struct moe_weights *weights, size_t n_groups, const float *x,
                    float *delta)
{
    struct few few = {moe, engine, weights, x};
    struct rows rows = {moe, moe->order, x, moe->in, moe->out, delta};
    const struct moe_group *last = &moe->groups[n_groups - 1];
    struct error none = {0};

    for (size_t i = 0; i < n_groups; i++)
        prefetch(weights, &moe->groups[i]);
    threads_run(engine->threads, n_groups, run_expert, &few, &none);
    scatter_rows(&rows, 0, last->first + last->n_rows);
}

/* Of all experts that have tokens; 0 where they have too many for run_few, or are too few. */
static size_t list_few(const struct moe *moe, const struct engine *engine)
{
    size_t n = 0;

    if (moe->ends[moe->spec->n_experts - 1] > FEW_CHOICES)
        return 0;
    for (struct moe_group group = moe_first(moe); group.n_rows; group = moe_next(moe, &group))
        moe->groups[n++] = group;
    return n >= TASKS_PER_THREAD * threads_count(engine->threads) ? n : 0;
}

/* ---- the expert that every token passes ---- */

struct shared_rows {
    const struct moe *moe;
    const float *gates; /* or NULL */
    float *delta;
};

static void add_shared_rows(void *context, size_t begin, size_t end)
{
    const struct shared_rows *rows = context;
    size_t n = rows->moe->stack->hidden_size;

    for (size_t r = begin; r < end; r++) {
        float *out = rows->moe->out + r * n;

        if (rows->gates)
            vector_scale(out, rows->gates[r], n, out);
        vector_add(out, n, rows->delta + r * n);
    }
}

static void run_shared(const struct moe *moe, const struct engine *engine,
                       const struct moe_weights *weights, const float *x, float *delta)
{
    size_t n = moe->stack->hidden_size;
    float *gates = moe->logits; /* the choices are made, its rows are free */
    bool is_gated = weights->shared_router.matrix.data != NULL;

    for (size_t first = 0; first < moe->n_tokens; first += ROWS_AT_ONCE) {
        size_t n_rows = rows_at_once(moe->n_tokens - first);
        struct shared_rows rows = {moe, is_gated ? gates : NULL, delta + first * n};

        mlp_run(engine, moe->stack->activation, &weights->shared_gate, &weights->shared_up,
                &weights->shared_down, x + first * n, n_rows, moe->gate, moe->up, moe->out);
        if (is_gated) {
            linear_run(engine, &weights->shared_router, x + first * n, n_rows, gates, 1);
            vector_activate(ACTIVATION_SIGMOID, gates, n_rows, gates);
        }
        rows_each(engine->threads, n_rows, n, add_shared_rows, &rows);
    }
}

/* ---- all of them ---- */

static void run_groups(const struct moe *moe, const struct engine *engine,
                       const struct moe_weights *weights, const float *x, float *delta)
{
    struct moe_group group, next = moe_first(moe);

    prefetch(weights, &next);
    while (next.n_rows) {
        group = next;
        next = moe_next(moe, &group);
        prefetch(weights, &next);
        run_group(moe, engine, weights, &group, x, delta);
    }
}

void moe_run(struct moe *moe, const struct engine *engine, const struct moe_weights *weights,
             const float *x, float *delta)
{
    size_t n = moe->stack->hidden_size, n_few;

    moe_choose(moe, engine, weights, x);
    memset(delta, 0, moe->n_tokens * n * sizeof *delta);
    n_few = list_few(moe, engine);
    if (n_few)
        run_few(moe, engine, weights, n_few, x, delta);
    else
        run_groups(moe, engine, weights, x, delta);
    if (moe->spec->shared_size)
        run_shared(moe, engine, weights, x, delta);
    for (size_t t = 0; weights->bias && t < moe->n_tokens; t++)
        vector_add(weights->bias, n, delta + t * n);
}
