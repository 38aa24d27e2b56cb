/* forward.c - one stack of layers over a batch.
 *
 * All families share this: a layer is attention, maybe attention to an encoder, and an MLP, with
 * norms before or behind. The rows of all sequences go through a matrix product together; only
 * attention, positions and caches know where one sequence ends. Of one token, with x its row:
 *
 *   BLOCK_PRE_NORM     x += s post1(self(norm1(x)))        GPT-2, Llama, T5, Gemma …
 *                      x += s cross(cross_norm(x))         decoders with an encoder; s is 1
 *                      x += s post2(mlp(norm2(x)))
 *   BLOCK_POST_NORM    x = norm1(x + self(x))              BERT
 *                      x = norm2(x + mlp(x))
 *   BLOCK_PARALLEL     x += self(norm1(x)) + mlp(norm2(x)) GPT-NeoX
 *   behind the layers  x = final_norm(x), where there is one
 *
 *   self(h)   q | k | v = Wq h | Wk h | Wv h + biases, in heads; maybe normed, within a limit,
 *             rotated by the token's position; each head of q attends to its head of k and v:
 *             Wo (softmax(scale q k + position bias) v), over the tokens that it may see.
 *             With latent attention, where k and v are one and the same: mla.h. With experts of
 *             heads: moe_attention.h.
 *   cross(h)  the same with k | v = Wk m | Wv m of the encoder's rows m, all of them seen, no
 *             positions.
 *   mlp(h)    down(f(gate h) * up h), or down(f(up h)) without a gate; or experts: moe.h, and in
 *             OpenMoE a further x += mlp(extra_norm(x)) behind these.
 *   post1 and post2 are norms where has_post_norms says so, and s is residual_scale. */
#include "forward.h"

#include <string.h>

#include "base/interrupt.h"
#include "math/vector.h"
#include "model/attention.h"
#include "model/expert_group.h"
#include "model/linear.h"
#include "model/mla.h"
#include "model/mlp.h"
#include "model/moe.h"
#include "model/moe_attention.h"
#include "model/position.h"
#include "model/rows.h"
#include "model/wanted.h"

struct forward {
    struct engine *engine;
    const struct stack_spec *stack;
    const struct stack *weights;
    const struct batch *batch;
    const struct hidden_watcher *hidden;
    size_t n_tokens;     /* rows of x; in the end only those that are wanted */
    size_t qkv_width;    /* of a row of qkv */
    float *x;            /* [n_tokens, hidden_size] */
    float *normed;       /* [n_tokens, hidden_size] */
    float *delta;        /* [n_tokens, hidden_size], what a part adds to x */
    float *qkv;          /* [n_tokens, qkv_width] */
    float *heads;        /* [n_tokens, n_heads * v_head_dim] */
    float *gate, *up;    /* [ROWS_AT_ONCE, intermediate_size], gate twice as wide if double */
    float *cross;        /* [n_memory, 2 n_kv_heads * head_dim]: keys | values, without caches */
    struct attention_sequence *sequences; /* [n_sequences] */
    struct position_angles angles[2];     /* of full and sliding layers */
    struct position_bias bias;
    struct mla mla;                       /* of a stack with latent attention */
    size_t n_kv_heads, head_dim, v_head_dim; /* as attention to itself has them */
    struct moe moe, attention_moe;        /* of a stack with experts */
    const struct layer *layer;
    size_t number;       /* of the layer */
    bool drops;          /* what nobody wants: in the last layer, where it can */
};

static void each_row(struct forward *forward, rows_function *f)
{
    rows_each(forward->engine->threads, forward->n_tokens, forward->stack->hidden_size, f, forward);
}

static void norm_row(const struct forward *forward, const struct norm *norm, const float *x,
                     float *y)
{
    norm_run(norm, forward->stack->norm, forward->stack->norm_eps, x, forward->stack->hidden_size,
                 y);
}

/* ---- queries, keys, values ---- */

