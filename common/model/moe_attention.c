#include "moe_attention.h"

#include <string.h>

#include "math/vector.h"
#include "model/linear.h"

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

void moe_attention_queries(struct moe *moe, const struct engine *engine,
                           const struct moe_weights *weights, const float *x, float *queries,
                           size_t stride)
{
    size_t n_chosen = moe->spec->n_chosen, n = moe->stack->hidden_size;
    struct moe_group group;

    moe_choose(moe, engine, weights, x);
    for (group = moe_first(moe); group.n_rows; group = moe_next(moe, &group)) {
        const struct linear *up = &weights->up[group.expert];

        for (size_t r = 0; r < group.n_rows; r++)
            memcpy(moe->in + r * n, x + group.choices[r] / n_chosen * n, n * sizeof(float));
        linear_run(engine, up, moe->in, group.n_rows, moe->up, up->matrix.n_out);
        for (size_t r = 0; r < group.n_rows; r++)
            copy_heads(moe, group.choices[r], queries + group.choices[r] / n_chosen * stride,
                       moe->up + r * up->matrix.n_out, true);
    }
}

void moe_attention_outputs(const struct moe *moe, const struct engine *engine,
                           const struct moe_weights *weights, const float *heads, float *delta)
{
    const struct stack_spec *stack = moe->stack;
    size_t n_chosen = moe->spec->n_chosen, n = stack->hidden_size;
    size_t width = stack->n_heads * stack->head_dim;
    struct moe_group group;

    memset(delta, 0, moe->n_tokens * n * sizeof *delta);
    for (size_t t = 0; weights->bias && t < moe->n_tokens; t++)
        memcpy(delta + t * n, weights->bias, n * sizeof *delta);
    for (group = moe_first(moe); group.n_rows; group = moe_next(moe, &group)) {
        const struct linear *down = &weights->down[group.expert];

        for (size_t r = 0; r < group.n_rows; r++)
            copy_heads(moe, group.choices[r],
                       (float *)heads + group.choices[r] / n_chosen * width,
                       moe->up + r * down->matrix.n_in, false);
        linear_run(engine, down, moe->up, group.n_rows, moe->out, n);
        for (size_t r = 0; r < group.n_rows; r++) {
            float *out = moe->out + r * n;

            vector_scale(out, moe->weights[group.choices[r]], n, out);
            vector_add(out, n, delta + group.choices[r] / n_chosen * n);
        }
    }
}
