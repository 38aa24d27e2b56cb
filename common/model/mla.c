#include "mla.h"

#include <string.h>

#include "model/linear.h"
#include "model/rows.h"

/* Of the two norms inside, whatever config.json says about the others. */
static const float inner_eps = 1e-6f;

static size_t rotating_dim(const struct stack_spec *stack)
{
    return stack->head_dim - stack->mla.qk_nope_head_dim;
}

size_t mla_width(const struct stack_spec *stack)
{
    return stack->n_heads * (2 * stack->head_dim + stack->v_head_dim);
}

int mla_init(struct mla *mla, const struct stack_spec *stack, size_t n_tokens,
             struct workspace *workspace, struct error *err)
{
    size_t kv_width = stack->mla.kv_lora_rank + rotating_dim(stack);
    size_t width = stack->mla.q_lora_rank > kv_width ? stack->mla.q_lora_rank : kv_width;

    *mla = (struct mla){.stack = stack, .n_tokens = n_tokens};
    mla->latent = workspace_take(workspace, rows_at_once(n_tokens), width * sizeof *mla->latent,
                                 "latent vectors", err);
    return mla->latent ? 0 : -1;
}

struct piece { /* up to ROWS_AT_ONCE tokens */
    const struct mla *mla;
    const struct mla_weights *weights;
    const struct position_angles *angles;
    size_t first;
    float *qkv; /* of the first */
};

static void norm_query_rows(void *context, size_t begin, size_t end)
{
    const struct piece *piece = context;
    size_t n = piece->mla->stack->mla.q_lora_rank;

    for (size_t t = begin; t < end; t++) {
        float *row = piece->mla->latent + t * n;

        norm_run(&piece->weights->q_norm, NORM_RMS, inner_eps, row, n, row);
    }
}

static void rotate(const struct piece *piece, size_t row, float *head)
{
    if (piece->mla->stack->has_interleaved_rope)
        position_rotate_pairs(piece->angles, piece->first + row, head);
    else
        position_rotate(piece->angles, piece->first + row, head);
}

static void turn_latent_rows(void *context, size_t begin, size_t end)
{
    const struct piece *piece = context;
    const struct stack_spec *stack = piece->mla->stack;
    size_t n = stack->mla.kv_lora_rank, width = n + rotating_dim(stack);

    for (size_t t = begin; t < end; t++) {
        float *row = piece->mla->latent + t * width, *query = piece->qkv + t * mla_width(stack);

        norm_run(&piece->weights->kv_norm, NORM_RMS, inner_eps, row, n, row);
        rotate(piece, t, row + n);
        for (size_t h = 0; h < stack->n_heads; h++)
            rotate(piece, t, query + h * stack->head_dim + stack->mla.qk_nope_head_dim);
    }
}

/* Makes room in each head, between what stands still and the value, for the items that rotate. The
 * last head is the first to move, so that none lands on one that has not moved yet. */
static void spread_rows(void *context, size_t begin, size_t end)
{
    const struct piece *piece = context;
    const struct stack_spec *stack = piece->mla->stack;
    size_t still = stack->mla.qk_nope_head_dim, rotating = rotating_dim(stack);
    const float *latent = piece->mla->latent + stack->mla.kv_lora_rank;

    for (size_t t = begin; t < end; t++) {
        float *row = piece->qkv + t * mla_width(stack) + stack->n_heads * stack->head_dim;

        for (size_t h = stack->n_heads; h-- > 0;) {
            float *from = row + h * (still + stack->v_head_dim);
            float *to = row + h * (stack->head_dim + stack->v_head_dim);

            memmove(to + stack->head_dim, from + still, stack->v_head_dim * sizeof *to);
            memmove(to, from, still * sizeof *to);
            memcpy(to + still, latent + t * (stack->mla.kv_lora_rank + rotating),
                   rotating * sizeof *to);
        }
    }
}

static void run_piece(struct piece *piece, const struct engine *engine, const float *x,
                      size_t n_rows)
{
    const struct mla_weights *weights = piece->weights;
    const struct stack_spec *stack = piece->mla->stack;
    float *latent = piece->mla->latent;
    size_t width = mla_width(stack), kv_width = stack->mla.kv_lora_rank + rotating_dim(stack);

    if (stack->mla.q_lora_rank) {
        linear_run(engine, &weights->q_a, x, n_rows, latent, stack->mla.q_lora_rank);
        rows_each(engine->threads, n_rows, stack->mla.q_lora_rank, norm_query_rows, piece);
    }
    linear_run(engine, &weights->q_b, stack->mla.q_lora_rank ? latent : x, n_rows, piece->qkv, width);
    linear_run(engine, &weights->kv_a, x, n_rows, latent, kv_width);
    rows_each(engine->threads, n_rows, width, turn_latent_rows, piece);
    gemm_multiply(engine->gemm, n_rows, latent, kv_width, &weights->kv_b.matrix, NULL,
                  piece->qkv + stack->n_heads * stack->head_dim, width);
    rows_each(engine->threads, n_rows, width, spread_rows, piece);
}

void mla_run(const struct mla *mla, const struct engine *engine, const struct mla_weights *weights,
             const struct position_angles *angles, const float *x, float *qkv)
{
    const struct stack_spec *stack = mla->stack;

    for (size_t first = 0; first < mla->n_tokens; first += ROWS_AT_ONCE) {
        struct piece piece = {mla, weights, angles, first, qkv + first * mla_width(stack)};
        size_t n_rows = rows_at_once(mla->n_tokens - first);

        run_piece(&piece, engine, x + first * stack->hidden_size, n_rows);
    }
}
