/* help.c - `cocktail help [COMMAND]`, the same text as `cocktail COMMAND --help`. */
#include "command.h"

static const struct option_row rows[] = {OPTIONS_HELP};

static int help(const struct common_options *options, struct error *err)
{
    const struct command *command;

    if (options->n_operands == 0) {
        command_print_overview(stdout);
        return 0;
    }
    command = command_find(options->operands[0], err);
    if (!command)
        return -1;
    command_print_help(command, stdout);
    return 0;
}

static int run(int argc, char **argv, struct error *err)
{
    struct common_options options = {0};
    int rc = command_parse(&command_help, argc, argv, &options, err);

    if (rc == 0)
        rc = help(&options, err);
    options_release(&options);
    return rc;
}

const struct command command_help = {
    .name = "help",
    .summary = "explain a command",
    .usage = "[COMMAND]",
    .max_operands = 1,
    .rows = rows,
    .run = run,
};