/* Where q, k and v of a token's row begin. */
static struct attention_rows rows_of(const struct forward *forward, char which, size_t token)
{
    const struct stack_spec *stack = forward->stack;
    bool is_mixed = stack->qkv == QKV_PER_HEAD;
    size_t n_q = (is_mixed ? 1 : stack->n_heads) * forward->head_dim;
    size_t n_kv = (is_mixed ? 1 : forward->n_kv_heads) * forward->head_dim;
    size_t offset = which == 'q' ? 0 : which == 'k' || stack->qkv == QKV_LATENT ? n_q : n_q + n_kv;

    return (struct attention_rows){
        .data = forward->qkv + token * forward->qkv_width + offset,
        .stride = forward->qkv_width,
        .head_stride = is_mixed ? 3 * forward->head_dim : forward->head_dim,
    };
}

/* OLMoE's norms, over all heads at once, and its limit. */
static void turn_flat_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct stack_spec *stack = forward->stack;
    const struct layer *layer = forward->layer;
    size_t n_q = stack->n_heads * stack->head_dim, n_k = stack->n_kv_heads * stack->head_dim;

    for (size_t t = begin; t < end; t++) {
        float *row = forward->qkv + t * forward->qkv_width;

        if (stack->has_flat_qk_norm) {
            norm_run(&layer->q_norm, stack->norm, stack->norm_eps, row, n_q, row);
            norm_run(&layer->k_norm, stack->norm, stack->norm_eps, row + n_q, n_k, row + n_q);
        }
        for (size_t i = 0; stack->qkv_clip > 0 && i < forward->qkv_width; i++)
            row[i] = row[i] > stack->qkv_clip    ? stack->qkv_clip
                     : row[i] < -stack->qkv_clip ? -stack->qkv_clip
                                                : row[i];
    }
}

/* Norms of each head's query and key, then their rotation. */
static void turn_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct stack_spec *stack = forward->stack;
    const struct layer *layer = forward->layer;
    const struct position_angles *angles = &forward->angles[stack->slides[forward->number]];

    for (size_t t = begin; t < end; t++)
        for (size_t h = 0; h < stack->n_heads + stack->n_kv_heads; h++) {
            bool is_query = h < stack->n_heads;
            struct attention_rows rows = rows_of(forward, is_query ? 'q' : 'k', t);
            const struct norm *norm = is_query ? &layer->q_norm : &layer->k_norm;
            float *head = (float *)rows.data +
                          (is_query ? h : h - stack->n_heads) * rows.head_stride;

            if (norm->weight && !stack->has_flat_qk_norm)
                norm_run(norm, stack->norm, stack->norm_eps, head, stack->head_dim, head);
            if (stack->position == POSITION_ROTARY && stack->has_interleaved_rope)
                position_rotate_pairs(angles, t, head);
            else if (stack->position == POSITION_ROTARY)
                position_rotate(angles, t, head);
        }
}

struct cache_rows { /* of the new tokens of a sequence */
    const struct forward *forward;
    const struct cache *cache;
    size_t start; /* of the sequence in the batch */
};

static void copy_to_cache(void *context, size_t begin, size_t end)
{
    const struct cache_rows *rows = context;
    const struct forward *forward = rows->forward;
    const struct cache *cache = rows->cache;
    const struct cache_layer *layer = &cache->layers[forward->number];
    size_t head_dim = forward->head_dim, v_head_dim = forward->v_head_dim;

    for (size_t i = begin; i < end; i++) {
        struct attention_rows keys = rows_of(forward, 'k', rows->start + i);
        struct attention_rows values = rows_of(forward, 'v', rows->start + i);
        size_t at = cache->n_tokens + i;

        for (size_t h = 0; h < forward->n_kv_heads; h++) {
            memcpy(layer->keys + at * cache->key_width + h * head_dim,
                   keys.data + h * keys.head_stride, head_dim * sizeof(float));
            if (cache->value_width)
                memcpy(layer->values + at * cache->value_width + h * v_head_dim,
                       values.data + h * values.head_stride, v_head_dim * sizeof(float));
        }
    }
}

