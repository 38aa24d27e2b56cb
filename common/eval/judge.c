#include "judge.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/file_ahead.h"
#include "base/memory.h"
#include "model/model.h"
#include "model/sentence.h"

/* ---- examples ---- */

/* The original draws exactly so many, and fails where there are fewer. */
static int check_negatives(const struct examples *examples, size_t n_negatives, struct error *err)
{
    for (size_t i = 0; i < examples->n_items; i++)
        if (examples->items[i].n_negatives < n_negatives) {
            error_set(err, ERROR_FORMAT, "%zu negatives; --compat lm-cocktail needs %zu of them, "
                      "as --neg-number says", examples->items[i].n_negatives, n_negatives);
            return examples_context(examples, &examples->items[i], err);
        }
    return 0;
}

int judge_load_examples(struct examples *examples, const struct judge_options *options,
                        const struct judge_examples *from, struct notices *notices,
                        struct error *err)
{
    bool is_lm_cocktail = options->losses.is_lm_cocktail;
    enum example_kind kind = losses_kind(options->type);

    if (is_lm_cocktail && kind == EXAMPLE_OUTPUT)
        kind = EXAMPLE_PLAIN_OUTPUT;
    if (examples_load(examples, from->path, kind, from->task, err))
        return -1;
    if (is_lm_cocktail && options->type == MODEL_ENCODER &&
        check_negatives(examples, from->n_negatives, err))
        return -1;
    examples_thin(examples, from->n_negatives, from->seed);
    examples_note(examples, notices);
    return 0;
}

/* ---- the tokenizer ---- */

/* LM_Cocktail knows nothing of these settings. */
static int load_settings(const struct judge_options *options, const struct model_folder *folder,
                         struct sentence_settings *settings, struct notices *notices,
                         struct error *err)
{
    *settings = (struct sentence_settings){0};
    return options->losses.is_lm_cocktail
               ? 0
               : model_folder_settings(folder, options->type, settings, notices, err);
}

int judge_init(struct judge *judge, const struct judge_options *options,
               const struct examples *examples, const struct model_folder *base,
               struct error *err)
{
    struct notices told_later = {0}; /* when it is judged */
    struct sentence_settings settings;

    *judge = (struct judge){.options = *options, .examples = examples};
    if (load_settings(options, base, &settings, &told_later, err) == 0)
        judge->tokenizer = model_folder_tokenizer(base, &settings, err);
    sentence_settings_release(&settings);
    notices_release(&told_later);
    return judge->tokenizer ? 0 : -1;
}

void judge_release(struct judge *judge)
{
    encoded_examples_release(&judge->encoded);
    tokenizer_free(judge->tokenizer);
    *judge = (struct judge){0};
}

/* ---- a model ---- */

static struct sentence_model *load_sentence(const struct judge_options *options,
                                            struct model_folder *folder,
                                            const struct model *model, struct notices *notices,
                                            struct error *err)
{
    return options->losses.is_lm_cocktail
               ? sentence_model_first_token(model)
               : sentence_model_load(folder, model, options->pooling, notices, err);
}

static int judge_loaded(struct judge *judge, struct model_folder *folder,
                        struct model *model, const struct sentence_settings *settings,
                        struct losses *losses, struct progress *progress,
                        struct notices *notices, struct error *err)
{
    struct losses_options how = judge->options.losses;
    struct losses_model judged = {
        .name = folder->name,
        .type = judge->options.type,
        .model = model,
        .tokenizer = judge->tokenizer,
        .settings = settings,
    };
    struct sentence_model *sentence = NULL;
    int rc;

    if (judged.type == MODEL_ENCODER) {
        judged.sentence = sentence = load_sentence(&judge->options, folder, model, notices, err);
        if (!sentence)
            return -1;
    }
    if (judge->options.lifts_capacity)
        model_lift_capacity(model);
    how.progress = progress;
    how.encoded = &judge->encoded;
    rc = losses_compute(losses, &judged, judge->examples, &how, notices, err);
    sentence_model_free(sentence);
    return rc;
}

/* The weights' files of both. What is wrong with them is said when they are loaded. */
static struct file_ahead *fetch(struct model_folder *folder, struct model_folder *next,
                                struct notices *notices)
{
    struct model_folder *folders[] = {folder, next};
    const struct checkpoint *checkpoints[2] = {0};
    struct file_ahead *ahead;
    struct file **files;
    size_t n = 0;

    for (size_t i = 0; i < 2 && folders[i]; i++) {
        struct error err = {0};

        checkpoints[i] = model_folder_weights(folders[i], notices, &err);
        n += checkpoints[i] ? checkpoints[i]->n_files : 0;
    }
    files = memory_zalloc(n + 1, sizeof *files);
    n = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t f = 0; checkpoints[i] && f < checkpoints[i]->n_files; f++)
            files[n++] = checkpoints[i]->files[f].file;
    ahead = file_ahead_start(files, n, SIZE_MAX);
    free(files);
    return ahead;
}

int judge_run(struct judge *judge, struct model_folder *folder, struct model_folder *next,
              struct losses *losses, struct progress *progress, struct notices *notices,
              struct error *err)
{
    const struct judge_options *options = &judge->options;
    struct sentence_settings settings;
    struct file_ahead *ahead = NULL;
    struct model *model = NULL;
    int rc = -1;

    *losses = (struct losses){0};
    if (load_settings(options, folder, &settings, notices, err) == 0)
        model = model_load_share(folder, options->type, options->threads, options->experts, notices,
                                 err);
    if (model) {
        if (!options->experts) /* else most of the files are not for this rank */
            ahead = fetch(folder, next, notices);
        rc = judge_loaded(judge, folder, model, &settings, losses, progress, notices, err);
        file_ahead_end(ahead);
    }
    model_free(model);
    sentence_settings_release(&settings);
    return rc;
}
