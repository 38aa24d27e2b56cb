#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "arch/families.h"
#include "arch/quantized.h"
#include "base/memory.h"
#include "math/gemm.h"
#include "math/vector.h"
#include "model/capacity.h"
#include "model/forward.h"
#include "model/linear.h"
#include "model/rows.h"

/* ---- loading ---- */

static int check_type(const struct model *model, enum model_type type, const char *name,
                      struct error *err)
{
    const struct model_spec *spec = &model->spec;

    if (type == MODEL_DECODER && (!spec->family->names->head || spec->is_encoder_decoder))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': a %s cannot run as a decoder", name,
                         spec->family->name);
    if (type == MODEL_DECODER && !spec->stack.is_causal)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': its attention is not causal (is_causal or "
                         "use_bidirectional_attention of %s), so that it can neither continue a "
                         "text nor be judged by its next tokens; as an encoder it can be used "
                         "(--type encoder)", name, spec->config_name);
    if (type == MODEL_ENCODER_DECODER && !spec->is_encoder_decoder)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': a %s cannot run as an encoder-decoder",
                         name, spec->family->name);
    if (type == MODEL_RERANKER && !spec->classifier)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': a %s cannot run as a reranker", name,
                         spec->family->name);
    return 0;
}

struct model *model_load(struct model_folder *folder, enum model_type type,
                         struct threads *threads, struct notices *notices, struct error *err)
{
    return model_load_share(folder, type, threads, NULL, notices, err);
}

static int lend_stack(void *context, struct error *err)
{
    struct model *model = context;

    return forward_lend(&model->engine, &model->spec.stack, &model->parameters.stack, err);
}

static int lend_encoder(void *context, struct error *err)
{
    struct model *model = context;

    return forward_lend(&model->engine, &model->spec.encoder, &model->parameters.encoder, err);
}

static void join_group(struct model *model, struct expert_group *experts)
{
    model->engine.experts = experts;
    model->parameters.stack.lender = expert_group_add(experts, lend_stack, model);
    model->parameters.encoder.lender = expert_group_add(experts, lend_encoder, model);
    experts->counts.held_bytes += model->parameters.expert_bytes;
    experts->counts.all_bytes += model->parameters.all_expert_bytes;
}

struct model *model_load_share(struct model_folder *folder, enum model_type type,
                               struct threads *threads, struct expert_group *experts,
                               struct notices *notices, struct error *err)
{
    struct model *model = memory_zalloc(1, sizeof *model);

    if (model_spec_load(&model->spec, &folder->config, type, folder->name, err) ||
        check_type(model, type, folder->name, err) ||
        (experts && expert_group_check(experts, &model->spec, folder->name, err)))
        goto failed;
    model->checkpoint = model_folder_weights(folder, notices, err);
    if (!model->checkpoint || quantized_check(folder, err))
        goto failed;
    if (parameters_load(&model->parameters, &model->spec, type, model->checkpoint, experts,
                        folder->name, notices, err)) {
        error_context(err, "'%s'", folder->name);
        goto failed;
    }
    if (engine_init(&model->engine, threads, err))
        goto failed;
    if (experts)
        join_group(model, experts);
    return model;
failed:
    model_free(model);
    return NULL;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    if (model->engine.experts)
        for (size_t i = 0; i < 2; i++) /* both stacks */
            expert_group_remove_last(model->engine.experts);
    engine_release(&model->engine);
    parameters_release(&model->parameters);
    if (model->checkpoint)
        checkpoint_unmap(model->checkpoint);
    model_spec_release(&model->spec);
    free(model);
}

void model_lift_capacity(struct model *model)
{
    struct moe_spec *both[] = {&model->spec.stack.moe, &model->spec.encoder.moe};

    for (size_t i = 0; i < 2; i++) {
        both[i]->capacity = 0;
        both[i]->capacity_factor = 0;
    }
}

bool model_needs_whole_prompts(const struct model *model)
{
    const struct stack_spec *stack = &model->spec.stack;
    bool needs = capacity_is_limited(&stack->moe);

    for (size_t i = 0; i < 2; i++)
        needs |= stack->rope[i].kind == ROPE_DYNAMIC || stack->rope[i].kind == ROPE_LONGROPE;
    return needs;
}