/* The keys and values of the new tokens behind those that the cache holds. */
static void add_to_cache(const struct forward *forward, size_t sequence)
{
    const struct batch *batch = forward->batch;
    struct cache_rows rows = {forward, batch_cache(batch, sequence),
                              batch_start(batch->ends, sequence)};

    rows_each(forward->engine->threads, batch_length(batch->ends, sequence),
              rows.cache->key_width + rows.cache->value_width, copy_to_cache, &rows);
}

static struct attention_rows cached_rows(const struct forward *forward, const float *data,
                                         size_t dim)
{
    return (struct attention_rows){data, forward->n_kv_heads * dim, dim};
}

/* Rows of a sequence that go on. */
static struct batch_rows kept_rows(const struct forward *forward, size_t s)
{
    const struct batch *batch = forward->batch;

    return forward->drops ? batch->wanted[s]
                          : (struct batch_rows){0, batch_length(batch->ends, s)};
}

static struct attention_sequence sequence_of(const struct forward *forward, size_t s)
{
    struct batch_rows kept = kept_rows(forward, s);
    size_t first = batch_start(forward->batch->ends, s) + kept.first;
    size_t width = forward->stack->n_heads * forward->v_head_dim;

    return (struct attention_sequence){
        .queries = rows_of(forward, 'q', first),
        .n_queries = kept.end - kept.first,
        .out = forward->heads + first * width,
        .out_stride = width,
    };
}

/* What the queries of sequence number s attend to: rows of its cache, or of the batch. */
static void look_back(const struct forward *forward, size_t s, struct attention_sequence *sequence)
{
    const struct cache *cache = batch_cache(forward->batch, s);
    size_t start = batch_start(forward->batch->ends, s);
    size_t n_cached = batch_n_cached(forward->batch, s);

    *sequence = sequence_of(forward, s);
    sequence->first = n_cached + kept_rows(forward, s).first;
    sequence->n_keys = n_cached + batch_length(forward->batch->ends, s);
    if (cache) {
        const struct cache_layer *layer = &cache->layers[forward->number];

        add_to_cache(forward, s);
        sequence->keys = cached_rows(forward, layer->keys, forward->head_dim);
        sequence->values = cache->value_width
                               ? cached_rows(forward, layer->values, forward->v_head_dim)
                               : sequence->keys;
    } else {
        sequence->keys = rows_of(forward, 'k', start);
        sequence->values = rows_of(forward, 'v', start);
    }
}

/* Behind a prefix that they share there is room for one sequence at a time. */
static int attend_all(struct forward *forward, const struct attention_spec *attention,
                      struct error *err)
{
    size_t n = 0; /* those that have queries, and have not run */

    for (size_t s = 0; s < forward->batch->n_sequences; s++) {
        look_back(forward, s, &forward->sequences[n]);
        n += forward->sequences[n].n_queries > 0;
        if (forward->batch->prefix && n) {
            n = 0;
            if (attention_run(forward->engine, attention, forward->sequences, 1, err))
                return -1;
        }
    }
    return n ? attention_run(forward->engine, attention, forward->sequences, n, err) : 0;
}

/* For keys and values that are their input. */
static void copy_kv(const struct forward *forward, const float *normed)
{
    size_t n = forward->stack->hidden_size;

    for (size_t t = 0; t < forward->n_tokens; t++) {
        memcpy((float *)rows_of(forward, 'k', t).data, normed + t * n, n * sizeof *normed);
        memcpy((float *)rows_of(forward, 'v', t).data, normed + t * n, n * sizeof *normed);
    }
}

