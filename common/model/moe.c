#include "moe.h"

#include <string.h>

#include "base/file.h"
#include "math/vector.h"
#include "model/linear.h"
#include "model/mlp.h"
#include "model/moe_exchange.h"
#include "model/rows.h"

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
                        const struct moe_weights *weights, size_t expert, const float *in,
                        size_t n_rows, float *out)
{
    size_t n = moe->spec->intermediate_size;

    linear_run(engine, &weights->up[expert], in, n_rows, moe->up, 2 * n);
    rows_each(engine->threads, n_rows, n, clamp_rows, (void *)moe);
    linear_run(engine, &weights->down[expert], moe->gate, n_rows, out, moe->stack->hidden_size);
}

/* out [n_rows, hidden_size] = what an expert makes of `in`; n_rows <= ROWS_AT_ONCE */
static void run_rows(const struct moe *moe, const struct engine *engine,
                     const struct moe_weights *weights, size_t expert, const float *in,
                     size_t n_rows, float *out)
{
    if (moe->spec->swiglu_limit > 0)
        run_clamped(moe, engine, weights, expert, in, n_rows, out);
    else
        mlp_run(engine, moe->stack->activation, &weights->gate[expert], &weights->up[expert],
                &weights->down[expert], in, n_rows, moe->gate, moe->up, out);
}

static void run_group(const struct moe *moe, const struct engine *engine,
                      const struct moe_weights *weights, const struct moe_group *group,
                      const float *x, float *delta)
{
    struct rows rows = {moe, group->choices, x, moe->in, moe->out, delta};
    size_t n = moe->stack->hidden_size;

    rows_each(engine->threads, group->n_rows, n, gather_rows, &rows);
    run_rows(moe, engine, weights, group->expert, moe->in, group->n_rows, moe->out);
    rows_each(engine->threads, group->n_rows, n, scatter_rows, &rows);
}

/* A model need not fit into memory. While one expert works the next one is fetched. */
static void prefetch_expert(const struct moe_weights *weights, size_t expert)
{
    const struct linear *parts[] = {weights->gate, weights->up, weights->down};

    for (size_t i = 0; i < 3; i++) {
        const struct gemm_matrix *matrix = &parts[i][expert].matrix;

        if (matrix->data)
            gemm_matrix_prefetch(matrix);
    }
}

static void prefetch(const struct moe_weights *weights, const struct moe_group *group)
{
    if (group->n_rows)
        prefetch_expert(weights, group->expert);
}

/* ---- experts with few rows each ---- */

struct few {
    const struct moe *moe;
    const struct engine *engine;
    const struct moe_weights *weights;
    const float *x;
};

/* out [n_rows, hidden_size] = what an expert makes of `in`, on the calling thread alone, while others
 * run, which have the scratch of `first` rows before. */
static void run_beside(const struct moe *moe, const struct engine *engine,
                       const struct moe_weights *weights, size_t worker, size_t expert,
                       size_t first, const float *in, size_t n_rows, float *out)
{
    const struct linear *gate = &weights->gate[expert], *up = &weights->up[expert];
    float *gates = moe->gate + first * moe->width, *ups = moe->up + first * moe->width;
    bool is_gated = gate->matrix.data != NULL, is_clamped = moe->spec->swiglu_limit > 0;

    linear_block(engine, worker, up, in, n_rows, ups);
    if (is_gated)
        linear_block(engine, worker, gate, in, n_rows, gates);
    if (!is_clamped)
        mlp_turn_rows(moe->stack->activation, is_gated ? gates : NULL, gate->matrix.n_out, ups,
                      up->matrix.n_out, n_rows);
    for (size_t r = 0; is_clamped && r < n_rows; r++)
        clamp_row(moe->spec, ups + r * up->matrix.n_out, gates + r * moe->spec->intermediate_size);
    linear_block(engine, worker, &weights->down[expert], is_clamped ? gates : ups, n_rows, out);
}

