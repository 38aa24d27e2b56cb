#include "ranking_losses.h"

#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "eval/sequences.h"
#include "model/embed.h"

struct ranking { /* examples first … first + n - 1 */
    struct loss_run *run;
    size_t first, n;
    size_t width; /* of a vector; 1: a score */
    struct buffer text; /* behind its prompt */
    struct sequences pending;
    float *out;   /* [n_texts, width], of which n_out are there */
    size_t n_texts, n_out, n_texts_max;
    size_t *n_tokens; /* [n] */
    double *scores;   /* of one example, [n_texts_max]: enough for those of the whole group */
};

/* ---- the model ---- */

static int run_model(const struct ranking *ranking, const struct batch *batch, float *out,
                     struct error *err)
{
    const struct losses_model *model = ranking->run->model;

    return model->type == MODEL_RERANKER
               ? model_rank(model->model, batch, out, err)
               : model_embed(model->model, model->sentence, batch, ranking->run->n_prompt_tokens,
                             out, err);
}

static int flush(struct ranking *ranking, struct error *err)
{
    const struct pass pass = {.inputs = sequences_batch(&ranking->pending)};
    float *out = ranking->out + ranking->n_out * ranking->width;

    if (pass.inputs.n_sequences == 0)
        return 0;
    if (run_model(ranking, &pass.inputs, out, err) || loss_run_passed(ranking->run, &pass, err))
        return loss_run_failed(ranking->run, err);
    ranking->n_out += pass.inputs.n_sequences;
    sequences_clear(&ranking->pending);
    return 0;
}

/* ---- texts ---- */

static int add_text(struct ranking *ranking, const struct example *example,
                    struct example_text text, const struct example_text *pair, size_t *n_tokens,
                    struct error *err)
{
    struct loss_run *run = ranking->run;
    const struct encoding *encoding = &run->encoding;

    if (run->prompt) {
        buffer_clear(&ranking->text);
        buffer_add_text(&ranking->text, run->prompt);
        buffer_add(&ranking->text, text.bytes, text.n);
        text = (struct example_text){ranking->text.data, ranking->text.size};
    }
    if (loss_run_encode(run, text, pair, run->max_length, err))
        return examples_context(run->examples, example, err);
    if (encoding->n_ids == 0) {
        error_set(err, ERROR_FORMAT, "a text without tokens");
        return examples_context(run->examples, example, err);
    }
    if (loss_run_check_ids(run, encoding->ids, encoding->n_ids, err))
        return examples_context(run->examples, example, err);
    if (ranking->pending.ids.n_items + encoding->n_ids > LOSS_PASS_TOKENS && flush(ranking, err))
        return -1;
    sequences_add(&ranking->pending, encoding->ids, encoding->type_ids, encoding->n_ids);
    *n_tokens += encoding->n_ids;
    return 0;
}

/* Encoder: query, positive, negatives. Reranker: pairs of the query with each passage. */
static int add_example(struct ranking *ranking, const struct example *example, size_t *n_tokens,
                       struct error *err)
{
    bool is_pair = ranking->run->model->type == MODEL_RERANKER;

    if (!is_pair && add_text(ranking, example, example->query, NULL, n_tokens, err))
        return -1;
    for (size_t i = 0; i <= example->n_negatives; i++) {
        struct example_text passage = i ? example->negatives[i - 1] : example->positive;

        if (is_pair ? add_text(ranking, example, example->query, &passage, n_tokens, err)
                    : add_text(ranking, example, passage, NULL, n_tokens, err))
            return -1;
    }
    return 0;
}

/* Vectors or scores that an example needs. */
static size_t n_texts_of(const struct ranking *ranking, const struct example *example)
{
    return example->n_negatives + (ranking->run->model->type == MODEL_RERANKER ? 1 : 2);
}

/* ---- losses ---- */

