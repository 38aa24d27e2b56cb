/* tokenize.c - text to token ids, and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line_reader.h"
#include "report/encoding_report.h"
#include "text/ids.h"
#include "text/tokenizer.h"

#include "command.h"
#include "id_line.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "text_input.h"
#include "tokenizer_folder.h"

struct tokenize_options {
    struct common_options common;
    struct text_form_options form;
    size_t max_length;
    bool ids, tokens, no_special, decode, skip_special, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "ids", OPTION_FLAG, offsetof(struct tokenize_options, ids), NULL,
     "print ids, one line a text (the default)"},
    {0, "tokens", OPTION_FLAG, offsetof(struct tokenize_options, tokens), NULL,
     "print the pieces instead of the ids"},
    OPTIONS_TEXT_FORM(struct tokenize_options, "every line is a text",
                      "every file is one text (the default)",
                      "every line is a JSON string or {\"text\", \"pair\"}"),
    {0, "no-special", OPTION_FLAG, offsetof(struct tokenize_options, no_special), NULL,
     "add no special tokens"},
    {0, "max-length", OPTION_COUNT, offsetof(struct tokenize_options, max_length), "N",
     "cut after N ids, special ones included"},
    {0, "decode", OPTION_FLAG, offsetof(struct tokenize_options, decode), NULL,
     "read lines of ids and print their text"},
    {0, "skip-special", OPTION_FLAG, offsetof(struct tokenize_options, skip_special), NULL,
     "with --decode: leave special tokens out"},
    OPTION_FOLLOW_SYMLINKS(struct tokenize_options, follow_symlinks, "directory"),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    RULE_TEXT_FORM,
    {.type = RULE_EXCLUDE, .options = "ids|tokens|json"},
    {.type = RULE_WITH, .options = "skip-special|decode"},
    {0},
};

static void print(const struct buffer *lines)
{
    fwrite(lines->data, 1, lines->size, stdout);
}

/* ---- encoding ---- */

static void print_encoding(const struct tokenize_options *options,
                           const struct tokenizer *tokenizer, const struct encoding *encoding,
                           struct buffer *line)
{
    buffer_clear(line);
    if (options->common.json)
        encoding_report_add_json(line, encoding, tokenizer);
    else if (options->tokens)
        encoding_report_add_tokens(line, encoding, tokenizer);
    else
        encoding_report_add_ids(line, encoding);
    print(line);
}

static int encode_all(const struct tokenize_options *options, const struct tokenizer *tokenizer,
                      struct error *err)
{
    const struct common_options *common = &options->common;
    enum text_form form = text_form_choose(&options->form, TEXT_WHOLE);
    struct encode_options how = {.no_special = options->no_special,
                                 .max_length = options->max_length};
    struct text_input *input = text_input_open(common->operands + 1, common->n_operands - 1, form);
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encoding encoding = {0};
    struct buffer out = {0};
    struct text_item item;
    int more;

    while ((more = text_input_next(input, &item, err)) > 0) {
        if (tokenizer_encode(tokenizer, scratch, item.text, item.n, item.pair, item.n_pair, &how,
                             &encoding, err)) {
            more = text_item_context(&item, err);
            break;
        }
        print_encoding(options, tokenizer, &encoding, &out);
    }
    buffer_release(&out);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    text_input_tell(input, common);
    text_input_close(input);
    return more;
}

/* ---- decoding ---- */

static int decode_all(const struct tokenize_options *options, const struct tokenizer *tokenizer,
                      struct error *err)
{
    const struct common_options *common = &options->common;
    struct text_input *input =
        text_input_open(common->operands + 1, common->n_operands - 1, TEXT_LINES);
    struct buffer text = {0}, line = {0};
    struct ids ids = {0};
    struct text_item item;
    int more;

    while ((more = text_input_next(input, &item, err)) > 0) {
        buffer_clear(&text);
        if (id_line_read(item.text, item.n, &ids, err) ||
            tokenizer_decode(tokenizer, ids.items, ids.n_items, options->skip_special, &text,
                             err)) {
            more = text_item_context(&item, err);
            break;
        }
        buffer_clear(&line);
        if (options->common.json)
            encoding_report_add_text_json(&line, &text);
        else
            encoding_report_add_text(&line, &text);
        print(&line);
    }
    ids_release(&ids);
    buffer_release(&line);
    buffer_release(&text);
    text_input_close(input);
    return more;
}

/* ---- the command ---- */

static int tokenize(const struct tokenize_options *options, struct error *err)
{
    const struct common_options *common = &options->common;
    struct model_folder model = {0};
    struct tokenizer *tokenizer = NULL;
    char *path;
    int rc = -1;

    path = model_argument_find(common->operands[0], HUB_NEED_TEXTS, common, err);
    if (path && tokenizer_folder_open(&model, path, common->operands[0],
                                      options->follow_symlinks, err) == 0)
        tokenizer = tokenizer_load(model.folder, tokenizer_folder_directory(&model), err);
    if (tokenizer)
        rc = options->decode ? decode_all(options, tokenizer, err)
                             : encode_all(options, tokenizer, err);
    tokenizer_free(tokenizer);
    model_folder_release(&model);
    free(path);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct tokenize_options options = {0};
    int rc = command_parse(&command_tokenize, argc, argv, &options, err);

    if (rc == 0)
        rc = tokenize(&options, err);
    options_release(&options.common);
    return rc;
}

const struct command command_tokenize = {
    .name = "tokenize",
    .summary = "turn text into token ids, or ids into text",
    .usage = "MODEL [FILE...]",
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .rows = rows,
    .rules = rules,
    .run = run,
};
