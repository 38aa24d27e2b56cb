/* chat.c - talk with a model in the terminal. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "report/generation_report.h"

#include "command.h"
#include "line_editor.h"
#include "option_blocks.h"
#include "output.h"
#include "sampling_options.h"
#include "talk.h"

struct chat_options {
    struct common_options common;
    struct sampling_options sampling;
    const char *system, *template, *type;
    size_t max_tokens;
    bool literal_special, follow_symlinks;
};

static const struct option_row rows[] = {
    {0, "system", OPTION_TEXT, offsetof(struct chat_options, system), "TEXT",
     "what the model is told before anything else"},
    {0, "template", OPTION_TEXT, offsetof(struct chat_options, template), "FILE|chatml",
     "a chat template in place of the model's own"},
    OPTION_LITERAL_SPECIAL(struct chat_options, literal_special),
    {0, "max-tokens", OPTION_COUNT, offsetof(struct chat_options, max_tokens), "N",
     "end answers after N tokens (at the end of the context)"},
    OPTIONS_SAMPLING(struct chat_options, "the model's, else 1", "the model's, else 1",
                     "another each time"),
    OPTION_TYPE(struct chat_options, type, "decoder|encoder-decoder",
                "what the model is (from config.json)"),
    OPTION_FOLLOW_SYMLINKS(struct chat_options, follow_symlinks, "directory"),
    OPTION_COMPUTE,
    OPTIONS_COMMON,
};

static const struct option_rule rules[] = {
    RULES_SAMPLING,
    {0},
};

struct chat {
    const struct chat_options *options;
    struct talk talk;
    struct line_editor *editor;
    bool is_terminal;     /* somebody types */
};

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t is_interrupted;

static void note_interrupt(int number)
{
    (void)number;
    is_interrupted = 1;
}

/* It stops an answer, and not the program. */
static void catch_interrupt(void)
{
    /* Restarted: a write of the answer that it comes into must not fail. */
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = SA_RESTART};

    sigaction(SIGINT, &action, NULL);
}

/* ---- answers ---- */

/* Bytes of a terminal's control sequences do not reach it. */
static int show(void *context, struct generation *generation, struct error *err)
{
    const struct chat *chat = context;
    struct buffer *text = &generation->text;

    if (is_interrupted && chat->is_terminal)
        return 1;
    if (chat->options->common.json || !text->size)
        return 0;
    for (size_t i = 0; chat->is_terminal && i < text->size; i++)
        if ((unsigned char)text->data[i] < ' ' && !strchr("\n\t", text->data[i]))
            text->data[i] = '?';
    if (output_write(text->data, text->size, err) || output_flush(err))
        return -1;
    buffer_clear(text);
    return 0;
}

static void tell(const struct chat *chat, const struct generation *generation)
{
    const struct talk *talk = &chat->talk;
    size_t n = generation->ids.n_items - generation->n_given;
    double seconds = talk->last_s - talk->first_s;

    if (talk->n_dropped)
        fprintf(stderr, "(the conversation was too long: the oldest %zu turn%s left out)\n",
                talk->n_dropped, talk->n_dropped == 1 ? " is" : "s are");
    if (is_interrupted)
        fprintf(stderr, "(stopped)\n");
    else if (generation->state == GENERATION_LENGTH)
        fprintf(stderr, "(no more tokens fit)\n");
    if (chat->options->common.verbose && n > 1 && seconds > 0)
        fprintf(stderr, "(%zu + %zu tokens, %.1f a second)\n", talk->n_prompt_tokens, n,
                (double)(n - 1) / seconds);
}

static void print_json(const struct chat *chat, const struct generation *generation)
{
    struct buffer out = {0};
    struct json_writer json = {.out = &out};

    generation_report_add_json(&json, generation, chat->talk.n_prompt_tokens,
                               chat->talk.last_s - chat->talk.first_s);
    puts(out.data);
    buffer_release(&out);
}

static int answer(struct chat *chat, struct error *err)
{
    struct generation generation;
    int rc;

    is_interrupted = 0;
    chat->talk.sampling.seed++;
    rc = talk_answer(&chat->talk, show, chat, &generation, err);
    if (rc == 0 && chat->options->common.json)
        print_json(chat, &generation);
    else if (rc == 0)
        putchar('\n');
    if (rc == 0)
        rc = output_flush(err);
    if (rc == 0 && chat->is_terminal)
        tell(chat, &generation);
    generation_release(&generation);
    return rc;
}

