/* embed.c - texts to vectors. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/ranks.h"
#include "model/budget.h"
#include "model/embed.h"
#include "model/sentence.h"
#include "model/shared_batch.h"

#include "command.h"
#include "float_rows.h"
#include "loaded_model.h"
#include "option_blocks.h"
#include "terminal.h"
#include "text_batches.h"

struct embed_options {
    struct common_options common;
    struct text_form_options form;
    const char *type, *format, *prompt, *pooling, *capacity;
    size_t max_input_length, batch_size;
    bool follow_symlinks;
};

static const struct option_row rows[] = {
    OPTION_FORMAT(struct embed_options, "text"),
    {0, "prompt", OPTION_TEXT, offsetof(struct embed_options, prompt), "NAME",
     "the prompt of the model to put in front of every text"},
    OPTION_POOLING(struct embed_options, pooling),
    OPTION_TYPE(struct embed_options, type, "encoder",
                "use as an encoder what config.json calls something else"),
    OPTIONS_TEXT_FORM(struct embed_options, "every line is a text (the default)",
                      "the whole file is one text",
                      "every line is a JSON string or {\"text\"}"),
    OPTION_MAX_INPUT_LENGTH(struct embed_options, "texts"),
    OPTION_TEXTS_AT_ONCE(struct embed_options, "texts"),
    OPTION_CAPACITY(struct embed_options),
    OPTION_FOLLOW_SYMLINKS(struct embed_options, follow_symlinks, "directory"),
    OPTION_EXPERT_PARALLEL,
    OPTION_COMPUTE,
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    RULE_TEXT_FORM,
    RULE_FORMAT,
    {0},
};

struct embedder {
    const struct embed_options *options;
    struct loaded_model loaded;
    struct sentence_model *sentence;
    const struct sentence_prompt *prompt;
    struct sharing sharing;
    size_t max_length, n_prompt_tokens;
    bool is_npy;
    float *kept;               /* for npy: the number of texts stands in front of them */
    size_t n_kept, capacity;
};

/* ---- loading ---- */

static int choose_prompt(struct embedder *embedder, struct error *err)
{
    const char *name = embedder->options->prompt;

    const struct loaded_model *loaded = &embedder->loaded;

    embedder->prompt = loaded->settings.default_prompt;
    if (name) {
        embedder->prompt = sentence_settings_prompt(&loaded->settings, name, err);
        if (!embedder->prompt)
            return -1;
    }
    if (!embedder->prompt || !*embedder->prompt->text)
        return 0;
    return sentence_count_prompt(loaded->tokenizer, embedder->prompt->text, embedder->max_length,
                                 &embedder->n_prompt_tokens, err);
}

static int load(struct embedder *embedder, struct error *err)
{
    const struct embed_options *options = embedder->options;
    const struct loaded_model_options how = {.type = options->type, .types = 1u << MODEL_ENCODER,
                                             .capacity = options->capacity,
                                             .follow_symlinks = options->follow_symlinks};
    struct loaded_model *loaded = &embedder->loaded;
    struct notices notices = {0};

    if (loaded_model_open(loaded, options->common.operands[0], &how, &options->common, err))
        return -1;
    embedder->sentence = sentence_model_load(&loaded->folder, loaded->model, options->pooling,
                                             &notices, err);
    terminal_notices(&notices, &options->common);
    notices_release(&notices);
    if (!embedder->sentence)
        return -1;
    embedder->max_length = text_limit(
        options->max_input_length,
        text_limit(sentence_model_max_tokens(embedder->sentence), loaded->model->spec.max_tokens));
    return choose_prompt(embedder, err);
}

/* ---- running ---- */

static int keep(struct embedder *embedder, const float *rows, size_t n_rows, size_t width,
                struct error *err)
{
    if (embedder->n_kept + n_rows > embedder->capacity) {
        size_t capacity = 2 * embedder->capacity + n_rows;
        float *larger = memory_try(capacity, width * sizeof *larger, "embeddings", err);

        if (!larger)
            return -1;
        if (embedder->n_kept)
            memcpy(larger, embedder->kept, embedder->n_kept * width * sizeof *larger);
        free(embedder->kept);
        embedder->kept = larger;
        embedder->capacity = capacity;
    }
    memcpy(embedder->kept + embedder->n_kept * width, rows, n_rows * width * sizeof *rows);
    embedder->n_kept += n_rows;
    return 0;
}