/* qkv = queries, keys and values of `normed`, as attention takes them */
static int compute_qkv(struct forward *forward, const float *normed, struct error *err)
{
    const struct stack_spec *stack = forward->stack;
    const struct attention_weights *weights = &forward->layer->self;
    size_t n_q = stack->n_heads * stack->head_dim, n_kv = stack->n_kv_heads * stack->head_dim;
    size_t n_first = 1, n_end = 1; /* of the three, those that are made of `normed` */
    const struct linear *const linears[] = {&weights->q, &weights->k, &weights->v};
    float *const rows[] = {forward->qkv, forward->qkv + n_q, forward->qkv + n_q + n_kv};
    const size_t widths[] = {forward->qkv_width, forward->qkv_width, forward->qkv_width};

    if (stack->qkv == QKV_LATENT)
        return mla_queries(&forward->mla, forward->engine, weights->mla,
                           &forward->angles[stack->slides[forward->number]], normed, forward->qkv,
                           err);
    if (!weights->experts)
        n_first = 0;
    else if (moe_attention_queries(&forward->attention_moe, forward->engine, weights->experts,
                                   normed, forward->qkv, forward->qkv_width, err))
        return -1;
    if (stack->lacks_kv)
        copy_kv(forward, normed);
    else if (stack->qkv == QKV_SEPARATE)
        n_end = 3;
    if (n_first < n_end)
        linear_run_each(forward->engine, linears + n_first, n_end - n_first, normed,
                        forward->n_tokens, rows + n_first, widths);
    if (stack->has_flat_qk_norm || stack->qkv_clip > 0)
        each_row(forward, turn_flat_rows);
    if (stack->position == POSITION_ROTARY || stack->has_qk_norm)
        each_row(forward, turn_rows);
    return 0;
}

static void silence_deaf(const struct forward *forward)
{
    size_t width = forward->stack->n_heads * forward->v_head_dim;

    for (size_t t = 0; forward->batch->deaf && t < forward->n_tokens; t++)
        if (forward->batch->deaf[t])
            memset(forward->heads + t * width, 0, width * sizeof *forward->heads);
}

/* ---- what is wanted ---- */

/* Behind its keys and values the last layer need not go on with what nobody wants. But who has a say
 * in the rows of others, or watches them, must meet them all. */
static bool can_drop(const struct forward *forward, const struct routing_watcher *watcher)
{
    const struct stack_spec *stack = forward->stack;

    return forward->batch->wanted && !stack->has_cross_attention && !stack->attention_moe.n_experts &&
           !stack->moe.capacity && stack->moe.capacity_factor == 0 && !watcher->see &&
           !forward->engine->experts;
}

static void drop_rows(struct forward *forward)
{
    size_t width = forward->stack->n_heads * forward->v_head_dim;
    size_t n_kept = wanted_gather(forward->batch, forward->stack->hidden_size, forward->x);

    wanted_gather(forward->batch, width, forward->heads);
    forward->n_tokens = forward->moe.n_tokens = forward->mla.n_tokens = n_kept;
}

/* delta = what the heads found, as the output matrices have it */
static int compute_output(struct forward *forward, struct error *err)
{
    const struct attention_weights *weights = &forward->layer->self;

    if (forward->stack->qkv == QKV_LATENT)
        return mla_outputs(&forward->mla, forward->engine, weights, forward->heads, forward->delta,
                           err);
    if (weights->experts)
        return moe_attention_outputs(&forward->attention_moe, forward->engine, weights->experts,
                                     forward->heads, forward->delta, err);
    linear_run(forward->engine, &weights->o, forward->heads, forward->n_tokens, forward->delta,
               forward->stack->hidden_size);
    return 0;
}

