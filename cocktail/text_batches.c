#include "text_batches.h"

#include <stdlib.h>
#include <string.h>

#include "base/beside.h"
#include "base/buffer.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "text/ids.h"

#include "terminal.h"

struct entry { /* a text of the batch */
    size_t line;
    char *text; /* NULL unless they are kept */
    size_t n;
};

enum { AT_ONCE = 2 }; /* one that is worked on, one that is made */

struct place { /* of one batch */
    struct ids ids;
    struct buffer type_ids;
    size_t *ends, *lines, *text_bytes;
    char **texts;
    size_t n, capacity;
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
    struct place places[AT_ONCE];
    size_t now;                /* the place of the batch that came last, or is being made */
    size_t n_cut;
    struct error error;        /* told when what stands before it has been handed out */
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

static void clear(struct place *place)
{
    for (size_t i = 0; i < place->n; i++)
        free(place->texts[i]);
    place->n = 0;
    ids_clear(&place->ids);
    buffer_clear(&place->type_ids);
}

static void release(struct place *place)
{
    clear(place);
    free(place->ends);
    free(place->lines);
    free(place->text_bytes);
    free(place->texts);
    ids_release(&place->ids);
    buffer_release(&place->type_ids);
}

void text_batches_close(struct text_batches *batches)
{
    if (!batches)
        return;
    for (size_t i = 0; i < AT_ONCE; i++)
        release(&batches->places[i]);
    free(batches->entry.text);
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

static bool fits(const struct text_batches *batches, const struct place *place)
{
    const struct text_batches_options *options = &batches->options;

    return place->n == 0 ||
           ((!options->max_texts || place->n < options->max_texts) &&
            place->ids.n_items + batches->encoding.n_ids <= options->max_tokens);
}

static void grow(struct place *place)
{
    size_t n = place->capacity ? 2 * place->capacity : 64;

    place->ends = memory_resize(place->ends, n, sizeof *place->ends);
    place->lines = memory_resize(place->lines, n, sizeof *place->lines);
    place->texts = memory_resize(place->texts, n, sizeof *place->texts);
    place->text_bytes = memory_resize(place->text_bytes, n, sizeof *place->text_bytes);
    place->capacity = n;
}

static void add_text(struct text_batches *batches, struct place *place)
{
    const struct encoding *encoding = &batches->encoding;

    if (place->n == place->capacity)
        grow(place);
    for (size_t i = 0; i < encoding->n_ids; i++)
        ids_add(&place->ids, encoding->ids[i]);
    buffer_add(&place->type_ids, encoding->type_ids, encoding->n_ids);
    place->ends[place->n] = place->ids.n_items;
    place->lines[place->n] = batches->entry.line;
    place->texts[place->n] = batches->entry.text;
    place->text_bytes[place->n] = batches->entry.n;
    batches->entry = (struct entry){0};
    place->n++;
}

/* Where a batch ends because of an error: whatever their sizes, the same texts are worked on. */
static bool is_last_of_all(const struct text_batches *batches, const struct place *place)
{
    enum error_code code = batches->error.code;

    return place->n > 0 && code != ERROR_SIGINT && code != ERROR_SIGTERM;
}

int text_batches_next(struct text_batches *batches, struct text_batch *batch, struct error *err)
{
    struct place *place;
    int more = 1;

    batches->now = (batches->now + 1) % AT_ONCE;
    place = &batches->places[batches->now];
    clear(place);
    while (more > 0) {
        if (!batches->is_waiting)
            more = batches->error.code ? -1 : read_text(batches, &batches->error);
        batches->is_waiting = more > 0;
        if (more <= 0 || !fits(batches, place))
            break;
        add_text(batches, place);
        batches->is_waiting = false;
    }
    if (more < 0 && !is_last_of_all(batches, place))
        return error_set(err, batches->error.code, "%s", batches->error.text);
    if (place->n == 0)
        return 0;
    *batch = (struct text_batch){
        .batch = {.ids = place->ids.items, .ends = place->ends, .n_sequences = place->n},
        .lines = place->lines,
        .texts = place->texts,
        .text_bytes = place->text_bytes,
    };
    if (batches->options.has_types)
        batch->batch.type_ids = (const uint8_t *)place->type_ids.data;
    return 1;
}

/* ---- all of them ---- */

struct run { /* of a batch */
    text_batch_work *work;
    void *context;
    struct text_batch batch;
};

static int run_batch(void *context, struct error *err)
{
    const struct run *run = context;

    return run->work(run->context, &run->batch, err);
}

/* What is wrong with a batch comes before what is wrong with the texts behind it. */
static int each_beside(struct text_batches *batches, text_batch_work *work, void *context,
                       struct error *err)
{
    struct run run = {.work = work, .context = context};
    struct beside beside = {0};
    struct text_batch batch;
    struct error error = {0};
    int more, rc;

    do {
        more = text_batches_next(batches, &batch, &error);
        rc = beside_wait(&beside, err);
        if (rc == 0 && more > 0) {
            run.batch = batch;
            beside_start(&beside, run_batch, &run);
        }
    } while (rc == 0 && more > 0);
    if (rc || more == 0)
        return rc;
    return error_set(err, error.code, "%s", error.text);
}

int text_batches_each(struct text_batches *batches, bool is_beside, text_batch_work *work,
                      void *context, struct error *err)
{
    struct text_batch batch;
    int more;

    if (is_beside && ranks_count() == 1)
        return each_beside(batches, work, context, err);
    while ((more = text_batches_next(batches, &batch, err)) > 0)
        if (work(context, &batch, err))
            return -1;
    return more;
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
