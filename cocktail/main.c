/* main.c - the table of commands, and the way in and out of the program.
 *
 * This is the only place that prints an error and decides on the exit status. A command writes to
 * stdout with stdio and need not check: here it is flushed, closed and checked, because a full
 * disk must not look like success. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/interrupt.h"
#include "base/isa.h"
#include "base/nearest.h"
#include "base/ranks.h"
#include "base/utf8.h"

#include "command.h"
#include "terminal.h"

const struct command *const commands[] = {
    &command_mix,
    &command_mix_data,
    &command_merge,
    &command_convert,
    &command_adapter,
    &command_moe,
    &command_inspect,
    &command_diff,
    &command_tokenize,
    &command_tokenizer,
    &command_chat_template,
    &command_eval,
    &command_embed,
    &command_rerank,
    &command_generate,
    &command_chat,
    &command_serve,
    &command_logits,
    &command_routers,
    &command_pull,
    &command_completion,
    &command_help,
    NULL,
};

enum { EXIT_CLOSED_PIPE = 141 }; /* what a shell reports after SIGPIPE */

/* A model file opened as descriptor 1 would be overwritten by our output. The stand-in is opened
 * the wrong way round, so that using it fails. */
static void occupy_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            exit(ERROR_RESOURCES);
}

/* Ten models of 100 shards are more files than the usual soft limit of 1024. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int unknown_option(const char *name, struct error *err)
{
    struct nearest nearest = {.typed = name};

    nearest_consider(&nearest, "--version");
    nearest_consider(&nearest, "--help");
    if (nearest.word)
        return error_set(err, ERROR_USAGE, "unknown option '" ERROR_NAME "'; did you mean '%s'?",
                         name, nearest.word);
    return error_set(err, ERROR_USAGE, "the command comes first, options such as '" ERROR_NAME
                     "' follow it", name);
}

/* Where there are several, rank 0 alone prints what there is to say. */
static int start_ranks(struct error *err)
{
    if (ranks_start(err))
        return -1;
    if (ranks_number() && !freopen("/dev/null", "w", stdout))
        return error_errno(err, "cannot open '/dev/null'");
    return 0;
}

static int join_ranks(const struct command *command, struct error *err)
{
    if (ranks_count() == 1)
        return 0;
    if (!command->has_ranks)
        return error_set(err, ERROR_UNSUPPORTED, "'%s' cannot be done by several ranks; start it "
                         "without mpirun", command->name);
    return ranks_compare("version of cocktail", COCKTAIL_VERSION, err);
}

static int dispatch(int argc, char **argv, const struct command **command, struct error *err)
{
    const char *name = argv[1];

    if (argc < 2) {
        if (ranks_may_speak())
            command_print_overview(stderr);
        err->code = ERROR_USAGE;
        return -1;
    }
    if (strcmp(name, "--version") == 0) {
        puts("cocktail " COCKTAIL_VERSION);
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        command_print_overview(stdout);
        return 0;
    }
    if (name[0] == '-')
        return unknown_option(name, err);
    *command = command_find(name, err);
    if (!*command)
        return -1;
    if (isa_choose(getenv("COCKTAIL_ISA"), err) || join_ranks(*command, err))
        return -1;
    return (*command)->run(argc - 1, argv + 1, err) < 0 ? -1 : 0;
}

/* The reader may have left before the last write, whose errno is then gone. */
static bool reader_has_left(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

/* A failure of the command itself stays the one that is told. Returns the exit status. */
static int close_stdout(struct error *err)
{
    bool has_failed = ferror(stdout), is_closed_pipe;

    errno = 0;
    has_failed |= fflush(stdout) != 0;
    is_closed_pipe = has_failed && (errno == EPIPE || reader_has_left());
    has_failed |= fclose(stdout) != 0;
    if (!has_failed || err->text[0])
        return (int)err->code;
    if (is_closed_pipe)
        return EXIT_CLOSED_PIPE;
    err->code = ERROR_NONE; /* a silent code such as "they differ" says less than this */
    error_set(err, ERROR_IO, "cannot write to standard output: %s",
              errno ? strerror(errno) : "output is incomplete");
    return (int)err->code;
}

static void print_error(const struct error *err, const struct command *command)
{
    struct buffer line = {0};

    buffer_add_text(&line, terminal_has_colour(stderr) ? "\033[1;31mcocktail:\033[0m "
                                                       : "cocktail: ");
    buffer_add_text(&line, ranks_label());
    utf8_add_printable(&line, err->text, strlen(err->text));
    buffer_add_char(&line, '\n');
    if (err->code == ERROR_USAGE && command)
        buffer_format(&line, "usage: cocktail %s [OPTIONS] %s (try 'cocktail %s --help')\n",
                      command->name, command->usage, command->name);
    else if (err->code == ERROR_USAGE)
        buffer_add_text(&line, "usage: cocktail COMMAND [OPTIONS] [MODEL...] "
                               "(try 'cocktail --help')\n");
    fwrite(line.data, 1, line.size, stderr);
    buffer_release(&line);
}

/* Of several ranks: mpirun says why it ends them. */
static bool is_ended_by_others(const struct error *err)
{
    return ranks_count() > 1 && (err->code == ERROR_SIGINT || err->code == ERROR_SIGTERM);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    const struct command *command = NULL;
    int status;

    occupy_standard_streams();
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN); /* a write fails with EPIPE instead, so that we can clean up */
    interrupt_install();

    if ((start_ranks(&err) || dispatch(argc, argv, &command, &err)) && err.code == ERROR_NONE)
        error_set(&err, ERROR_INTERNAL, "the command failed without saying why");
    status = close_stdout(&err);
    if (err.text[0] && !is_ended_by_others(&err) && ranks_may_speak())
        print_error(&err, command);
    ranks_end(status);
    return status;
}
