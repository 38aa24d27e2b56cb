#include "mla.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/forward.h"
#include "model/mlp.h"

/* Of the two norms inside, whatever config.json says about the others. */
static const float inner_eps = 1e-6f;

static size_t rotating_dim(const struct stack_spec *spec)
{
    return spec->head_dim - spec->mla.qk_nope_head_dim;
}

size_t mla_width(const struct stack_spec *spec)
{
    return spec->n_heads * (2 * spec->head_dim + spec->v_head_dim);
}

int mla_init(struct mla *mla, const struct stack_spec *spec, size_t n_tokens, struct error *err)
{
    size_t n_rows = n_tokens < MLP_ROWS ? n_tokens : MLP_ROWS;
    size_t kv_width = spec->mla.kv_lora_rank + rotating_dim(spec);
    size_t width = spec->mla.q_lora_rank > kv_width ? spec->mla.q_lora_rank : kv_width;

    *mla = (struct mla){.spec = spec, .n_tokens = n_tokens};
    mla->latent = memory_try(n_rows, width * sizeof *mla->latent, "latent vectors", err);
    return mla->latent ? 0 : -1;
}

void mla_release(struct mla *mla)
{
    free(mla->latent);
    *mla = (struct mla){0};
}

struct piece { /* up to MLP_ROWS tokens */
    const struct mla *mla;
    const struct mla_weights *weights;
    const struct position_angles *angles;
    size_t first;
    float *qkv; /* of the first */
};

static void norm_query_rows(void *context, size_t begin, size_t end)
{
    const struct piece *piece = context;
    size_t n = piece->mla->spec->mla.q_lora_rank;

    for (size_t t = begin; t < end; t++) {
        float *row = piece->mla->latent + t * n;

        forward_norm(&piece->weights->q_norm, NORM_RMS, inner_eps, row, n, row);
    }
}

static void rotate(const struct piece *piece, size_t row, float *head)
{
    if (piece->mla->spec->has_interleaved_rope)
        position_rotate_pairs(piece->angles, piece->first + row, head);
    else
        position_rotate(piece->angles, piece->first + row, head);
}

static void turn_latent_rows(void *context, size_t begin, size_t end)
{
    const struct piece *piece = context;
    const struct stack_spec *spec = piece->mla->spec;
    size_t n = spec->mla.kv_lora_rank, width = n + rotating_dim(spec);

    for (size_t t = begin; t < end; t++) {
        float *row = piece->mla->latent + t * width, *query = piece->qkv + t * mla_width(spec);

        forward_norm(&piece->weights->kv_norm, NORM_RMS, inner_eps, row, n, row);
        rotate(piece, t, row + n);
        for (size_t h = 0; h < spec->n_heads; h++)
            rotate(piece, t, query + h * spec->head_dim + spec->mla.qk_nope_head_dim);
    }
}

/* Makes room in each head, between what stands still and the value, for the items that rotate. The
 * last head is the first to move, so that none lands on one that has not moved yet. */
static void spread_rows(void *context, size_t begin, size_t end)
{
    const struct piece *piece = context;
    const struct stack_spec *spec = piece->mla->spec;
    size_t nope = spec->mla.qk_nope_head_dim, rotating = rotating_dim(spec);
    const float *latent = piece->mla->latent + spec->mla.kv_lora_rank;

    for (size_t t = begin; t < end; t++) {
        float *row = piece->qkv + t * mla_width(spec) + spec->n_heads * spec->head_dim;

        for (size_t h = spec->n_heads; h-- > 0;) {
            float *from = row + h * (nope + spec->v_head_dim);
            float *to = row + h * (spec->head_dim + spec->v_head_dim);

            memmove(to + spec->head_dim, from + nope, spec->v_head_dim * sizeof *to);
            memmove(to, from, nope * sizeof *to);
            memcpy(to + nope, latent + t * (spec->mla.kv_lora_rank + rotating),
                   rotating * sizeof *to);
        }
    }
}

static void run_piece(struct piece *piece, const struct model *model, const float *x,
                      size_t n_rows)
{
    const struct mla_weights *weights = piece->weights;
    const struct stack_spec *spec = piece->mla->spec;
    float *latent = piece->mla->latent;
    size_t width = mla_width(spec), kv_width = spec->mla.kv_lora_rank + rotating_dim(spec);

    if (spec->mla.q_lora_rank) {
        mlp_multiply(model, &weights->q_a, x, n_rows, latent, spec->mla.q_lora_rank);
        forward_each(model->threads, n_rows, spec->mla.q_lora_rank, norm_query_rows, piece);
    }
    mlp_multiply(model, &weights->q_b, spec->mla.q_lora_rank ? latent : x, n_rows, piece->qkv,
                 width);
    mlp_multiply(model, &weights->kv_a, x, n_rows, latent, kv_width);
    forward_each(model->threads, n_rows, width, turn_latent_rows, piece);
    gemm_multiply(model->gemm, n_rows, latent, kv_width, &weights->kv_b.matrix, NULL,
                  piece->qkv + spec->n_heads * spec->head_dim, width);
    forward_each(model->threads, n_rows, width, spread_rows, piece);
}

void mla_run(const struct mla *mla, const struct model *model, const struct mla_weights *weights,
             const struct position_angles *angles, const float *x, float *qkv)
{
    const struct stack_spec *spec = mla->spec;

    for (size_t first = 0; first < mla->n_tokens; first += MLP_ROWS) {
        struct piece piece = {mla, weights, angles, first, qkv + first * mla_width(spec)};
        size_t n_rows = mla->n_tokens - first < MLP_ROWS ? mla->n_tokens - first : MLP_ROWS;

        run_piece(&piece, model, x + first * spec->hidden_size, n_rows);
    }
}
