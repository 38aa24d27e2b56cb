/* forward.c - one stack of layers over a batch.
 *
 * All families share this: a layer is attention, maybe attention to an encoder, and an MLP, with
 * norms before or behind. The rows of all sequences go through a matrix product together; only
 * attention, positions and caches know where one sequence ends. */
#include "forward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "math/vector.h"
#include "model/mla.h"
#include "model/mlp.h"
#include "model/moe.h"
#include "model/moe_attention.h"
#include "model/position.h"

enum { PIECE_FLOATS = 16384 };

struct forward {
    struct model *model;
    const struct stack_spec *spec;
    const struct stack *stack;
    const struct batch *batch;
    size_t n_tokens;
    size_t qkv_width;    /* of a row of qkv */
    float *x;            /* [n_tokens, hidden_size] */
    float *normed;       /* [n_tokens, hidden_size] */
    float *delta;        /* [n_tokens, hidden_size], what a part adds to x */
    float *qkv;          /* [n_tokens, qkv_width] */
    float *heads;        /* [n_tokens, n_heads * v_head_dim] */
    float *gate, *up;    /* [MLP_ROWS, intermediate_size], gate twice as wide if double */
    float *cross;        /* [n_memory, 2 n_kv_heads * head_dim]: keys | values, without caches */
    float *memory;       /* all of these */
    struct attention_sequence *sequences; /* [n_sequences] */
    struct position_angles angles[2];     /* of full and sliding layers */
    struct position_bias bias;
    struct mla mla;                       /* of a stack with latent attention */
    struct moe moe, attention_moe;        /* of a stack with experts */
    const struct layer *layer;
    size_t number;       /* of the layer */
};

/* ---- rows ---- */

struct rows_job {
    forward_rows *f;
    void *context;
    size_t n_rows, piece;
};

static int run_piece(void *context, size_t task, size_t worker, struct error *err)
{
    const struct rows_job *job = context;
    size_t begin = task * job->piece;

    (void)worker;
    (void)err;
    job->f(job->context, begin,
           begin + job->piece < job->n_rows ? begin + job->piece : job->n_rows);
    return 0;
}

void forward_each(struct threads *threads, size_t n_rows, size_t width, forward_rows *f,
                  void *context)
{
    struct rows_job job = {f, context, n_rows, PIECE_FLOATS / width + 1};
    struct error none = {0};

    if (n_rows <= job.piece)
        f(context, 0, n_rows);
    else
        threads_run(threads, (n_rows + job.piece - 1) / job.piece, run_piece, &job, &none);
}

static void each_row(struct forward *forward, forward_rows *f)
{
    forward_each(forward->model->threads, forward->n_tokens, forward->spec->hidden_size, f,
                 forward);
}

void forward_norm(const struct norm *norm, enum norm_kind kind, float eps, const float *x, size_t n,
                  float *y)
{
    if (kind == NORM_LAYER)
        vector_layer_norm(x, norm->weight, norm->bias, eps, n, y);
    else
        vector_rms_norm(x, norm->weight, kind == NORM_RMS_OFFSET ? 1 : 0, eps, n, y);
}

static void norm_row(const struct forward *forward, const struct norm *norm, const float *x,
                     float *y)
{
    forward_norm(norm, forward->spec->norm, forward->spec->norm_eps, x, forward->spec->hidden_size,
                 y);
}

static void multiply(const struct forward *forward, const struct linear *linear, const float *x,
                     size_t n_rows, float *y, size_t y_stride)
{
    mlp_multiply(forward->model, linear, x, n_rows, y, y_stride);
}

/* ---- queries, keys, values ---- */

static size_t start_of(const size_t *ends, size_t sequence)
{
    return sequence ? ends[sequence - 1] : 0;
}

static size_t length_of(const size_t *ends, size_t sequence)
{
    return ends[sequence] - start_of(ends, sequence);
}

static size_t n_cached(const struct batch *batch, size_t sequence)
{
    return batch->caches ? batch->caches[sequence]->n_tokens : 0;
}

