/* command.h - what the program can do: one struct command per subcommand.
 *
 * A new subcommand is its file cocktail/NAME.c (with its manual page and tests), one line at the
 * end of this header, one row in the table of main.c. */
#ifndef COCKTAIL_COMMAND_H
#define COCKTAIL_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#include "option_rules.h"
#include "options.h"

#define COCKTAIL_VERSION "0.1.0"

struct command {
    const char *name;
    const char *summary;               /* one line for the overview */
    const char *usage;                 /* what follows the name: "MODEL... -o DIR" */
    size_t min_operands, max_operands; /* SIZE_MAX: any number */
    const char *operand_words;         /* for shell completion: "bash|zsh|fish"; NULL: files */
    const struct option_row *rows;     /* ends with OPTIONS_COMMON or OPTIONS_HELP */
    const struct option_rule *rules;   /* ends with {0}; NULL: none */
    bool has_ranks;                    /* ranks.h: may be started as several of them */
    void (*print_more)(FILE *out);     /* behind the options in --help; NULL: nothing */
    /* argv[0] is the name of the command. Returns -1 with *err set, or anything else. An error
     * with an empty text ends the program with its code and without a message. */
    int (*run)(int argc, char **argv, struct error *err);
};

/* Fills the struct at `options`, as options_parse, and checks the number of operands and the rules.
 * Returns 0: go on, 1: help was asked for and has been printed, -1: error. A command passes 1 and
 * -1 on. */
int command_parse(const struct command *command, int argc, char **argv, void *options,
                  struct error *err);

/* One line: "usage: cocktail mix [OPTIONS] ...". */
void command_print_usage(const struct command *command, FILE *out);
void command_print_help(const struct command *command, FILE *out);
/* All commands. */
void command_print_overview(FILE *out);

/* The table in main.c, ended by NULL. */
extern const struct command *const commands[];
/* NULL with ERROR_USAGE, and the nearest name in the message, when there is no such command. */
const struct command *command_find(const char *name, struct error *err);

extern const struct command command_mix;
extern const struct command command_mix_data;
extern const struct command command_convert, command_merge;
extern const struct command command_adapter;
extern const struct command command_moe;
extern const struct command command_inspect;
extern const struct command command_diff;
extern const struct command command_tokenize, command_tokenizer;
extern const struct command command_eval;
extern const struct command command_embed;
extern const struct command command_rerank;
extern const struct command command_generate;
extern const struct command command_chat_template;
extern const struct command command_chat;
extern const struct command command_serve;
extern const struct command command_logits;
extern const struct command command_routers;
extern const struct command command_pull;
extern const struct command command_completion;
extern const struct command command_help;

#endif
