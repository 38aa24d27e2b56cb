#include "command.h"

#include <string.h>

#include "base/nearest.h"
#include "base/ranks.h"
#include "base/threads.h"

#include "compute.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 80 };

/* Ranks that take more threads than they have processors stand in one another's way. */
static void note_threads(const struct common_options *common)
{
    size_t n = threads_available();

    if (ranks_count() > 1 && common->n_threads > n && !common->quiet)
        fprintf(stderr, "cocktail: note: %s%zu threads share %zu processor%s\n", ranks_label(),
                common->n_threads, n, n == 1 ? "" : "s");
}

int command_parse(const struct command *command, int argc, char **argv, void *options,
                  struct error *err)
{
    struct common_options *common = options;

    if (options_parse(command->rows, argc, argv, options, err))
        return -1;
    if (common->help) {
        command_print_help(command, stdout);
        return 1;
    }
    if (common->n_operands < command->min_operands)
        return error_set(err, ERROR_USAGE, "'%s' needs %s%zu operand%s, got %zu", command->name,
                         command->min_operands < command->max_operands ? "at least " : "",
                         command->min_operands, command->min_operands == 1 ? "" : "s",
                         common->n_operands);
    if (common->n_operands > command->max_operands)
        return error_set(err, ERROR_USAGE, "unexpected operand '" ERROR_NAME "'",
                         common->operands[command->max_operands]);
    if (option_rules_check(command->rules, command->rows, command->name, common, err) ||
        compute_choose(common, err))
        return -1;
    note_threads(common);
    return 0;
}

const struct command *command_find(const char *name, struct error *err)
{
    struct nearest nearest = {.typed = name};

    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
        nearest_consider(&nearest, commands[i]->name);
    }
    if (nearest.word)
        error_set(err, ERROR_USAGE, "unknown command '" ERROR_NAME "'; did you mean '%s'?", name,
                  nearest.word);
    else
        error_set(err, ERROR_USAGE, "unknown command '" ERROR_NAME "'", name);
    return NULL;
}

void command_print_usage(const struct command *command, FILE *out)
{
    fprintf(out, "usage: cocktail %s [OPTIONS]%s%s\n", command->name, *command->usage ? " " : "",
            command->usage);
}

/* Prints `text` from HELP_COLUMN on, broken at blanks. */
static void print_wrapped(const char *text, FILE *out)
{
    const size_t width = HELP_WIDTH - HELP_COLUMN;

    while (strlen(text) > width) {
        size_t n = width;

        while (n > 0 && text[n] != ' ')
            n--;
        if (n == 0) /* one long word */
            n = strcspn(text, " ");
        fprintf(out, "%.*s\n", (int)n, text);
        text += n;
        text += strspn(text, " ");
        if (*text)
            fprintf(out, "%*s", HELP_COLUMN, "");
    }
    if (*text)
        fprintf(out, "%s\n", text);
}

static void print_row(const struct option_row *row, FILE *out)
{
    int used = row->short_name ? fprintf(out, "  -%c, --%s", row->short_name, row->long_name)
                               : fprintf(out, "      --%s", row->long_name);

    if (row->argument)
        used += fprintf(out, " %s", row->argument);
    if (used + 2 > HELP_COLUMN) {
        fputc('\n', out);
        used = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - used, "");
    print_wrapped(row->help, out);
}

void command_print_help(const struct command *command, FILE *out)
{
    command_print_usage(command, out);
    fprintf(out, "%s\n\n", command->summary);
    for (const struct option_row *row = command->rows; row->type != OPTION_END; row++)
        print_row(row, out);
    if (command->print_more)
        command->print_more(out);
}

void command_print_overview(FILE *out)
{
    fputs("usage: cocktail COMMAND [OPTIONS] [MODEL...]\n"
          "merge language-model checkpoints, and look at them\n\n", out);
    for (size_t i = 0; commands[i]; i++)
        fprintf(out, "  %-15s%s\n", commands[i]->name, commands[i]->summary);
    fputs("\n'cocktail help COMMAND' tells more; 'cocktail --version' prints the version\n", out);
}