/* Where q, k and v of a token's row begin. */
static struct attention_rows rows_of(const struct forward *forward, char which, size_t token)
{
    const struct stack_spec *spec = forward->spec;
    bool is_mixed = spec->qkv == QKV_PER_HEAD, is_latent = spec->qkv == QKV_LATENT;
    size_t n_q = is_mixed ? spec->head_dim : spec->n_heads * spec->head_dim;
    size_t n_kv = is_mixed || is_latent ? spec->head_dim : spec->n_kv_heads * spec->head_dim;
    size_t offset = which == 'q' ? 0 : which == 'k' ? n_q : n_q + n_kv;

    return (struct attention_rows){
        .data = forward->qkv + token * forward->qkv_width + offset,
        .stride = forward->qkv_width,
        .head_stride = is_mixed                    ? 3 * spec->head_dim
                       : is_latent && which != 'q' ? spec->head_dim + spec->v_head_dim
                                                   : spec->head_dim,
    };
}

/* OLMoE's norms, over all heads at once, and its limit. */
static void turn_flat_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct stack_spec *spec = forward->spec;
    const struct layer *layer = forward->layer;
    size_t n_q = spec->n_heads * spec->head_dim, n_k = spec->n_kv_heads * spec->head_dim;

    for (size_t t = begin; t < end; t++) {
        float *row = forward->qkv + t * forward->qkv_width;

        if (spec->has_flat_qk_norm) {
            forward_norm(&layer->q_norm, spec->norm, spec->norm_eps, row, n_q, row);
            forward_norm(&layer->k_norm, spec->norm, spec->norm_eps, row + n_q, n_k, row + n_q);
        }
        for (size_t i = 0; spec->qkv_clip > 0 && i < forward->qkv_width; i++)
            row[i] = row[i] > spec->qkv_clip    ? spec->qkv_clip
                     : row[i] < -spec->qkv_clip ? -spec->qkv_clip
                                                : row[i];
    }
}

/* Norms of each head's query and key, then their rotation. */
static void turn_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct stack_spec *spec = forward->spec;
    const struct layer *layer = forward->layer;
    const struct position_angles *angles = &forward->angles[spec->slides[forward->number]];

    for (size_t t = begin; t < end; t++)
        for (size_t h = 0; h < spec->n_heads + spec->n_kv_heads; h++) {
            bool is_query = h < spec->n_heads;
            struct attention_rows rows = rows_of(forward, is_query ? 'q' : 'k', t);
            const struct norm *norm = is_query ? &layer->q_norm : &layer->k_norm;
            float *head = (float *)rows.data +
                          (is_query ? h : h - spec->n_heads) * rows.head_stride;

            if (norm->weight && !spec->has_flat_qk_norm)
                forward_norm(norm, spec->norm, spec->norm_eps, head, spec->head_dim, head);
            if (spec->position == POSITION_ROTARY && spec->has_interleaved_rope)
                position_rotate_pairs(angles, t, head);
            else if (spec->position == POSITION_ROTARY)
                position_rotate(angles, t, head);
        }
}

/* The keys and values of the new tokens behind those that the cache holds. */
static void add_to_cache(const struct forward *forward, size_t sequence)
{
    const struct batch *batch = forward->batch;
    struct cache *cache = batch->caches[sequence];
    const struct cache_layer *layer = &cache->layers[forward->number];
    size_t start = start_of(batch->ends, sequence);
    size_t head_dim = forward->spec->head_dim, v_head_dim = forward->spec->v_head_dim;

    for (size_t i = 0; i < length_of(batch->ends, sequence); i++) {
        struct attention_rows keys = rows_of(forward, 'k', start + i);
        struct attention_rows values = rows_of(forward, 'v', start + i);
        size_t at = cache->n_tokens + i;

        for (size_t h = 0; h < forward->spec->n_kv_heads; h++) {
            memcpy(layer->keys + at * cache->key_width + h * head_dim,
                   keys.data + h * keys.head_stride, head_dim * sizeof(float));
            memcpy(layer->values + at * cache->value_width + h * v_head_dim,
                   values.data + h * values.head_stride, v_head_dim * sizeof(float));
        }
    }
}

static struct attention_rows cached_rows(const struct forward *forward, const float *data,
                                         size_t dim)
{
    return (struct attention_rows){data, forward->spec->n_kv_heads * dim, dim};
}