/* A mistake in a conversation is told, and does not end it. */
static int answer_or_tell(struct chat *chat, struct error *err)
{
    struct error error = {0};

    if (answer(chat, &error) == 0)
        return 0;
    if (error.code == ERROR_IO || error.code == ERROR_SIGTERM || !*error.text) {
        *err = error;
        return -1;
    }
    fprintf(stderr, "cocktail: %s\n", error.text);
    conversation_drop_last(&chat->talk.conversation);
    return 0;
}

/* ---- commands ---- */

static int show_help(struct chat *chat, const char *argument, struct error *err);

static int set_system(struct chat *chat, const char *argument, struct error *err)
{
    (void)err;
    conversation_set_system(&chat->talk.conversation, argument);
    return 0;
}

static int reset(struct chat *chat, const char *argument, struct error *err)
{
    (void)argument;
    (void)err;
    conversation_clear(&chat->talk.conversation);
    return 0;
}

static int regenerate(struct chat *chat, const char *argument, struct error *err)
{
    struct conversation *conversation = &chat->talk.conversation;
    size_t n = conversation->n_messages;

    (void)argument;
    if (n == 0 || strcmp(conversation->messages[n - 1].role, "assistant") != 0) {
        fprintf(stderr, "there is no answer yet\n");
        return 0;
    }
    conversation_drop_last(conversation);
    return answer_or_tell(chat, err);
}

static int save(struct chat *chat, const char *argument, struct error *err)
{
    struct buffer text = {0};
    FILE *file = *argument ? fopen(argument, "w") : NULL;
    bool has_failed = !file;

    (void)err;
    conversation_add_json(&chat->talk.conversation, &text);
    buffer_add_char(&text, '\n');
    if (file) {
        has_failed = fwrite(text.data, 1, text.size, file) != text.size;
        has_failed |= fclose(file) != 0;
    }
    if (has_failed)
        fprintf(stderr, "cannot write '%s': %s\n", argument,
                *argument ? strerror(errno) : "say which file: /save FILE");
    buffer_release(&text);
    return 0;
}

static int leave(struct chat *chat, const char *argument, struct error *err)
{
    (void)chat;
    (void)argument;
    (void)err;
    return 1;
}

static const struct chat_command {
    const char *name, *argument, *help;
    int (*run)(struct chat *chat, const char *argument, struct error *err); /* 1: the end */
} commands_of_chat[] = {
    {"/system", "TEXT", "what the model is told before anything else", set_system},
    {"/reset", "", "begin anew", reset},
    {"/clear", "", "the same", reset},
    {"/regen", "", "another answer in place of the last", regenerate},
    {"/save", "FILE", "write the messages, as `chat-template --messages` reads them", save},
    {"/bye", "", "leave; so does Ctrl-D", leave},
    {"/?", "", "this", show_help},
};

enum { N_COMMANDS = sizeof commands_of_chat / sizeof *commands_of_chat };

static int show_help(struct chat *chat, const char *argument, struct error *err)
{
    (void)chat;
    (void)argument;
    (void)err;
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(stderr, "%-8s%-6s %s\n", commands_of_chat[i].name, commands_of_chat[i].argument,
                commands_of_chat[i].help);
    fprintf(stderr, "\"\"\"            begins and ends a message of several lines\n"
                    "Ctrl-C         stops an answer\n");
    return 0;
}

static int run_command(struct chat *chat, const char *line, struct error *err)
{
    size_t n = strcspn(line, " \t");

    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strlen(commands_of_chat[i].name) == n &&
            memcmp(line, commands_of_chat[i].name, n) == 0) {
            line += n;
            return commands_of_chat[i].run(chat, line + strspn(line, " \t"), err);
        }
    fprintf(stderr, "there is no command '%.*s'; /? lists them\n", (int)n, line);
    return 0;
}

/* ---- messages ---- */

