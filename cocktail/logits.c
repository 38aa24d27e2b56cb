/* logits.c - what a decoder expects next, at every position of a text. */
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "model/shared_batch.h"
#include "text/ids.h"

#include "command.h"
#include "float_rows.h"
#include "id_line.h"
#include "loaded_model.h"
#include "option_blocks.h"
#include "text_batches.h"

struct logits_options {
    struct common_options common;
    struct text_form_options form;
    const char *format, *type, *capacity;
    size_t max_input_length;
    bool from_ids, follow_symlinks;
};

static const struct option_row rows[] = {
    OPTION_FORMAT(struct logits_options, "token"),
    {0, "from-ids", OPTION_FLAG, offsetof(struct logits_options, from_ids), NULL,
     "read lines of token ids, without a tokenizer"},
    OPTION_TYPE(struct logits_options, type, "decoder",
                "use as a decoder what config.json calls something else"),
    OPTIONS_TEXT_FORM(struct logits_options, "every line is a text",
                      "the whole file is one text (the default)",
                      "every line is a JSON string or {\"text\", \"pair\"}"),
    OPTION_MAX_INPUT_LENGTH(struct logits_options, "texts"),
    OPTION_CAPACITY(struct logits_options),
    OPTION_FOLLOW_SYMLINKS(struct logits_options, follow_symlinks, "directory"),
    OPTION_EXPERT_PARALLEL,
    OPTION_COMPUTE,
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    RULE_TEXT_FORM,
    {.type = RULE_EXCLUDE, .options = "from-ids|whole|jsonl",
     .message = "--from-ids reads lines: without --whole and --jsonl"},
    RULE_FORMAT,
    {0},
};

/* Logits of so many tokens are held at once: as many as make the head's weights worth their reading, in
 * bounded memory. */
enum { LOGITS_MAX = 1 << 24, BLOCK_ROWS_MIN = 16, BLOCK_ROWS_MAX = 256 };

struct block {
    size_t n_rows_max;
    float *logits; /* [n_rows_max, vocab_size] */
};

struct texts { /* all that is read, as ids: an array begins with the number of its rows */
    struct ids ids;
    size_t *ends, n_texts, capacity, n_cut;
    size_t max_length, vocab_size; /* of the model */
    const char *model;             /* its name */
};

/* ---- reading ---- */

static int add_text(struct texts *texts, const uint32_t *ids, size_t n, struct error *err)
{
    if (n == 0)
        return error_set(err, ERROR_FORMAT, "the text has no tokens");
    if (texts->n_texts == texts->capacity) {
        texts->capacity = texts->capacity ? 2 * texts->capacity : 16;
        texts->ends = memory_resize(texts->ends, texts->capacity, sizeof *texts->ends);
    }
    for (size_t i = 0; i < n; i++)
        ids_add(&texts->ids, ids[i]);
    texts->ends[texts->n_texts++] = texts->ids.n_items;
    return 0;
}

static int add_id_line(struct texts *texts, const struct text_item *item, struct error *err)
{
    struct ids ids = {0};
    int rc = id_line_read(item->text, item->n, &ids, err);

    for (size_t i = 0; i < ids.n_items && rc == 0; i++)
        if (ids.items[i] >= texts->vocab_size)
            rc = error_set(err, ERROR_FORMAT, "token id %u; the model has 0 to %zu",
                           (unsigned)ids.items[i], texts->vocab_size - 1);
    if (rc == 0 && texts->max_length && ids.n_items > texts->max_length) {
        ids.n_items = texts->max_length;
        texts->n_cut++;
    }
    if (rc == 0)
        rc = add_text(texts, ids.items, ids.n_items, err);
    ids_release(&ids);
    return rc;
}

static int read_ids(struct texts *texts, struct text_input *input, struct error *err)
{
    struct text_item item;
    int more;

    while ((more = text_input_next(input, &item, err)) > 0)
        if (add_id_line(texts, &item, err))
            return text_item_context(&item, err);
    return more;
}

static int read_texts(struct texts *texts, struct text_input *input,
                      const struct tokenizer *tokenizer, struct error *err)
{
    const struct encode_options how = {.max_length = texts->max_length};
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encoding encoding = {0};
    struct text_item item;
    int more;

    while ((more = text_input_next(input, &item, err)) > 0) {
        if (tokenizer_encode(tokenizer, scratch, item.text, item.n, item.pair, item.n_pair, &how,
                             &encoding, err) ||
            tokenizer_check_ids(tokenizer, encoding.ids, encoding.n_ids, texts->vocab_size,
                                texts->model, err) ||
            add_text(texts, encoding.ids, encoding.n_ids, err)) {
            more = text_item_context(&item, err);
            break;
        }
        texts->n_cut += encoding.is_truncated;
    }
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return more;
}

static int read_input(const struct logits_options *options, const struct loaded_model *loaded,
                      struct texts *texts, struct error *err)
{
    const struct common_options *common = &options->common;
    enum text_form form =
        text_form_choose(&options->form, options->from_ids ? TEXT_LINES : TEXT_WHOLE);
    struct text_input *input = text_input_open(common->operands + 1, common->n_operands - 1, form);
    int rc = options->from_ids ? read_ids(texts, input, err)
                               : read_texts(texts, input, loaded->tokenizer, err);