static struct attention_sequence sequence_of(const struct forward *forward, size_t s)
{
    const struct batch *batch = forward->batch;
    size_t start = start_of(batch->ends, s);
    size_t width = forward->spec->n_heads * forward->spec->v_head_dim;

    return (struct attention_sequence){
        .queries = rows_of(forward, 'q', start),
        .n_queries = length_of(batch->ends, s),
        .out = forward->heads + start * width,
        .out_stride = width,
    };
}

static int attend(struct forward *forward, const struct attention_spec *spec, struct error *err)
{
    const struct model *model = forward->model;

    return attention_run(model->attention, spec, forward->sequences, forward->batch->n_sequences,
                         model->gemm, model->threads, err);
}

/* For keys and values that are their input. */
static void copy_kv(const struct forward *forward, const float *normed)
{
    size_t n = forward->spec->hidden_size;

    for (size_t t = 0; t < forward->n_tokens; t++) {
        memcpy((float *)rows_of(forward, 'k', t).data, normed + t * n, n * sizeof *normed);
        memcpy((float *)rows_of(forward, 'v', t).data, normed + t * n, n * sizeof *normed);
    }
}

/* qkv = queries, keys and values of `normed`, as attention takes them */
static void compute_qkv(struct forward *forward, const float *normed)
{
    const struct stack_spec *spec = forward->spec;
    const struct attention_weights *weights = &forward->layer->self;
    size_t n_q = spec->n_heads * spec->head_dim, n_kv = spec->n_kv_heads * spec->head_dim;

    if (spec->qkv == QKV_LATENT) {
        mla_run(&forward->mla, forward->model, weights->mla,
                &forward->angles[spec->slides[forward->number]], normed, forward->qkv);
        return;
    }
    if (weights->experts)
        moe_attention_queries(&forward->attention_moe, forward->model, weights->experts, normed,
                              forward->qkv, forward->qkv_width);
    else
        multiply(forward, &weights->q, normed, forward->n_tokens, forward->qkv,
                 forward->qkv_width);
    if (spec->lacks_kv) {
        copy_kv(forward, normed);
    } else if (spec->qkv == QKV_SEPARATE) {
        multiply(forward, &weights->k, normed, forward->n_tokens, forward->qkv + n_q,
                 forward->qkv_width);
        multiply(forward, &weights->v, normed, forward->n_tokens, forward->qkv + n_q + n_kv,
                 forward->qkv_width);
    }
    if (spec->has_flat_qk_norm || spec->qkv_clip > 0)
        each_row(forward, turn_flat_rows);
    if (spec->position == POSITION_ROTARY || spec->has_qk_norm)
        each_row(forward, turn_rows);
}

/* delta = attention of `normed` to itself */
static int run_attention(struct forward *forward, const float *normed, struct error *err)
{
    const struct stack_spec *spec = forward->spec;
    const struct attention_weights *weights = &forward->layer->self;
    const struct batch *batch = forward->batch;
    struct attention_spec how = {
        .n_heads = spec->n_heads,
        .n_kv_heads = spec->n_kv_heads,
        .head_dim = spec->head_dim,
        .v_head_dim = spec->v_head_dim,
        .scale = spec->score_scale,
        .cap = spec->score_softcap,
        .is_causal = spec->is_causal,
        .window = spec->slides[forward->number] ? spec->window : 0,
        .bias = forward->bias.values,
        .bias_span = forward->bias.span,
        .sinks = weights->sinks,
        .has_stick_breaking = spec->has_stick_breaking,
    };

    if (spec->scales_by_layer)
        how.scale /= (float)(forward->number + 1);
    compute_qkv(forward, normed);
    for (size_t s = 0; s < batch->n_sequences; s++) {
        struct attention_sequence *sequence = &forward->sequences[s];
        size_t start = start_of(batch->ends, s);

        *sequence = sequence_of(forward, s);
        sequence->first = n_cached(batch, s);
        sequence->n_keys = sequence->first + sequence->n_queries;
        if (batch->caches) {
            const struct cache_layer *layer = &batch->caches[s]->layers[forward->number];

            add_to_cache(forward, s);
            sequence->keys = cached_rows(forward, layer->keys, spec->head_dim);
            sequence->values = cached_rows(forward, layer->values, spec->v_head_dim);
        } else {
            sequence->keys = rows_of(forward, 'k', start);
            sequence->values = rows_of(forward, 'v', start);
        }
    }
    if (attend(forward, &how, err))
        return -1;
    if (weights->experts)
        moe_attention_outputs(&forward->attention_moe, forward->model, weights->experts,
                              forward->heads, forward->delta);
    else
        multiply(forward, &weights->o, forward->heads, forward->n_tokens, forward->delta,
                 spec->hidden_size);
    return 0;
}

