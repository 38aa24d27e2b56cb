#include "token_losses.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "eval/sequences.h"
#include "math/vector.h"
#include "text/ids.h"

enum { LOGITS_MAX = 1 << 24, CHUNK_ROWS_MIN = 16, CHUNK_ROWS_MAX = 256 };

struct row_loss {
    double loss;
    bool is_right;
};

struct token_example { /* row first_row + i of the inputs should give targets[i] */
    struct ids source; /* of an encoder-decoder */
    struct ids inputs, targets;
    size_t first_row;
};

struct token_batch { /* examples first … first + n_examples - 1 */
    struct loss_run *run;
    struct model *model;
    size_t first, n_examples;
    struct sequences sources, inputs;
    struct ids rows, targets; /* row of the inputs -> the token that should follow */
    size_t *n_targets;        /* [n_examples], room for n_examples_max */
    size_t n_examples_max;
    struct row_loss *losses;  /* [rows.n_items], room for n_losses_max */
    size_t n_losses_max;
    float *chunk, *logits;    /* [n_chunk_rows, hidden_size], [n_chunk_rows, vocab_size] */
    size_t n_chunk_rows;
};

/* ---- the output head ---- */

struct chunk_rows {
    const float *logits;
    const uint32_t *targets;
    struct row_loss *losses;
    size_t vocab_size;
};

static int judge_row(void *context, size_t row, size_t worker, struct error *err)
{
    const struct chunk_rows *chunk = context;
    const float *logits = chunk->logits + row * chunk->vocab_size;
    float wanted = logits[chunk->targets[row]];

    (void)worker;
    (void)err;
    chunk->losses[row] = (struct row_loss){
        .loss = vector_log_sum_exp(logits, chunk->vocab_size) - (double)wanted,
        .is_right = wanted == vector_max(logits, chunk->vocab_size),
    };
    return 0;
}

static int judge_rows(struct token_batch *batch, const float *hidden, struct error *err)
{
    const struct model_spec *spec = &batch->model->spec;
    size_t n_rows = batch->rows.n_items, n;

    for (size_t start = 0; start < n_rows; start += n) {
        struct chunk_rows chunk = {batch->logits, batch->targets.items + start,
                                   batch->losses + start, spec->vocab_size};

        n = n_rows - start < batch->n_chunk_rows ? n_rows - start : batch->n_chunk_rows;
        for (size_t i = 0; i < n; i++)
            memcpy(batch->chunk + i * spec->hidden_size,
                   hidden + batch->rows.items[start + i] * spec->hidden_size,
                   spec->hidden_size * sizeof *hidden);
        model_logits(batch->model, batch->chunk, n, batch->logits);
        if (threads_run(batch->model->engine.threads, n, judge_row, &chunk, err))
            return -1;
    }
    return 0;
}

/* ---- a batch ---- */

static int find_losses(struct token_batch *batch, struct error *err)
{
    struct pass pass = {sequences_batch(&batch->sources), sequences_batch(&batch->inputs)};
    size_t n_rows = batch->rows.n_items;
    float *hidden = memory_try(pass_n_rows(&pass), batch->model->spec.hidden_size * sizeof *hidden,
                               "hidden states", err);
    int rc = -1;

    if (!hidden)
        return -1;
    if (n_rows > batch->n_losses_max) {
        batch->n_losses_max = n_rows;
        batch->losses = memory_resize(batch->losses, n_rows, sizeof *batch->losses);
    }
    if (pass_run(batch->model, &pass, hidden, err) == 0 &&
        loss_run_passed(batch->run, &pass, err) == 0)
        rc = judge_rows(batch, hidden, err);
    free(hidden);
    return rc;
}

static int keep_losses(const struct token_batch *batch, struct error *err)
{
    const struct row_loss *row = batch->losses;

    for (size_t i = 0; i < batch->n_examples; i++) {
        struct example_loss loss = {.n_tokens = batch->n_targets[i]};

        for (size_t t = 0; t < loss.n_tokens; t++, row++) {
            loss.loss += row->loss;
            loss.n_right += row->is_right;
        }
        loss.loss /= (double)loss.n_tokens;
        if (loss_run_keep(batch->run, batch->first + i, loss, err))
            return -1;
    }
    return 0;
}

static int flush(struct token_batch *batch, struct error *err)
{
    if (batch->n_examples == 0)
        return 0;
    if (find_losses(batch, err))
        return loss_run_failed(batch->run, err);
    if (keep_losses(batch, err))
        return -1;
    batch->first += batch->n_examples;
    batch->n_examples = 0;
    sequences_clear(&batch->sources);
    sequences_clear(&batch->inputs);
    ids_clear(&batch->rows);
    ids_clear(&batch->targets);
    return 0;
}

/* Puts an example into the batch; first makes room for it. */
static int add(struct token_batch *batch, const struct token_example *example, struct error *err)
{
    size_t n_here = batch->sources.ids.n_items + batch->inputs.ids.n_items;
    size_t row;

    if (n_here + example->source.n_items + example->inputs.n_items > LOSS_PASS_TOKENS &&
        flush(batch, err))
        return -1;
    row = batch->inputs.ids.n_items + example->first_row;
    if (example->source.n_items)
        sequences_add(&batch->sources, example->source.items, NULL, example->source.n_items);
    sequences_add(&batch->inputs, example->inputs.items, NULL, example->inputs.n_items);
    for (size_t i = 0; i < example->targets.n_items; i++) {
        ids_add(&batch->rows, (uint32_t)(row + i));
        ids_add(&batch->targets, example->targets.items[i]);
    }
    batch->n_targets[batch->n_examples++] = example->targets.n_items;
    return batch->n_examples == batch->n_examples_max ? flush(batch, err) : 0;
}