/* The rest of a message that began with """. */
static void read_lines(struct chat *chat, const char *first, struct buffer *message)
{
    static const char mark[] = "\"\"\"";
    char *line = memory_copy(first);

    while (line) {
        char *end = strstr(line, mark);

        if (end)
            *end = '\0';
        buffer_add_text(message, line);
        if (end)
            break;
        buffer_add_char(message, '\n');
        free(line);
        line = line_editor_read(chat->editor, "... ");
    }
    free(line);
}

/* A line that was typed. 1: the end; -1: an error. */
static int take_line(struct chat *chat, const char *line, struct error *err)
{
    struct buffer message = {0};
    int rc;

    line += strspn(line, " \t");
    if (!*line)
        return 0;
    if (*line == '/')
        return run_command(chat, line, err);
    if (strncmp(line, "\"\"\"", 3) == 0)
        read_lines(chat, line + 3, &message);
    else
        buffer_add_text(&message, line);
    conversation_add(&chat->talk.conversation, "user", message.data ? message.data : "");
    rc = answer_or_tell(chat, err);
    buffer_release(&message);
    return rc;
}

static int talk_by_lines(struct chat *chat, struct error *err)
{
    int rc = 0;
    char *line;

    chat->editor = line_editor_new();
    if (!chat->options->common.quiet)
        fprintf(stderr, "'%s': /? for help, /bye to leave\n", chat->talk.model.folder.name);
    while (rc == 0 && (line = line_editor_read(chat->editor, ">>> "))) {
        rc = take_line(chat, line, err);
        free(line);
    }
    line_editor_free(chat->editor);
    return rc < 0 ? -1 : 0;
}

/* All of what a pipe holds is one message. */
static int talk_once(struct chat *chat, struct error *err)
{
    struct buffer message = {0};
    char bytes[4096];
    size_t n;
    int rc = -1;

    while ((n = fread(bytes, 1, sizeof bytes, stdin)) > 0)
        buffer_add(&message, bytes, n);
    while (message.size && strchr("\r\n", message.data[message.size - 1]))
        message.data[--message.size] = '\0';
    if (interrupt_check(err) || ferror(stdin))
        error_errno(err, "cannot read standard input"); /* unless it is the interruption */
    else if (!message.size)
        error_set(err, ERROR_USAGE, "standard input holds no message");
    else if (strlen(message.data) != message.size)
        error_set(err, ERROR_FORMAT, "standard input: the message holds a NUL byte");
    else {
        conversation_add(&chat->talk.conversation, "user", message.data);
        rc = answer(chat, err);
    }
    buffer_release(&message);
    return rc;
}

/* ---- the command ---- */

static int run_chat(struct chat_options *options, struct chat *chat, struct error *err)
{
    const struct talk_options how = {options->type, options->template, options->system,
                                     options->follow_symlinks, options->literal_special};
    struct talk *talk = &chat->talk;

    if (talk_open(talk, options->common.operands[0], &how, &options->common, err) ||
        sampling_options_read(&options->sampling, talk->model.spec.vocab_size, err))
        return -1;
    sampling_options_apply(&options->sampling, &talk->sampling);
    if (options->sampling.seed)
        talk->sampling.seed--; /* the first answer's is the one that was asked for */
    else if (getentropy(&talk->sampling.seed, sizeof talk->sampling.seed))
        return error_errno(err, "no chance to be had");
    talk->stops = sampling_options_stops(&options->sampling);
    if (options->max_tokens)
        talk->max_tokens = options->max_tokens;
    chat->is_terminal = isatty(STDIN_FILENO);
    if (!chat->is_terminal)
        return talk_once(chat, err);
    catch_interrupt();
    return talk_by_lines(chat, err);
}

static int run(int argc, char **argv, struct error *err)
{
    struct chat_options options = {.sampling = SAMPLING_OPTIONS_NONE};
    struct chat chat = {.options = &options};
    int rc = command_parse(&command_chat, argc, argv, &options, err);

    if (rc == 0) {
        rc = run_chat(&options, &chat, err);
        talk_release(&chat.talk);
    }
    sampling_options_release(&options.sampling);
    options_release(&options.common);
    return rc;
}

const struct command command_chat = {
    .name = "chat",
    .summary = "talk with a model",
    .usage = "MODEL",
    .min_operands = 1,
    .max_operands = 1,
    .rows = rows,
    .rules = rules,
    .run = run,
};