/* ---- attention to what the encoder has made ---- */

static void compute_cross(const struct forward *forward, size_t first, size_t n_rows, float *keys,
                          float *values, size_t stride)
{
    const struct attention_weights *weights = &forward->layer->cross;
    const float *memory = forward->batch->memory + first * forward->spec->hidden_size;

    multiply(forward, &weights->k, memory, n_rows, keys, stride);
    multiply(forward, &weights->v, memory, n_rows, values, stride);
}

/* delta = attention of `normed` to the encoder's rows. No positions, no mask. */
static int run_cross_attention(struct forward *forward, struct error *err)
{
    const struct stack_spec *spec = forward->spec;
    const struct attention_weights *weights = &forward->layer->cross;
    const struct batch *batch = forward->batch;
    size_t width = spec->n_kv_heads * spec->head_dim;
    struct attention_spec how = {
        .n_heads = spec->n_heads,
        .n_kv_heads = spec->n_kv_heads,
        .head_dim = spec->head_dim,
        .v_head_dim = spec->v_head_dim,
        .scale = spec->score_scale,
    };

    multiply(forward, &weights->q, forward->normed, forward->n_tokens, forward->qkv,
             forward->qkv_width);
    if (!batch->caches && batch->n_sequences)
        compute_cross(forward, 0, batch->memory_ends[batch->n_sequences - 1], forward->cross,
                      forward->cross + width, 2 * width);
    for (size_t s = 0; s < batch->n_sequences; s++) {
        struct attention_sequence *sequence = &forward->sequences[s];
        struct attention_rows rows = {.head_stride = spec->head_dim};

        *sequence = sequence_of(forward, s);
        if (batch->caches) {
            const struct cache *cache = batch->caches[s];
            const struct cache_layer *layer = &cache->layers[forward->number];

            if (cache->n_tokens == 0)
                compute_cross(forward, start_of(batch->memory_ends, s), cache->n_cross,
                              layer->cross_keys, layer->cross_values, width);
            sequence->n_keys = cache->n_cross;
            sequence->keys = cached_rows(forward, layer->cross_keys, spec->head_dim);
            sequence->values = cached_rows(forward, layer->cross_values, spec->v_head_dim);
        } else {
            sequence->n_keys = length_of(batch->memory_ends, s);
            rows.data = forward->cross + start_of(batch->memory_ends, s) * 2 * width;
            rows.stride = 2 * width;
            sequence->keys = sequence->values = rows;
            sequence->values.data += width;
        }
    }
    if (attend(forward, &how, err))
        return -1;
    multiply(forward, &weights->o, forward->heads, forward->n_tokens, forward->delta,
             spec->hidden_size);
    return 0;
}

/* ---- MLP ---- */

/* delta = MLP of `normed` */
static void run_mlp(struct forward *forward, const float *normed)
{
    const struct layer *layer = forward->layer;
    size_t n = forward->spec->hidden_size;

    for (size_t first = 0; first < forward->n_tokens; first += MLP_ROWS) {
        size_t n_rows = forward->n_tokens - first < MLP_ROWS ? forward->n_tokens - first
                                                             : MLP_ROWS;

        mlp_run(forward->model, forward->spec->activation, &layer->gate, &layer->up, &layer->down,
                normed + first * n, n_rows, forward->gate, forward->up,
                forward->delta + first * n);
    }
}

/* ---- layers ---- */

static void norm_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->spec->hidden_size;

    for (size_t t = begin; t < end; t++)
        norm_row(forward, &forward->layer->norm1, forward->x + t * n, forward->normed + t * n);
}

static void add_cross_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->spec->hidden_size;

    for (size_t t = begin; t < end; t++) {
        vector_add(forward->delta + t * n, n, forward->x + t * n);
        norm_row(forward, &forward->layer->cross_norm, forward->x + t * n,
                 forward->normed + t * n);
    }
}

