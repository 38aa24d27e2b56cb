#include "token_losses.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "eval/sequences.h"
#include "math/vector.h"
#include "model/budget.h"
#include "model/prefix.h"
#include "text/ids.h"

enum { LOGITS_MAX = 1 << 24, CHUNK_ROWS_MIN = 16, CHUNK_ROWS_MAX = 256 };

struct row_loss {
    double loss;
    bool is_right;
};

struct place { /* of an example in the order in which they run */
    size_t example;
    struct sequence text; /* its first */
    size_t n_given;       /* ids of it that are not judged; of an encoder-decoder 0 */
};

struct token_batch {
    struct loss_run *run;
    struct model *model;
    bool shares; /* what several examples begin with is computed once */
    size_t *examples, *n_targets; /* [n_examples], room for n_examples_max */
    size_t n_examples, n_examples_max;
    size_t n_tokens_max;
    struct sequences sources, inputs;
    struct batch_rows *wanted; /* [n_examples], of the inputs */
    size_t *source_of;        /* [n_examples], where sources are shared */
    const uint32_t *last_source; /* the text that came last as a source */
    struct prefix prefix;     /* what all examples of the batch begin with, if anything */
    size_t n_prefix_max;
    struct ids rows, targets; /* row of the inputs -> the token that should follow */
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
    struct pass pass = {.sources = sequences_batch(&batch->sources),
                        .inputs = sequences_batch(&batch->inputs),
                        .source_of = batch->shares ? batch->source_of : NULL};
    size_t n_rows = batch->rows.n_items;
    float *hidden = memory_try(pass_n_rows(&pass), batch->model->spec.hidden_size * sizeof *hidden,
                               "hidden states", err);
    int rc = -1;

    if (!hidden)
        return -1;
    pass.inputs.wanted = batch->wanted;
    if (batch->prefix.ids.n_items)
        pass.inputs.prefix = batch->prefix.cache;
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

/* The mean of those of its tokens, which begin at `row`. */
static struct example_loss sum_up(const struct row_loss *row, size_t n_tokens)
{
    struct example_loss loss = {.n_tokens = n_tokens};