static int run_expert(void *context, size_t task, size_t worker, struct error *err)
{
    const struct few *few = context;
    const struct moe *moe = few->moe;
    const struct moe_group *group = &moe->groups[task];
    size_t at = group->first * moe->stack->hidden_size;
    struct rows rows = {moe, group->choices, few->x, moe->in + at, NULL, NULL};

    (void)err;
    gather_rows(&rows, 0, group->n_rows);
    run_beside(moe, few->engine, few->weights, worker, group->expert, group->first, rows.in,
               group->n_rows, moe->out + at);
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

    if (moe->ends[moe->spec->n_experts - 1] > MOE_FEW_CHOICES)
        return 0;
    for (struct moe_group group = moe_first(moe); group.n_rows; group = moe_next(moe, &group))
        moe->groups[n++] = group;
    return n >= MOE_TASKS_PER_THREAD * threads_count(engine->threads) ? n : 0;
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

/* ---- experts on several ranks ---- */

struct spread {
    const struct moe *moe;
    const struct engine *engine;
    const struct moe_weights *weights;
    const float *x;
    float *delta;
};

static void fill_row(const void *context, size_t choice, float *row)
{
    const struct spread *spread = context;
    size_t n = spread->moe->stack->hidden_size;

    memcpy(row, spread->x + choice / spread->moe->spec->n_chosen * n, n * sizeof *row);
}

static void run_here(const void *context, size_t expert, const float *in, size_t n_rows, float *out)
{
    const struct spread *spread = context;

    run_rows(spread->moe, spread->engine, spread->weights, expert, in, n_rows, out);
}

static void run_here_beside(const void *context, size_t worker, size_t expert, size_t first,
                            const float *in, size_t n_rows, float *out)
{
    const struct spread *spread = context;

    run_beside(spread->moe, spread->engine, spread->weights, worker, expert, first, in, n_rows,
               out);
}

static void prefetch_here(const void *context, size_t expert)
{
    const struct spread *spread = context;

    prefetch_expert(spread->weights, expert);
}

static void add_row(const void *context, size_t choice, float *row)
{
    const struct spread *spread = context;
    size_t n = spread->moe->stack->hidden_size;

    vector_scale(row, spread->moe->weights[choice], n, row);
    vector_add(row, n, spread->delta + choice / spread->moe->spec->n_chosen * n);
}

static int run_spread(struct moe *moe, const struct engine *engine,
                      const struct moe_weights *weights, const float *x, float *delta,
                      struct error *err)
{
    const struct spread spread = {moe, engine, weights, x, delta};
    size_t n = moe->stack->hidden_size;
    const struct moe_work work = {
        .n_in = n,
        .n_out = n,
        .fill = fill_row,
        .run = run_here,
        .run_beside = run_here_beside,
        .prefetch = prefetch_here,
        .take = add_row,
        .context = &spread,
    };

    return moe_exchange(moe, engine, &work, err);
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

/* Of the experts that tokens choose. */
static int run_chosen(struct moe *moe, const struct engine *engine,
                      const struct moe_weights *weights, const float *x, float *delta,
                      struct error *err)
{
    size_t n_few;

    if (engine->experts)
        return run_spread(moe, engine, weights, x, delta, err);
    n_few = list_few(moe, engine);
    if (n_few)
        run_few(moe, engine, weights, n_few, x, delta);
    else
        run_groups(moe, engine, weights, x, delta);
    return 0;
}

int moe_run(struct moe *moe, const struct engine *engine, const struct moe_weights *weights,
            const float *x, float *delta, struct error *err)
{
    size_t n = moe->stack->hidden_size;

    if (moe->n_tokens) {
        moe_choose(moe, engine, weights, x);
        memset(delta, 0, moe->n_tokens * n * sizeof *delta);
    }
    if (run_chosen(moe, engine, weights, x, delta, err))
        return -1;
    if (moe->spec->shared_size)
        run_shared(moe, engine, weights, x, delta);
    for (size_t t = 0; weights->bias && t < moe->n_tokens; t++)
        vector_add(weights->bias, n, delta + t * n);
    return 0;
}