static void add_delta(const struct forward *forward, float *delta, float *x)
{
    if (forward->spec->residual_scale != 1)
        vector_scale(delta, forward->spec->residual_scale, forward->spec->hidden_size, delta);
    vector_add(delta, forward->spec->hidden_size, x);
}

/* What attention gave goes into x, and what the MLP gets into `normed` (x itself, when norms stand
 * behind). */
static void between_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct layer *layer = forward->layer;
    size_t n = forward->spec->hidden_size;

    for (size_t t = begin; t < end; t++) {
        float *x = forward->x + t * n, *delta = forward->delta + t * n;

        if (forward->spec->block == BLOCK_PARALLEL)
            norm_row(forward, &layer->norm2, x, forward->normed + t * n);
        if (layer->post_attention_norm.weight)
            norm_row(forward, &layer->post_attention_norm, delta, delta);
        add_delta(forward, delta, x);
        if (forward->spec->block == BLOCK_POST_NORM)
            norm_row(forward, &layer->norm1, x, x);
        else if (forward->spec->block == BLOCK_PRE_NORM)
            norm_row(forward, &layer->norm2, x, forward->normed + t * n);
    }
}

static void after_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct layer *layer = forward->layer;
    size_t n = forward->spec->hidden_size;

    for (size_t t = begin; t < end; t++) {
        float *x = forward->x + t * n, *delta = forward->delta + t * n;

        if (layer->post_mlp_norm.weight)
            norm_row(forward, &layer->post_mlp_norm, delta, delta);
        add_delta(forward, delta, x);
        if (forward->spec->block == BLOCK_POST_NORM)
            norm_row(forward, &layer->norm2, x, x);
    }
}

static void norm_extra_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->spec->hidden_size;

    for (size_t t = begin; t < end; t++)
        norm_row(forward, &forward->layer->extra_norm, forward->x + t * n,
                 forward->normed + t * n);
}

static void run_extra_mlp(struct forward *forward)
{
    each_row(forward, norm_extra_rows);
    run_mlp(forward, forward->normed);
    each_row(forward, after_rows);
}

static int run_layer(struct forward *forward, struct error *err)
{
    bool is_post = forward->spec->block == BLOCK_POST_NORM;

    if (interrupt_check(err))
        return -1;
    if (forward->layer->self.relative_bias)
        position_bias_fill(&forward->bias, forward->layer->self.relative_bias, forward->spec);
    if (!is_post)
        each_row(forward, norm_rows);
    if (run_attention(forward, is_post ? forward->x : forward->normed, err))
        return -1;
    if (forward->spec->has_cross_attention) {
        each_row(forward, add_cross_rows);
        if (run_cross_attention(forward, err))
            return -1;
    }
    each_row(forward, between_rows);
    if (forward->layer->moe)
        moe_run(&forward->moe, forward->model, forward->layer->moe,
                is_post ? forward->x : forward->normed, forward->delta);
    else
        run_mlp(forward, is_post ? forward->x : forward->normed);
    each_row(forward, after_rows);
    if (forward->layer->extra_norm.weight)
        run_extra_mlp(forward);
    return 0;
}

static void final_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->spec->hidden_size;

    for (size_t t = begin; t < end; t++)
        forward_norm(&forward->stack->final_norm, forward->spec->norm,
                     forward->spec->final_norm_eps, forward->x + t * n, n, forward->x + t * n);
}

/* ---- all ---- */