/* delta = attention of `normed` to itself */
static int run_attention(struct forward *forward, const float *normed, struct error *err)
{
    const struct stack_spec *stack = forward->stack;
    const struct attention_weights *weights = &forward->layer->self;
    struct attention_spec attention = {
        .n_heads = stack->n_heads,
        .n_kv_heads = forward->n_kv_heads,
        .head_dim = forward->head_dim,
        .v_head_dim = forward->v_head_dim,
        .scale = stack->score_scale,
        .cap = stack->score_softcap,
        .is_causal = stack->is_causal,
        .window = stack->slides[forward->number] ? stack->window : 0,
        .bias = forward->bias.values,
        .bias_span = forward->bias.span,
        .sinks = weights->sinks,
        .has_stick_breaking = stack->has_stick_breaking,
    };

    if (stack->scales_by_layer)
        attention.scale /= (float)(forward->number + 1);
    if (compute_qkv(forward, normed, err) || attend_all(forward, &attention, err))
        return -1;
    silence_deaf(forward);
    if (forward->drops)
        drop_rows(forward);
    return forward->n_tokens ? compute_output(forward, err) : 0;
}

/* ---- attention to what the encoder has made ---- */

static void compute_cross(const struct engine *engine, const struct layer *layer,
                          const float *memory, size_t n_rows, float *keys, float *values,
                          size_t stride)
{
    linear_run(engine, &layer->cross.k, memory, n_rows, keys, stride);
    linear_run(engine, &layer->cross.v, memory, n_rows, values, stride);
}

int forward_remember(const struct engine *engine, const struct stack *weights,
                     const float *memory, size_t n_rows, struct cache *cache, struct error *err)
{
    if (cache_reserve_cross(cache, n_rows, err))
        return -1;
    for (size_t i = 0; i < cache->n_layers; i++)
        compute_cross(engine, &weights->layers[i], memory, n_rows, cache->layers[i].cross_keys,
                      cache->layers[i].cross_values, cache->key_width);
    return 0;
}

/* delta = attention of `normed` to the encoder's rows. No positions, no mask. */
static int run_cross_attention(struct forward *forward, struct error *err)
{
    const struct stack_spec *stack = forward->stack;
    const struct attention_weights *weights = &forward->layer->cross;
    const struct batch *batch = forward->batch;
    size_t width = stack->n_kv_heads * stack->head_dim;
    struct attention_spec attention = {
        .n_heads = stack->n_heads,
        .n_kv_heads = stack->n_kv_heads,
        .head_dim = stack->head_dim,
        .v_head_dim = stack->v_head_dim,
        .scale = stack->score_scale,
    };

    linear_run(forward->engine, &weights->q, forward->normed, forward->n_tokens, forward->qkv,
             forward->qkv_width);
    if (!batch->caches && batch->n_sequences)
        compute_cross(forward->engine, forward->layer, batch->memory,
                      batch->memory_ends[batch_n_memories(batch) - 1], forward->cross,
                      forward->cross + width, 2 * width);
    for (size_t s = 0; s < batch->n_sequences; s++) {
        struct attention_sequence *sequence = &forward->sequences[s];
        struct attention_rows rows = {.head_stride = stack->head_dim};

        *sequence = sequence_of(forward, s);
        if (batch->caches) {
            const struct cache *cache = batch->caches[s];
            const struct cache_layer *layer = &cache->layers[forward->number];

            sequence->n_keys = cache->n_cross;
            sequence->keys = cached_rows(forward, layer->cross_keys, stack->head_dim);
            sequence->values = cached_rows(forward, layer->cross_values, stack->v_head_dim);
        } else {
            size_t memory = batch_memory(batch, s);

            sequence->n_keys = batch_length(batch->memory_ends, memory);
            rows.data = forward->cross + batch_start(batch->memory_ends, memory) * 2 * width;
            rows.stride = 2 * width;
            sequence->keys = sequence->values = rows;
            sequence->values.data += width;
        }
    }
    if (attention_run(forward->engine, &attention, forward->sequences, batch->n_sequences, err))
        return -1;
    linear_run(forward->engine, &weights->o, forward->heads, forward->n_tokens, forward->delta,
             stack->hidden_size);
    return 0;
}

/* ---- MLP ---- */