/* ---- embeddings ---- */

int model_check(const struct model *model, const struct batch *batch, struct error *err)
{
    const struct model_spec *spec = &model->spec;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t start = batch_start(batch->ends, s), n = batch->ends[s] - start;
        size_t n_before = batch_n_cached(batch, s);

        if (spec->n_positions && n_before + n + spec->position_offset > spec->n_positions)
            return error_set(err, ERROR_FORMAT, "a text of %zu tokens; the model has %zu positions",
                             n_before + n, spec->n_positions - spec->position_offset);
        for (size_t t = start; t < batch->ends[s]; t++) {
            if (batch->ids[t] >= spec->vocab_size)
                return error_set(err, ERROR_FORMAT, "token id %u; the model has embeddings for 0 "
                                 "to %zu", (unsigned)batch->ids[t], spec->vocab_size - 1);
            if (batch->type_ids && spec->n_token_types &&
                batch->type_ids[t] >= spec->n_token_types)
                return error_set(err, ERROR_FORMAT, "token type %u; the model has embeddings for "
                                 "%zu types", (unsigned)batch->type_ids[t], spec->n_token_types);
        }
    }
    return 0;
}

static void add_row(const struct gemm_matrix *table, size_t row, float *scratch, float *x)
{
    gemm_matrix_row(table, row, scratch);
    vector_add(scratch, table->n_in, x);
}

/* x = embedding of the word, the position and the token type, added up */
static void embed_token(const struct model *model, const struct stack *stack, uint32_t id,
                        size_t position, uint8_t type, float *scratch, float *x)
{
    const struct model_spec *spec = &model->spec;
    const struct parameters *parameters = &model->parameters;
    size_t n = spec->hidden_size;

    memset(x, 0, n * sizeof *x);
    add_row(&stack->embedding, id, scratch, x);
    if (spec->embedding_scale != 1)
        vector_scale(x, spec->embedding_scale, n, x);
    if (spec->n_token_types)
        add_row(&parameters->token_types, type, scratch, x);
    if (spec->n_positions)
        add_row(&parameters->positions, position, scratch, x);
    if (spec->has_embedding_norm)
        norm_run(&parameters->embedding_norm, spec->stack.norm, spec->stack.norm_eps, x, n, x);
}

/* RoBERTa counts only what is not padding, from pad + 1 on, and padding stands at pad. */
static int embed(struct model *model, const struct stack *stack, const struct batch *batch, float *x,
                 struct error *err)
{
    const struct model_spec *spec = &model->spec;
    struct workspace *workspace = &model->engine.workspace;
    size_t mark = workspace_mark(workspace), t = 0;
    float *scratch = workspace_take(workspace, spec->hidden_size, sizeof *scratch, "a row", err);
    bool skips_pads = spec->position_offset > 0;

    for (size_t s = 0; scratch && s < batch->n_sequences; s++) {
        size_t position = spec->position_offset + batch_n_cached(batch, s);

        for (; t < batch->ends[s]; t++) {
            bool is_pad = skips_pads && batch->ids[t] == (uint64_t)spec->pad_id;

            embed_token(model, stack, batch->ids[t], is_pad ? (size_t)spec->pad_id : position,
                        batch->type_ids ? batch->type_ids[t] : 0, scratch,
                        x + t * spec->hidden_size);
            position += !is_pad;
        }
    }
    workspace_return(workspace, mark);
    return scratch ? 0 : -1;
}

/* ---- running ---- */

static int run(struct model *model, const struct stack_spec *stack, const struct stack *weights,
               const struct batch *batch, float *hidden, struct error *err)
{
    if (model_check(model, batch, err) || embed(model, weights, batch, hidden, err))
        return -1;
    return forward_run(&model->engine, stack, weights, batch, &model->watcher, &model->hidden, hidden,
                       err);
}

int model_run(struct model *model, const struct batch *batch, float *hidden, struct error *err)
{
    return run(model, &model->spec.stack, &model->parameters.stack, batch, hidden, err);
}