/* ---- examples ---- */

static void add_ids(struct ids *ids, const uint32_t *items, size_t n)
{
    ids_reserve(ids, n);
    for (size_t i = 0; i < n; i++)
        ids_add(ids, items[i]);
}

/* input + " " + output and the end of text. As many targets are left out as the input alone has
 * ids, whatever the joint text makes of it: so LM-Cocktail. A tokenizer that names no end of text
 * does without. */
static int make_decoder_example(struct loss_run *run, const struct example *text,
                                struct token_example *made, struct error *err)
{
    struct encoding *encoding = &run->encoding;
    struct buffer joint = {0};
    size_t n_masked = 0, n_whole;
    uint32_t eos;
    int rc;

    buffer_add(&joint, text->input.bytes, text->input.n);
    buffer_add_char(&joint, ' ');
    buffer_add(&joint, text->output.bytes, text->output.n);
    rc = loss_run_encode(run, text->input, NULL, 0, err);
    if (rc == 0) {
        n_masked = encoding->n_ids;
        rc = loss_run_encode(run, (struct example_text){joint.data, joint.size}, NULL, 0, err);
    }
    buffer_release(&joint);
    if (rc)
        return -1;
    add_ids(&made->inputs, encoding->ids, encoding->n_ids);
    if (tokenizer_special(run->model->tokenizer, "eos_token", &eos))
        ids_add(&made->inputs, eos);
    n_whole = made->inputs.n_items;
    run->n_texts++;
    run->n_cut += n_whole > run->max_length;
    if (n_whole > run->max_length)
        made->inputs.n_items = run->max_length;
    if (loss_run_check_ids(run, made->inputs.items, made->inputs.n_items, err))
        return -1;
    if (n_masked == 0) /* no token stands before the first: nothing could tell it */
        n_masked = 1;
    if (n_masked >= made->inputs.n_items)
        return error_set(err, ERROR_FORMAT, "nothing of the output is left: the input has %zu "
                         "tokens, and of both together %zu of %zu are read", n_masked,
                         made->inputs.n_items, n_whole);
    made->first_row = n_masked - 1;
    add_ids(&made->targets, made->inputs.items + n_masked, made->inputs.n_items - n_masked);
    return 0;
}

static int make_pair_example(struct loss_run *run, const struct example *text,
                             struct token_example *made, struct error *err)
{
    const struct model_spec *spec = &run->model->model->spec;
    struct encoding *encoding = &run->encoding;

    if (loss_run_encode(run, text->input, NULL, run->max_length, err))
        return -1;
    if (encoding->n_ids == 0)
        return error_set(err, ERROR_FORMAT, "the input has no tokens");
    if (loss_run_check_ids(run, encoding->ids, encoding->n_ids, err))
        return -1;
    add_ids(&made->source, encoding->ids, encoding->n_ids);
    if (loss_run_encode(run, text->output, NULL, run->max_length, err))
        return -1;
    if (encoding->n_ids == 0)
        return error_set(err, ERROR_FORMAT, "the output has no tokens");
    if (loss_run_check_ids(run, encoding->ids, encoding->n_ids, err))
        return -1;
    add_ids(&made->targets, encoding->ids, encoding->n_ids);
    ids_add(&made->inputs, spec->decoder_start_id);
    add_ids(&made->inputs, encoding->ids, encoding->n_ids - 1);
    return 0;
}

static void clear_example(struct token_example *example)
{
    ids_clear(&example->source);
    ids_clear(&example->inputs);
    ids_clear(&example->targets);
    example->first_row = 0;
}

/* ---- a run ---- */

static int init_batch(struct token_batch *batch, struct loss_run *run, struct error *err)
{
    const struct model_spec *spec = &run->model->model->spec;
    size_t n = LOGITS_MAX / spec->vocab_size;

    n = n < CHUNK_ROWS_MIN ? CHUNK_ROWS_MIN : n > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : n;
    *batch = (struct token_batch){
        .run = run,
        .model = run->model->model,
        .n_examples_max = run->options->batch_size < run->examples->n_items
                              ? run->options->batch_size : run->examples->n_items,
        .n_chunk_rows = n,
    };
    batch->n_targets = memory_zalloc(batch->n_examples_max, sizeof *batch->n_targets);
    batch->chunk = memory_try(n, spec->hidden_size * sizeof *batch->chunk, "hidden states", err);
    if (batch->chunk)
        batch->logits = memory_try(n, spec->vocab_size * sizeof *batch->logits, "logits", err);
    return batch->logits ? 0 : -1;
}

static void release_batch(struct token_batch *batch)
{
    sequences_release(&batch->sources);
    sequences_release(&batch->inputs);
    ids_release(&batch->rows);
    ids_release(&batch->targets);
    free(batch->n_targets);
    free(batch->losses);
    free(batch->chunk);
    free(batch->logits);
}

int token_losses_compute(struct loss_run *run, struct error *err)
{
    bool is_decoder = run->model->type == MODEL_DECODER;
    struct token_example made = {0};
    struct token_batch batch;
    int rc = init_batch(&batch, run, err);

    for (size_t i = 0; rc == 0 && i < run->examples->n_items; i++) {
        const struct example *text = &run->examples->items[i];

        clear_example(&made);
        rc = is_decoder ? make_decoder_example(run, text, &made, err)
                        : make_pair_example(run, text, &made, err);
        if (rc)
            examples_context(run->examples, text, err);
        else
            rc = add(&batch, &made, err);
    }
    if (rc == 0)
        rc = flush(&batch, err);
    ids_release(&made.source);
    ids_release(&made.inputs);
    ids_release(&made.targets);
    release_batch(&batch);
    return rc;
}