/* delta = MLP of `normed` */
static void run_mlp(struct forward *forward, const float *normed)
{
    const struct layer *layer = forward->layer;
    size_t n = forward->stack->hidden_size;

    for (size_t first = 0; first < forward->n_tokens; first += ROWS_AT_ONCE) {
        size_t n_rows = rows_at_once(forward->n_tokens - first);

        mlp_run(forward->engine, forward->stack->activation, &layer->gate, &layer->up, &layer->down,
                normed + first * n, n_rows, forward->gate, forward->up,
                forward->delta + first * n);
    }
}

/* ---- layers ---- */

static void norm_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->stack->hidden_size;

    for (size_t t = begin; t < end; t++)
        norm_row(forward, &forward->layer->norm1, forward->x + t * n, forward->normed + t * n);
}

static void add_cross_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->stack->hidden_size;

    for (size_t t = begin; t < end; t++) {
        vector_add(forward->delta + t * n, n, forward->x + t * n);
        norm_row(forward, &forward->layer->cross_norm, forward->x + t * n,
                 forward->normed + t * n);
    }
}

static void add_delta(const struct forward *forward, float *delta, float *x)
{
    if (forward->stack->residual_scale != 1)
        vector_scale(delta, forward->stack->residual_scale, forward->stack->hidden_size, delta);
    vector_add(delta, forward->stack->hidden_size, x);
}

/* What attention gave goes into x, and what the MLP gets into `normed` (x itself, when norms stand
 * behind). */
static void between_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct layer *layer = forward->layer;
    size_t n = forward->stack->hidden_size;

    for (size_t t = begin; t < end; t++) {
        float *x = forward->x + t * n, *delta = forward->delta + t * n;

        if (forward->stack->block == BLOCK_PARALLEL)
            norm_row(forward, &layer->norm2, x, forward->normed + t * n);
        if (layer->post_attention_norm.weight)
            norm_row(forward, &layer->post_attention_norm, delta, delta);
        add_delta(forward, delta, x);
        if (forward->stack->block == BLOCK_POST_NORM)
            norm_row(forward, &layer->norm1, x, x);
        else if (forward->stack->block == BLOCK_PRE_NORM)
            norm_row(forward, &layer->norm2, x, forward->normed + t * n);
    }
}

static void after_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    const struct layer *layer = forward->layer;
    size_t n = forward->stack->hidden_size;

    for (size_t t = begin; t < end; t++) {
        float *x = forward->x + t * n, *delta = forward->delta + t * n;

        if (layer->post_mlp_norm.weight)
            norm_row(forward, &layer->post_mlp_norm, delta, delta);
        add_delta(forward, delta, x);
        if (forward->stack->block == BLOCK_POST_NORM)
            norm_row(forward, &layer->norm2, x, x);
    }
}

static void norm_extra_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->stack->hidden_size;

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
    bool is_post = forward->stack->block == BLOCK_POST_NORM;

    if (interrupt_check(err))
        return -1;
    if (forward->layer->self.relative_bias)
        position_bias_fill(&forward->bias, forward->layer->self.relative_bias, forward->stack);
    if (!is_post)
        each_row(forward, norm_rows);
    if (run_attention(forward, is_post ? forward->x : forward->normed, err))
        return -1;
    if (forward->n_tokens == 0)
        return 0;
    if (forward->stack->has_cross_attention) {
        each_row(forward, add_cross_rows);
        if (run_cross_attention(forward, err))
            return -1;
    }
    each_row(forward, between_rows);
    if (!forward->layer->moe)
        run_mlp(forward, is_post ? forward->x : forward->normed);
    else if (moe_run(&forward->moe, forward->engine, forward->layer->moe,
                     is_post ? forward->x : forward->normed, forward->delta, err))
        return -1;
    each_row(forward, after_rows);
    if (forward->layer->extra_norm.weight)
        run_extra_mlp(forward);
    return 0;
}