/* One block of memory for all arrays, so that one message names the size. */
static int reserve(struct forward *forward, struct error *err)
{
    const struct stack_spec *spec = forward->spec;
    const struct batch *batch = forward->batch;
    size_t n = forward->n_tokens, width = spec->n_heads * spec->v_head_dim;
    size_t n_kv = spec->n_kv_heads * spec->head_dim;
    size_t n_mlp = n < MLP_ROWS ? n : MLP_ROWS;
    size_t n_gate = spec->intermediate_size * (spec->has_double_gate ? 2 : 1);
    size_t n_memory = spec->has_cross_attention && !batch->caches && batch->n_sequences
                          ? batch->memory_ends[batch->n_sequences - 1]
                          : 0;
    size_t per_token = 2 * spec->hidden_size + forward->qkv_width + width, total;
    float *next;

    if (__builtin_mul_overflow(n, per_token, &total) ||
        __builtin_add_overflow(total, n_mlp * (n_gate + spec->intermediate_size), &total) ||
        __builtin_add_overflow(total, n_memory * 2 * n_kv, &total))
        total = (size_t)-1;
    forward->memory = next = memory_try(total, sizeof *next, "activations", err);
    if (!next)
        return -1;
    forward->normed = next;
    forward->delta = next += n * spec->hidden_size;
    forward->qkv = next += n * spec->hidden_size;
    forward->heads = next += n * forward->qkv_width;
    forward->gate = next += n * width;
    forward->up = next += n_mlp * n_gate;
    forward->cross = next + n_mlp * spec->intermediate_size;
    return 0;
}

static int reserve_caches(const struct forward *forward, struct error *err)
{
    const struct batch *batch = forward->batch;

    for (size_t s = 0; batch->caches && s < batch->n_sequences; s++) {
        struct cache *cache = batch->caches[s];

        if (cache_reserve(cache, cache->n_tokens + length_of(batch->ends, s), err) ||
            (forward->spec->has_cross_attention && cache->n_tokens == 0 &&
             cache_reserve_cross(cache, length_of(batch->memory_ends, s), err)))
            return -1;
    }
    return 0;
}

static int prepare_positions(struct forward *forward, struct error *err)
{
    const struct stack_spec *spec = forward->spec;
    const struct batch *batch = forward->batch;
    size_t longest = 0;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t n = n_cached(batch, s) + length_of(batch->ends, s);

        longest = n > longest ? n : longest;
    }
    if (spec->position == POSITION_RELATIVE)
        return position_bias_init(&forward->bias, spec, longest, err);
    for (size_t i = 0; i < 2 && spec->position == POSITION_ROTARY; i++)
        if (position_angles_init(&forward->angles[i], &spec->rope[i], batch, err))
            return -1;
    return 0;
}

static int run_layers(struct forward *forward, struct error *err)
{
    for (size_t i = 0; i < forward->spec->n_layers; i++) {
        forward->layer = &forward->stack->layers[i];
        forward->number = forward->moe.layer = forward->attention_moe.layer = i;
        if (run_layer(forward, err))
            return -1;
    }
    if (forward->spec->has_final_norm)
        each_row(forward, final_rows);
    return 0;
}

int forward_run(struct model *model, const struct stack_spec *spec, const struct stack *stack,
                const struct batch *batch, float *x, struct error *err)
{
    struct forward forward = {
        .model = model,
        .spec = spec,
        .stack = stack,
        .batch = batch,
        .n_tokens = batch->n_sequences ? batch->ends[batch->n_sequences - 1] : 0,
        .qkv_width = spec->qkv == QKV_LATENT
                         ? mla_width(spec)
                         : (spec->n_heads + 2 * spec->n_kv_heads) * spec->head_dim,
        .x = x,
    };
    int rc = -1;

    forward.sequences = memory_zalloc(batch->n_sequences, sizeof *forward.sequences);
    if (reserve(&forward, err) == 0 && reserve_caches(&forward, err) == 0 &&
        prepare_positions(&forward, err) == 0 &&
        (spec->qkv != QKV_LATENT || mla_init(&forward.mla, spec, forward.n_tokens, err) == 0) &&
        (!spec->is_sparse || moe_init(&forward.moe, model, spec, &spec->moe, batch, err) == 0) &&
        (!spec->attention_moe.n_experts ||
         moe_init(&forward.attention_moe, model, spec, &spec->attention_moe, batch, err) == 0))
        rc = run_layers(&forward, err);
    for (size_t s = 0; rc == 0 && batch->caches && s < batch->n_sequences; s++)
        batch->caches[s]->n_tokens += length_of(batch->ends, s);
    position_angles_release(&forward.angles[0]);
    position_angles_release(&forward.angles[1]);
    position_bias_release(&forward.bias);
    mla_release(&forward.mla);
    moe_release(&forward.moe);
    moe_release(&forward.attention_moe);
    free(forward.sequences);
    free(forward.memory);
    return rc;
}
