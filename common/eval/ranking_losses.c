#include "ranking_losses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/sequences.h"
#include "model/budget.h"
#include "model/embed.h"

/* Vectors that are held at once, unless a single group has more. */
enum { FLOATS_MAX = 16 << 20 };

struct ranking { /* examples first … first + n - 1, whose texts are run once each */
    struct loss_run *run;
    size_t first, n;
    size_t end;         /* of those that this rank runs now */
    size_t group_size;  /* examples that are judged together; 1: each alone */
    size_t width;       /* of a vector; 1: a score */
    size_t n_tokens_max;
    struct sequences pending;
    size_t n_pending;   /* examples that these belong to */
    size_t *place;      /* [texts of all examples] + 1 in `out`; 0: has none yet */
    float *out;         /* [n_places_max, width], of which n_places are taken and n_out there */
    size_t n_places, n_out, n_places_max;
    double *scores;     /* of one example, [n_scores_max]: enough for those of its whole group */
    size_t n_scores_max;
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

    ranking->n_pending = 0;
    if (pass.inputs.n_sequences == 0)
        return 0;
    if (run_model(ranking, &pass.inputs, out, err) || loss_run_passed(ranking->run, &pass, err))
        return loss_run_failed(ranking->run, err);
    ranking->n_out += pass.inputs.n_sequences;
    sequences_clear(&ranking->pending);
    return 0;
}

/* ---- texts ---- */

/* Runs what is new of an example, or all of it, sooner or later. */
static int add_example(struct ranking *ranking, size_t example, struct error *err)
{
    const struct encoded_examples *encoded = ranking->run->encoded;
    size_t n_texts, n_at_once = ranking->run->options->batch_size;
    const uint32_t *numbers = encoded_examples_numbers(encoded, example, &n_texts);

    if (n_at_once && ranking->n_pending == n_at_once && flush(ranking, err))
        return -1;
    for (size_t i = 0; i < n_texts; i++) {
        struct sequence text = sequences_get(&encoded->texts, numbers[i]);

        if (ranking->place[numbers[i]] && loss_run_shares(ranking->run))
            continue;
        if (ranking->pending.ids.n_items + text.n > ranking->n_tokens_max && flush(ranking, err))
            return -1;
        sequences_add(&ranking->pending, text.ids, text.type_ids, text.n);
        ranking->place[numbers[i]] = ++ranking->n_places;
    }
    ranking->n_pending++;
    return 0;
}