static void final_rows(void *context, size_t begin, size_t end)
{
    const struct forward *forward = context;
    size_t n = forward->stack->hidden_size;

    for (size_t t = begin; t < end; t++)
        norm_run(&forward->weights->final_norm, forward->stack->norm,
                     forward->stack->final_norm_eps, forward->x + t * n, n, forward->x + t * n);
}

/* ---- all ---- */

/* One block of memory for all arrays, so that one message names the size. */
static int reserve(struct forward *forward, struct error *err)
{
    const struct stack_spec *stack = forward->stack;
    const struct batch *batch = forward->batch;
    struct workspace *workspace = &forward->engine->workspace;
    size_t n = forward->n_tokens, width = stack->n_heads * forward->v_head_dim;
    size_t n_kv = stack->n_kv_heads * stack->head_dim;
    size_t n_mlp = rows_at_once(n);
    size_t n_gate = stack->intermediate_size * (stack->has_double_gate ? 2 : 1);
    size_t n_memory = stack->has_cross_attention && !batch->caches && batch->n_sequences
                          ? batch->memory_ends[batch_n_memories(batch) - 1]
                          : 0;
    size_t per_token = 2 * stack->hidden_size + forward->qkv_width + width, total;
    float *next;

    if (__builtin_mul_overflow(n, per_token, &total) ||
        __builtin_add_overflow(total, n_mlp * (n_gate + stack->intermediate_size), &total) ||
        __builtin_add_overflow(total, n_memory * 2 * n_kv, &total))
        total = (size_t)-1;
    next = workspace_take(workspace, total, sizeof *next, "activations", err);
    forward->sequences = workspace_take(workspace, batch->n_sequences, sizeof *forward->sequences,
                                        "activations", err);
    if (!next || !forward->sequences)
        return -1;
    forward->normed = next;
    forward->delta = next += n * stack->hidden_size;
    forward->qkv = next += n * stack->hidden_size;
    forward->heads = next += n * forward->qkv_width;
    forward->gate = next += n * width;
    forward->up = next += n_mlp * n_gate;
    forward->cross = next + n_mlp * stack->intermediate_size;
    return 0;
}

static int reserve_caches(const struct forward *forward, struct error *err)
{
    const struct batch *batch = forward->batch;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        struct cache *cache = batch_cache(batch, s);

        if (cache && cache_reserve(cache, cache->n_tokens + batch_length(batch->ends, s), err))
            return -1;
    }
    return 0;
}

static int prepare_positions(struct forward *forward, struct error *err)
{
    const struct stack_spec *stack = forward->stack;
    const struct batch *batch = forward->batch;
    struct workspace *workspace = &forward->engine->workspace;
    size_t longest = 0;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t n = batch_n_cached(batch, s) + batch_length(batch->ends, s);

        longest = n > longest ? n : longest;
    }
    if (stack->position == POSITION_RELATIVE)
        return position_bias_init(&forward->bias, stack, longest, workspace, err);
    for (size_t i = 0; i < 2 && stack->position == POSITION_ROTARY; i++)
        if (position_angles_init(&forward->angles[i], &stack->rope[i], batch, workspace, err))
            return -1;
    return 0;
}

static int prepare_experts(struct forward *forward, const struct routing_watcher *watcher,
                           struct error *err)
{
    const struct stack_spec *stack = forward->stack;
    struct workspace *workspace = &forward->engine->workspace;
    bool is_shared = forward->engine->experts != NULL;

    if (stack->is_sparse && moe_init(&forward->moe, stack, &stack->moe, forward->batch, watcher,
                                     is_shared, workspace, err))
        return -1;
    return stack->attention_moe.n_experts
               ? moe_init(&forward->attention_moe, stack, &stack->attention_moe, forward->batch,
                          watcher, is_shared, workspace, err)
               : 0;
}

static int prepare_parts(struct forward *forward, const struct routing_watcher *watcher,
                         struct error *err)
{
    const struct stack_spec *stack = forward->stack;

    if (stack->qkv == QKV_LATENT &&
        mla_init(&forward->mla, stack, forward->n_tokens, forward->engine, err))
        return -1;
    return prepare_experts(forward, watcher, err);
}