    for (size_t t = 0; t < n_tokens; t++) {
        loss.loss += row[t].loss;
        loss.n_right += row[t].is_right;
    }
    loss.loss /= (double)n_tokens;
    return loss;
}

/* Of those that are not finite the first in the file is told. */
static int keep_losses(const struct token_batch *batch, struct error *err)
{
    const struct row_loss *row = batch->losses;
    struct error first = {0};
    size_t failed = SIZE_MAX;

    for (size_t i = 0; i < batch->n_examples; i++) {
        struct error error = {0};

        if (loss_run_keep(batch->run, batch->examples[i], sum_up(row, batch->n_targets[i]),
                          &error) &&
            batch->examples[i] < failed) {
            failed = batch->examples[i];
            first = error;
        }
        row += batch->n_targets[i];
    }
    return failed == SIZE_MAX ? 0 : error_set(err, first.code, "%s", first.text);
}

static int flush(struct token_batch *batch, struct error *err)
{
    if (batch->n_examples == 0)
        return 0;
    if (find_losses(batch, err))
        return loss_run_failed(batch->run, err);
    if (keep_losses(batch, err))
        return -1;
    batch->n_examples = 0;
    sequences_clear(&batch->sources);
    sequences_clear(&batch->inputs);
    ids_clear(&batch->rows);
    ids_clear(&batch->targets);
    return 0;
}

/* ---- examples ---- */

/* Row first_row + i of the inputs should give targets[i]. */
struct token_example {
    size_t number;
    struct sequence source; /* of an encoder-decoder; else of no ids */
    bool has_start;         /* the decoder reads its start id before the inputs */
    const uint32_t *inputs, *targets;
    size_t n_inputs, n_targets, first_row;
};

static bool is_new_source(const struct token_batch *batch, const struct token_example *example)
{
    return example->source.n && (!batch->shares || batch->n_examples == 0 ||
                                 batch->last_source != example->source.ids);
}

static void add_inputs(struct token_batch *batch, const struct token_example *example)
{
    size_t row = batch->inputs.ids.n_items + example->first_row;
    const uint32_t *start = &batch->model->spec.decoder_start_id;

    batch->wanted[batch->n_examples] =
        (struct batch_rows){example->first_row, example->first_row + example->n_targets};
    sequences_add(&batch->inputs, start, NULL, example->has_start);
    for (size_t i = 0; i < example->n_inputs; i++)
        sequences_extend(&batch->inputs, example->inputs[i]);
    for (size_t i = 0; i < example->n_targets; i++) {
        ids_add(&batch->rows, (uint32_t)(row + i));
        ids_add(&batch->targets, example->targets[i]);
    }
}

/* Puts an example into the batch; first makes room for it. */
static int add(struct token_batch *batch, const struct token_example *example, struct error *err)
{
    size_t n = batch->sources.ids.n_items + batch->inputs.ids.n_items + example->has_start +
               example->n_inputs + (is_new_source(batch, example) ? example->source.n : 0);

    if (n > batch->n_tokens_max && flush(batch, err))
        return -1;
    if (is_new_source(batch, example))
        sequences_add(&batch->sources, example->source.ids, NULL, example->source.n);
    batch->last_source = example->source.ids;
    batch->source_of[batch->n_examples] = batch->sources.n_sequences - 1;
    add_inputs(batch, example);
    batch->examples[batch->n_examples] = example->number;
    batch->n_targets[batch->n_examples++] = example->n_targets;
    return batch->n_examples == batch->n_examples_max ? flush(batch, err) : 0;
}

/* The last token of a text predicts nothing that is judged. */
static int add_continuation(struct token_batch *batch, const struct place *place, struct error *err)
{
    size_t n_prefix = batch->prefix.ids.n_items;
    struct token_example example = {
        .number = place->example,
        .inputs = place->text.ids + n_prefix,
        .n_inputs = place->text.n - n_prefix,
        .targets = place->text.ids + place->n_given,
        .n_targets = place->text.n - place->n_given,
        .first_row = place->n_given - 1 - n_prefix,
    };

    return add(batch, &example, err);
}

static int add_answer(struct token_batch *batch, const struct place *place, struct error *err)
{
    struct sequence output = encoded_examples_text(batch->run->encoded, place->example, 1);
    struct token_example example = {
        .number = place->example,
        .source = place->text,
        .has_start = true,
        .inputs = output.ids,
        .n_inputs = output.n - 1,
        .targets = output.ids,
        .n_targets = output.n,
    };

    return add(batch, &example, err);
}

/* ---- what they share ---- */

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    size_t n = prefix_common(x->text.ids, x->text.n, y->text.ids, y->text.n);

    if (n < x->text.n && n < y->text.n)
        return x->text.ids[n] < y->text.ids[n] ? -1 : 1;
    if (x->text.n != y->text.n)
        return x->text.n < y->text.n ? -1 : 1;
    return x->example < y->example ? -1 : x->example > y->example;
}

/* Of those ids whose rows nobody asks for, the first ones that place i has in common with the next. */
static size_t *find_common(const struct token_batch *batch, const struct place *places, size_t n)
{
    size_t *common = memory_zalloc(n, sizeof *common);

    for (size_t i = 0; batch->n_prefix_max && i + 1 < n; i++) {
        const struct place *a = &places[i], *b = &places[i + 1];
        size_t n_common = prefix_common(a->text.ids, a->n_given - 1, b->text.ids, b->n_given - 1);

        common[i] = n_common < batch->n_prefix_max ? n_common : batch->n_prefix_max;
    }
    return common;
}

static int compare_examples(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->example < y->example ? -1 : x->example > y->example;
}

/* Whether in this order anything will be run once that more than one example has. */
static bool is_worth(const struct place *places, const size_t *common, size_t n)
{
    size_t n_members;

    for (size_t i = 0; i + 1 < n; i++)
        if (places[i].n_given ? prefix_choose(common + i, n - 1 - i, 0, &n_members) > 0
                              : places[i].text.ids == places[i + 1].text.ids)
            return true;
    return false;
}

/* Those that begin alike, and those of one source, one behind the other; or as in the file. *common
 * as find_common has it; both are freed by the caller. */
static struct place *find_order(const struct token_batch *batch, size_t **common)
{
    const struct encoded_examples *encoded = batch->run->encoded;
    size_t n = encoded->n_items;
    struct place *places = memory_zalloc(n, sizeof *places);

    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){i, encoded_examples_text(encoded, i, 0), encoded->n_given[i]};
    if (batch->shares)
        qsort(places, n, sizeof *places, compare_places);
    *common = find_common(batch, places, n);
    if (batch->shares && !is_worth(places, *common, n)) {
        qsort(places, n, sizeof *places, compare_examples);
        memset(*common, 0, n * sizeof **common);
    }
    return places;
}

