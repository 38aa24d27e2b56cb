/* chat_template.c - the prompt that a chat template makes of a conversation. */
#include "jinja/chat_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/line_reader.h"
#include "base/memory.h"
#include "text/marks.h"
#include "text/special_marks.h"
#include "text/tokenizer.h"

#include "command.h"
#include "model_argument.h"
#include "option_blocks.h"
#include "tokenizer_folder.h"

struct chat_template_options {
    struct common_options common;
    const char *messages, *tools, *documents, *template, *kwargs;
    bool add_generation_prompt, continue_final_message, literal_special, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "messages", OPTION_PATH, offsetof(struct chat_template_options, messages), "FILE",
     "the conversation, a JSON list of messages; - is stdin"},
    {0, "tools", OPTION_PATH, offsetof(struct chat_template_options, tools), "FILE",
     "what the model may call, a JSON list"},
    {0, "documents", OPTION_PATH, offsetof(struct chat_template_options, documents), "FILE",
     "what the model may cite, a JSON list"},
    {0, "kwargs", OPTION_TEXT, offsetof(struct chat_template_options, kwargs), "JSON|@FILE",
     "further variables of the template, an object"},
    {0, "template", OPTION_PATH, offsetof(struct chat_template_options, template), "FILE|chatml",
     "instead of the model's own"},
    OPTION_LITERAL_SPECIAL(struct chat_template_options, literal_special),
    {0, "add-generation-prompt", OPTION_FLAG,
     offsetof(struct chat_template_options, add_generation_prompt), NULL,
     "end where the model's answer begins"},
    {0, "continue-final-message", OPTION_FLAG,
     offsetof(struct chat_template_options, continue_final_message), NULL,
     "end where the last message ends, to be continued"},
    OPTION_FOLLOW_SYMLINKS(struct chat_template_options, follow_symlinks, "directory"),
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    {.type = RULE_NEEDED, .options = "messages", .message = "say of what: --messages FILE"},
    {.type = RULE_EXCLUDE, .options = "add-generation-prompt|continue-final-message"},
    {0},
};

enum { TEXT_BYTES_MAX = 64 * 1024 * 1024 };

/* ---- what the conversation consists of ---- */

struct texts { /* JSON, each NULL or owned */
    char *messages, *tools, *documents, *kwargs;
};

static void release_texts(struct texts *texts)
{
    free(texts->messages);
    free(texts->tools);
    free(texts->documents);
    free(texts->kwargs);
}

static int read_text(const char *path, char **out, struct error *err)
{
    struct line_reader *reader;
    const char *text;
    size_t size;
    int rc = -1;

    if (!path)
        return 0;
    reader = line_reader_open(path, err);
    if (reader)
        rc = line_reader_rest(reader, TEXT_BYTES_MAX, &text, &size, err);
    if (rc == 0 && memchr(text, '\0', size))
        rc = error_set(err, ERROR_FORMAT, "'" ERROR_NAME "': not valid JSON: a NUL byte", path);
    if (rc == 0)
        *out = memory_format("%.*s", (int)size, text);
    line_reader_close(reader);
    return rc;
}

static int read_texts(const struct chat_template_options *options, struct texts *texts,
                      struct error *err)
{
    const char *kwargs = options->kwargs;

    if (kwargs && kwargs[0] != '@')
        texts->kwargs = memory_copy(kwargs);
    return read_text(options->messages, &texts->messages, err) ||
                   read_text(options->tools, &texts->tools, err) ||
                   read_text(options->documents, &texts->documents, err) ||
                   (kwargs && kwargs[0] == '@' && read_text(kwargs + 1, &texts->kwargs, err))
               ? -1 : 0;
}

/* ---- what comes out ---- */

