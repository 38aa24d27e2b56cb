#include "text_input.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json_reader.h"
#include "base/line_reader.h"
#include "base/memory.h"
#include "base/unused.h"

#include "terminal.h"

struct text_input {
    const char *const *files;
    size_t n_files, next_file;
    enum text_form form;
    struct line_reader *reader;
    struct buffer text, pair; /* unescaped JSON strings */
    struct unused unused;     /* of this file */
    struct notices notices;   /* of those that are done */
};

enum text_form text_form_choose(const struct text_form_options *options, enum text_form otherwise)
{
    return options->jsonl   ? TEXT_JSONL
           : options->whole ? TEXT_WHOLE
           : options->lines ? TEXT_LINES
                            : otherwise;
}

struct text_input *text_input_open(const char *const *files, size_t n_files, enum text_form form)
{
    static const char *const standard_input[] = {"-"};
    struct text_input *input = memory_zalloc(1, sizeof *input);

    input->files = n_files ? files : standard_input;
    input->n_files = n_files ? n_files : 1;
    input->form = form;
    return input;
}

void text_input_close(struct text_input *input)
{
    if (!input)
        return;
    line_reader_close(input->reader);
    buffer_release(&input->text);
    buffer_release(&input->pair);
    unused_release(&input->unused);
    notices_release(&input->notices);
    free(input);
}

static int read_string(struct json_reader *reader, struct buffer *out, struct error *err)
{
    struct json_text text;

    if (json_reader_string(reader, &text, err))
        return -1;
    buffer_clear(out);
    buffer_add(out, text.bytes, text.length);
    return 0;
}

/* {"text": …, "pair": …} */
static int read_object(struct text_input *input, struct json_reader *reader, bool *has_pair,
                       struct error *err)
{
    bool has_text = false;
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        bool is_text = json_text_is(key, "text"), is_pair = json_text_is(key, "pair");

        if (!is_text && !is_pair)
            unused_add(&input->unused, key.bytes, line_reader_line(input->reader));
        if (is_text || is_pair ? read_string(reader, is_text ? &input->text : &input->pair, err)
                               : json_reader_skip(reader, err))
            return -1;
        has_text |= is_text;
        *has_pair |= is_pair;
    }
    if (more == 0 && !has_text)
        return error_set(err, ERROR_FORMAT, "no \"text\" in the object");
    return more;
}

static int read_json(struct text_input *input, const char *line, size_t n, struct text_item *item,
                     struct error *err)
{
    struct json_reader reader;
    bool has_pair = false;
    int rc;

    json_reader_init(&reader, line, n);
    rc = json_reader_peek(&reader) == JSON_STRING
             ? read_string(&reader, &input->text, err)
             : read_object(input, &reader, &has_pair, err);
    if (rc == 0)
        rc = json_reader_finish(&reader, err);
    json_reader_release(&reader);
    item->text = input->text.data;
    item->n = input->text.size;
    item->pair = has_pair ? input->pair.data : NULL;
    item->n_pair = has_pair ? input->pair.size : 0;
    return rc;
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r", line[i]) || !line[i])
            return false;
    return true;
}

/* 1, 0 at the end of this file, or -1. */
static int next_line(struct text_input *input, struct text_item *item, struct error *err)
{
    const char *line;
    size_t n;
    int more;

    do
        more = line_reader_next(input->reader, &line, &n, err);
    while (more > 0 && input->form == TEXT_JSONL && is_blank(line, n));
    if (more <= 0)
        return more;
    item->line = line_reader_line(input->reader);
    item->text = line;
    item->n = n;
    if (input->form == TEXT_JSONL && read_json(input, line, n, item, err))
        return text_item_context(item, err);
    return 1;
}

static void close_file(struct text_input *input)
{
    unused_note(&input->unused, line_reader_name(input->reader), &input->notices);
    unused_release(&input->unused);
    line_reader_close(input->reader);
    input->reader = NULL;
}

void text_input_tell(struct text_input *input, const struct common_options *common)
{
    terminal_notices(&input->notices, common);
    notices_release(&input->notices);
}

int text_input_next(struct text_input *input, struct text_item *item, struct error *err)
{
    for (;;) {
        int more;

        *item = (struct text_item){0};
        if (!input->reader) {
            if (input->next_file == input->n_files)
                return 0;
            input->reader = line_reader_open(input->files[input->next_file++], err);
            if (!input->reader)
                return -1;
        } else if (input->form == TEXT_WHOLE) {
            close_file(input);
            continue;
        }
        item->file = line_reader_name(input->reader);
        if (input->form == TEXT_WHOLE)
            return line_reader_rest(input->reader, SIZE_MAX, &item->text, &item->n, err) ? -1 : 1;
        more = next_line(input, item, err);
        if (more)
            return more;
        close_file(input);
    }
}

int text_item_context(const struct text_item *item, struct error *err)
{
    return item->line ? error_context(err, "%s:%zu", item->file, item->line)
                      : error_context(err, "%s", item->file);
}