int model_encode(struct model *model, const struct batch *batch, float *hidden, struct error *err)
{
    return run(model, &model->spec.encoder, &model->parameters.encoder, batch, hidden, err);
}

int model_remember(struct model *model, const float *memory, size_t n_rows, struct cache *cache,
                   struct error *err)
{
    return forward_remember(&model->engine, &model->parameters.stack, memory, n_rows, cache, err);
}

/* ---- heads ---- */

struct logit_rows {
    const struct model_spec *spec;
    float *logits;
};

static void finish_logits(void *context, size_t begin, size_t end)
{
    const struct logit_rows *rows = context;
    size_t n = rows->spec->vocab_size;

    for (size_t r = begin; r < end; r++) {
        float *logits = rows->logits + r * n;

        if (rows->spec->logit_scale != 1)
            vector_scale(logits, rows->spec->logit_scale, n, logits);
        if (rows->spec->logit_softcap > 0)
            vector_soft_cap(logits, rows->spec->logit_softcap, n, logits);
    }
}

void model_logits(struct model *model, const float *hidden, size_t n_rows, float *logits)
{
    const struct model_spec *spec = &model->spec;
    const struct linear *head = &model->parameters.head;
    struct logit_rows rows = {spec, logits};

    gemm_multiply(model->engine.gemm, n_rows, hidden, spec->hidden_size, &head->matrix, head->bias, logits,
                  spec->vocab_size);
    if (spec->logit_scale != 1 || spec->logit_softcap > 0)
        rows_each(model->engine.threads, n_rows, spec->vocab_size, finish_logits, &rows);
}

size_t model_n_labels(const struct model *model)
{
    return model->parameters.classifier.matrix.n_out;
}

/* The token of a sequence that the classifier looks at. */
static size_t find_summary(const struct model_spec *spec, const struct batch *batch, size_t begin,
                           size_t end)
{
    size_t last = begin, n = 0;

    if (spec->classifier != CLASSIFIER_SCORE && spec->classifier != CLASSIFIER_SCORE_COUNTED)
        return begin;
    for (size_t t = begin; t < end; t++)
        if (spec->pad_id < 0 || batch->ids[t] != (uint64_t)spec->pad_id) {
            last = t;
            n++;
        }
    if (spec->classifier == CLASSIFIER_SCORE)
        return last;
    return n ? begin + n - 1 : end - 1; /* the original's index -1 */
}

void model_scored_rows(const struct model *model, const struct batch *batch, struct batch_rows *rows)
{
    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t start = batch_start(batch->ends, s), end = batch->ends[s];
        size_t token = find_summary(&model->spec, batch, start, end) - start;

        rows[s] = (struct batch_rows){token, start == end ? token : token + 1};
    }
}

int model_scores(struct model *model, const struct batch *batch, const float *hidden,
                 float *scores, struct error *err)
{
    const struct model_spec *spec = &model->spec;
    const struct linear *dense = &model->parameters.classifier_dense;
    const struct linear *out = &model->parameters.classifier;
    size_t n = spec->hidden_size, begin = 0;
    float *rows = memory_try(2 * batch->n_sequences, n * sizeof *rows, "scores", err);
    float *inner;

    if (!rows)
        return -1;
    inner = rows + batch->n_sequences * n;
    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t token = find_summary(spec, batch, begin, batch->ends[s]);

        if (begin == batch->ends[s]) {
            free(rows);
            return error_set(err, ERROR_FORMAT, "a text without tokens");
        }
        memcpy(rows + s * n, hidden + token * n, n * sizeof *rows);
        begin = batch->ends[s];
    }
    if (dense->matrix.data) {
        gemm_multiply(model->engine.gemm, batch->n_sequences, rows, n, &dense->matrix, dense->bias, inner,
                      n);
        vector_activate(spec->classifier == CLASSIFIER_RELU ? ACTIVATION_RELU : ACTIVATION_TANH,
                        inner, batch->n_sequences * n, inner);
    } else {
        inner = rows;
    }
    gemm_multiply(model->engine.gemm, batch->n_sequences, inner, n, &out->matrix, out->bias, scores,
                  out->matrix.n_out);
    free(rows);
    return 0;
}