static int print_npy(const struct embedder *embedder, struct error *err)
{
    size_t width = sentence_model_size(embedder->sentence);

    if (float_rows_print_npy_header(embedder->n_kept, width, err))
        return -1;
    return float_rows_print_npy(embedder->kept, embedder->n_kept, width, err);
}

static int run_model(void *context, const struct batch *batch, float *vectors, struct error *err)
{
    const struct embedder *embedder = context;

    return model_embed(embedder->loaded.model, embedder->sentence, batch,
                       embedder->n_prompt_tokens, vectors, err);
}

static int embed_batch(void *context, const struct text_batch *batch, struct error *err)
{
    struct embedder *embedder = context;
    size_t width = sentence_model_size(embedder->sentence), n = batch->batch.n_sequences;
    float *vectors = memory_try(n, width * sizeof *vectors, "embeddings", err);
    int rc = -1;

    if (vectors && shared_batch_run(&embedder->sharing, &batch->batch, vectors, err) == 0)
        rc = embedder->is_npy ? keep(embedder, vectors, n, width, err)
                              : float_rows_print_json(vectors, n, width, err);
    free(vectors);
    return rc;
}

static int embed_all(struct embedder *embedder, struct error *err)
{
    const struct embed_options *options = embedder->options;
    const struct common_options *common = &options->common;
    enum text_form form = text_form_choose(&options->form, TEXT_LINES);
    const struct text_batches_options how = {
        .prompt = embedder->prompt ? embedder->prompt->text : NULL,
        .has_types = embedder->loaded.model->spec.n_token_types > 1,
        .max_length = embedder->max_length,
        .max_texts = options->batch_size * ranks_count(),
        .max_tokens = budget_tokens(&embedder->loaded.model->spec) * ranks_count(),
        .model = embedder->loaded.folder.name,
        .n_embeddings = embedder->loaded.model->spec.vocab_size,
    };
    struct text_input *input = text_input_open(common->operands + 1, common->n_operands - 1, form);
    struct text_batches *batches = text_batches_open(input, embedder->loaded.tokenizer, &how);
    int rc = text_batches_each(batches, threads_count(embedder->loaded.threads) > 1, embed_batch,
                               embedder, err);

    if (rc == 0)
        rc = shared_batch_end(err);
    text_input_tell(input, common);
    text_tell_cut(text_batches_n_cut(batches), embedder->max_length, common);
    text_batches_close(batches);
    text_input_close(input);
    return rc;
}

/* ---- the command ---- */

static int embed(const struct embed_options *options, struct error *err)
{
    struct embedder embedder = {
        .options = options,
        .is_npy = options->format && strcmp(options->format, "npy") == 0,
    };
    int rc = -1;

    if (load(&embedder, err) == 0) {
        embedder.sharing = (struct sharing){
            .run = run_model,
            .context = &embedder,
            .width = sentence_model_size(embedder.sentence),
            .experts = embedder.loaded.experts,
        };
        rc = ranks_number() ? shared_batch_serve(&embedder.sharing, err)
                            : embed_all(&embedder, err);
    }
    if (rc == 0)
        rc = experts_tell(embedder.loaded.experts, &options->common, err);
    if (rc == 0 && embedder.is_npy)
        rc = print_npy(&embedder, err);
    free(embedder.kept);
    sentence_model_free(embedder.sentence);
    loaded_model_release(&embedder.loaded);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct embed_options options = {0};
    int rc = command_parse(&command_embed, argc, argv, &options, err);

    if (rc == 0)
        rc = embed(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_embed = {
    .name = "embed",
    .summary = "turn texts into vectors",
    .usage = "MODEL [FILE]",
    .min_operands = 1,
    .max_operands = 2,
    .rows = rows,
    .rules = rules,
    .has_ranks = true,
    .run = run,
};