/* With the other ranks of a group. */
static int begin_pass(const struct forward *forward, struct error *err)
{
    struct expert_group *group = forward->engine->experts;

    if (!group || !expert_group_stack_has_experts(forward->stack))
        return 0;
    return expert_group_begin(group, forward->weights->lender, forward->n_tokens, err);
}

static int run_layers(struct forward *forward, const struct routing_watcher *watcher,
                      struct error *err)
{
    for (size_t i = 0; i < forward->stack->n_layers; i++) {
        forward->layer = &forward->weights->layers[i];
        forward->number = forward->moe.layer = forward->attention_moe.layer = i;
        if (forward->hidden->see)
            forward->hidden->see(forward->hidden->context, i, forward->batch, forward->x);
        forward->drops = i + 1 == forward->stack->n_layers && can_drop(forward, watcher);
        if (run_layer(forward, err))
            return -1;
    }
    if (forward->stack->has_final_norm)
        each_row(forward, final_rows);
    if (forward->drops)
        wanted_scatter(forward->batch, forward->stack->hidden_size, forward->x);
    return 0;
}

int forward_run(struct engine *engine, const struct stack_spec *stack, const struct stack *weights,
                const struct batch *batch, const struct routing_watcher *watcher,
                const struct hidden_watcher *hidden, float *x, struct error *err)
{
    bool is_latent = stack->qkv == QKV_LATENT;
    struct forward forward = {
        .engine = engine,
        .stack = stack,
        .weights = weights,
        .batch = batch,
        .hidden = hidden,
        .n_tokens = batch_n_tokens(batch),
        .qkv_width = is_latent ? mla_width(stack)
                               : (stack->n_heads + 2 * stack->n_kv_heads) * stack->head_dim,
        .n_kv_heads = is_latent ? 1 : stack->n_kv_heads,
        .head_dim = is_latent ? stack_latent_width(stack) : stack->head_dim,
        .v_head_dim = is_latent ? stack->mla.kv_lora_rank : stack->v_head_dim,
        .x = x,
    };
    size_t mark = workspace_mark(&engine->workspace);
    int rc = -1;

    if (reserve(&forward, err) == 0 && reserve_caches(&forward, err) == 0 &&
        prepare_positions(&forward, err) == 0 && prepare_parts(&forward, watcher, err) == 0 &&
        begin_pass(&forward, err) == 0)
        rc = run_layers(&forward, watcher, err);
    for (size_t s = 0; rc == 0 && batch->caches && s < batch->n_sequences; s++)
        batch->caches[s]->n_tokens += batch_length(batch->ends, s);
    workspace_return(&engine->workspace, mark);
    return rc;
}

/* ---- for passes of other ranks ---- */

static int lend_layer(struct forward *forward, const struct layer *layer, struct error *err)
{
    const struct engine *engine = forward->engine;

    if (layer->self.experts &&
        (moe_attention_queries(&forward->attention_moe, engine, layer->self.experts, NULL, NULL, 0,
                               err) ||
         moe_attention_outputs(&forward->attention_moe, engine, layer->self.experts, NULL, NULL,
                               err)))
        return -1;
    return layer->moe ? moe_run(&forward->moe, engine, layer->moe, NULL, NULL, err) : 0;
}

int forward_lend(struct engine *engine, const struct stack_spec *stack, const struct stack *weights,
                 struct error *err)
{
    static const struct routing_watcher nobody;
    const struct batch none = {0};
    struct forward forward = {.engine = engine, .stack = stack, .weights = weights,
                              .batch = &none};
    size_t mark = workspace_mark(&engine->workspace);
    int rc = prepare_experts(&forward, &nobody, err);

    for (size_t i = 0; i < stack->n_layers && rc == 0; i++)
        rc = lend_layer(&forward, &weights->layers[i], err);
    workspace_return(&engine->workspace, mark);
    return rc;
}