static double dot(const float *x, const float *y, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

/* The length that a vector is divided by, as torch's normalize has it. */
static double norm(const float *x, size_t n)
{
    return fmax(sqrt(dot(x, x, n)), 1e-12);
}

/* Of n passages, whose vectors follow one another. */
static void compare(const struct ranking *ranking, const float *query, const float *passages,
                    size_t n, double *scores)
{
    size_t width = ranking->width;

    for (size_t i = 0; i < n; i++) {
        const float *passage = passages + i * width;

        scores[i] = dot(query, passage, width) / (norm(query, width) * norm(passage, width)) /
                    ranking->run->options->temperature;
    }
}

/* scores of the positive and the negatives, from what the model gave for this example; returns their
 * number */
static size_t find_scores(const struct ranking *ranking, const float *out,
                          const struct example *example, double *scores)
{
    size_t n = example->n_negatives + 1;

    if (ranking->run->model->type != MODEL_RERANKER)
        compare(ranking, out, out + ranking->width, n, scores);
    else
        for (size_t i = 0; i < n; i++)
            scores[i] = (double)out[i];
    return n;
}

/* The same, with the passages of all other examples of the group behind them. */
static size_t find_group_scores(const struct ranking *ranking, const float *out,
                                const struct example *example, double *scores)
{
    const struct example *examples = ranking->run->examples->items + ranking->first;
    const float *other = ranking->out;
    size_t n = find_scores(ranking, out, example, scores);

    for (size_t i = 0; i < ranking->n; i++) {
        size_t n_passages = examples[i].n_negatives + 1;

        if (&examples[i] != example) {
            compare(ranking, out, other + ranking->width, n_passages, scores + n);
            n += n_passages;
        }
        other += (n_passages + 1) * ranking->width;
    }
    return n;
}

/* Of two that are equal the positive is taken to come last: a model that gives all the same score
 * has found nothing. */
static struct example_loss judge_scores(const double *scores, size_t n)
{
    struct example_loss loss = {.rank = 1};
    double max = scores[0], sum;

    for (size_t i = 1; i < n; i++) {
        loss.rank += scores[i] >= scores[0];
        max = fmax(max, scores[i]);
    }
    sum = exp(scores[0] - max);
    for (size_t i = 1; i < n; i++)
        sum += exp(scores[i] - max);
    loss.loss = max + log(sum) - scores[0];
    return loss;
}

static int keep_losses(struct ranking *ranking, struct error *err)
{
    const float *out = ranking->out;

    for (size_t i = 0; i < ranking->n; i++) {
        const struct example *example = &ranking->run->examples->items[ranking->first + i];
        struct example_loss loss;
        size_t n = ranking->run->options->is_lm_cocktail
                       ? find_group_scores(ranking, out, example, ranking->scores)
                       : find_scores(ranking, out, example, ranking->scores);

        out += n_texts_of(ranking, example) * ranking->width;
        loss = judge_scores(ranking->scores, n);
        loss.n_tokens = ranking->n_tokens[i];
        if (loss_run_keep(ranking->run, ranking->first + i, loss, err))
            return -1;
    }
    return 0;
}

/* ---- a run ---- */

static int run_group(struct ranking *ranking, struct error *err)
{
    const struct example *examples = ranking->run->examples->items + ranking->first;

    ranking->n_texts = ranking->n_out = 0;
    for (size_t i = 0; i < ranking->n; i++)
        ranking->n_texts += n_texts_of(ranking, &examples[i]);
    if (ranking->n_texts > ranking->n_texts_max) {
        free(ranking->out);
        ranking->n_texts_max = ranking->n_texts;
        ranking->scores =
            memory_resize(ranking->scores, ranking->n_texts, sizeof *ranking->scores);
        ranking->out = memory_try(ranking->n_texts, ranking->width * sizeof *ranking->out,
                                  "vectors", err);
        if (!ranking->out)
            return -1;
    }
    for (size_t i = 0; i < ranking->n; i++) {
        ranking->n_tokens[i] = 0;
        if (add_example(ranking, &examples[i], &ranking->n_tokens[i], err))
            return -1;
    }
    if (flush(ranking, err))
        return -1;
    return keep_losses(ranking, err);
}

int ranking_losses_compute(struct loss_run *run, struct error *err)
{
    size_t n_examples = run->examples->n_items;
    size_t batch_size = run->options->batch_size < n_examples ? run->options->batch_size
                                                              : n_examples;
    struct ranking ranking = {
        .run = run,
        .width = run->model->sentence ? sentence_model_size(run->model->sentence) : 1,
        .n_tokens = memory_zalloc(batch_size, sizeof *ranking.n_tokens),
    };
    int rc = 0;

    for (; rc == 0 && ranking.first < n_examples; ranking.first += batch_size) {
        size_t n_left = n_examples - ranking.first;

        ranking.n = n_left < batch_size ? n_left : batch_size;
        rc = run_group(&ranking, err);
    }
    sequences_release(&ranking.pending);
    buffer_release(&ranking.text);
    free(ranking.out);
    free(ranking.n_tokens);
    free(ranking.scores);
    return rc;
}
