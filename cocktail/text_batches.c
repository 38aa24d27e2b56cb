#include "text_batches.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "text/ids.h"

#include "terminal.h"

struct entry { /* a text of the batch */
    size_t line;
    char *text; /* NULL unless they are kept */
    size_t n;
};

struct text_batches {
    struct text_input *input;
    const struct tokenizer *tokenizer;
    struct text_batches_options options;
    struct tokenizer_scratch *scratch;
    struct buffer text;        /* the text as it is tokenized */
    struct encoding encoding;  /* of the last text that was read */
    struct entry entry;
    bool is_waiting;           /* it did not fit into the last batch */
    struct ids ids;
    struct buffer type_ids;
    size_t *ends, *lines, *text_bytes;
    char **texts;
    size_t n, capacity, n_cut;
};

struct text_batches *text_batches_open(struct text_input *input, const struct tokenizer *tokenizer,
                                       const struct text_batches_options *options)
{
    struct text_batches *batches = memory_zalloc(1, sizeof *batches);

    batches->input = input;
    batches->tokenizer = tokenizer;
    batches->options = *options;
    batches->scratch = tokenizer_scratch_new(tokenizer);
    return batches;
}

static void clear(struct text_batches *batches)
{
    for (size_t i = 0; i < batches->n; i++)
        free(batches->texts[i]);
    batches->n = 0;
    ids_clear(&batches->ids);
    buffer_clear(&batches->type_ids);
}

void text_batches_close(struct text_batches *batches)
{
    if (!batches)
        return;
    clear(batches);
    free(batches->entry.text);
    free(batches->ends);
    free(batches->lines);
    free(batches->text_bytes);
    free(batches->texts);
    ids_release(&batches->ids);
    buffer_release(&batches->type_ids);
    buffer_release(&batches->text);
    encoding_release(&batches->encoding);
    tokenizer_scratch_free(batches->scratch);
    free(batches);
}

size_t text_batches_n_cut(const struct text_batches *batches)
{
    return batches->n_cut;
}

/* ---- one text ---- */

static void set_text(struct text_batches *batches, const struct text_item *item)
{
    buffer_clear(&batches->text);
    if (batches->options.prompt)
        buffer_add_text(&batches->text, batches->options.prompt);
    buffer_add(&batches->text, item->text, item->n);
}

static int encode(struct text_batches *batches, const struct text_item *item, struct error *err)
{
    const struct text_batches_options *options = &batches->options;
    struct encode_options how = {.max_length = options->max_length};
    const char *first = batches->text.data, *second = item->pair;
    size_t n_first = batches->text.size, n_second = item->n_pair;

    if (options->query && item->pair)
        return error_set(err, ERROR_FORMAT, "a \"pair\", where the query makes one already");
    if (options->query) {
        second = first;
        n_second = n_first;
        first = options->query;
        n_first = strlen(first);
    }
    if (tokenizer_encode(batches->tokenizer, batches->scratch, first, n_first, second, n_second,
                         &how, &batches->encoding, err))
        return -1;
    if (batches->encoding.n_ids == 0)
        return error_set(err, ERROR_FORMAT, "the text has no tokens");
    return tokenizer_check_ids(batches->tokenizer, batches->encoding.ids, batches->encoding.n_ids,
                               options->n_embeddings, options->model, err);
}

/* 1: batches->encoding and entry are those of the next text; 0: no more; -1 */
static int read_text(struct text_batches *batches, struct error *err)
{
    struct text_item item;
    int more;

    if (interrupt_check(err))
        return -1;
    more = text_input_next(batches->input, &item, err);
    if (more <= 0)
        return more;
    set_text(batches, &item);
    if (encode(batches, &item, err))
        return text_item_context(&item, err);
    batches->n_cut += batches->encoding.is_truncated;
    batches->entry = (struct entry){.line = item.line, .n = item.n};
    if (batches->options.keeps_texts) {
        batches->entry.text = memory_alloc(item.n + 1);
        memcpy(batches->entry.text, item.text, item.n);
        batches->entry.text[item.n] = '\0';
    }
    return 1;
}

/* ---- one batch ---- */

static bool fits(const struct text_batches *batches)
{
    size_t max_texts = batches->options.max_texts;

    return batches->n == 0 || ((!max_texts || batches->n < max_texts) &&
                               batches->ids.n_items + batches->encoding.n_ids <=
                                   batches->options.max_tokens);
}

static void add_text(struct text_batches *batches)
{
    const struct encoding *encoding = &batches->encoding;

    if (batches->n == batches->capacity) {
        batches->capacity = batches->capacity ? 2 * batches->capacity : 64;
        batches->ends = memory_resize(batches->ends, batches->capacity, sizeof *batches->ends);
        batches->lines = memory_resize(batches->lines, batches->capacity, sizeof *batches->lines);
        batches->texts = memory_resize(batches->texts, batches->capacity, sizeof *batches->texts);
        batches->text_bytes = memory_resize(batches->text_bytes, batches->capacity,
                                            sizeof *batches->text_bytes);
    }
    for (size_t i = 0; i < encoding->n_ids; i++)
        ids_add(&batches->ids, encoding->ids[i]);
    buffer_add(&batches->type_ids, encoding->type_ids, encoding->n_ids);
    batches->ends[batches->n] = batches->ids.n_items;
    batches->lines[batches->n] = batches->entry.line;
    batches->texts[batches->n] = batches->entry.text;
    batches->text_bytes[batches->n] = batches->entry.n;
    batches->entry = (struct entry){0};
    batches->n++;
}

int text_batches_next(struct text_batches *batches, struct text_batch *batch, struct error *err)
{
    int more = 1;

    clear(batches);
    while (more > 0) {
        if (!batches->is_waiting)
            more = read_text(batches, err);
        batches->is_waiting = more > 0;
        if (more <= 0 || !fits(batches))
            break;
        add_text(batches);
        batches->is_waiting = false;
    }
    if (more < 0 || batches->n == 0)
        return more;
    *batch = (struct text_batch){
        .batch = {.ids = batches->ids.items, .ends = batches->ends, .n_sequences = batches->n},
        .lines = batches->lines,
        .texts = batches->texts,
        .text_bytes = batches->text_bytes,
    };
    if (batches->options.has_types)
        batch->batch.type_ids = (const uint8_t *)batches->type_ids.data;
    return 1;
}

/* ---- limits ---- */

size_t text_limit(size_t a, size_t b)
{
    return !b || (a && a < b) ? a : b;
}

void text_tell_cut(size_t n_cut, size_t max_length, const struct common_options *common)
{
    struct notices notices = {0};

    if (n_cut)
        notices_add(&notices, "%zu text%s cut to %zu tokens", n_cut, n_cut == 1 ? " was" : "s were",
                    max_length);
    terminal_notices(&notices, common);
    notices_release(&notices);
}
