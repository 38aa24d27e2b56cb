#include "losses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "eval/loss_run.h"
#include "eval/ranking_losses.h"
#include "eval/token_losses.h"

enum example_kind losses_kind(enum model_type type)
{
    return type == MODEL_ENCODER || type == MODEL_RERANKER ? EXAMPLE_RANKING : EXAMPLE_OUTPUT;
}

static size_t least(size_t limit, size_t other) /* 0: none */
{
    return other && other < limit ? other : limit;
}

static int check_model(const struct losses_model *model, struct error *err)
{
    if (model->type == MODEL_RERANKER && model_n_labels(model->model) != 1)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': a classifier with %zu labels; rerankers "
                         "have one, the score", model->name, model_n_labels(model->model));
    return 0;
}

/* Mean over the batches of the mean in each: the last one may be smaller, and counts as much. */
static double mean_of_batches(const struct losses *losses, bool is_ranking, size_t batch_size)
{
    double total = 0;
    size_t n_batches = 0;

    for (size_t first = 0; first < losses->n_items; first += batch_size, n_batches++) {
        double sum = 0, n = 0;

        for (size_t i = first; i < first + batch_size && i < losses->n_items; i++) {
            double share = is_ranking ? 1 : (double)losses->items[i].n_tokens;

            sum += losses->items[i].loss * share;
            n += share;
        }
        total += sum / n;
    }
    return total / (double)n_batches;
}

static void sum_up(struct losses *losses, bool is_ranking, const struct losses_options *options)
{
    double weighted = 0, n_right = 0, reciprocals = 0;

    for (size_t i = 0; i < losses->n_items; i++) {
        const struct example_loss *item = &losses->items[i];

        losses->n_tokens += item->n_tokens;
        weighted += is_ranking ? item->loss : item->loss * (double)item->n_tokens;
        n_right += is_ranking ? item->rank == 1 : (double)item->n_right;
        reciprocals += is_ranking ? 1 / (double)item->rank : 0;
    }
    if (is_ranking) {
        losses->loss = weighted / (double)losses->n_items;
        losses->accuracy = n_right / (double)losses->n_items;
        losses->mrr = reciprocals / (double)losses->n_items;
    } else {
        losses->loss = weighted / (double)losses->n_tokens;
        losses->accuracy = n_right / (double)losses->n_tokens;
        losses->mrr = NAN;
    }
    if (options->is_lm_cocktail)
        losses->loss = mean_of_batches(losses, is_ranking, loss_run_group_size(options));
}

static void note_cuts(const struct loss_run *run, struct notices *notices)
{
    const struct encoded_examples *encoded = run->encoded;

    if (encoded->n_cut)
        notices_add(notices, "'%s': %zu of %zu texts cut at %zu tokens", run->model->name,
                    encoded->n_cut, encoded->n_texts, run->max_length);
}

/* As for all texts of a model: in front of a query and of what is compared with it; of pairs, in
 * front of the query. */
static int use_prompt(struct loss_run *run, struct notices *notices, struct error *err)
{
    const struct losses_model *model = run->model;
    const struct sentence_prompt *prompt = model->settings ? model->settings->default_prompt : NULL;

    if (!prompt || !*prompt->text)
        return 0;
    run->prompt = prompt->text;
    notices_add(notices, "'%s': its default prompt '" ERROR_NAME "' stands in front of the %s",
                model->name, prompt->name,
                model->type == MODEL_RERANKER ? "queries" : "queries and the passages");
    return sentence_count_prompt(model->tokenizer, prompt->text, run->max_length,
                                 &run->n_prompt_tokens, err);
}

/* Prompts that say something, but not to be used by default. */
static void note_prompts(const struct losses_model *model, struct notices *notices)
{
    struct buffer names = {0};

    if (!model->settings || model->settings->default_prompt)
        return;
    for (size_t i = 0; i < model->settings->n_prompts && names.size < 200; i++)
        if (*model->settings->prompts[i].text)
            buffer_format(&names, "%s'" ERROR_NAME "'", names.size ? ", " : "",
                          model->settings->prompts[i].name);
    if (names.size)
        notices_add(notices, "'%s': its prompts are not used, none is the default: %s",
                    model->name, names.data);
    buffer_release(&names);
}