    text_input_tell(input, common);
    text_input_close(input);
    text_tell_cut(texts->n_cut, texts->max_length, common);
    return rc;
}

/* ---- running and printing ---- */

static int block_init(struct block *block, size_t vocab_size, struct error *err)
{
    size_t n = LOGITS_MAX / vocab_size;

    block->n_rows_max = n < BLOCK_ROWS_MIN ? BLOCK_ROWS_MIN : n > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX : n;
    block->logits =
        memory_try(block->n_rows_max, vocab_size * sizeof *block->logits, "logits", err);
    return block->logits ? 0 : -1;
}

static int print_logits(struct model *model, const float *hidden, size_t n_tokens, bool is_npy,
                        const struct block *block, struct error *err)
{
    size_t width = model->spec.vocab_size, n;

    for (size_t row = 0; row < n_tokens; row += n) {
        n = n_tokens - row < block->n_rows_max ? n_tokens - row : block->n_rows_max;
        if (interrupt_check(err))
            return -1;
        model_logits(model, hidden + row * model->spec.hidden_size, n, block->logits);
        if (is_npy ? float_rows_print_npy(block->logits, n, width, err)
                   : float_rows_print_json(block->logits, n, width, err))
            return -1;
    }
    return 0;
}

static int run_model(void *context, const struct batch *batch, float *hidden, struct error *err)
{
    return model_run(context, batch, hidden, err);
}

/* Texts first … first + n - 1, one for each rank. */
static int run_some(struct model *model, const struct sharing *sharing, const struct texts *texts,
                    size_t first, size_t n, bool is_npy, const struct block *block,
                    struct error *err)
{
    size_t start = batch_start(texts->ends, first);
    size_t *ends = memory_zalloc(n, sizeof *ends);
    struct batch batch = {.ids = texts->ids.items + start, .ends = ends, .n_sequences = n};
    float *hidden;
    int rc = -1;

    for (size_t i = 0; i < n; i++)
        ends[i] = texts->ends[first + i] - start;
    hidden = memory_try(ends[n - 1], model->spec.hidden_size * sizeof *hidden, "hidden states",
                        err);
    if (hidden && shared_batch_run(sharing, &batch, hidden, err) == 0)
        rc = print_logits(model, hidden, ends[n - 1], is_npy, block, err);
    free(hidden);
    free(ends);
    return rc;
}

static int run_texts(struct model *model, const struct sharing *sharing, const struct texts *texts,
                     bool is_npy, struct error *err)
{
    struct block block;
    int rc = block_init(&block, model->spec.vocab_size, err);
    size_t n;

    if (rc == 0 && is_npy)
        rc = float_rows_print_npy_header(texts->ids.n_items, model->spec.vocab_size, err);
    for (size_t i = 0; i < texts->n_texts && rc == 0; i += n) {
        n = texts->n_texts - i < ranks_count() ? texts->n_texts - i : ranks_count();
        rc = run_some(model, sharing, texts, i, n, is_npy, &block, err);
    }
    free(block.logits);
    return rc == 0 ? shared_batch_end(err) : -1;
}

static int read_and_run(const struct logits_options *options, const struct loaded_model *loaded,
                        const struct sharing *sharing, struct error *err)
{
    bool is_npy = options->format && strcmp(options->format, "npy") == 0;
    struct texts texts = {
        .max_length = text_limit(options->max_input_length, loaded->model->spec.max_tokens),
        .vocab_size = loaded->model->spec.vocab_size,
        .model = loaded->folder.name,
    };
    int rc = read_input(options, loaded, &texts, err);

    if (rc == 0)
        rc = run_texts(loaded->model, sharing, &texts, is_npy, err);
    ids_release(&texts.ids);
    free(texts.ends);
    return rc;
}

/* ---- the command ---- */

static int logits(const struct logits_options *options, struct error *err)
{
    const struct loaded_model_options how = {
        .type = options->type,
        .types = 1u << MODEL_DECODER,
        .capacity = options->capacity,
        .follow_symlinks = options->follow_symlinks,
        .no_tokenizer = options->from_ids,
    };
    struct loaded_model loaded = {0};
    int rc = -1;

    if (loaded_model_open(&loaded, options->common.operands[0], &how, &options->common, err) == 0) {
        const struct sharing sharing = {.run = run_model, .context = loaded.model,
                                        .width = loaded.model->spec.hidden_size,
                                        .is_per_token = true, .experts = loaded.experts};

        rc = ranks_number() ? shared_batch_serve(&sharing, err)
                            : read_and_run(options, &loaded, &sharing, err);
    }
    if (rc == 0)
        rc = experts_tell(loaded.experts, &options->common, err);
    loaded_model_release(&loaded);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct logits_options options = {0};
    int rc = command_parse(&command_logits, argc, argv, &options, err);

    if (rc == 0)
        rc = logits(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_logits = {
    .name = "logits",
    .summary = "print what a decoder expects next, at every token",
    .usage = "MODEL [FILE]",
    .min_operands = 1,
    .max_operands = 2,
    .rows = rows,
    .rules = rules,
    .has_ranks = true,
    .run = run,
};
