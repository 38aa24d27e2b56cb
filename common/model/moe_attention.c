#include "moe_attention.h"

#include <string.h>

#include "math/vector.h"
#include "model/linear.h"
#include "model/moe_exchange.h"

/* Between rows of one expert, [n_kv_heads][head_dim], and the rows of a token, where the heads of
 * all its choices stand side by side. */
static void copy_heads(const struct moe *moe, size_t choice, float *token_rows, float *expert_row,
                       bool is_to_token)
{
    const struct stack_spec *stack = moe->stack;
    size_t n_chosen = moe->spec->n_chosen, slot = choice % n_chosen, n = stack->head_dim;

    for (size_t h = 0; h < stack->n_kv_heads; h++) {
        float *of_token = token_rows + (h * n_chosen + slot) * n, *of_expert = expert_row + h * n;

        if (is_to_token)
            memcpy(of_token, of_expert, n * sizeof(float));
        else
            memcpy(of_expert, of_token, n * sizeof(float));
    }
}

/* ---- experts on several ranks ---- */

struct spread {
    const struct moe *moe;
    const struct engine *engine;
    const struct linear *experts; /* [n_experts] */
    const float *x;               /* what tokens send: rows `stride` apart, or rows of heads */
    float *out;                   /* queries, or delta */
    size_t stride;
};

static size_t token_of(const struct spread *spread, size_t choice)
{
    return choice / spread->moe->spec->n_chosen;
}

static void run_here(const void *context, size_t expert, const float *in, size_t n_rows, float *out)
{
    const struct spread *spread = context;
    const struct linear *linear = &spread->experts[expert];

    linear_run(spread->engine, linear, in, n_rows, out, linear->matrix.n_out);
}

static void run_here_beside(const void *context, size_t worker, size_t expert, size_t first,
                            const float *in, size_t n_rows, float *out)
{
    const struct spread *spread = context;

    (void)first;
    linear_block(spread->engine, worker, &spread->experts[expert], in, n_rows, out);
}

static void prefetch_here(const void *context, size_t expert)
{
    const struct spread *spread = context;

    gemm_matrix_prefetch(&spread->experts[expert].matrix);
}

static void fill_token(const void *context, size_t choice, float *row)
{
    const struct spread *spread = context;
    size_t n = spread->moe->stack->hidden_size;

    memcpy(row, spread->x + token_of(spread, choice) * n, n * sizeof *row);
}

static void take_queries(const void *context, size_t choice, float *row)
{
    const struct spread *spread = context;

    copy_heads(spread->moe, choice, spread->out + token_of(spread, choice) * spread->stride, row,
               true);
}

static void fill_heads(const void *context, size_t choice, float *row)
{
    const struct spread *spread = context;

    copy_heads(spread->moe, choice,
               (float *)spread->x + token_of(spread, choice) * spread->stride, row, false);
}

static void add_weighted(const struct moe *moe, size_t choice, float *row, float *delta)
{
    size_t n = moe->stack->hidden_size;

    vector_scale(row, moe->weights[choice], n, row);
    vector_add(row, n, delta + choice / moe->spec->n_chosen * n);
}

static void take_delta(const void *context, size_t choice, float *row)
{
    const struct spread *spread = context;

    add_weighted(spread->moe, choice, row, spread->out);
}

static int spread_queries(struct moe *moe, const struct engine *engine,
                          const struct moe_weights *weights, const float *x, float *queries,
                          size_t stride, struct error *err)
{
    const struct spread spread = {moe, engine, weights->up, x, queries, stride};
    const struct moe_work work = {
        .n_in = moe->stack->hidden_size,
        .n_out = moe->stack->n_kv_heads * moe->stack->head_dim,
        .fill = fill_token,
        .run = run_here,
        .run_beside = run_here_beside,
        .prefetch = prefetch_here,
        .take = take_queries,
        .context = &spread,
    };

    return moe_exchange(moe, engine, &work, err);
}

static int spread_outputs(struct moe *moe, const struct engine *engine,
                          const struct moe_weights *weights, const float *heads, float *delta,
                          struct error *err)
{
    const struct stack_spec *stack = moe->stack;
    const struct spread spread = {moe,   engine, weights->down,
                                  heads, delta,  stack->n_heads * stack->head_dim};
    const struct moe_work work = {
        .n_in = stack->n_kv_heads * stack->head_dim,
        .n_out = stack->hidden_size,
        .fill = fill_heads,
        .run = run_here,
        .run_beside = run_here_beside,
        .prefetch = prefetch_here,
        .take = take_delta,
        .context = &spread,
    };

    return moe_exchange(moe, engine, &work, err);
}

/* ---- both ---- */

int moe_attention_queries(struct moe *moe, const struct engine *engine,
                          const struct moe_weights *weights, const float *x, float *queries,
                          size_t stride, struct error *err)
{
    size_t n_chosen = moe->spec->n_chosen, n = moe->stack->hidden_size;
    struct moe_group group;

    if (moe->n_tokens)
        moe_choose(moe, engine, weights, x);
    if (engine->experts)
        return spread_queries(moe, engine, weights, x, queries, stride, err);
    for (group = moe_first(moe); group.n_rows; group = moe_next(moe, &group)) {
        const struct linear *up = &weights->up[group.expert];

        for (size_t r = 0; r < group.n_rows; r++)
            memcpy(moe->in + r * n, x + group.choices[r] / n_chosen * n, n * sizeof(float));
        linear_run(engine, up, moe->in, group.n_rows, moe->up, up->matrix.n_out);
        for (size_t r = 0; r < group.n_rows; r++)
            copy_heads(moe, group.choices[r], queries + group.choices[r] / n_chosen * stride,
                       moe->up + r * up->matrix.n_out, true);
    }
    return 0;
}

int moe_attention_outputs(struct moe *moe, const struct engine *engine,
                          const struct moe_weights *weights, const float *heads, float *delta,
                          struct error *err)
{
    const struct stack_spec *stack = moe->stack;
    size_t n_chosen = moe->spec->n_chosen, n = stack->hidden_size;
    size_t width = stack->n_heads * stack->head_dim;
    struct moe_group group;

    if (moe->n_tokens)
        memset(delta, 0, moe->n_tokens * n * sizeof *delta);
    for (size_t t = 0; weights->bias && t < moe->n_tokens; t++)
        memcpy(delta + t * n, weights->bias, n * sizeof *delta);
    if (engine->experts)
        return spread_outputs(moe, engine, weights, heads, delta, err);
    for (group = moe_first(moe); group.n_rows; group = moe_next(moe, &group)) {
        const struct linear *down = &weights->down[group.expert];

        for (size_t r = 0; r < group.n_rows; r++)
            copy_heads(moe, group.choices[r],
                       (float *)heads + group.choices[r] / n_chosen * width,
                       moe->up + r * down->matrix.n_in, false);
        linear_run(engine, down, moe->up, group.n_rows, moe->out, n);
        for (size_t r = 0; r < group.n_rows; r++)
            add_weighted(moe, group.choices[r], moe->out + r * n, delta);
    }
    return 0;
}