static void note_similarity(const struct losses_model *model, struct notices *notices)
{
    const char *similarity = model->settings ? model->settings->similarity : NULL;

    if (model->type == MODEL_ENCODER && similarity && strcmp(similarity, "cosine") != 0)
        notices_add(notices, "'%s' is made for similarity by " ERROR_NAME "; losses are those of "
                    "cosines", model->name, similarity);
}

static size_t max_length_of(const struct losses_model *model, const struct losses_options *options)
{
    size_t n = least(options->max_length, model->model->spec.max_tokens);

    if (model->sentence)
        n = least(n, sentence_model_max_tokens(model->sentence));
    return model->settings ? least(n, model->settings->max_tokens) : n;
}

/* Whether all ranks are about to divide the same. */
static int compare_ranks(const struct encoded_examples *encoded, struct error *err)
{
    const struct sequences *texts = &encoded->texts;
    char hex[DIGEST_HEX_MAX];
    struct digest digest;

    if (ranks_count() == 1)
        return 0;
    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, texts->ids.items, texts->ids.n_items * sizeof *texts->ids.items);
    digest_add(&digest, texts->ends, texts->n_sequences * sizeof *texts->ends);
    digest_add(&digest, encoded->ends, encoded->n_items * sizeof *encoded->ends);
    digest_hex(&digest, hex);
    hex[16] = '\0';
    return ranks_compare("digest of the examples' tokens", hex, err);
}

/* run->encoded = the examples as the model reads them */
static int encode(struct loss_run *run, struct encoded_examples *encoded, struct error *err)
{
    const struct losses_model *model = run->model;
    const struct encoding_rules rules = {
        .type = model->type,
        .tokenizer = model->tokenizer,
        .prompt = run->prompt,
        .max_length = run->max_length,
        .are_prompts = run->options->are_prompts,
        .have_marks = run->options->have_marks,
    };

    run->encoded = encoded;
    if (encoded_examples_make(encoded, &rules, run->examples, model->model->engine.threads, err))
        return -1;
    return compare_ranks(encoded, err) ||
                   encoded_examples_check(encoded, run->examples, model->model->spec.vocab_size,
                                          model->name, err)
               ? -1
               : 0;
}

static int compute(struct loss_run *run, struct losses *losses, struct error *err)
{
    struct progress *progress = run->options->progress;

    run->losses = losses->items = memory_zalloc(losses->n_items, sizeof *losses->items);
    for (size_t i = 0; progress && i < losses->n_items; i++)
        progress->total_bytes += loss_run_text_bytes(&run->examples->items[i]);
    if (progress)
        progress->total_bytes /= ranks_count();
    if (losses_kind(run->model->type) == EXAMPLE_RANKING ? ranking_losses_compute(run, err)
                                                         : token_losses_compute(run, err))
        return -1;
    return ranks_join(losses->items, losses->n_items * sizeof *losses->items, err);
}

int losses_compute(struct losses *losses, const struct losses_model *model,
                   const struct examples *examples, const struct losses_options *options,
                   struct notices *notices, struct error *err)
{
    struct encoded_examples own = {0};
    struct loss_run run = {
        .model = model,
        .examples = examples,
        .options = options,
        .max_length = max_length_of(model, options),
    };
    int rc = -1;

    *losses = (struct losses){.n_items = examples->n_items};
    if (check_model(model, err) || use_prompt(&run, notices, err))
        return -1;
    note_prompts(model, notices);
    note_similarity(model, notices);
    if (encode(&run, options->encoded ? options->encoded : &own, err) == 0)
        rc = compute(&run, losses, err);
    if (rc == 0) {
        sum_up(losses, losses_kind(model->type) == EXAMPLE_RANKING, options);
        note_cuts(&run, notices);
    }
    encoded_examples_release(&own);
    return rc;
}

void losses_release(struct losses *losses)
{
    free(losses->items);
    *losses = (struct losses){0};
}
