#include "mla.h"

#include <string.h>

#include "math/vector.h"
#include "model/linear.h"
#include "model/rows.h"

enum { TASK_ROWS = 256 }; /* of one head: a task of the pool */

/* Of the two norms inside, whatever config.json says about the others. */
static const float inner_eps = 1e-6f;

static size_t rotating_dim(const struct stack_spec *stack)
{
    return stack->head_dim - stack->mla.qk_nope_head_dim;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int mla_init(struct mla *mla, const struct stack_spec *stack, size_t n_tokens,
             struct engine *engine, struct error *err)
{
    size_t n_rows = rows_at_once(n_tokens);
    size_t width = stack->n_heads * larger(stack->head_dim, stack->v_head_dim);
    size_t n_head = stack->mla.qk_nope_head_dim * stack->mla.kv_lora_rank;
    struct workspace *workspace = &engine->workspace;

    *mla = (struct mla){.stack = stack, .n_tokens = n_tokens};
    mla->latent = workspace_take(workspace, n_rows, stack->mla.q_lora_rank * sizeof *mla->latent,
                                 "latent vectors", err);
    mla->heads = workspace_take(workspace, n_rows, width * sizeof *mla->heads, "heads", err);
    mla->widened = workspace_take(workspace, threads_count(engine->threads),
                                  n_head * sizeof *mla->widened, "weights of a head", err);
    return mla->latent && mla->heads && mla->widened ? 0 : -1;
}

struct piece { /* up to ROWS_AT_ONCE tokens */
    const struct mla *mla;
    const struct engine *engine;
    const struct mla_weights *weights;
    const struct position_angles *angles;
    size_t first, n_rows;
    float *rows;        /* of the first; as mla_queries gives them */
    const float *mixed; /* likewise, as mla_outputs takes them */
};

/* ---- between the products ---- */

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

/* The norm of the key, and what rotates of it and of the queries. */
static void turn_rows(void *context, size_t begin, size_t end)
{
    const struct piece *piece = context;
    const struct stack_spec *stack = piece->mla->stack;
    size_t rank = stack->mla.kv_lora_rank, width = stack_latent_width(stack);

    for (size_t t = begin; t < end; t++) {
        float *row = piece->rows + t * mla_width(stack), *key = row + stack->n_heads * width;
        const float *heads = piece->mla->heads + t * stack->n_heads * stack->head_dim;

        norm_run(&piece->weights->kv_norm, NORM_RMS, inner_eps, key, rank, key);
        rotate(piece, t, key + rank);
        for (size_t h = 0; h < stack->n_heads; h++) {
            memcpy(row + h * width + rank,
                   heads + h * stack->head_dim + stack->mla.qk_nope_head_dim,
                   rotating_dim(stack) * sizeof *row);
            rotate(piece, t, row + h * width + rank);
        }
    }
}

/* ---- products of each head ---- */

/* The rows of kv_b that make a head's key, or its value. */
static struct gemm_matrix part_of(const struct piece *piece, size_t head, bool is_value)
{
    const struct stack_spec *stack = piece->mla->stack;
    size_t n_key = stack->mla.qk_nope_head_dim;

    return gemm_matrix_part(&piece->weights->kv_b.matrix,
                            head * (n_key + stack->v_head_dim) + (is_value ? n_key : 0),
                            is_value ? stack->v_head_dim : n_key);
}

/* K_h, to be multiplied from the left: its inputs are the rows. What is not stored as plain numbers
 * is widened. */
static struct gemm_matrix transposed_key(const struct piece *piece, size_t head, size_t worker)
{
    struct gemm_matrix part = part_of(piece, head, false), key;
    enum dtype dtype = part.format->dtype;
    bool is_plain = part.format == &matrix_f32 || part.format == &matrix_f16 ||
                    part.format == &matrix_bf16;
    float *widened = piece->mla->widened + worker * part.n_out * part.n_in;

    key = (struct gemm_matrix){
        .format = matrix_format_plain(is_plain ? dtype : DTYPE_F32, true),
        .data = widened,
        .n_out = part.n_in,
        .n_in = part.n_out,
        .stride = is_plain ? part.stride : part.n_in,
    };
    if (is_plain)
        key.data = (const char *)part.data + part.first_out * part.stride *
                                                 (dtype == DTYPE_F32 ? 4 : 2);
    else
        gemm_matrix_widen(&part, 0, part.n_out, 0, part.n_in, widened);
    return key;
}

static size_t n_tasks_per_head(const struct piece *piece)
{
    return (piece->n_rows + TASK_ROWS - 1) / TASK_ROWS;
}

/* Queries in the space of the short vectors. */
static int turn_head(void *context, size_t task, size_t worker, struct error *err)
{
    const struct piece *piece = context;
    const struct stack_spec *stack = piece->mla->stack;
    size_t head = task / n_tasks_per_head(piece), width = stack->n_heads * stack->head_dim;
    size_t first = task % n_tasks_per_head(piece) * TASK_ROWS, n_left = piece->n_rows - first;
    struct gemm_matrix key = transposed_key(piece, head, worker);

    (void)err;
    gemm_block(piece->engine->gemm, worker, n_left < TASK_ROWS ? n_left : TASK_ROWS,
               piece->mla->heads + first * width + head * stack->head_dim, width, &key, 1, false,
               NULL, piece->rows + first * mla_width(stack) + head * stack_latent_width(stack),
               mla_width(stack));
    return 0;
}

/* The values of what was mixed. */
static int finish_head(void *context, size_t task, size_t worker, struct error *err)
{
    const struct piece *piece = context;
    const struct stack_spec *stack = piece->mla->stack;
    size_t head = task / n_tasks_per_head(piece), rank = stack->mla.kv_lora_rank;
    size_t first = task % n_tasks_per_head(piece) * TASK_ROWS, n_left = piece->n_rows - first;
    size_t width = stack->n_heads * stack->v_head_dim;
    struct gemm_matrix value = part_of(piece, head, true);

    (void)err;
    gemm_block(piece->engine->gemm, worker, n_left < TASK_ROWS ? n_left : TASK_ROWS,
               piece->mixed + (first * stack->n_heads + head) * rank, stack->n_heads * rank, &value,
               1, false, NULL, piece->mla->heads + first * width + head * stack->v_head_dim, width);
    return 0;
}

static int run_heads(struct piece *piece, threads_task *task, struct error *err)
{
    return threads_run(piece->engine->threads,
                       piece->mla->stack->n_heads * n_tasks_per_head(piece), task, piece, err);
}

/* ---- all ---- */

static int make_queries(struct piece *piece, const float *x, struct error *err)
{
    const struct mla_weights *weights = piece->weights;
    const struct stack_spec *stack = piece->mla->stack;
    const struct engine *engine = piece->engine;
    float *latent = piece->mla->latent;
    size_t n_rows = piece->n_rows, width = stack->n_heads * stack->head_dim;

    if (stack->mla.q_lora_rank) {
        linear_run(engine, &weights->q_a, x, n_rows, latent, stack->mla.q_lora_rank);
        rows_each(engine->threads, n_rows, stack->mla.q_lora_rank, norm_query_rows, piece);
    }
    linear_run(engine, &weights->q_b, stack->mla.q_lora_rank ? latent : x, n_rows,
               piece->mla->heads, width);
    linear_run(engine, &weights->kv_a, x, n_rows,
               piece->rows + stack->n_heads * stack_latent_width(stack), mla_width(stack));
    rows_each(engine->threads, n_rows, width, turn_rows, piece);
    return run_heads(piece, turn_head, err);
}

int mla_queries(const struct mla *mla, const struct engine *engine,
                const struct mla_weights *weights, const struct position_angles *angles,
                const float *x, float *rows, struct error *err)
{
    const struct stack_spec *stack = mla->stack;

    for (size_t first = 0; first < mla->n_tokens; first += ROWS_AT_ONCE) {
        struct piece piece = {
            .mla = mla, .engine = engine, .weights = weights, .angles = angles, .first = first,
            .n_rows = rows_at_once(mla->n_tokens - first), .rows = rows + first * mla_width(stack)};

        if (make_queries(&piece, x + first * stack->hidden_size, err))
            return -1;
    }
    return 0;
}

int mla_outputs(const struct mla *mla, const struct engine *engine,
                const struct attention_weights *weights, const float *mixed, float *delta,
                struct error *err)
{
    const struct stack_spec *stack = mla->stack;

    for (size_t first = 0; first < mla->n_tokens; first += ROWS_AT_ONCE) {
        struct piece piece = {
            .mla = mla, .engine = engine, .weights = weights->mla, .first = first,
            .n_rows = rows_at_once(mla->n_tokens - first),
            .mixed = mixed + first * stack->n_heads * stack->mla.kv_lora_rank};

        if (run_heads(&piece, finish_head, err))
            return -1;
        linear_run(engine, &weights->o, mla->heads, piece.n_rows,
                   delta + first * stack->hidden_size, stack->hidden_size);
    }
    return 0;
}
