/* rerank.c - passages in the order in which they answer a query. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/ranks.h"
#include "eval/ranking.h"
#include "model/budget.h"
#include "model/embed.h"
#include "model/shared_batch.h"
#include "report/rerank_report.h"

#include "command.h"
#include "loaded_model.h"
#include "option_blocks.h"
#include "terminal.h"
#include "text_batches.h"

struct rerank_options {
    struct common_options common;
    struct text_form_options form;
    const char *query, *prompt, *type, *capacity;
    size_t top, max_input_length, batch_size;
    bool normalize, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "query", OPTION_TEXT, offsetof(struct rerank_options, query), "TEXT",
     "what the passages are to answer"},
    {0, "prompt", OPTION_TEXT, offsetof(struct rerank_options, prompt), "NAME",
     "the prompt of the model to put in front of the query"},
    {0, "top", OPTION_COUNT, offsetof(struct rerank_options, top), "K",
     "print the best K only (all)"},
    {0, "normalize", OPTION_FLAG, offsetof(struct rerank_options, normalize), NULL,
     "scores from 0 to 1: sigmoid of what the model gives"},
    OPTION_TYPE(struct rerank_options, type, "reranker",
                "use as a reranker what config.json calls something else"),
    OPTIONS_TEXT_FORM(struct rerank_options, "every line is a passage (the default)",
                      "the whole file is one passage",
                      "every line is a JSON string or {\"text\"}"),
    OPTION_MAX_INPUT_LENGTH(struct rerank_options, "pairs"),
    OPTION_TEXTS_AT_ONCE(struct rerank_options, "passages"),
    OPTION_CAPACITY(struct rerank_options),
    OPTION_FOLLOW_SYMLINKS(struct rerank_options, follow_symlinks, "directory"),
    OPTION_EXPERT_PARALLEL,
    OPTION_COMPUTE,
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "query"},
    RULE_TEXT_FORM,
    {0},
};

/* ---- running ---- */

struct ranker {
    const struct rerank_options *options;
    struct sharing sharing;
    struct ranking *ranking;
};

static int run_model(void *context, const struct batch *batch, float *scores, struct error *err)
{
    return model_rank(context, batch, scores, err);
}

static int rank_batch(void *context, const struct text_batch *batch, struct error *err)
{
    const struct ranker *ranker = context;
    const struct rerank_options *options = ranker->options;
    size_t n = batch->batch.n_sequences;
    float *scores = memory_zalloc(n, sizeof *scores);
    int rc = shared_batch_run(&ranker->sharing, &batch->batch, scores, err);

    for (size_t i = 0; i < n && rc == 0; i++)
        ranking_add(ranker->ranking,
                    options->normalize ? (float)(1 / (1 + exp(-(double)scores[i]))) : scores[i],
                    batch->lines[i], batch->texts[i], batch->text_bytes[i]);
    if (options->top)
        ranking_sort(ranker->ranking, options->top);
    free(scores);
    return rc;
}

static int rank_all(struct ranker *ranker, struct loaded_model *loaded, const char *query,
                    struct error *err)
{
    const struct rerank_options *options = ranker->options;
    size_t max_tokens = text_limit(loaded->settings.max_tokens, loaded->model->spec.max_tokens);
    const struct common_options *common = &options->common;
    enum text_form form = text_form_choose(&options->form, TEXT_LINES);
    const struct text_batches_options how = {
        .query = query,
        .keeps_texts = true,
        .has_types = loaded->model->spec.n_token_types > 1,
        .max_length = text_limit(options->max_input_length, max_tokens),
        .max_texts = options->batch_size * ranks_count(),
        .max_tokens = budget_tokens(&loaded->model->spec) * ranks_count(),
        .model = loaded->folder.name,
        .n_embeddings = loaded->model->spec.vocab_size,
    };
    struct text_input *input = text_input_open(common->operands + 1, common->n_operands - 1, form);
    struct text_batches *batches = text_batches_open(input, loaded->tokenizer, &how);
    int rc = text_batches_each(batches, threads_count(loaded->threads) > 1, rank_batch, ranker, err);

    if (rc == 0)
        rc = shared_batch_end(err);
    text_input_tell(input, common);
    text_tell_cut(text_batches_n_cut(batches), how.max_length, common);
    text_batches_close(batches);
    text_input_close(input);
    return rc;
}

/* ---- the command ---- */

static int check_model(const struct loaded_model *loaded, struct error *err)
{
    size_t n_labels = model_n_labels(loaded->model);

    if (n_labels == 1)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "'%s': scores %zu labels; a reranker has one",
                     loaded->folder.name, n_labels);
}

/* The query behind the prompt that was asked for, or that of the model; NULL on error. */
static char *find_query(const struct rerank_options *options,
                        const struct sentence_settings *settings, struct error *err)
{
    const struct sentence_prompt *prompt = settings->default_prompt;

    if (options->prompt) {
        prompt = sentence_settings_prompt(settings, options->prompt, err);
        if (!prompt)
            return NULL;
    }
    return memory_format("%s%s", prompt ? prompt->text : "", options->query);
}

/* What sentence-transformers would make of the scores may be something else than --normalize. */
static void note_activation(const struct rerank_options *options, const struct loaded_model *loaded)
{
    const char *activation =
        sentence_settings_activation(&loaded->settings, &loaded->folder.config);
    struct notices notices = {0};

    if (options->normalize && activation && strcmp(activation, "Sigmoid") != 0)
        notices_add(&notices, "'%s' names " ERROR_NAME " as the activation of its scores; "
                    "--normalize is the sigmoid all the same", loaded->folder.name, activation);
    terminal_notices(&notices, &options->common);
    notices_release(&notices);
}

static int rerank(const struct rerank_options *options, struct error *err)
{
    const struct loaded_model_options how = {.type = options->type, .types = 1u << MODEL_RERANKER,
                                             .capacity = options->capacity,
                                             .follow_symlinks = options->follow_symlinks};
    struct loaded_model loaded = {0};
    struct ranking ranking = {0};
    struct ranker ranker = {.options = options, .ranking = &ranking};
    char *query = NULL;
    int rc = -1;

    if (loaded_model_open(&loaded, options->common.operands[0], &how, &options->common, err) == 0 &&
        check_model(&loaded, err) == 0) {
        note_activation(options, &loaded);
        query = find_query(options, &loaded.settings, err);
        ranker.sharing = (struct sharing){.run = run_model, .context = loaded.model, .width = 1,
                                          .experts = loaded.experts};
        if (query)
            rc = ranks_number() ? shared_batch_serve(&ranker.sharing, err)
                                : rank_all(&ranker, &loaded, query, err);
    }
    if (rc == 0)
        rc = experts_tell(loaded.experts, &options->common, err);
    if (rc == 0) {
        ranking_sort(&ranking, options->top);
        if (options->common.json)
            rerank_report_print_json(&ranking, stdout);
        else
            rerank_report_print(&ranking, stdout);
    }
    ranking_release(&ranking);
    free(query);
    loaded_model_release(&loaded);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct rerank_options options = {0};
    int rc = command_parse(&command_rerank, argc, argv, &options, err);

    if (rc == 0)
        rc = rerank(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_rerank = {
    .name = "rerank",
    .summary = "sort passages by how well they answer a query",
    .usage = "MODEL --query TEXT [FILE]",
    .min_operands = 1,
    .max_operands = 2,
    .rows = rows,
    .rules = rules,
    .has_ranks = true,
    .run = run,
};