static const float *find_out(const struct ranking *ranking, uint32_t number)
{
    return ranking->out + (ranking->place[number] - 1) * ranking->width;
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

/* scores of n texts beside a query */
static void compare(const struct ranking *ranking, uint32_t query, const uint32_t *passages,
                    size_t n, double *scores)
{
    size_t width = ranking->width;
    const float *x = find_out(ranking, query);

    for (size_t i = 0; i < n; i++) {
        const float *y = find_out(ranking, passages[i]);

        scores[i] = dot(x, y, width) / (norm(x, width) * norm(y, width)) /
                    ranking->run->options->temperature;
    }
}

/* scores of the positive and the negatives; returns their number */
static size_t find_scores(const struct ranking *ranking, size_t example, double *scores)
{
    size_t n;
    const uint32_t *numbers = encoded_examples_numbers(ranking->run->encoded, example, &n);

    if (ranking->run->model->type != MODEL_RERANKER) {
        compare(ranking, numbers[0], numbers + 1, n - 1, scores);
        return n - 1;
    }
    for (size_t i = 0; i < n; i++)
        scores[i] = (double)*find_out(ranking, numbers[i]);
    return n;
}

/* The same, with the passages of all other examples of its group behind them. */
static size_t find_group_scores(const struct ranking *ranking, size_t example, double *scores)
{
    const struct encoded_examples *encoded = ranking->run->encoded;
    size_t n = find_scores(ranking, example, scores), n_texts;
    size_t begin = example / ranking->group_size * ranking->group_size;
    uint32_t query = *encoded_examples_numbers(encoded, example, &n_texts);

    for (size_t i = begin; i < begin + ranking->group_size && i < encoded->n_items; i++) {
        const uint32_t *numbers = encoded_examples_numbers(encoded, i, &n_texts);

        if (i == example)
            continue;
        compare(ranking, query, numbers + 1, n_texts - 1, scores + n);
        n += n_texts - 1;
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

/* Of the query, the positive and the negatives together. */
static size_t count_tokens(const struct ranking *ranking, size_t example)
{
    const struct encoded_examples *encoded = ranking->run->encoded;
    size_t n_texts, n = 0;
    const uint32_t *numbers = encoded_examples_numbers(encoded, example, &n_texts);

    for (size_t i = 0; i < n_texts; i++)
        n += sequences_get(&encoded->texts, numbers[i]).n;
    return n;
}

static int keep_losses(struct ranking *ranking, struct error *err)
{
    for (size_t i = ranking->first; i < ranking->first + ranking->n; i++) {
        struct example_loss loss;
        size_t n = ranking->run->options->is_lm_cocktail
                       ? find_group_scores(ranking, i, ranking->scores)
                       : find_scores(ranking, i, ranking->scores);

        loss = judge_scores(ranking->scores, n);
        loss.n_tokens = count_tokens(ranking, i);
        if (loss_run_keep(ranking->run, i, loss, err))
            return -1;
    }
    return 0;
}

/* ---- a run ---- */

/* Texts of examples `first` to `end`, each counted as often as it comes. */
static size_t count_texts(const struct ranking *ranking, size_t first, size_t end)
{
    const size_t *ends = ranking->run->encoded->ends;

    return batch_start(ends, end) - batch_start(ends, first);
}

/* As many examples, in whole groups, as memory holds the vectors of. */
static void choose_examples(struct ranking *ranking)
{
    size_t end = ranking->first, next;

    for (; end < ranking->end; end = next) {
        size_t n_scores;

        next = ranking->end - end < ranking->group_size ? ranking->end : end + ranking->group_size;
        if (end > ranking->first &&
            count_texts(ranking, ranking->first, next) > FLOATS_MAX / ranking->width)
            break;
        n_scores = count_texts(ranking, end, next);
        if (n_scores > ranking->n_scores_max)
            ranking->n_scores_max = n_scores;
    }
    ranking->n = end - ranking->first;
}

static int reserve(struct ranking *ranking, struct error *err)
{
    size_t n = count_texts(ranking, ranking->first, ranking->first + ranking->n);

    ranking->scores =
        memory_resize(ranking->scores, ranking->n_scores_max, sizeof *ranking->scores);
    if (n <= ranking->n_places_max)
        return 0;
    free(ranking->out);
    ranking->n_places_max = n;
    ranking->out = memory_try(n, ranking->width * sizeof *ranking->out, "vectors", err);
    return ranking->out ? 0 : -1;
}

static int run_examples(struct ranking *ranking, struct error *err)
{
    choose_examples(ranking);
    if (reserve(ranking, err))
        return -1;
    ranking->n_places = ranking->n_out = 0;
    memset(ranking->place, 0,
           ranking->run->encoded->texts.n_sequences * sizeof *ranking->place);
    for (size_t i = 0; i < ranking->n; i++)
        if (add_example(ranking, ranking->first + i, err))
            return -1;
    return flush(ranking, err) ? -1 : keep_losses(ranking, err);
}

/* The place where a group begins, or all have ended. */
static size_t example_of(const struct ranking *ranking, size_t group)
{
    size_t n_items = ranking->run->encoded->n_items;

    return group < (n_items + ranking->group_size - 1) / ranking->group_size
               ? group * ranking->group_size
               : n_items;
}

/* This rank's share of `n` groups of examples from number `first` on. */
static int run_share(struct ranking *ranking, size_t first, size_t n, struct error *err)
{
    size_t *sizes = memory_zalloc(n, sizeof *sizes);
    struct share share;
    int rc = 0;

    for (size_t g = 0; g < n; g++)
        for (size_t i = example_of(ranking, first + g); i < example_of(ranking, first + g + 1); i++)
            sizes[g] += count_tokens(ranking, i);
    share = loss_run_share(sizes, n);
    free(sizes);
    ranking->end = example_of(ranking, first + share.end);
    for (ranking->first = example_of(ranking, first + share.begin);
         rc == 0 && ranking->first < ranking->end; ranking->first += ranking->n)
        rc = run_examples(ranking, err);
    return rc;
}

int ranking_losses_compute(struct loss_run *run, struct error *err)
{
    const struct losses_options *options = run->options;
    struct ranking ranking = {
        .run = run,
        .group_size = options->is_lm_cocktail ? loss_run_group_size(options) : 1,
        .width = run->model->sentence ? sentence_model_size(run->model->sentence) : 1,
        .n_tokens_max = budget_tokens(&run->model->model->spec),
        .place = memory_zalloc(run->encoded->texts.n_sequences, sizeof *ranking.place),
    };
    size_t n = (run->encoded->n_items + ranking.group_size - 1) / ranking.group_size, n_window;
    int rc = 0;

    for (size_t first = 0; rc == 0 && first < n; first += n_window) {
        n_window = loss_run_window(run, first, n);
        rc = run_share(&ranking, first, n_window, err) || loss_run_meet(run, err) ? -1 : 0;
    }
    sequences_release(&ranking.pending);
    free(ranking.place);
    free(ranking.out);
    free(ranking.scores);
    return rc;
}