/* The ids that the model is given: the template has written what special tokens there are. */
static int print_json(const struct tokenizer *tokenizer, struct buffer *prompt, bool has_marks,
                      struct error *err)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    const struct encode_options how = {.no_special = true, .has_marks = has_marks};
    struct encoding encoding = {0};
    struct buffer out = {0};
    struct json_writer json = {.out = &out};
    int rc = tokenizer_encode(tokenizer, scratch, prompt->data, prompt->size, NULL, 0, &how,
                              &encoding, err);

    if (rc == 0) {
        if (has_marks)
            marks_drop(prompt);
        json_writer_object(&json, NULL);
        json_writer_bytes(&json, "prompt", prompt->data, prompt->size);
        json_writer_array(&json, "ids");
        for (size_t i = 0; i < encoding.n_ids; i++)
            json_writer_size(&json, NULL, encoding.ids[i]);
        json_writer_end(&json);
        json_writer_end(&json);
        puts(out.data);
    }
    buffer_release(&out);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return rc;
}

/* ---- the command ---- */

/* The tokenizer is needed for ids, and where it matters what is a special token. */
static int print_prompt(const struct chat_template_options *options,
                        const struct model_folder *model, const struct chat_template *chat,
                        struct chat_conversation *conversation, struct error *err)
{
    bool needs_tokenizer = options->common.json || options->literal_special;
    struct tokenizer *tokenizer =
        needs_tokenizer ? tokenizer_load(model->folder, tokenizer_folder_directory(model), err)
                        : NULL;
    struct special_marks *marks =
        tokenizer && options->literal_special ? special_marks_new(tokenizer) : NULL;
    struct buffer prompt = {0};
    int rc = tokenizer || !needs_tokenizer ? 0 : -1;

    buffer_add(&prompt, "", 0);
    conversation->prepare = marks ? special_marks_add : NULL;
    conversation->prepare_context = marks;
    if (rc == 0)
        rc = chat_template_render(chat, conversation, &prompt, err);
    if (rc == 0 && options->common.json) {
        rc = print_json(tokenizer, &prompt, marks != NULL, err);
    } else if (rc == 0) {
        if (marks)
            marks_drop(&prompt);
        fwrite(prompt.data, 1, prompt.size, stdout);
    }
    buffer_release(&prompt);
    special_marks_free(marks);
    tokenizer_free(tokenizer);
    return rc;
}

static int make_prompt(const struct chat_template_options *options,
                       const struct model_folder *model, struct error *err)
{
    struct chat_template *chat = chat_template_load(model->folder,
                                                    tokenizer_folder_directory(model),
                                                    options->template, err);
    struct texts texts = {0};
    int rc = -1;

    if (chat && read_texts(options, &texts, err) == 0) {
        struct chat_conversation conversation = {
            .messages = texts.messages, .tools = texts.tools, .documents = texts.documents,
            .kwargs = texts.kwargs, .add_generation_prompt = options->add_generation_prompt,
            .continue_final_message = options->continue_final_message,
        };

        rc = print_prompt(options, model, chat, &conversation, err);
    }
    release_texts(&texts);
    chat_template_free(chat);
    return rc;
}

static int run(int argc, char **argv, struct error *err)
{
    struct chat_template_options options = {0};
    struct model_folder model = {0};
    char *path = NULL;
    int rc = command_parse(&command_chat_template, argc, argv, &options, err);

    if (rc == 0) {
        path = model_argument_find(options.common.operands[0], HUB_NEED_TEXTS, &options.common,
                                   err);
        rc = path && tokenizer_folder_open(&model, path, options.common.operands[0],
                                           options.follow_symlinks, err) == 0
                 ? make_prompt(&options, &model, err) : -1;
    }
    model_folder_release(&model);
    free(path);
    options_release(&options.common);
    return rc;
}

const struct command command_chat_template = {
    .name = "chat-template",
    .summary = "show the prompt that a chat template makes of a conversation",
    .usage = "MODEL --messages FILE",
    .min_operands = 1,
    .max_operands = 1,
    .rows = rows,
    .rules = rules,
    .run = run,
};