/* Before place `at` comes: what it begins with, and maybe others behind it. */
static int choose_prefix(struct token_batch *batch, const struct place *at, const size_t *common,
                         size_t n_behind, struct error *err)
{
    const struct ids *now = &batch->prefix.ids;
    size_t n_there = prefix_common(now->items, now->n_items, at->text.ids, at->n_given - 1);
    size_t n_members, n = prefix_choose(common, n_behind, n_there, &n_members);

    if (n == 0 && (n_there == now->n_items || prefix_is_worth(n_there)))
        n = n_there;
    if (n == now->n_items && n == n_there)
        return 0;
    if (flush(batch, err))
        return -1;
    return prefix_set(&batch->prefix, batch->model, at->text.ids, n, NULL, err)
               ? loss_run_failed(batch->run, err)
               : 0;
}

/* ---- a run ---- */

static int init_batch(struct token_batch *batch, struct loss_run *run, struct error *err)
{
    const struct model_spec *spec = &run->model->model->spec;
    size_t n = LOGITS_MAX / spec->vocab_size, n_items = run->examples->n_items;
    size_t n_at_once = run->options->batch_size;
    bool shares = loss_run_shares(run);

    n = n < CHUNK_ROWS_MIN ? CHUNK_ROWS_MIN : n > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : n;
    *batch = (struct token_batch){
        .run = run,
        .model = run->model->model,
        .shares = shares,
        .n_examples_max = n_at_once && n_at_once < n_items ? n_at_once : n_items,
        .n_tokens_max = budget_tokens(spec),
        .n_prefix_max = shares ? prefix_limit(run->model->model) : 0,
        .n_chunk_rows = n,
    };
    batch->examples = memory_zalloc(batch->n_examples_max, sizeof *batch->examples);
    batch->n_targets = memory_zalloc(batch->n_examples_max, sizeof *batch->n_targets);
    batch->source_of = memory_zalloc(batch->n_examples_max, sizeof *batch->source_of);
    batch->wanted = memory_zalloc(batch->n_examples_max, sizeof *batch->wanted);
    batch->chunk = memory_try(n, spec->hidden_size * sizeof *batch->chunk, "hidden states", err);
    if (batch->chunk)
        batch->logits = memory_try(n, spec->vocab_size * sizeof *batch->logits, "logits", err);
    return batch->logits ? 0 : -1;
}

static void release_batch(struct token_batch *batch)
{
    prefix_release(&batch->prefix);
    sequences_release(&batch->sources);
    sequences_release(&batch->inputs);
    ids_release(&batch->rows);
    ids_release(&batch->targets);
    free(batch->examples);
    free(batch->n_targets);
    free(batch->source_of);
    free(batch->wanted);
    free(batch->losses);
    free(batch->chunk);
    free(batch->logits);
}

/* This rank's share of places [n]. */
static int run_share(struct token_batch *batch, const struct place *places, const size_t *common,
                     size_t n, struct error *err)
{
    size_t *sizes = memory_zalloc(n, sizeof *sizes);
    struct share share;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        sizes[i] = places[i].text.n;
    share = loss_run_share(sizes, n);
    free(sizes);
    for (size_t i = share.begin; rc == 0 && i < share.end; i++)
        if (batch->run->model->type == MODEL_DECODER)
            rc = choose_prefix(batch, &places[i], common + i, share.end - 1 - i, err) ||
                         add_continuation(batch, &places[i], err)
                     ? -1
                     : 0;
        else
            rc = add_answer(batch, &places[i], err);
    return rc == 0 ? flush(batch, err) : -1;
}

static int run_all(struct token_batch *batch, struct error *err)
{
    size_t n = batch->run->encoded->n_items, n_window;
    size_t *common;
    struct place *places = find_order(batch, &common);
    int rc = 0;

    for (size_t first = 0; rc == 0 && first < n; first += n_window) {
        n_window = loss_run_window(batch->run, first, n);
        rc = run_share(batch, places + first, common + first, n_window, err) ||
                     loss_run_meet(batch->run, err)
                 ? -1
                 : 0;
    }
    free(places);
    free(common);
    return rc;
}

int token_losses_compute(struct loss_run *run, struct error *err)
{
    struct token_batch batch;
    int rc = init_batch(&batch, run, err);

    if (rc == 0)
        rc = run_all(&batch, err);
    release_batch(&batch);
    return rc;
}
